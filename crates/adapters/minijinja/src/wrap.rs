//! Wraps plain text for terminals of 80 columns.

/// Maximum width of a line (RFC 3676 §4.2 recommends at most 78 columns).
const COLUMNS: usize = 72;
/// Characters that must not start a line in Chinese.
const CLOSING: &str = "，。：；、？！）》”’…";
/// Characters that must not end a line in Chinese.
const OPENING: &str = "（《“‘";

/// Breaks lines at blanks and between Chinese characters. A longer word, such as a URL, stays whole.
pub(crate) fn wrap(text: &str) -> String {
    text.lines().map(wrap_line).collect::<Vec<_>>().join("\n")
}

fn wrap_line(line: &str) -> String {
    let mut out = String::new();
    let mut column = 0_usize;
    for piece in pieces(line) {
        let width = width(piece.text);
        let blank = usize::from(piece.after_blank && column > 0);
        if column > 0 && column.saturating_add(blank).saturating_add(width) > COLUMNS {
            out.push('\n');
            column = 0;
        } else if blank > 0 {
            out.push(' ');
            column = column.saturating_add(1);
        }
        out.push_str(piece.text);
        column = column.saturating_add(width);
    }
    out
}

/// Part of a line that must not be broken.
struct Piece<'a> {
    text: &'a str,
    after_blank: bool,
}

fn pieces(line: &str) -> Vec<Piece<'_>> {
    let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    words
        .flat_map(|word| {
            let mut first = true;
            clusters(word).into_iter().map(move |text| Piece { text, after_blank: std::mem::take(&mut first) })
        })
        .collect()
}

/// Splits a word at every position where a line may break.
fn clusters(word: &str) -> Vec<&str> {
    let mut cuts = vec![0];
    let mut before: Option<char> = None;
    for (at, next) in word.char_indices() {
        if let Some(before) = before
            && (is_wide(before) || is_wide(next))
            && !CLOSING.contains(next)
            && !OPENING.contains(before)
        {
            cuts.push(at);
        }
        before = Some(next);
    }
    cuts.push(word.len());
    cuts.windows(2)
        .filter_map(|cut| match cut {
            [from, to] => word.get(*from..*to),
            _ => None,
        })
        .collect()
}

fn width(text: &str) -> usize {
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

/// Returns whether a terminal displays a character in two columns (UAX 11). Covers the ranges of
/// Chinese.
fn is_wide(character: char) -> bool {
    matches!(character, '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ff60}' | '\u{20000}'..='\u{3fffd}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_blanks_before_the_last_column() {
        let text = wrap(&"four ".repeat(40));
        assert!(text.lines().all(|line| line.len() <= COLUMNS && !line.ends_with(' ')), "{text}");
        assert_eq!(text.split_whitespace().count(), 40);
        let long = "a".repeat(100);
        assert_eq!(wrap(&format!("to {long} now")), format!("to\n{long}\nnow"));
    }

    #[test]
    fn chinese_is_broken_anywhere_but_at_its_punctuation() {
        let text = wrap(&"如果不是您本人操作，请忽略本邮件（一切不变）。".repeat(5));
        assert!(text.lines().count() > 2);
        for line in text.lines() {
            assert!(width(line) <= COLUMNS + 2, "{line}");
            assert!(!line.starts_with(|c| CLOSING.contains(c)) && !line.ends_with(|c| OPENING.contains(c)), "{line}");
        }
        assert_eq!(wrap("使用 Portcullis 注册"), "使用 Portcullis 注册");
    }

    #[test]
    fn a_blank_that_is_none_ends_no_line() {
        let text = wrap(&format!("{} fin\u{a0}: b", "a".repeat(68)));
        assert!(text.ends_with("\nfin\u{a0}: b"), "{text:?}");
    }
}
