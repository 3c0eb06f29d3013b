//! The JSON Schema of a document that callers write, for editors and for checks before it is sent.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

/// The schema of a document, with what it refers to (JSON Schema 2020-12).
pub fn json_schema<T: ToSchema>(title: &str) -> Result<Value, serde_json::Error> {
    let mut parts: Vec<(String, RefOr<Schema>)> = Vec::new();
    T::schemas(&mut parts);
    let definitions: Map<String, Value> = parts
        .into_iter()
        .map(|(name, part)| Ok((name, serde_json::to_value(part)?)))
        .collect::<Result<_, serde_json::Error>>()?;
    let mut document = serde_json::to_value(T::schema())?;
    if let Some(fields) = document.as_object_mut() {
        fields.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        fields.insert("title".to_owned(), json!(title));
        fields.insert("$defs".to_owned(), Value::Object(definitions));
    }
    point_inside(&mut document);
    Ok(document)
}

/// Lets references point into the document instead of into the API's description.
fn point_inside(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(target) if name == "$ref" => {
                        *target = target.replace("#/components/schemas/", "#/$defs/");
                    }
                    _ => point_inside(value),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(point_inside),
        _ => {}
    }
}
