//! Settings of providers.

use super::super::tests::SECRET;
use super::super::{Settings, render};
use super::*;
use crate::settings::files::Contents;
use portcullis_jwt::generate;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::fs;

/// A provider with everything that is required.
const CORP: [(&str, &str); 4] = [
    ("PROVIDERS", "corp"),
    ("PROVIDER_CORP_ISSUER", "https://id.example.org/realms/a/"),
    ("PROVIDER_CORP_CLIENT_ID", "portcullis"),
    ("PROVIDER_CORP_CLIENT_SECRET", "marker"),
];

fn sources(environment: &[(&str, &str)], toml: &str) -> Result<Sources, SettingsError> {
    let environment = [&[("SECRET_KEY", SECRET)], environment].concat();
    let environment = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    Sources::merge(environment, toml, "", Contents::read)
}

fn read(environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::read(&sources(environment, "")?)
}

/// Reads [`CORP`] with these settings; later ones win. `None` removes one.
fn corp(changes: &[(&str, Option<&str>)]) -> Result<Settings, SettingsError> {
    let names: Vec<_> = changes.iter().map(|(name, value)| (format!("PROVIDER_CORP_{name}"), *value)).collect();
    let kept = CORP.into_iter().filter(|(name, _)| names.iter().all(|(changed, _)| changed != name));
    let last: BTreeMap<_, _> = names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let changed = last.iter().filter_map(|(name, value)| Some((*name, (*value)?)));
    read(&kept.chain(changed).collect::<Vec<_>>())
}

fn refused(changes: &[(&str, Option<&str>)]) -> String {
    corp(changes).err().unwrap_or_else(|| panic!("{changes:?}")).to_string()
}

fn warnings(settings: &Settings) -> Vec<String> {
    settings.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn a_provider_needs_issuer_id_and_secret() {
    let settings = read(&[]).unwrap();
    assert!(settings.providers.list.is_empty() && settings.providers.redirect_uris.is_empty());
    assert!(!settings.providers.private_addresses);
    let settings = corp(&[]).unwrap();
    let [provider] = &settings.providers.list[..] else { panic!() };
    assert_eq!((provider.name.as_str(), provider.kind), ("corp", ProviderKind::Oidc));
    assert_eq!(provider.issuer.as_deref(), Some("https://id.example.org/realms/a/"), "as the provider spells it");
    assert_eq!(provider.client_id, "portcullis");
    assert!(matches!(&provider.credential, Credential::Secret(secret) if secret.expose_secret() == "marker"));
    assert!(provider.audiences.is_empty() && provider.tenants.is_empty() && provider.allowed_domains.is_empty());
    assert!(provider.scopes.is_none() && provider.label.is_none() && provider.response_mode.is_none());
    assert!(provider.trust_email.is_none() && provider.sign_up && provider.link_by_email);
    assert!(!provider.provider_second_factor && !provider.nonce_optional);
    let warned = "REDIRECT_URIS is not set: only native apps can sign in with PROVIDERS; list the URIs that browsers";
    assert!(warnings(&settings).iter().all(|warning| warning.starts_with(warned)), "{:?}", warnings(&settings));
    let listed = [&CORP[..], &[("REDIRECT_URIS", "https://app.example.org/")]].concat();
    assert_eq!(warnings(&read(&listed).unwrap()), Vec::<String>::new());
    for name in ["ISSUER", "CLIENT_ID", "CLIENT_SECRET"] {
        assert!(refused(&[(name, None)]).starts_with(&format!("PROVIDER_CORP_{name}: is missing; accepted: ")));
    }
    assert!(corp(&[("KIND", Some("google")), ("ISSUER", None)]).is_ok(), "Google's issuer is known");
}

#[test]
fn names_are_listed_once_and_decide_the_kind() {
    let of = |list: &str, name: &str| {
        let [id, secret] = ["CLIENT_ID", "CLIENT_SECRET"].map(|suffix| format!("PROVIDER_{name}_{suffix}"));
        read(&[("PROVIDERS", list), (&id, "x"), (&secret, "y")]).map(|settings| settings.providers.list[0].kind)
    };
    assert_eq!(of(" google", "GOOGLE"), Ok(ProviderKind::Google));
    assert_eq!(of("github", "github"), Ok(ProviderKind::GitHub), "variables in any case");
    assert_eq!(of("gitlab", "GITLAB"), Ok(ProviderKind::GitLab));
    for list in ["Google", "google,google", "google,", "2fa", "a-b", "a b", "google;github", "\u{e9}"] {
        let refusal = of(list, "GOOGLE").unwrap_err().to_string();
        assert!(refusal.starts_with("PROVIDERS: has "), "{list}: {refusal}");
    }
    let both = [("PROVIDERS", "corp, corp_2"), ("PROVIDER_CORP_2_ISSUER", "https://b.example")];
    let both =
        [&CORP[1..], &both, &[("PROVIDER_CORP_2_CLIENT_ID", "x"), ("PROVIDER_CORP_2_CLIENT_SECRET", "y")]].concat();
    assert_eq!(read(&both).unwrap().providers.list.len(), 2);
}

#[test]
fn values_are_bounded() {
    for (name, good, bad) in [
        ("KIND", "oidc|github|gitlab", "Google|facebook"),
        (
            "ISSUER",
            "https://a.example|https://a.example:8443/b|http://127.0.0.1:8080/a|http://localhost:1|http://[::1]:1/",
            "a.example|http://a.example|https://a.example?b=c|https://a.example/#b|https://u:marker@a.example|ftp://a.example",
        ),
        ("CLIENT_ID", "a b~|1234.apps.example", "\u{e9}|a\u{1}"),
        ("CLIENT_SECRET", "x", "\u{e9}|a\nb"),
        ("AUDIENCES", "a|a , b", ",|a,,b|a,\u{e9}"),
        ("SCOPES", "openid|openid email profile|email,openid", "email|openid \"a\"|openid \u{e9}"),
        ("LABEL", "Corp & Co \u{1f510}", "a\nb"),
        ("RESPONSE_MODE", "query|form_post", "fragment|Query"),
        ("TRUST_EMAIL", "verified|never", "true|always"),
        ("SIGN_UP", "false|Yes", "never"),
        ("LINK_BY_EMAIL", "false|1", "never"),
        ("ALLOWED_DOMAINS", "example.org|Example.org, b.example", "@example.org|*.example.org|a b|example.org,"),
        ("SECOND_FACTOR", "own|provider", "true"),
        ("NONCE", "required|optional", "false"),
    ] {
        for value in good.split('|') {
            assert!(corp(&[(name, Some(value))]).is_ok(), "{name}={value}");
        }
        for value in bad.split('|').chain([" "]) {
            let refusal = refused(&[(name, Some(value))]);
            assert!(refusal.starts_with(&format!("PROVIDER_CORP_{name}: ")), "{value}: {refusal}");
            assert!(refusal.contains("; accepted: ") && !refusal.contains("marker") && !refusal.contains('\n'));
        }
    }
    let settings = corp(&[("ALLOWED_DOMAINS", Some("Example.org, b.example")), ("SCOPES", Some("openid,email"))]);
    let provider = &settings.unwrap().providers.list[0];
    assert_eq!(provider.allowed_domains, ["example.org", "b.example"]);
    assert_eq!(provider.scopes.as_deref().unwrap(), ["openid", "email"]);
    assert!(corp(&[("SCOPES", Some("read:user")), ("KIND", Some("github"))]).is_ok(), "GitHub has no openid");
    for (name, bad) in [("REDIRECT_URIS", "http://a.example/"), ("PROVIDER_PRIVATE_ADDRESSES", "never")] {
        assert!(read(&[(name, bad)]).unwrap_err().to_string().starts_with(&format!("{name}: ")));
    }
}

#[test]
fn microsoft_needs_tenants_which_others_refuse() {
    let tenants = |kind: &str, tenants: Option<&str>| {
        let settings = corp(&[("KIND", Some(kind)), ("TENANTS", tenants)]);
        settings.map(|settings| settings.providers.list[0].tenants.join(" ")).map_err(|error| error.to_string())
    };
    assert_eq!(tenants("microsoft", Some("*")).unwrap(), "*");
    assert_eq!(tenants("microsoft", Some("9122040D-6C67-4C5B, b-2")).unwrap(), "9122040d-6c67-4c5b b-2");
    for (kind, bad, fault) in [
        ("microsoft", None, "is missing"),
        ("microsoft", Some("*,a"), "has a tenant that is not an id"),
        ("microsoft", Some("contoso.onmicrosoft.com"), "has a tenant that is not an id"),
        ("oidc", Some("*"), "is set, but this kind of provider does not use it"),
    ] {
        assert!(tenants(kind, bad).unwrap_err().starts_with(&format!("PROVIDER_CORP_TENANTS: {fault}; ")), "{bad:?}");
    }
}

#[test]
fn apple_has_a_key_instead_of_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    };
    let key = path("key", &generate(Algorithm::Es256).unwrap().pem);
    let [other, none] = [path("other", &generate(Algorithm::EdDsa).unwrap().pem), path("none", "marker")];
    let apple = |changes: &[(&str, Option<&str>)]| {
        let ids = [("KIND", Some("apple")), ("TEAM_ID", Some("TEAM567890")), ("KEY_ID", Some("KEY4567890"))];
        corp(&[&ids, &[("ISSUER", None), ("CLIENT_SECRET", None), ("PRIVATE_KEY_FILE", Some(&key))], changes].concat())
    };
    let settings = apple(&[]).unwrap();
    let Credential::Apple { team_id, key_id, private_key } = &settings.providers.list[0].credential else { panic!() };
    assert_eq!((team_id.as_str(), key_id.as_str()), ("TEAM567890", "KEY4567890"));
    assert!(private_key.expose_secret().contains("PRIVATE KEY"));
    assert!(warnings(&settings).concat().contains("PROVIDER_CORP_PRIVATE_KEY_FILE names a file that every user"));
    assert!(!format!("{settings:?}").contains("PRIVATE KEY"));
    for (name, value) in [
        ("PRIVATE_KEY_FILE", &*other),
        ("PRIVATE_KEY_FILE", &none),
        ("PRIVATE_KEY_FILE", "/nowhere"),
        ("TEAM_ID", "a-b"),
        ("KEY_ID", "\u{e9}"),
        ("CLIENT_SECRET", "x"),
    ] {
        let refusal = apple(&[(name, Some(value))]).unwrap_err().to_string();
        assert!(refusal.starts_with(&format!("PROVIDER_CORP_{name}: ")) && !refusal.contains("marker"), "{refusal}");
    }
    for (name, value) in [("PRIVATE_KEY_FILE", &*key), ("TEAM_ID", "A"), ("KEY_ID", "B")] {
        assert!(
            apple(&[(name, None)]).unwrap_err().to_string().starts_with(&format!("PROVIDER_CORP_{name}: is missing"))
        );
        assert!(refused(&[(name, Some(value))]).contains("this kind of provider does not use it"), "{name}");
    }
}

#[test]
fn id_and_secret_can_be_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let [id, secret] = ["id", "secret"].map(|name| {
        fs::write(folder.path().join(name), format!("{name} marker\n")).unwrap();
        folder.path().join(name).to_str().unwrap().to_owned()
    });
    let files = [("CLIENT_ID_FILE", Some(&*id)), ("CLIENT_SECRET_FILE", Some(&*secret))];
    let settings = corp(&[&files[..], &[("CLIENT_ID", None), ("CLIENT_SECRET", None)]].concat()).unwrap();
    let provider = &settings.providers.list[0];
    assert_eq!(provider.client_id, "id marker");
    assert!(matches!(&provider.credential, Credential::Secret(secret) if secret.expose_secret() == "secret marker"));
    let twice = refused(&[("CLIENT_SECRET_FILE", Some(&secret))]);
    assert!(twice.starts_with("PROVIDER_CORP_CLIENT_SECRET: is set, but PROVIDER_CORP_CLIENT_SECRET_FILE is set too"));
    assert!(!format!("{settings:?}").contains("secret marker"));
}

#[test]
fn misspelt_settings_of_providers_are_found() {
    let warned = |name: &str| {
        let set = [("REDIRECT_URIS", "https://app.example.org/"), (name, "marker")];
        warnings(&read(&[&CORP[..], &set].concat()).unwrap()).concat()
    };
    for (name, meant) in [
        ("PROVIDER_CORP_TRUST_EMAILS", "PROVIDER_CORP_TRUST_EMAIL"),
        ("provider_corp_allowed_domain", "PROVIDER_CORP_ALLOWED_DOMAINS"),
        ("PROVIDER_CROP_CLIENTID", "PROVIDER_CORP_CLIENT_ID"),
        ("PROVIDER_CORP_SECOND_FACTORS", "PROVIDER_CORP_SECOND_FACTOR"),
    ] {
        let told = warned(name);
        assert_eq!(told.contains(meant), name != "PROVIDER_CROP_CLIENTID", "{name}: {told}");
        assert!(!told.contains("marker"), "{told}");
    }
    for name in ["PROVIDER_GITHUB_CLIENT_ID", "PROVIDER_GITHUB_CLIENT_SECRET"] {
        assert!(
            warned(name).starts_with(&format!("{name} has no effect, because PROVIDERS does not list its provider"))
        );
    }
    assert_eq!(warned("PROVIDER_CORPORATION"), "", "a name of another program");
    let accepted = "providers = 'corp'\nprovider_corp_sign_up = false\nprovider_corp_client_id_file = '/nowhere'\n";
    assert!(
        matches!(sources(&[], accepted).err(), Some(SettingsError::Bad { name, .. }) if name == "PROVIDER_CORP_CLIENT_ID")
    );
    for (line, nearest) in [
        ("provider_corp_clientid = 'marker'", "provider_corp_client_id?"),
        ("provider_my_corp_trust_emial = 'marker'", "provider_my_corp_trust_email?"),
        ("PROVIDER_CORP_KIND = 'marker'", "provider_corp_kind?"),
        ("provider_private_adresses = 'marker'", "provider_private_addresses?"),
    ] {
        let refusal = sources(&[], line).err().unwrap().to_string();
        assert!(refusal.contains(&format!("is not a setting; did you mean {nearest}")), "{refusal}");
        assert!(!refusal.contains("marker"));
    }
}

#[test]
fn printed_settings_of_providers_hide_secrets_and_refused_values() {
    let printed = |environment: &[(&str, &str)]| render(&sources(environment, "").unwrap());
    let text =
        printed(&[&CORP[..], &[("PROVIDER_CORP_NONCE", "optional"), ("PROVIDER_OTHER_KIND", "marker")]].concat());
    for line in [
        "PROVIDERS=corp  # environment",
        "REDIRECT_URIS=(not set)  # default",
        "PROVIDER_CORP_KIND=(not set)  # default",
        "PROVIDER_CORP_ISSUER=https://id.example.org/realms/a/  # environment",
        "PROVIDER_CORP_CLIENT_SECRET=(set, 6 bytes)  # environment",
        "PROVIDER_CORP_SIGN_UP=true  # default",
        "PROVIDER_CORP_NONCE=optional  # environment",
    ] {
        assert!(text.lines().any(|printed| printed == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("marker"), "{text}");
    for setting in FAMILY.iter().filter(|setting| !setting.is_secret()) {
        let name = format!("PROVIDER_CORP_{}", setting.name);
        let text =
            printed(&[("PROVIDERS", "corp"), ("PROVIDER_CORP_LABEL", "marker\n"), (&name, "marker\u{1b}\u{e9}")]);
        assert!(text.contains(&format!("{name}=(refused)  # environment")) && !text.contains("marker\u{1b}"), "{text}");
    }
}

#[test]
fn an_issuer_fits_its_column() {
    let issuer = |length: usize| format!("https://id.example.org/{}", "a".repeat(length - 23));
    assert!(corp(&[("ISSUER", Some(&issuer(512)))]).is_ok());
    let refusal = refused(&[("ISSUER", Some(&issuer(513)))]);
    assert!(refusal.contains("is longer than 512 characters"), "{refusal}");
}
