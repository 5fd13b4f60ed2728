//! Compares the document with itself, with the overlay and with what handlers read.

use super::*;
use crate::routes::Operation;
use std::collections::BTreeSet;
use std::iter;

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(target)) = members.get("$ref") {
                found.insert(target.clone());
            }
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_resolves_and_every_schema_is_used() {
    let document = document("Portcullis", &PasswordPolicy::with_min_chars(12));
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for target in &found {
        assert!(document.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(found.contains(&format!("#/components/schemas/{name}")), "{name} is not used");
    }
}

/// A renamed member would silently lose its limits.
#[test]
fn the_overlay_names_nothing_that_is_not_there() {
    let (overlay, generated) = (overlay(), generated(&mut Table::new()));
    for (name, schema) in overlay["components"]["schemas"].as_object().unwrap() {
        for member in schema["properties"].as_object().unwrap().keys() {
            let at = format!("/components/schemas/{name}/properties/{member}");
            assert!(generated.pointer(&at).is_some(), "{at}");
        }
    }
}

#[test]
fn the_password_has_the_limits_of_the_policy() {
    let document = document("Gatehouse", &PasswordPolicy::with_min_chars(12));
    for (request, member) in [
        ("RegisterRequest", "password"),
        ("ChangePasswordRequest", "new_password"),
        ("ResetPasswordRequest", "new_password"),
    ] {
        let password = &document["components"]["schemas"][request]["properties"][member];
        assert_eq!((&password["minLength"], &password["maxLength"]), (&json!(12), &json!(256)));
    }
    assert_eq!(document["info"]["title"], "Gatehouse");
}

#[test]
fn every_operation_is_told_whole() {
    let document = document("Portcullis", &PasswordPolicy::with_min_chars(12));
    let operations = Table::new().operations;
    for Operation { path, method, .. } in &operations {
        let (id, operation) = (format!("{method} {path}"), &document["paths"][path][method]);
        assert!(operation["summary"].is_string() && operation["tags"].is_array(), "{id}");
        assert!(operation["security"].is_array(), "{id}");
        for body in operation["requestBody"]["content"].as_object().into_iter().flat_map(|content| content.values()) {
            let name = body["schema"]["$ref"].as_str().unwrap();
            let schema = document.pointer(&name[1..]).unwrap_or_else(|| panic!("{id} lacks `reads`"));
            let members = schema["properties"].as_object().unwrap().values();
            assert!(iter::once(schema).chain(members).all(|it| it["description"] != ""), "{id}");
        }
        assert!(operation["responses"]["500"].is_object(), "{id}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let told = response["content"]["application/json"]["schema"].is_object();
            // These have no body.
            assert_eq!(told, status != "204" && status != "304", "{id} {status}");
            assert!(response["headers"]["X-Request-ID"].is_object(), "{id} {status}");
        }
    }
    let documented = document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len());
    assert_eq!(documented.sum::<usize>(), operations.len());
}

/// openapi-python-client uses `Unset` in an operation with two body types, but imports it only for an
/// optional parameter: without one the operation's module cannot be imported.
#[test]
fn an_operation_with_two_body_types_has_an_optional_parameter() {
    let document = document("Portcullis", &PasswordPolicy::default());
    let mut found = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for operation in item.as_object().unwrap().values() {
            let types = operation["requestBody"]["content"].as_object().map_or(0, serde_json::Map::len);
            if types > 1 {
                found += 1;
                let parameters = operation["parameters"].as_array().unwrap_or_else(|| panic!("{path}"));
                let optional = |parameter: &Value| {
                    let target =
                        parameter["$ref"].as_str().map_or(parameter, |target| document.pointer(&target[1..]).unwrap());
                    target["required"] == false
                };
                assert!(parameters.iter().any(optional), "{path}");
            }
        }
    }
    assert_eq!(found, 1, "login alone");
}

#[test]
fn a_patch_follows_the_examples_of_rfc_7396() {
    for (target, patch, merged) in [
        (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
        (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
        (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
        (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
        (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
    ] {
        let mut result = target;
        json_patch(&mut result, &patch);
        assert_eq!(result, merged);
    }
}
