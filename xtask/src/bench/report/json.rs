//! The report as JSON.

use super::Report;
use anyhow::Result;

pub(super) fn text(report: &Report) -> Result<String> {
    Ok(serde_json::to_string_pretty(report)? + "\n")
}

#[cfg(test)]
mod tests {
    use crate::bench::report::sample;

    #[test]
    fn figures_stand_beside_the_names() {
        let value: serde_json::Value = serde_json::from_str(&super::text(&sample()).unwrap()).unwrap();
        assert_eq!(value["rows"][0]["a_second"], 9000.0);
        assert_eq!(value["rows"][0]["contender"], "Portcullis");
        assert_eq!(value["checks"][1]["met"], false);
        assert_eq!(value["checks"][1]["bound"]["at_most"], 0.15);
        assert_eq!(value["failures"][0]["workload"], "purge");
    }
}
