//! Settings as far as they affect the running service. `tests/settings` covers the parsing of each variable.

use crate::prelude::*;
use std::fs;

on_both_databases!(
    portcullis_toml_and_files_of_secrets_are_enough_to_start,
    database_urls_are_read_in_sqlalchemys_spelling,
);

#[test]
fn a_dot_env_file_is_read_and_the_environment_wins() {
    let secret = SECRET.as_str();
    let setup = Backend::Sqlite.service().unset("SECRET_KEY").set("REFRESH_TOKEN_EXPIRE_DAYS", "3");
    let lines = format!(
        "# a comment\n\nexport SECRET_KEY='{secret}'\nACCESS_TOKEN_EXPIRE_MINUTES=5 # five\n\
         APP_NAME=\"From a \\\"file\\\"\"\nREFRESH_TOKEN_EXPIRE_DAYS=1\nSOMETHING_ELSE=1\n"
    );
    fs::write(setup.folder().join(".env"), lines).unwrap();
    let service = setup.start();
    let account = service.account();
    let body = service.login(&account.email, &account.password).expect(200);
    assert_eq!(body["expires_in"], 300);
    let claims = jose::claims(body["refresh_token"].as_str().unwrap());
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3 * 86_400);
    assert_eq!(service.get("/openapi.json").expect(200)["info"]["title"], "From a \"file\"");
    let (input, _) = body["access_token"].as_str().unwrap().rsplit_once('.').unwrap();
    assert_eq!(jose::signed_with(SECRET.as_bytes(), input), body["access_token"].as_str().unwrap());
}

fn portcullis_toml_and_files_of_secrets_are_enough_to_start(backend: Backend) {
    let secret = SECRET.as_str();
    let database = backend.database();
    let setup = ["SECRET_KEY", "DATABASE_URL", "HOST", "PORT"]
        .into_iter()
        .fold(ServiceBuilder::over(&database), ServiceBuilder::unset);
    let file = |name: &str, text: &str| fs::write(setup.folder().join(name), text).unwrap();
    file("key", &format!("{secret}\n"));
    file("url", &format!("{}\n", database.url()));
    file("portcullis.toml", "secret_key_file = 'key'\nhost = '127.0.0.1'\nport = 0\naccess_token_expire_minutes = 5\n");
    let service = setup.set("DATABASE_URL_FILE", "url").start();
    let (account, pair) = service.session();
    assert_eq!(service.login(&account.email, &account.password).expect(200)["expires_in"], 300);
    let (input, _) = pair.access.rsplit_once('.').unwrap();
    assert_eq!(jose::signed_with(SECRET.as_bytes(), input), pair.access);
    assert_eq!(database.count("FROM users"), 1);
}

#[test]
fn sample_env_file_is_valid_except_for_its_refused_secret() {
    let secret = SECRET.as_str();
    let sample = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../.env.example")).unwrap();
    let with_sample = |text: &str| {
        let setup = Backend::Sqlite.service().unset("SECRET_KEY");
        fs::write(setup.folder().join(".env"), text).unwrap();
        setup
    };
    let ended = with_sample(&sample).run();
    assert!(ended.refusal().contains("SECRET_KEY"), "{ended:?}");
    let (before, rest) = sample.split_once("SECRET_KEY=").unwrap();
    let after = rest.split_once('\n').map_or("", |(_, after)| after);
    with_sample(&format!("{before}SECRET_KEY={secret}\n{after}")).start().session();
}

/// The command line, which every user of the machine can read, does not contain it either.
#[test]
fn no_core_dump_holds_the_secret() {
    let service = Backend::Sqlite.service().start();
    // A command that waits for a password already has the key, and soon the password.
    let create = ["user", "create", "a@example.org", "--password-stdin"];
    let setup = create.into_iter().fold(service.again(), ServiceBuilder::argument);
    let mut command = KillOnDrop::spawn(setup.command().stdin(std::process::Stdio::piped()));
    let limits_of = |id: u32| fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
    let dumps_nothing = |limits: &str| {
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        core.split_whitespace().skip(4).take(2).eq(["0", "0"])
    };
    assert!(dumps_nothing(&service.told("limits")));
    let id = command.child().id();
    eventually("no core dump of a command", || dumps_nothing(&limits_of(id)).then_some(()));
    assert!(!service.told("cmdline").contains(&*SECRET));
}

#[test]
fn debug_never_changes_a_response() {
    let bodies = ["true", "false"].map(|debug| {
        let service = Backend::Sqlite.service().set("DEBUG", debug).set("BCRYPT_COST", "10").start();
        service.database.execute("ALTER TABLE users RENAME TO elsewhere");
        let calls = [
            service.call("GET", "/nowhere"),
            service.call("POST", "/auth/login").body("application/json", "{"),
            service.call("POST", "/auth/login").fields(&[("username", "a@b.example"), ("password", "c")]),
        ];
        calls.map(|call| call.header("X-Request-ID", "same").send().text().to_owned())
    });
    assert_eq!(bodies[0], bodies[1]);
    assert!(bodies[0][2].contains("INTERNAL_ERROR"), "{}", bodies[0][2]);
}

/// The list is off by default.
#[test]
fn password_policy_is_the_configured_one() {
    let plain = Backend::Sqlite.service().start();
    plain.register("a@example.com", "password1").expect(201);
    let service = Backend::Sqlite.service().set("PASSWORD_BLOCKLIST", "true").set("PASSWORD_MIN_LENGTH", "9").start();
    for password in ["long 678", "password1", "Portcullis", "someone@example.com"] {
        service.register("someone@example.com", password).expect_fields(&["password"]);
    }
    service.register("someone@example.com", "a long and unusual one").expect(201);
}

fn database_urls_are_read_in_sqlalchemys_spelling(backend: Backend) {
    let service = backend.service().start();
    let (account, _) = service.session();
    service.stop();
    match &service.database {
        Database::Sqlite(path) => {
            for (url, name) in [("sqlite:///./dotted.db", "dotted.db"), ("sqlite:///plain.db", "plain.db")] {
                let relative = service.again().set("DATABASE_URL", url);
                let file = relative.folder().join(name);
                relative.start().session();
                assert!(file.exists(), "{url} is in the folder that the service runs in");
            }
            let absolute = format!("sqlite:////{}", path.display().to_string().trim_start_matches('/'));
            service.again().set("DATABASE_URL", &absolute).start().sign_in(&account);
        }
        Database::Postgres { .. } => {
            let rest = service.database.url().split_once("://").unwrap().1.to_owned();
            for scheme in ["postgres", "postgresql", "postgresql+psycopg2"] {
                service.again().set("DATABASE_URL", &format!("{scheme}://{rest}")).start().sign_in(&account);
            }
        }
    }
}
