//! Replies of a mail server (RFC 5321 §4.2). Errors and logs get only the codes, since the text may
//! repeat the recipient's address.

use std::io::{self, BufRead, ErrorKind, Read};

/// Maximum length of a line, in octets: more than RFC 5321 §4.5.3.1.5 allows.
const MAX_LINE: u64 = 2048;
/// Maximum number of lines.
const MAX_LINES: usize = 128;

/// Code of a reply, and the text of its lines.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) code: u16,
    pub(crate) lines: Vec<String>,
}

impl Reply {
    /// Reads a reply.
    pub(crate) fn read(from: &mut impl BufRead) -> io::Result<Self> {
        let mut reply: Option<Self> = None;
        for _ in 0..MAX_LINES {
            let (code, text, last) = read_line(from)?;
            let reply = reply.get_or_insert_with(|| Self { code, lines: Vec::new() });
            if reply.code != code {
                return Err(ErrorKind::InvalidData.into());
            }
            reply.lines.push(text);
            if last {
                return Ok(std::mem::replace(reply, Self { code, lines: Vec::new() }));
            }
        }
        Err(ErrorKind::InvalidData.into())
    }

    /// Returns whether the reply is positive.
    pub(crate) fn is_positive(&self) -> bool {
        (200..400).contains(&self.code)
    }

    /// Returns the code, followed by the enhanced status code (RFC 3463) if there is one.
    pub(crate) fn numbers(&self) -> String {
        let first = self.lines.first().and_then(|line| line.split(' ').next()).unwrap_or_default();
        let number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        let enhanced = first.split('.').count() == 3 && first.split('.').all(number);
        if enhanced { format!("{} {first}", self.code) } else { self.code.to_string() }
    }
}

fn read_line(from: &mut impl BufRead) -> io::Result<(u16, String, bool)> {
    let mut line = Vec::new();
    if from.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    let line = String::from_utf8_lossy(&line);
    let invalid = || io::Error::from(ErrorKind::InvalidData);
    let line = line.strip_suffix('\n').ok_or_else(invalid)?.trim_end_matches('\r');
    let (code, rest) = line.split_at_checked(3).ok_or_else(invalid)?;
    let last = match rest.chars().next() {
        None | Some(' ') => true,
        Some('-') => false,
        Some(_) => return Err(invalid()),
    };
    let digits = code.bytes().all(|b| b.is_ascii_digit());
    let code = code.parse().ok().filter(|code| digits && (200..600).contains(code)).ok_or_else(invalid)?;
    Ok((code, rest.get(1..).unwrap_or_default().to_owned(), last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(mut bytes: &[u8]) -> Result<(u16, Vec<String>, usize), ErrorKind> {
        Reply::read(&mut bytes).map(|reply| (reply.code, reply.lines, bytes.len())).map_err(|error| error.kind())
    }

    #[test]
    fn a_reply_is_lines_of_one_code() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(read(b"250 OK\r\n354"), Ok((250, lines(&["OK"]), 3)));
        assert_eq!(read(b"250-a\r\n250-b\n250\r\n"), Ok((250, lines(&["a", "b", ""]), 0)));
        for bad in [
            "",
            "250",
            "25 OK\r\n",
            "2x0 OK\r\n",
            "+50 OK\r\n",
            "250_OK\r\n",
            "250-a\r\n251 b\r\n",
            "150 OK\r\n",
            "600 OK\r\n",
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(read(format!("250 {}\r\n", "a".repeat(3000)).as_bytes()).is_err());
        assert!(read("250-a\r\n".repeat(1000).as_bytes()).is_err());
    }

    #[test]
    fn numbers_alone_are_told() {
        let told = |line: &str| Reply { code: 550, lines: vec![line.to_owned()] }.numbers();
        assert_eq!(told("5.1.1 <ada@example.org>: no such user"), "550 5.1.1");
        assert_eq!(told("ada@example.org"), "550");
        assert_eq!(told("1.2.ada"), "550");
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_reading_down(bytes: Vec<u8>) {
            read(&bytes).ok();
        }
    }
}
