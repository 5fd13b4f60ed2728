//! Replaces schemas that paperclip inlined, although they have a name, by references.

use serde_json::{Value, json};

/// Replaces every inlined copy of a named schema by a reference. Ignores its description.
pub(super) fn nested_schemas(document: &mut Value) {
    let Some(schemas) = document.pointer_mut("/components/schemas").and_then(Value::as_object_mut) else { return };
    let mut named: Vec<(String, Value)> = schemas.iter().map(|(n, s)| (n.clone(), essence(s))).collect();
    // Innermost first, so that nested copies are replaced the same way everywhere.
    named.sort_by_key(|(_, schema)| schema.to_string().len());
    for at in 0..named.len() {
        let Some((name, target)) = named.get(at).cloned() else { return };
        let reference = json!({ "$ref": format!("#/components/schemas/{name}") });
        for (_, schema) in named.iter_mut().skip(at.saturating_add(1)) {
            replace_inside(schema, &target, &reference);
        }
        for schema in schemas.values_mut() {
            replace_inside(schema, &target, &reference);
        }
    }
}

fn replace_inside(value: &mut Value, target: &Value, reference: &Value) {
    let children: Vec<&mut Value> = match value {
        Value::Object(members) => members.values_mut().collect(),
        Value::Array(items) => items.iter_mut().collect(),
        _ => return,
    };
    for child in children {
        if essence(child) == *target {
            *child = reference.clone();
        } else {
            replace_inside(child, target, reference);
        }
    }
}

/// Returns the schema without its description, which a field's doc may have replaced.
fn essence(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(members) = schema.as_object_mut() {
        members.remove("description");
    }
    schema
}
