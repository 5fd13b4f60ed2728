//! Errors that a server responds with: which of them mean that it takes no writes, and their text for operators.

use redis::RedisError;

/// Codes of errors with which a server refuses every write.
const LOST: [(&str, &str); 7] = [
    ("READONLY", "it is a replica and takes no writes"),
    ("OOM", "its memory is full"),
    ("MISCONF", "it cannot save its data and takes no writes"),
    ("NOREPLICAS", "it has too few replicas to take writes"),
    ("LOADING", "it is loading its data"),
    ("MASTERDOWN", "it is a replica without a connection to its master"),
    ("CLUSTERDOWN", "its cluster is down"),
];

/// Returns whether the server takes no writes, or not those of this user. Limits cannot be counted there then.
pub(crate) fn is_loss(error: &RedisError) -> bool {
    lost(error).is_some() || is_permission(error)
}

/// Returns whether this user lacks a permission.
pub(crate) fn is_permission(error: &RedisError) -> bool {
    error.detail().and_then(refused).is_some()
}

/// Before version 7, the error of a command in a script has the code `ERR`, and its own one after a hyphen.
fn lost(error: &RedisError) -> Option<(&'static str, &'static str)> {
    let detail = error.detail().unwrap_or_default();
    let is = |code: &str| error.code() == Some(code) || detail.contains(&format!("-{code} "));
    LOST.into_iter().find(|(code, _)| is(code))
}

/// Describes an error by its kind only, since its text may contain sent data. For a denied permission
/// (NOPERM) the name of the command is added, which only this program chooses.
pub(crate) fn describe(error: &RedisError) -> String {
    if let Some((code, reason)) = lost(error) {
        return format!("{reason} ({code})");
    }
    if let Some(refused) = error.detail().and_then(refused) {
        return format!("the user of REDIS_URL may not {refused} (NOPERM)");
    }
    match error.code() {
        Some(code) => format!("{}: {code}", error.category()),
        None if error.is_timeout() => "timed out".to_owned(),
        // The detail is the TLS library's, and has nothing that was sent.
        None if error.detail().is_some_and(|detail| detail.contains("certificate verify failed")) => {
            "its TLS certificate is not trusted".to_owned()
        }
        None if error.is_connection_refusal() => "connection refused".to_owned(),
        None => error.category().to_owned(),
    }
}

/// Returns the permission that an ACL denied, in a script or outside of one. `None` for another error.
fn refused(detail: &str) -> Option<String> {
    if let Some((_, rest)) = detail.split_once("permissions to run the '") {
        let command = rest.split('\'').next().filter(|name| name.len() <= 32)?;
        let plain = command.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'|' | b'-' | b'_' | b'.'));
        return plain.then(|| format!("run {command}"));
    }
    // Redis 7.0 does not name a command denied in a script.
    if detail.contains("can't run this command") {
        return Some("run a command of the scripts".to_owned());
    }
    let of_keys =
        detail.contains("key") && (detail.contains("permissions to access") || detail.contains("can't access"));
    of_keys.then(|| "access keys that begin with portcullis:".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::{ErrorKind, ServerErrorKind};

    #[test]
    fn what_a_script_reports_is_known_in_old_versions_too() {
        let error = |detail: &str| {
            let kind = ErrorKind::Server(ServerErrorKind::ResponseError);
            RedisError::from((kind, "An error was signalled by the server", detail.to_owned()))
        };
        let old = error("Error running script (call to f_1): @user_script:1: -READONLY You can't write");
        assert!(is_loss(&old));
        assert_eq!(describe(&old), "it is a replica and takes no writes (READONLY)");
        let denied = error("The user executing the script can't run this command or subcommand");
        assert!(is_loss(&denied), "limits need every command of the scripts");
        assert!(!is_loss(&error("value is not an integer or out of range")));
    }
}
