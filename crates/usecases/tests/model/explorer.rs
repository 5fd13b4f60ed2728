//! Breadth-first search of all reachable states, each visited once, so that a violation is reported
//! with the fewest steps.

use crate::answers::Answer;
use crate::clients::{Request, Role, Scenario};
use crate::properties::violated;
use crate::world::{Action, Phase, Stage, World};
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

/// Results of a search.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    pub(crate) states: usize,
    pub(crate) steps: usize,
    /// Verdicts of the issued pairs, and the other responses.
    pub(crate) answers: std::collections::BTreeSet<String>,
}

/// A state and the path to it.
struct Place {
    world: World,
    index: usize,
}

fn hash(world: &World) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.hash(&mut hasher);
    hasher.finish()
}

/// Explores all states of a scenario.
///
/// # Errors
/// Returns a description of the shortest path to a violation.
pub(crate) fn explore(scenario: &Scenario) -> Result<Seen, String> {
    let (stage, start) = (Stage::new(scenario.clone()), World::new(scenario));
    let mut known = HashSet::from([hash(&start)]);
    let mut ways: Vec<(usize, Option<Action>)> = vec![(0, None)];
    let mut frontier = vec![Place { world: start, index: 0 }];
    let mut seen = Seen { states: 1, ..Seen::default() };
    while !frontier.is_empty() {
        let mut next = Vec::new();
        for place in &frontier {
            let actions = stage.actions(&place.world);
            let stuck = place.world.flights().next().is_some()
                && !actions.iter().any(|action| matches!(action, Action::Step(_) | Action::Deliver(_)));
            if stuck {
                return Err(told(&stage, &ways, place.index, "all wait for each other"));
            }
            for action in actions {
                let mut world = stage.after(&place.world, action);
                seen.steps += 1;
                let wrong = violated(&stage, &world);
                if let Some((_, _, answer)) = world.told.take() {
                    seen.answers.insert(name(answer));
                }
                let fresh = known.insert(hash(&world));
                if !fresh && wrong.is_none() {
                    continue;
                }
                ways.push((place.index, Some(action)));
                let index = ways.len() - 1;
                if let Some(wrong) = wrong {
                    return Err(told(&stage, &ways, index, &wrong));
                }
                seen.states += 1;
                next.push(Place { world, index });
            }
        }
        frontier = next;
    }
    Ok(seen)
}

fn name(answer: Answer) -> String {
    match answer {
        Answer::Pair { verdict, .. } => verdict.to_owned(),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// Describes the path to a state, step by step, and the violation.
fn told(stage: &Stage, ways: &[(usize, Option<Action>)], mut index: usize, wrong: &str) -> String {
    let mut actions = Vec::new();
    while let (before, Some(action)) = ways[index] {
        actions.push(action);
        index = before;
    }
    actions.reverse();
    let mut world = World::new(&stage.scenario);
    let mut lines = vec![format!("{}: {wrong}, after", stage.scenario.name)];
    for action in actions {
        let after = stage.after(&world, action);
        lines.push(format!("  {}", words(stage, &world, &after, action)));
        world = after;
    }
    lines.join("\n")
}

fn who(stage: &Stage, number: usize) -> String {
    let role = match stage.scenario.clients[number].0 {
        Role::Owner | Role::Keyless | Role::Tab => "owner",
        Role::Thief | Role::KeyedThief => "thief",
        Role::Ender(_) => "ender",
    };
    format!("client {} ({role})", number + 1)
}

fn words(stage: &Stage, before: &World, after: &World, action: Action) -> String {
    match action {
        Action::Send(number, request) => format!("{} sends {}", who(stage, number), asked(request)),
        Action::Step(number) => {
            let statement = match &before.clients[number].phase {
                Phase::Flying(flight) => flight.stands_at(),
                _ => String::new(),
            };
            let end = after.told.as_ref().map(|(_, _, answer)| format!("; it is answered {answer:?}"));
            format!("{}: the store takes {statement}{}", who(stage, number), end.unwrap_or_default())
        }
        Action::Die(number) => format!("{}: the service dies with the request", who(stage, number)),
        Action::FailBatch(number) => format!("{}: the batch fails for another's row", who(stage, number)),
        Action::Deliver(number) => format!("{} gets the answer", who(stage, number)),
        Action::Lose(number) => format!("{}: the answer is lost", who(stage, number)),
        Action::Steal(number) => format!("{} copies token {}", who(stage, number), before.jar),
        Action::Wait(time) => format!("{time} s pass"),
    }
}

fn asked(request: Request) -> String {
    match request {
        Request::Refresh { token, key: Some(key) } => format!("a refresh with token {token} and key {key}"),
        Request::Refresh { token, key: None } => format!("a refresh with token {token} and no key"),
        Request::LogOut { token } => format!("a logout with token {token}"),
        other => format!("{other:?}"),
    }
}

/// Explores a scenario and prints the size of the search.
#[expect(clippy::disallowed_methods, reason = "a test tells how long it took")]
pub(crate) fn run(scenario: &Scenario) -> Seen {
    let start = Instant::now();
    let seen = explore(scenario).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!(
        "{}: {} states, {} steps, {:?}, answers {:?}",
        scenario.name,
        seen.states,
        seen.steps,
        start.elapsed(),
        seen.answers
    );
    seen
}
