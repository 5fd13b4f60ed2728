//! Expands `${NAME}` and `${NAME:-default}` in values of `.env` as python-dotenv does: also in quotes of
//! either kind, the file before the environment, and unknown names to nothing.

use super::dotenv::Bindings;

/// Returns the value with its variables expanded.
pub(super) fn interpolate(value: &str, above: &Bindings, environment: &dyn Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        match variable(after) {
            Some((name, default, after)) => {
                let known = above.get(name).cloned().map(Option::unwrap_or_default);
                out.push_str(&known.or_else(|| environment(name)).unwrap_or_else(|| default.to_owned()));
                rest = after;
            }
            None => {
                out.push_str("${");
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// Splits off `NAME}` or `NAME:-default}`.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let (inner, after) = text.split_once('}')?;
    match inner.split_once(':') {
        None => Some((inner, "", after)),
        Some((name, default)) => Some((name, default.strip_prefix('-')?, after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_resolve_from_above_then_environment_then_default() {
        let above: Bindings = [("A".to_owned(), Some("a".to_owned())), ("NONE".to_owned(), None)].into();
        let environment = |name: &str| matches!(name, "A" | "E").then(|| "env".to_owned());
        for (value, expected) in [
            ("x${A}y${A}", "xaya"),
            ("${E}", "env"),
            ("${E:-d}", "env"),
            ("${U:-d}", "d"),
            ("${U:-d:-e}", "d:-e"),
            ("${U}", ""),
            ("${NONE:-d}", ""),
            ("${}", ""),
            ("$A ${A", "$A ${A"),
            ("${A:x}", "${A:x}"),
            ("${A:x${A}", "${A:xa"),
            ("$${A}", "$a"),
        ] {
            assert_eq!(interpolate(value, &above, &environment), expected, "{value}");
        }
    }
}
