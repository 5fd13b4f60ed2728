//! Sets up a second factor as a person does, with programs that are not ours: `zbarimg` reads the QR code
//! back, `pyotp` and `oathtool` show codes, and the service accepts them.

use super::{service::Service, tools};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use xtask::repository::{output, run};

const EMAIL: &str = "authenticators+1@example.com";
const PASSWORD: &str = "correct horse battery";
/// Prints what an app reads from the URI, and its code at a time.
const PYOTP: &str = "import pyotp, sys; app = pyotp.parse_uri(sys.argv[1]); \
    print(app.issuer, app.name, app.digits, app.interval, app.digest().name, app.secret, app.at(int(sys.argv[2])))";

pub(crate) fn check() -> Result<()> {
    let python = tools::python()?.join("python");
    for (program, package) in [("oathtool", "oathtool"), ("zbarimg", "zbar-tools"), ("rsvg-convert", "librsvg2-bin")] {
        tools::program(program, package)?;
    }
    let service = Service::start("authenticators")?;
    let (status, body) = service.call("POST", "/auth/register", &credentials(None))?;
    ensure!(status == 201, "register: {status} {body}");
    let access = text(&log_in(&service, None)?, "access_token")?;
    for app in [App::Pyotp, App::Oathtool] {
        let begun = service.tell("/auth/mfa/totp", &access, &json!({"name": app.name()}))?;
        let (secret, shown) = (text(&begun, "secret")?, text(&begun, "otpauth_uri")?);
        let uri = read_back(&service.folder, &text(&begun, "qr_svg")?)?;
        ensure!(uri == shown, "the QR code holds {uri:?} instead of {shown:?}");
        let read = pyotp(&python, &uri, 0)?;
        let expected = format!("Portcullis {EMAIL} 6 30 sha1 {secret} ");
        ensure!(read.starts_with(&expected), "pyotp reads {read:?} instead of {expected:?}");
        // The code of now, and to log in the next one, which is accepted early: each step counts once.
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let path = format!("/auth/mfa/totp/{}/confirm", text(&begun, "id")?);
        service.tell(&path, &access, &json!({"code": app.code(&python, &uri, &secret, now)?}))?;
        let other = app.other();
        log_in(&service, Some(&other.code(&python, &uri, &secret, now + 30)?))
            .with_context(|| format!("confirmed with {}, logging in with {}", app.name(), other.name()))?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum App {
    Pyotp,
    Oathtool,
}

impl App {
    const fn name(self) -> &'static str {
        match self {
            Self::Pyotp => "pyotp",
            Self::Oathtool => "oathtool",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Pyotp => Self::Oathtool,
            Self::Oathtool => Self::Pyotp,
        }
    }

    /// Returns the code at a time, in seconds since 1970.
    fn code(self, python: &Path, uri: &str, secret: &str, second: u64) -> Result<String> {
        match self {
            Self::Pyotp => {
                let read = pyotp(python, uri, second)?;
                Ok(read.rsplit(' ').next().unwrap_or_default().to_owned())
            }
            Self::Oathtool => {
                let mut oathtool = Command::new("oathtool");
                oathtool.args(["--totp", "--base32", "--now", &format!("@{second}"), secret]);
                Ok(output("oathtool", &mut oathtool)?.trim().to_owned())
            }
        }
    }
}

fn pyotp(python: &Path, uri: &str, second: u64) -> Result<String> {
    Ok(output("pyotp", Command::new(python).args(["-c", PYOTP, uri, &second.to_string()]))?.trim().to_owned())
}

/// Renders the picture and reads its QR code.
fn read_back(folder: &Path, picture: &str) -> Result<String> {
    let (drawn, seen) = (folder.join("qr.svg"), folder.join("qr.png"));
    fs::write(&drawn, picture)?;
    run("rsvg-convert", Command::new("rsvg-convert").args(["--width=600", "--output"]).arg(&seen).arg(&drawn))?;
    let mut reader = Command::new("zbarimg");
    reader.args(["--quiet", "--raw", "--nodbus", "-Sdisable", "-Sqrcode.enable"]).arg(&seen);
    Ok(output("zbarimg", &mut reader)?.trim().to_owned())
}

fn credentials(code: Option<&str>) -> String {
    let mut body = json!({"email": EMAIL, "password": PASSWORD});
    if let (Some(code), Some(members)) = (code, body.as_object_mut()) {
        members.insert("code".to_owned(), json!(code));
    }
    body.to_string()
}

fn log_in(service: &Service, code: Option<&str>) -> Result<Value> {
    let (status, body) = service.call("POST", "/auth/login", &credentials(code))?;
    ensure!(status == 200, "login: {status} {body}");
    Ok(serde_json::from_str(&body)?)
}

fn text(body: &Value, name: &str) -> Result<String> {
    let text = body.get(name).and_then(Value::as_str);
    text.map(str::to_owned).with_context(|| format!("no {name}: {body}"))
}
