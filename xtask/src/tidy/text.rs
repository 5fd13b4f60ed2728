//! Checks whitespace and length of all text files.

use super::File;

const LINES: usize = 400;

pub(super) fn faults(file: &File) -> Vec<String> {
    let mut faults: Vec<String> = file.lines().filter_map(|(number, line)| blank(file, number, line)).collect();
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        faults.push(file.fault(file.text.lines().count(), "no newline at end of file"));
    }
    let length = file.text.lines().count();
    if is_code(file) && length > LINES {
        faults.push(format!("{}: {length} lines: split it by topic, the maximum is {LINES}", file.path));
    }
    faults
}

fn blank(file: &File, number: usize, line: &str) -> Option<String> {
    if line.contains('\t') {
        return Some(file.fault(number, "tab character"));
    }
    line.ends_with([' ', '\r']).then(|| file.fault(number, "trailing whitespace"))
}

fn is_code(file: &File) -> bool {
    [".rs", ".js", ".mjs", ".sh"].iter().any(|ending| file.path.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        faults(&File { path: path.to_owned(), text: text.to_owned() }).len()
    }

    #[test]
    fn blanks_that_nobody_sees_are_told() {
        assert_eq!(count("a.md", "fine\n"), 0);
        assert_eq!(count("a.md", "two \nlines\t\n"), 2);
        assert_eq!(count("a.md", "no end"), 1);
    }

    #[test]
    fn code_is_at_most_400_lines_long() {
        assert_eq!(count("a.rs", &"//! x\n".repeat(400)), 0);
        assert_eq!(count("a.rs", &"//! x\n".repeat(401)), 1);
        assert_eq!(count("a.json", &"{}\n".repeat(401)), 0);
    }
}
