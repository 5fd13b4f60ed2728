//! Properties that must hold in every reachable state.

use crate::answers::Answer;
use crate::clients::{DEVICE, Request};
use crate::rows::{ANOTHER, FIRST, MODELLED, Row, State};
use crate::world::{Flight, Phase, Stage, World, owners_key};

/// Returns the violated property, or `None`.
pub(crate) fn violated(stage: &Stage, world: &World) -> Option<String> {
    let rows = line_is_whole(world).or_else(|| thief_and_owner_share_nothing(stage, world));
    let answers = world.told.as_ref().and_then(|(number, flight, answer)| {
        answer_is_right(world, flight, *answer).or_else(|| honest_answer(stage, *number, flight, *answer))
    });
    rows.or(answers).or_else(|| owner_is_signed_in(stage, world))
}

/// At most one token is live. Each token but the first is the successor of exactly one spent token.
fn line_is_whole(world: &World) -> Option<String> {
    let rows = &world.database.rows;
    let live = rows.iter().filter(|row| row.state == State::Live).count();
    if live > 1 {
        return Some(format!("the session has {live} live refresh tokens"));
    }
    let forked = rows.iter().find(|row| {
        let before =
            |other: &&_| matches!(other, Row { state: State::Spent(spent), .. } if spent.successor == row.token);
        row.token != FIRST && rows.iter().filter(before).count() != 1
    });
    forked.map(|row| format!("token {} succeeds no token, or several: the line forks", row.token))
}

/// Owner and attacker never got the same token, unless it was stolen.
fn thief_and_owner_share_nothing(stage: &Stage, world: &World) -> Option<String> {
    if stage.scenario.policy.overlap.num_seconds() > 0 {
        return None;
    }
    let [owner, thief] = &world.given;
    let shared = owner.iter().filter(|token| thief.contains(token)).count();
    let copied = world.clients.iter().filter(|client| client.stolen.is_some()).count();
    (shared > copied).then(|| "the thief and the owner were given the same token".to_owned())
}

fn answer_is_right(world: &World, flight: &Flight, answer: Answer) -> Option<String> {
    let ended = world.database.ended[usize::from(MODELLED)];
    match (flight.run.request, answer) {
        (Request::Refresh { token: shown, key }, Answer::Pair { token, issued_at, .. }) => {
            let row = world.database.row(token);
            if flight.late {
                Some("an ended session refreshed".to_owned())
            } else if flight.doomed {
                Some("a token that was spent before the grace refreshed".to_owned())
            } else if row.is_none_or(|row| row.created_at != issued_at) {
                Some(format!("the answer has token {token}, which is kept differently"))
            } else if !world.database.succeeds(token, shown, key) {
                Some(format!("token {shown} was answered with token {token}, which does not succeed it"))
            } else {
                None
            }
        }
        (Request::Refresh { .. }, Answer::Raced | Answer::Refused) if flight.doomed && !ended => {
            Some("a token that was spent before the grace was shown, and the session lives".to_owned())
        }
        (Request::Refresh { .. }, _) => None,
        (request, answer) if request.spares() => {
            let spared = answer == Answer::Ended && !world.database.ended[usize::from(ANOTHER)];
            spared.then(|| "the other session was ended, and goes on".to_owned())
        }
        (_, Answer::Ended) if world.usable() > 0 => Some("the session was ended, and has a live token".to_owned()),
        _ => None,
    }
}

/// If only the owner takes part, a refresh is refused only to the loser of a race, and never to a browser.
fn honest_answer(stage: &Stage, number: usize, flight: &Flight, answer: Answer) -> Option<String> {
    let refused = matches!(answer, Answer::Refused | Answer::Failed) || answer == Answer::Raced && stage.has_tabs();
    let refused = refused && stage.is_honest();
    // After a failed batch, each request is handled alone.
    refused.then(|| format!("client {number} was refused: {:?}", flight.run.request))
}

/// Whenever no request is in flight, the owner's stored token refreshes with its key, or the device's.
fn owner_is_signed_in(stage: &Stage, world: &World) -> Option<String> {
    if !stage.is_honest() {
        return None;
    }
    if world.database.ended[usize::from(MODELLED)] {
        return Some("the owner was signed out".to_owned());
    }
    let still = world.clients.iter().all(|client| client.phase == Phase::Idle);
    let key = if stage.has_tabs() { DEVICE } else { owners_key(world.jar) };
    let live = world.database.row(world.jar).is_some_and(|row| row.state == State::Live);
    let good = live || world.database.is_retried(world.jar, Some(key));
    (still && !good).then(|| format!("the owner keeps token {}, which never refreshes again", world.jar))
}
