//! SMTP commands and replies over a connection, in plaintext or over TLS.

use crate::deadline::DeadlineSocket;
use crate::error::{SmtpError, SmtpErrorKind, SmtpStep};
use crate::reply::Reply;
use native_tls::{HandshakeError, TlsConnector, TlsStream};
use std::io::{self, BufReader, Read, Write};
use std::time::Duration;

/// Connection to a mail server.
pub(crate) struct SmtpConnection {
    stream: BufReader<Stream>,
    limit: Duration,
}

/// Plaintext or TLS stream.
enum Stream {
    Clear(DeadlineSocket),
    Encrypted(Box<TlsStream<DeadlineSocket>>),
}

impl SmtpConnection {
    /// Creates a plaintext connection. `limit` is the timeout of a command.
    pub(crate) fn clear(socket: DeadlineSocket, limit: Duration) -> Self {
        Self { stream: BufReader::new(Stream::Clear(socket)), limit }
    }

    /// Upgrades the connection to TLS and verifies the host name. Discards unread plaintext: it may be
    /// injected (CVE-2021-38371).
    pub(crate) fn encrypted(self, connector: &TlsConnector, host: &str) -> Result<Self, SmtpError> {
        let Stream::Clear(socket) = self.stream.into_inner() else {
            return Err(SmtpStep::Encryption.unsupported("encrypted twice"));
        };
        let deadline = socket.deadline.clone();
        deadline.step(self.limit);
        match connector.connect(host, socket) {
            Ok(stream) => Ok(Self { stream: BufReader::new(Stream::Encrypted(Box::new(stream))), limit: self.limit }),
            Err(_) if deadline.left().is_err() => Err(SmtpStep::Encryption.failed(&io::ErrorKind::TimedOut.into())),
            Err(HandshakeError::Failure(error)) => Err(SmtpStep::Encryption.unsupported(tls_fault(&error.to_string()))),
            Err(HandshakeError::WouldBlock(_)) => Err(SmtpStep::Encryption.unsupported(HANDSHAKE)),
        }
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.stream.get_ref(), Stream::Encrypted(_))
    }

    pub(crate) fn socket(&self) -> &DeadlineSocket {
        match self.stream.get_ref() {
            Stream::Clear(socket) => socket,
            Stream::Encrypted(stream) => stream.get_ref(),
        }
    }

    /// Reads a reply within `limit`. A negative reply is an error.
    pub(crate) fn read_reply(&mut self, step: SmtpStep, limit: Duration) -> Result<Reply, SmtpError> {
        self.socket().deadline.step(limit);
        self.reply(step)
    }

    /// Sends a command and reads the reply. A negative reply is an error.
    pub(crate) fn command(&mut self, step: SmtpStep, line: &str) -> Result<Reply, SmtpError> {
        self.write(step, format!("{line}\r\n").as_bytes())?;
        self.reply(step)
    }

    /// Sends a command that expects a single code, since a reply to another command may be positive as
    /// well.
    pub(crate) fn command_expecting(&mut self, step: SmtpStep, line: &str, code: u16) -> Result<Reply, SmtpError> {
        let reply = self.command(step, line)?;
        if reply.code == code { Ok(reply) } else { Err(SmtpError { step, cause: SmtpErrorKind::Reply(reply) }) }
    }

    /// Sends the content of an email and the end marker (RFC 5321 §4.5.2).
    pub(crate) fn send_data(&mut self, bytes: &[u8]) -> Result<Reply, SmtpError> {
        self.write(SmtpStep::Content, &transparent(bytes))?;
        self.reply(SmtpStep::Content)
    }

    /// Sends QUIT without waiting for the reply.
    pub(crate) fn quit(mut self) {
        self.socket().deadline.restart(self.limit);
        self.write(SmtpStep::Sender, b"QUIT\r\n").ok();
    }

    fn write(&mut self, step: SmtpStep, bytes: &[u8]) -> Result<(), SmtpError> {
        self.socket().deadline.step(self.limit);
        let stream = self.stream.get_mut();
        stream.write_all(bytes).and_then(|()| stream.flush()).map_err(|error| step.failed(&error))
    }

    fn reply(&mut self, step: SmtpStep) -> Result<Reply, SmtpError> {
        let reply = Reply::read(&mut self.stream).map_err(|error| step.failed(&error))?;
        if reply.is_positive() { Ok(reply) } else { Err(SmtpError { step, cause: SmtpErrorKind::Reply(reply) }) }
    }
}

/// Doubles dots at the start of lines and appends the end marker.
fn transparent(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().saturating_add(64));
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b".\r\n");
    out
}

const HANDSHAKE: &str = "the TLS handshake failed";

/// Translates an OpenSSL error to text that helps the operator.
fn tls_fault(told: &str) -> &'static str {
    const FAULTS: [(&str, &str); 6] = [
        ("hostname mismatch", "the server's certificate is for another name"),
        ("IP address mismatch", "the server's certificate is for another address"),
        ("has expired", "the server's certificate has expired"),
        ("not yet valid", "the server's certificate is not valid yet"),
        ("self-signed certificate", "nobody that this machine trusts vouches for the server's certificate"),
        ("certificate verify failed", "nobody that this machine trusts vouches for the server's certificate"),
    ];
    FAULTS.iter().find(|(part, _)| told.contains(part)).map_or(HANDSHAKE, |(_, fault)| fault)
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(socket) => socket.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(socket) => socket.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_at_the_beginning_of_a_line_does_not_end_the_mail() {
        for (content, sent) in [
            ("a\r\nb\r\n", "a\r\nb\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n..a\r\n.b", "..\r\n...a\r\n..b\r\n.\r\n"),
            ("a.\r\n", "a.\r\n.\r\n"),
        ] {
            assert_eq!(String::from_utf8(transparent(content.as_bytes())).unwrap(), sent);
        }
    }
}
