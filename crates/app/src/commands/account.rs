//! `portcullis user show`.

use super::console::{Cell, Object, write_object};
use super::user::UserArg;
use crate::settings::WithoutKeys;
use crate::wire::AppContext;
use portcullis_usecases::registration::{AccountDetails, ShowAccount};
use portcullis_usecases::sessions::ListSessions;
use std::io::{self, Write};

/// Prints an account, as lines or as a JSON object.
pub(super) fn show(settings: &WithoutKeys, parts: &AppContext, named: &UserArg, json: bool) -> anyhow::Result<()> {
    let user = named.find(parts)?;
    let (store, sessions, clock) = (parts.database.store.clone(), settings.sessions, parts.clock.clone());
    let details = ShowAccount { sessions: ListSessions { store, sessions, clock } }.run(user.id)?;
    let object = object_of(&details);
    let mut out = Vec::new();
    if json {
        write_object(&mut out, &object);
        out.push(b'\n');
    } else {
        write_lines(&mut out, &object)?;
    }
    Ok(io::stdout().write_all(&out)?)
}

fn object_of(details: &AccountDetails) -> Object {
    let user = &details.owner.user;
    let count = |count| Cell::Number(i64::try_from(count).unwrap_or(i64::MAX));
    let text = |text: &str| Cell::Text(text.to_owned());
    let totp = details.totp.iter().map(|factor| {
        vec![
            ("name", text(factor.name.as_str())),
            ("created_at", Cell::Time(factor.created_at)),
            ("last_used_at", factor.last_used_at.into()),
        ]
    });
    let passkeys = details.passkeys.iter().map(|passkey| {
        vec![
            ("name", text(passkey.name.as_str())),
            ("second_factor", Cell::Flag(passkey.second_factor)),
            ("rp_id", text(&passkey.rp_id)),
            ("created_at", Cell::Time(passkey.created_at)),
            ("last_used_at", passkey.last_used_at.into()),
        ]
    });
    let identities = details.identities.iter().map(|identity| {
        vec![
            ("provider", text(identity.provider.as_str())),
            ("email", identity.email.clone().into()),
            ("created_at", Cell::Time(identity.created_at)),
            ("last_used_at", identity.last_used_at.into()),
        ]
    });
    vec![
        ("id", Cell::Number(user.id.get())),
        ("email", text(user.email.original())),
        ("email_verified_at", user.email_verified_at.into()),
        ("is_active", Cell::Flag(user.is_active)),
        ("created_at", Cell::Time(user.created_at)),
        ("password", Cell::Flag(details.owner.credentials.has_password())),
        ("sessions", count(details.sessions)),
        ("authenticators", Cell::Objects(totp.collect())),
        ("passkeys", Cell::Objects(passkeys.collect())),
        ("identities", Cell::Objects(identities.collect())),
        ("recovery_codes", Cell::Number(details.recovery_codes.into())),
        ("trusted_devices", count(details.trusted_devices)),
    ]
}

/// Writes a line for each member, and one for each object in a list.
fn write_lines(out: &mut Vec<u8>, object: &Object) -> io::Result<()> {
    for (name, cell) in object {
        let Cell::Objects(objects) = cell else {
            writeln!(out, "{name:19}{}", cell.display())?;
            continue;
        };
        writeln!(out, "{name:19}{}", objects.len())?;
        for object in objects {
            let members = object.iter().map(|(name, cell)| format!("{name} {}", cell.display()));
            writeln!(out, "  - {}", members.collect::<Vec<_>>().join(", "))?;
        }
    }
    Ok(())
}
