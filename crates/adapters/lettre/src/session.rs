//! SMTP session: greeting, encryption, login, and one email after another.

use crate::deadline::{Deadline, DeadlineSocket};
use crate::dialogue::SmtpConnection;
use crate::encoded::EncodedMail;
use crate::error::{SmtpError, SmtpErrorKind, SmtpStep};
use crate::reply::Reply;
use crate::smtp::SmtpServer;
use crate::url::{Credentials, Encryption};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;

/// Connection that is ready to send emails.
pub(crate) struct SmtpSession {
    dialogue: SmtpConnection,
    abilities: Extensions,
}

/// Extensions that a server supports (RFC 5321 §4.1.1.1).
#[derive(Debug, Default, PartialEq, Eq)]
struct Extensions {
    start_tls: bool,
    international: bool,
    plain: bool,
    login: bool,
}

impl SmtpSession {
    /// Connects, encrypts and logs in.
    pub(crate) fn open(server: &SmtpServer, deadline: Arc<Deadline>) -> Result<Self, SmtpError> {
        let url = &server.url;
        let socket = connect(server, &deadline).map_err(|error| SmtpStep::Connecting.failed(&error))?;
        let mut dialogue = SmtpConnection::clear(DeadlineSocket { socket, deadline }, server.limits.command);
        if url.encryption == Encryption::Immediate {
            dialogue = dialogue.encrypted(server.connector()?, &url.host)?;
        }
        dialogue.read_reply(SmtpStep::Greeting, server.limits.greeting)?;
        let mut session = Self { abilities: ehlo(&mut dialogue)?, dialogue };
        if matches!(url.encryption, Encryption::Required | Encryption::Offered) {
            session = session.encrypted(server)?;
        }
        if let Some(credentials) = &url.credentials {
            session.log_in(credentials)?;
        }
        Ok(session)
    }

    /// Upgrades to TLS with STARTTLS (RFC 3207). Discards the extensions listed before.
    fn encrypted(mut self, server: &SmtpServer) -> Result<Self, SmtpError> {
        if !self.abilities.start_tls {
            return match server.url.encryption {
                Encryption::Offered => Ok(self),
                _ => Err(SmtpStep::Encryption.unsupported("the server offers no STARTTLS")),
            };
        }
        self.dialogue.command_expecting(SmtpStep::Encryption, "STARTTLS", 220)?;
        let mut dialogue = self.dialogue.encrypted(server.connector()?, &server.url.host)?;
        Ok(Self { abilities: ehlo(&mut dialogue)?, dialogue })
    }

    /// Logs in (RFC 4954) with PLAIN, or else with the older LOGIN.
    fn log_in(&mut self, credentials: &Credentials) -> Result<(), SmtpError> {
        let (user, password) = (credentials.user.as_str(), credentials.password.expose_secret());
        let say = |dialogue: &mut SmtpConnection, line: &str, code| {
            dialogue.command_expecting(SmtpStep::LoggingIn, line, code)
        };
        if self.abilities.plain {
            let response = STANDARD.encode(format!("\0{user}\0{password}"));
            say(&mut self.dialogue, &format!("AUTH PLAIN {response}"), 235)?;
        } else if self.abilities.login {
            say(&mut self.dialogue, "AUTH LOGIN", 334)?;
            say(&mut self.dialogue, &STANDARD.encode(user), 334)?;
            say(&mut self.dialogue, &STANDARD.encode(password), 235)?;
        } else {
            return Err(SmtpStep::LoggingIn.unsupported("the server offers neither PLAIN nor LOGIN"));
        }
        Ok(())
    }

    /// Returns whether the connection is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.dialogue.is_encrypted()
    }

    /// Returns the deadline of the connection.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.dialogue.socket().deadline
    }

    /// Sends an email. After an error, [`SmtpError::is_reusable`] says whether the connection can send
    /// another.
    pub(crate) fn send(&mut self, from: &str, letter: &EncodedMail) -> Result<(), SmtpError> {
        let parameter = match (letter.is_international(), self.abilities.international) {
            (false, _) => "",
            (true, true) => " SMTPUTF8 BODY=8BITMIME",
            (true, false) => {
                let cause = SmtpErrorKind::Incapable("the mail server takes no addresses beyond ASCII (SMTPUTF8)");
                return Err(SmtpError { step: SmtpStep::Recipient, cause });
            }
        };
        self.dialogue.command_expecting(SmtpStep::Sender, &format!("MAIL FROM:<{from}>{parameter}"), 250)?;
        self.dialogue.command(SmtpStep::Recipient, &format!("RCPT TO:<{}>", letter.to))?;
        self.dialogue.command_expecting(SmtpStep::Data, "DATA", 354)?;
        let reply = self.dialogue.send_data(&letter.bytes)?;
        // Only 250 confirms the email. Another positive code, such as 354, replies to something else.
        if reply.code == 250 {
            Ok(())
        } else {
            Err(SmtpError { step: SmtpStep::Content, cause: SmtpErrorKind::Reply(reply) })
        }
    }

    /// Resets the session after a refused email. Returns whether it can send another.
    pub(crate) fn reset(&mut self) -> bool {
        self.dialogue.command_expecting(SmtpStep::Sender, "RSET", 250).is_ok()
    }

    /// Closes the session.
    pub(crate) fn leave(self) {
        self.dialogue.quit();
    }
}

fn connect(server: &SmtpServer, deadline: &Deadline) -> io::Result<TcpStream> {
    let addresses = (server.url.host.as_str(), server.url.port).to_socket_addrs()?;
    let mut failure = io::Error::from(ErrorKind::NotFound);
    for address in addresses {
        deadline.step(server.limits.connect);
        match TcpStream::connect_timeout(&address, deadline.left()?) {
            Ok(socket) => return socket.set_nodelay(true).map(|()| socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Sends EHLO with this machine's IP address, since its host name is seldom resolvable (RFC 5321
/// §4.1.4). If the server does not support EHLO, sends HELO (§3.2) and assumes no extensions.
fn ehlo(dialogue: &mut SmtpConnection) -> Result<Extensions, SmtpError> {
    let address = dialogue.socket().socket.local_addr().map_err(|error| SmtpStep::Greeting.failed(&error))?;
    let name = match address.ip() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => ip.to_ipv4_mapped().map_or_else(|| format!("[IPv6:{ip}]"), |ip| format!("[{ip}]")),
    };
    match dialogue.command_expecting(SmtpStep::Greeting, &format!("EHLO {name}"), 250) {
        Err(SmtpError { cause: SmtpErrorKind::Reply(reply), .. }) if (500..600).contains(&reply.code) => {
            dialogue.command_expecting(SmtpStep::Greeting, &format!("HELO {name}"), 250)?;
            Ok(Extensions::default())
        }
        reply => Ok(abilities(&reply?)),
    }
}

fn abilities(reply: &Reply) -> Extensions {
    let mut abilities = Extensions::default();
    for line in reply.lines.iter().skip(1) {
        let line = line.to_ascii_uppercase();
        // Some servers still send AUTH=LOGIN.
        let mut words = line.split([' ', '=']);
        match words.next() {
            Some("STARTTLS") => abilities.start_tls = true,
            Some("SMTPUTF8") => abilities.international = true,
            Some("AUTH") => {
                let ways: Vec<_> = words.collect();
                abilities.plain |= ways.contains(&"PLAIN");
                abilities.login |= ways.contains(&"LOGIN");
            }
            _ => {}
        }
    }
    abilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_are_read_in_any_case_and_from_no_greeting() {
        let reply = |lines: &[&str]| Reply { code: 250, lines: lines.iter().map(|line| (*line).to_owned()).collect() };
        let all = Extensions { start_tls: true, international: true, plain: true, login: true };
        assert_eq!(abilities(&reply(&["mail", "starttls", "SMTPUTF8", "AUTH PLAIN login", "SIZE 1"])), all);
        assert_eq!(abilities(&reply(&["STARTTLS hello"])), Extensions::default());
        assert!(abilities(&reply(&["mail", "AUTH=LOGIN"])).login);
    }
}
