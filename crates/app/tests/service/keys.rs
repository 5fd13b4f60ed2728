//! Signing keys: six algorithms, published public keys and key rotation without a logout. The adapter's tests
//! cover the contents of key files.

use crate::prelude::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const PRIVATE: [&str; 3] = ["RS256", "ES256", "EdDSA"];
const SET: &str = "/.well-known/jwks.json";

/// Generates a key with the command; returns its path and its id.
fn generated(algorithm: &str) -> (String, String) {
    let path = fresh_folder().join("key.pem");
    let setup = ServiceBuilder::over(&Backend::Sqlite.database()).unset("SECRET_KEY");
    let setup =
        ["keys", "generate", "--algorithm", algorithm, "--out"].into_iter().fold(setup, ServiceBuilder::argument);
    let ended = setup.argument(path.to_str().unwrap()).run();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let id = ended.output.split_whitespace().nth(2).unwrap().trim_end_matches('.').to_owned();
    assert!(ended.output.contains(&format!("ALGORITHM={algorithm}\nPRIVATE_KEY_FILE={}", path.display())));
    (path.to_str().unwrap().to_owned(), id)
}

fn signing(setup: ServiceBuilder, algorithm: &str, path: &str) -> ServiceBuilder {
    setup.set("ALGORITHM", algorithm).set("PRIVATE_KEY_FILE", path)
}

fn header(token: &str) -> Value {
    serde_json::from_slice(&jose::part(token, 0)).unwrap()
}

/// Returns the ids of the published keys.
fn published(service: &Service) -> Vec<String> {
    let set = service.get(SET).expect(200);
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Checks that a session continues: both tokens are valid and can be refreshed.
fn goes_on(service: &Service, pair: &Pair) -> Pair {
    service.me(&pair.access).expect(200);
    let next = Pair::of(&service.refresh(&pair.refresh));
    service.me(&next.access).expect(200);
    next
}

#[test]
fn algorithm_may_be_any_of_three_hmacs() {
    for (algorithm, length) in [("HS256", 43), ("HS384", 64), ("HS512", 86)] {
        let service = Backend::Sqlite.service().set("ALGORITHM", algorithm).start();
        let (_, pair) = service.session();
        assert_eq!(header(&pair.access), json!({"alg": algorithm, "typ": "JWT"}));
        assert_eq!(pair.access.rsplit('.').next().unwrap().len(), length);
        goes_on(&service, &pair);
        assert_eq!(service.get(SET).text(), r#"{"keys":[]}"#, "never a secret");
    }
}

#[test]
fn asymmetric_algorithms_sign_with_private_key_file_and_kid() {
    for algorithm in PRIVATE {
        let (path, id) = generated(algorithm);
        let service = signing(Backend::Sqlite.service(), algorithm, &path).start();
        let (account, pair) = service.session();
        for token in [&pair.access, &pair.refresh] {
            assert_eq!(header(token), json!({"alg": algorithm, "typ": "JWT", "kid": id}));
        }
        goes_on(&service, &pair);
        // The configured secret does not verify tokens.
        service.me(&jose::token(&jose::access_claims(account.id))).invalid();
        service.stop();
    }
}

#[test]
fn jwks_json_publishes_the_public_keys_cacheable() {
    let keys = PRIVATE.map(generated);
    let all = keys.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>().join(", ");
    let service = signing(Backend::Sqlite.service(), "ES256", &keys[1].0).set("PREVIOUS_KEY_FILES", &all).start();
    let reply = service.get(SET);
    let set = reply.expect(200);
    assert_eq!(published(&service), [&keys[1].1, &keys[0].1, &keys[2].1].map(Clone::clone), "each once");
    for (key, (names, alg)) in set["keys"].as_array().unwrap().iter().zip([
        (vec!["alg", "crv", "kid", "kty", "use", "x", "y"], "ES256"),
        (vec!["alg", "e", "kid", "kty", "n", "use"], "RS256"),
        (vec!["alg", "crv", "kid", "kty", "use", "x"], "EdDSA"),
    ]) {
        assert_eq!(members(key), names);
        assert_eq!((&key["alg"], &key["use"]), (&json!(alg), &json!("sig")));
    }
    assert_eq!(reply.header("Cache-Control"), Some("public, max-age=300"));
    let tag = reply.header("ETag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "a strong one: {tag}");
    for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), "*".to_owned()] {
        let reply = service.call("GET", SET).header("If-None-Match", &known).send();
        assert_eq!((reply.status, reply.text(), reply.header("ETag")), (304, "", Some(&*tag)), "{known}");
        assert_eq!(reply.header("Cache-Control"), Some("public, max-age=300"));
    }
    for other in ["\"other\"", "nonsense", ""] {
        assert_eq!(service.call("GET", SET).header("If-None-Match", other).send().status, 200, "{other}");
    }
    let head = service.call("HEAD", SET).send();
    assert_eq!((head.status, head.text(), head.header("ETag")), (200, "", Some(&*tag)));
    service.call("POST", SET).send().expect_error(405, "METHOD_NOT_ALLOWED");
}

#[test]
fn a_new_private_key_ends_no_session() {
    let ((old, old_id), (new, new_id)) = (generated("ES256"), generated("EdDSA"));
    let first = signing(Backend::Sqlite.service(), "ES256", &old).start();
    let (_, pair) = first.session();
    first.stop();
    // The new key is published before it is used for signing.
    let both = signing(first.again(), "ES256", &old).set("PREVIOUS_KEY_FILES", &new).start();
    assert_eq!(published(&both), [old_id.clone(), new_id.clone()]);
    let pair = goes_on(&both, &pair);
    assert_eq!(header(&pair.access)["kid"], old_id, "a previous key signs nothing");
    let turned = signing(first.again(), "EdDSA", &new).set("PREVIOUS_KEY_FILES", &old).start();
    assert_eq!(published(&turned), [new_id.clone(), old_id]);
    let next = goes_on(&turned, &pair);
    assert_eq!(header(&next.refresh)["kid"], new_id);
    both.me(&next.access).expect(200);
    turned.stop();
    let last = signing(first.again(), "EdDSA", &new).start();
    last.me(&pair.access).invalid();
    goes_on(&last, &next);
}

#[test]
fn a_new_secret_ends_no_session() {
    let [old, older_still, new] = [format!("a, \"{}", random_secret()), random_secret(), random_secret()];
    let older = Backend::Sqlite.service().set("SECRET_KEY", &older_still).start();
    let (_, oldest) = older.session();
    older.stop();
    let first = older.again().set("SECRET_KEY", &old).set("SECRET_KEY_PREVIOUS", &older_still).start();
    let (_, pair) = first.session();
    first.me(&oldest.access).expect(200);
    first.stop();
    let turned =
        first.again().set("SECRET_KEY", &new).set("SECRET_KEY_PREVIOUS", &format!("{old}\n{older_still}\n")).start();
    goes_on(&turned, &oldest);
    let next = goes_on(&turned, &pair);
    let (input, _) = next.access.rsplit_once('.').unwrap();
    assert_eq!(jose::signed_with(new.as_bytes(), input), next.access, "a previous secret signs nothing");
    turned.stop();
    let last = first.again().set("SECRET_KEY", &new).start();
    last.me(&pair.access).invalid();
    goes_on(&last, &next);
    let short = first.again().set("DEBUG", "false").set("BCRYPT_COST", "10").set("SECRET_KEY_PREVIOUS", "short marker");
    let ended = short.run();
    assert!(ended.refusal().contains("SECRET_KEY_PREVIOUS") && !ended.errors.contains("marker"), "{ended:?}");
}

#[test]
fn from_a_secret_to_a_private_key() {
    let old = random_secret();
    let first = Backend::Sqlite.service().set("SECRET_KEY", &old).start();
    let (_, pair) = first.session();
    first.stop();
    let (path, id) = generated("ES256");
    let turned = signing(first.again(), "ES256", &path).set("SECRET_KEY_PREVIOUS", &old).start();
    let next = goes_on(&turned, &pair);
    assert_eq!(header(&next.access)["kid"], id);
    assert_eq!(published(&turned), std::slice::from_ref(&id));
}

#[test]
fn a_key_that_cannot_sign_stops_the_start_with_one_line() {
    let (p256, _) = generated("ES256");
    let folder = fresh_folder();
    let file = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let nonsense = file("nonsense", "marker");
    for (algorithm, path, fault) in [
        ("RS256", p256.as_str(), "of another kind"),
        ("EdDSA", &p256, "of another kind"),
        ("ES256", &nonsense, "not one key in PEM"),
        ("ES256", "/nowhere/marker", "cannot be read"),
        ("ES256", folder.to_str().unwrap(), "cannot be read"),
    ] {
        let ended = signing(Backend::Sqlite.service(), algorithm, path).run();
        let line = ended.refusal();
        assert!(line.contains("PRIVATE_KEY_FILE") && line.contains(fault) && !line.contains("marker"), "{line}");
    }
    let ended = Backend::Sqlite.service().set("ALGORITHM", "ES256").run();
    assert!(ended.refusal().contains("PRIVATE_KEY_FILE: is missing"), "{ended:?}");
    let previous = format!("{p256},{nonsense}");
    let ended = Backend::Sqlite.service().set("PREVIOUS_KEY_FILES", &previous).run();
    assert!(ended.refusal().contains("PREVIOUS_KEY_FILES: entry 2 names a key"), "{ended:?}");
    fs::set_permissions(&p256, fs::Permissions::from_mode(0o644)).unwrap();
    let service = signing(Backend::Sqlite.service(), "ES256", &p256).start();
    let warned = |event: &Value| event["level"] == "WARNING" && event.to_string().contains("PRIVATE_KEY_FILE");
    assert!(service.flushed_log().events().iter().any(warned));
}

#[test]
fn keys_generate_never_overwrites_and_prints_key_without_out() {
    let (path, _) = generated("EdDSA");
    let before = fs::read_to_string(&path).unwrap();
    let run = |arguments: &[&str]| {
        arguments
            .iter()
            .fold(ServiceBuilder::over(&Backend::Sqlite.database()), |setup, word| setup.argument(word))
            .run()
    };
    let ended = run(&["keys", "generate", "--out", &path]);
    assert!(ended.refusal().contains("cannot be written"), "{ended:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    let piped = run(&["keys", "generate"]);
    assert!(piped.status.success() && piped.errors.contains("ALGORITHM=ES256"), "{piped:?}");
    assert!(piped.output.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{}", piped.output);
    assert!(piped.output.trim_end().ends_with("-----END PRIVATE KEY-----"));
    for (name, expected) in [("HS256", "openssl rand -hex 32"), ("es256", "expected RS256, ES256 or EdDSA")] {
        let ended = run(&["keys", "generate", "--algorithm", name]);
        assert_eq!((ended.status.code(), ended.errors.contains(expected)), (Some(2), true), "{name}: {ended:?}");
        assert!(!ended.errors.contains("HS384"), "{ended:?}");
    }
}

/// Returns the documentation's example in a language.
fn example(language: &str) -> String {
    let page = include_str!("../../../../docs/features/keys.md");
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0.to_owned()
}

/// Runs the example for each algorithm. It must accept an access token and nothing else.
fn expect_verified(run: impl Fn(&str, &str, &str) -> (bool, String)) {
    for algorithm in PRIVATE {
        let service = signing(Backend::Sqlite.service(), algorithm, &generated(algorithm).0).start();
        let (account, pair) = service.session();
        let url = format!("http://{}{SET}", service.address);
        let stranger = signing(Backend::Sqlite.service(), algorithm, &generated(algorithm).0).start();
        assert_eq!(run(algorithm, &url, &pair.access), (true, account.id.to_string()), "{algorithm}");
        for token in [&pair.refresh, &stranger.session().1.access, &pair.access[..pair.access.len() - 8].to_owned()] {
            assert!(!run(algorithm, &url, token).0, "{algorithm}: {token}");
        }
    }
}

/// Installs packages once, in a folder that outlives the test.
pub(crate) fn installed(name: &str, packages: &str, how: &str, install: impl Fn(&Path) -> Vec<Command>) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mark = folder.join("installed");
    if !fs::read_to_string(&mark).is_ok_and(|mark| mark == packages) {
        fs::create_dir_all(&folder).unwrap();
        for mut command in install(&folder) {
            let output = command.output().unwrap_or_else(|error| panic!("{error}: {how}"));
            assert!(output.status.success(), "{}\n{how}", String::from_utf8_lossy(&output.stderr));
        }
        fs::write(mark, packages).unwrap();
    }
    folder
}

pub(crate) fn outcome(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_service_in_python_verifies_a_token_as_the_documents_show() {
    const PACKAGE: &str = "pyjwt[crypto]==2.10.1";
    let how = "this test needs Python 3 with venv, and the package index: apt-get install python3-venv";
    let folder = installed("python", PACKAGE, how, |folder| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder);
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]);
        vec![venv, pip]
    });
    expect_verified(|algorithm, url, token| {
        let code = example("python").replace("ES256", algorithm);
        outcome(Command::new(folder.join("bin/python")).args(["-c", &code, token]).env("JWKS_URL", url))
    });
}

#[test]
fn a_service_in_node_verifies_a_token_as_the_documents_show() {
    const PACKAGE: &str = "jose@5.10.0";
    let how = "this test needs Node 18 or newer with npm, and the package registry: apt-get install nodejs npm, or nodejs.org";
    let folder = installed("node", PACKAGE, how, |folder| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(folder).arg(PACKAGE);
        vec![npm]
    });
    expect_verified(|algorithm, url, token| {
        let file = folder.join(format!("{algorithm}.mjs"));
        fs::write(&file, example("js").replace("ES256", algorithm)).unwrap();
        outcome(Command::new("node").arg(&file).arg(token).env("JWKS_URL", url))
    });
}
