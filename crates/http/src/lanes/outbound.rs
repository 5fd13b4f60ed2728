//! Lanes to identity providers, one for each, so that a slow provider takes no thread from the others.

use super::{Lane, LaneLoad};
use std::collections::BTreeMap;

/// Lanes by the name of the provider.
#[derive(Default)]
pub struct OutboundLanes(BTreeMap<String, Lane>);

impl OutboundLanes {
    /// Returns the lane of a provider, or `None` if there is no such provider.
    pub(crate) fn get(&self, provider: &str) -> Option<&Lane> {
        self.0.get(provider)
    }

    /// Returns a function that reports the current load of all lanes together.
    pub fn load(&self) -> impl Fn() -> LaneLoad + Send + Sync + use<> {
        let loads: Vec<_> = self.0.values().map(Lane::load).collect();
        move || {
            loads.iter().fold(LaneLoad { running: 0, waiting: 0 }, |sum, load| {
                let LaneLoad { running, waiting } = load();
                LaneLoad { running: sum.running + running, waiting: sum.waiting + waiting }
            })
        }
    }
}

impl FromIterator<(String, Lane)> for OutboundLanes {
    fn from_iter<I: IntoIterator<Item = (String, Lane)>>(lanes: I) -> Self {
        Self(lanes.into_iter().collect())
    }
}
