//! What went wrong at which step, and what that means for the mail: others can do with the server,
//! or with this mail, or nobody can.

use crate::reply::Reply;
use portcullis_ports::MailerError;
use std::io::ErrorKind;

/// The steps of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SmtpStep {
    Connecting,
    Greeting,
    Encryption,
    LoggingIn,
    Sender,
    Recipient,
    Data,
    Content,
}

/// What went wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SmtpError {
    pub(crate) step: SmtpStep,
    pub(crate) cause: SmtpErrorKind,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SmtpErrorKind {
    /// The connection failed.
    Connection(ErrorKind),
    /// The server said no.
    Reply(Reply),
    /// What the server offers does not do.
    Unfit(&'static str),
    /// Only another server can take the mail.
    Incapable(&'static str),
}

impl SmtpStep {
    /// What a connection that fails at this step says.
    pub(crate) fn failed(self, error: &std::io::Error) -> SmtpError {
        SmtpError { step: self, cause: SmtpErrorKind::Connection(error.kind()) }
    }

    pub(crate) fn unsupported(self, what: &'static str) -> SmtpError {
        SmtpError { step: self, cause: SmtpErrorKind::Unfit(what) }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Connecting => "connecting",
            Self::Greeting => "greeting",
            Self::Encryption => "encryption",
            Self::LoggingIn => "logging in",
            Self::Sender => "naming the sender",
            Self::Recipient => "naming the recipient",
            Self::Data => "offering the mail",
            Self::Content => "sending the mail",
        }
    }

    /// Whether a refusal concerns this mail alone. A sender that is refused is so in every mail.
    fn is_about_the_mail(self) -> bool {
        matches!(self, Self::Recipient | Self::Data | Self::Content)
    }
}

impl SmtpError {
    /// Whether a connection that was kept had ended meanwhile: nothing was said of the mail yet.
    pub(crate) fn is_stale(&self) -> bool {
        self.step == SmtpStep::Sender
            && match &self.cause {
                SmtpErrorKind::Connection(kind) => *kind != ErrorKind::TimedOut,
                SmtpErrorKind::Reply(reply) => reply.code == 421,
                SmtpErrorKind::Unfit(_) | SmtpErrorKind::Incapable(_) => false,
            }
    }

    /// Whether the server is there, and keeps its clients waiting.
    pub(crate) fn is_slow_greeting(&self) -> bool {
        self.step == SmtpStep::Greeting && self.cause == SmtpErrorKind::Connection(ErrorKind::TimedOut)
    }

    /// Whether the connection can go on with another mail.
    pub(crate) fn is_reusable(&self) -> bool {
        match &self.cause {
            SmtpErrorKind::Reply(reply) => reply.code != 421 && self.step != SmtpStep::Content,
            SmtpErrorKind::Incapable(_) => true,
            SmtpErrorKind::Connection(_) | SmtpErrorKind::Unfit(_) => false,
        }
    }
}

impl From<SmtpError> for MailerError {
    fn from(trouble: SmtpError) -> Self {
        let step = trouble.step.name();
        match trouble.cause {
            SmtpErrorKind::Connection(kind) => Self::Unavailable(format!("{kind} while {step}")),
            SmtpErrorKind::Unfit(what) => Self::Unavailable(format!("{what} while {step}")),
            SmtpErrorKind::Incapable(what) => Self::Refused(what.to_owned()),
            SmtpErrorKind::Reply(reply) => {
                let told = format!("{} while {step}", reply.numbers());
                match reply.code {
                    // The service goes away (RFC 5321 §3.8), or wants to know who is there
                    // (RFC 4954 §6).
                    421 | 454 | 530 | 534 | 535 | 538 => Self::Unavailable(told),
                    _ if !trouble.step.is_about_the_mail() => Self::Unavailable(told),
                    400..500 => Self::Deferred(told),
                    500..600 => Self::Refused(told),
                    _ => Self::Unavailable(told),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: SmtpStep, code: u16) -> MailerError {
        let reply = Reply { code, lines: vec!["4.2.1 <ada@example.org> marker".to_owned()] };
        SmtpError { step, cause: SmtpErrorKind::Reply(reply) }.into()
    }

    #[test]
    fn a_refusal_of_the_mail_is_not_one_of_the_service() {
        for step in [SmtpStep::Recipient, SmtpStep::Data, SmtpStep::Content] {
            assert!(matches!(at(step, 450), MailerError::Deferred(_)));
            assert!(matches!(at(step, 550), MailerError::Refused(_)));
            for code in [421, 454, 530, 535, 250] {
                assert!(matches!(at(step, code), MailerError::Unavailable(_)), "{code}");
            }
        }
        for step in [SmtpStep::Greeting, SmtpStep::Encryption, SmtpStep::LoggingIn, SmtpStep::Sender] {
            for code in [421, 450, 535, 550, 554] {
                assert!(matches!(at(step, code), MailerError::Unavailable(_)), "{step:?} {code}");
            }
        }
    }

    #[test]
    fn nothing_is_told_but_numbers_and_the_step() {
        assert_eq!(
            at(SmtpStep::Recipient, 450),
            MailerError::Deferred("450 4.2.1 while naming the recipient".to_owned())
        );
        let gone: MailerError = SmtpStep::Connecting.failed(&ErrorKind::ConnectionRefused.into()).into();
        assert_eq!(gone, MailerError::Unavailable("connection refused while connecting".to_owned()));
    }
}
