//! Writes each email to a file in a folder, for installations without a mail server. An operator can
//! read it or send it by hand.

use crate::address::Sender;
use crate::encoded::EncodedMail;
use portcullis_domain::mail::RenderedMail;
use portcullis_ports::{Mailer, MailerError};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Writes emails to files in a folder, which is created if it does not exist. Only the owner can read a
/// file, since its link gives access to an account. The file name consists of the time of the event
/// that caused the email, and the email's id. Files sort by time, and writing an email again replaces
/// its file.
#[derive(Debug)]
pub struct FolderMailer {
    folder: PathBuf,
    from: Sender,
}

impl FolderMailer {
    /// Creates a mailer that writes to `folder`.
    #[must_use]
    pub fn new(folder: PathBuf, from: Sender) -> Self {
        Self { folder, from }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        // The temporary name is fixed, so crashes leave at most one file behind per email.
        let part = self.folder.join(format!(".{name}.part"));
        write_through(&part, bytes)?;
        let path = self.folder.join(name);
        fs::rename(&part, &path)?;
        // Syncing the folder makes the rename durable.
        File::open(&self.folder)?.sync_all()?;
        Ok(path)
    }
}

fn unwritable(error: &io::Error) -> MailerError {
    MailerError::Unavailable(format!("the folder of mails (MAIL_DIR) cannot be written: {}", error.kind()))
}

impl Mailer for FolderMailer {
    fn send(&self, mail: &RenderedMail) -> Result<(), MailerError> {
        let letter = EncodedMail::of(mail, &self.from)?;
        let id: String = mail.id.chars().filter(char::is_ascii_alphanumeric).collect();
        let name = format!("{}-{id}.eml", mail.date.format("%Y%m%dT%H%M%S%.6fZ"));
        match self.write(&name, &letter.bytes) {
            Ok(path) => {
                tracing::info!(target: "app.mail", file = %path.display(), "Mail written: SMTP_URL would send it");
                Ok(())
            }
            Err(error) => Err(unwritable(&error)),
        }
    }

    fn check(&self) -> Result<(), MailerError> {
        let written = self.write(".check", b"");
        written.and_then(fs::remove_file).map_err(|error| unwritable(&error))
    }
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The existing file may be another user's symbolic link.
    fs::remove_file(path).or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use portcullis_domain::mail::Language;
    use portcullis_domain::registration::EmailAddress;
    use std::os::unix::fs::PermissionsExt;

    fn mail(id: &str) -> RenderedMail {
        let to = EmailAddress::parse("ada@example.org").unwrap();
        let text = |text: &str| text.to_owned();
        let date = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        RenderedMail {
            id: text(id),
            to,
            language: Language::English,
            date,
            subject: text("s"),
            text: text("t"),
            html: text("h"),
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_mail_is_one_file_that_its_owner_alone_can_read() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("out/box");
        let mailer = FolderMailer::new(folder.clone(), Sender::parse("a@localhost").unwrap());
        for _ in 0..2 {
            mailer.send(&mail("ab12")).unwrap();
        }
        assert_eq!(names(&folder), ["20261118T110640.000000Z-ab12.eml"]);
        let file = folder.join("20261118T110640.000000Z-ab12.eml");
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
        assert!(fs::read_to_string(&file).unwrap().contains("\r\nMessage-ID: <ab12@localhost>\r\n"));
        mailer.send(&mail("cd34")).unwrap();
        assert_eq!(names(&folder).len(), 2);
    }

    #[test]
    fn crash_leftover_is_overwritten_and_no_symlink_is_followed() {
        let place = tempfile::tempdir().unwrap();
        let mailer = FolderMailer::new(place.path().to_owned(), Sender::parse("a@localhost").unwrap());
        let victim = place.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, place.path().join(".20261118T110640.000000Z-ab12.eml.part")).unwrap();
        mailer.send(&mail("ab12")).unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(names(place.path()).len(), 2);
    }

    #[test]
    fn id_stays_inside_the_folder_and_a_bad_folder_is_an_outage() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("box");
        let mailer = FolderMailer::new(folder.clone(), Sender::parse("a@localhost").unwrap());
        mailer.send(&mail("../../x")).unwrap();
        assert_eq!(names(&folder), ["20261118T110640.000000Z-x.eml"]);
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "a file").unwrap();
        for result in [mailer.send(&mail("ab12")), mailer.check()] {
            let error = result.unwrap_err();
            assert!(matches!(&error, MailerError::Unavailable(text) if !text.contains("box")), "{error}");
        }
        fs::remove_file(&folder).unwrap();
        mailer.check().unwrap();
        assert_eq!(names(&folder).len(), 0, "a check leaves nothing behind");
    }
}
