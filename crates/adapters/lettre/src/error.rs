//! Errors of a delivery, with the SMTP step that failed. Each maps to an action: retry the email later,
//! refuse it, or treat the server as unavailable.

use crate::reply::Reply;
use portcullis_ports::MailerError;
use std::io::ErrorKind;

/// Steps of a delivery.
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

/// Failed step and cause.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SmtpError {
    pub(crate) step: SmtpStep,
    pub(crate) cause: SmtpErrorKind,
}

/// Cause of a failed step.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SmtpErrorKind {
    /// The connection failed.
    Connection(ErrorKind),
    /// The server sent a negative reply.
    Reply(Reply),
    /// The server lacks something the service requires.
    Unfit(&'static str),
    /// The server lacks something that only this email requires.
    Incapable(&'static str),
}

impl SmtpStep {
    /// Creates the error of a connection that failed at this step.
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

    /// Returns whether a refusal concerns only this email. A refused sender is refused for every email.
    fn is_about_the_mail(self) -> bool {
        matches!(self, Self::Recipient | Self::Data | Self::Content)
    }
}

impl SmtpError {
    /// Returns whether a reused connection had already been closed. Nothing of the email was sent then.
    pub(crate) fn is_stale(&self) -> bool {
        self.step == SmtpStep::Sender
            && match &self.cause {
                SmtpErrorKind::Connection(kind) => *kind != ErrorKind::TimedOut,
                SmtpErrorKind::Reply(reply) => reply.code == 421,
                SmtpErrorKind::Unfit(_) | SmtpErrorKind::Incapable(_) => false,
            }
    }

    /// Returns whether the server accepted the connection but did not greet in time.
    pub(crate) fn is_slow_greeting(&self) -> bool {
        self.step == SmtpStep::Greeting && self.cause == SmtpErrorKind::Connection(ErrorKind::TimedOut)
    }

    /// Returns whether the connection can send another email.
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
                    // The service shuts down (RFC 5321 §3.8) or requires authentication (RFC 4954 §6).
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
