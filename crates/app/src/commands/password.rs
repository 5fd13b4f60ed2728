//! Sources of a new password: a terminal without echo, standard input or a random generator. Never an
//! argument, because every process on the machine can read those. Why the prompt is our own: ADR 18.

use super::UsageError;
use crate::system::OsEntropy;
use anyhow::{Context, bail};
use clap::Args;
use portcullis_domain::registration::{NewPassword, Password, PasswordPolicy};
use portcullis_ports::Entropy;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufRead, IsTerminal, Write};

/// Source of the password. Without a flag, the command prompts on the terminal.
#[derive(Args)]
#[group(multiple = false)]
pub(crate) struct PasswordSource {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Generate a password and print it
    #[arg(long)]
    generate: bool,
}

/// A new password, with its text if it was generated.
pub(crate) struct ObtainedPassword {
    pub(crate) password: NewPassword,
    pub(crate) generated: Option<String>,
}

/// Maximum length of the input line in bytes; longer than any valid password.
const MAX_BYTES: u64 = 8 * 1024;
/// 32 characters that are not easily confused: 5 bits each.
const ALPHABET: [u8; 32] = *b"abcdefghijkmnpqrstuvwxyz23456789";
/// Length of a generated password: 100 bits.
const GENERATED: usize = 20;

impl PasswordSource {
    /// Obtains a password that satisfies the policy.
    pub(crate) fn obtain(&self, policy: &PasswordPolicy) -> anyhow::Result<ObtainedPassword> {
        if self.generate {
            let text = generate(policy.min_chars().max(GENERATED));
            return Ok(ObtainedPassword {
                password: policy.validate(Password::new(text.clone()))?,
                generated: Some(text),
            });
        }
        let stdin = io::stdin();
        let password = if self.password_stdin {
            read_line(stdin.lock())?
        } else if stdin.is_terminal() {
            ask_twice(policy)?
        } else {
            return Err(UsageError("no terminal to prompt for a password: use --password-stdin or --generate").into());
        };
        Ok(ObtainedPassword { password: policy.validate(password)?, generated: None })
    }
}

fn generate(length: usize) -> String {
    let mut bytes = vec![0; length];
    OsEntropy.fill(&mut bytes);
    bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).copied().map(char::from).collect()
}

/// Reads a line and strips its line break, nothing else.
fn read_line(input: impl BufRead) -> anyhow::Result<Password> {
    let mut line = String::new();
    input.take(MAX_BYTES).read_line(&mut line).context("cannot read the password")?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!("no password was given");
    }
    Ok(Password::new(text))
}

fn ask_twice(policy: &PasswordPolicy) -> anyhow::Result<Password> {
    let first = ask("New password: ")?;
    // Reject an invalid password before the user types it again.
    policy.validate(Password::new(first.expose()))?;
    let second = ask("Repeat the password: ")?;
    if first.expose() != second.expose() {
        bail!("the two passwords differ");
    }
    Ok(first)
}

fn ask(prompt: &str) -> anyhow::Result<Password> {
    let mut told = io::stderr();
    // Before the prompt, so that no part of the answer is echoed, or discarded by the flush.
    let hidden = EchoOff::begin()?;
    write!(told, "{prompt}")?;
    let read = read_line(io::stdin().lock());
    drop(hidden);
    writeln!(told)?;
    read
}

/// Guard that turns terminal echo off until dropped.
struct EchoOff(Termios);

impl EchoOff {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        // `Flush` discards input that was typed before the prompt.
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        tcsetattr(io::stdin(), OptionalActions::Now, &self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_without_its_end_and_whole_otherwise() {
        for (input, password) in [("pass word \n", "pass word "), ("käse\r\nmore", "käse"), ("no end", "no end")] {
            assert_eq!(read_line(input.as_bytes()).unwrap().expose(), password);
        }
        assert!(read_line(&b"\n"[..]).is_err() && read_line(&b""[..]).is_err() && read_line(&b"\xff\n"[..]).is_err());
    }

    #[test]
    fn what_is_generated_passes_every_policy_and_is_never_the_same() {
        for min in [8, 64, 256] {
            let source = PasswordSource { password_stdin: false, generate: true };
            let policy = PasswordPolicy::with_min_chars(min);
            let text = || source.obtain(&policy).unwrap().generated.unwrap();
            assert_eq!(text().len(), min.max(GENERATED));
            assert_ne!(text(), text());
        }
    }
}
