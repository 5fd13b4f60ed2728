//! Checks migrations: both databases have the same ones, and each can be reverted.

use std::collections::BTreeSet;

const DATABASES: [&str; 2] = ["sqlite", "postgres"];

pub(super) fn faults(paths: &[&str]) -> Vec<String> {
    let names: BTreeSet<&str> = paths.iter().filter_map(|path| name(path)).collect();
    let mut faults = Vec::new();
    for name in names {
        if !is_stamped(name) {
            faults.push(format!("migrations: {name} is not named <UTC timestamp>_<slug>: use cargo xtask migrate new"));
        }
        for database in DATABASES {
            for file in ["up.sql", "down.sql"] {
                let path = format!("migrations/{database}/{name}/{file}");
                if !paths.contains(&path.as_str()) {
                    faults.push(format!("{path}: missing"));
                }
            }
        }
    }
    faults
}

/// Returns the migration that a file belongs to, or `None`.
fn name(path: &str) -> Option<&str> {
    let (database, rest) = path.strip_prefix("migrations/")?.split_once('/')?;
    let (name, _) = rest.split_once('/')?;
    DATABASES.contains(&database).then_some(name)
}

/// Returns whether a name is 14 digits, an underscore and a slug.
fn is_stamped(name: &str) -> bool {
    name.split_once('_').is_some_and(|(stamp, slug)| {
        let digits = stamp.len() == 14 && stamp.bytes().all(|byte| byte.is_ascii_digit());
        digits
            && !slug.is_empty()
            && slug.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_both_ways() {
        let all = ["sqlite", "postgres"]
            .map(|database| ["up", "down"].map(|way| format!("migrations/{database}/20261122120000_users/{way}.sql")));
        let all: Vec<&str> = all.iter().flatten().map(String::as_str).collect();
        assert_eq!(faults(&all), Vec::<String>::new());
        for missing in &all {
            let rest: Vec<&str> = all.iter().filter(|path| path != &missing).copied().collect();
            assert_eq!(faults(&rest), [format!("{missing}: missing")]);
        }
    }

    #[test]
    fn a_name_is_a_stamp_and_a_slug() {
        assert!(is_stamped("20261122120000_users"));
        for name in ["users", "2026_users", "20261122120000_", "20261122120000_Users", "20261122120000-users"] {
            assert!(!is_stamped(name), "{name}");
        }
    }
}
