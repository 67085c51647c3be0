//! `docs/API.md`, made from the OpenAPI document that the server's tests keep: the same text for people without a server.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::workspace;

/// The server's own document; a test of the server keeps it up to date.
const OPENAPI: &str = "crates/server/openapi.json";
const DOCUMENT: &str = "docs/API.md";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

const HEAD: &str = "# API

Made by `cargo xtask api-document` from the OpenAPI document, which a running server has at `/api/openapi.json` and shows at
`/api/docs/`. Times are RFC 3339 in UTC. Keys go into `Authorization: Api-Key KEY`; a browser's session does instead where
reading is enough.
";

/// Writes the document.
pub(crate) fn write() -> Result<ExitCode> {
    std::fs::write(workspace::root().join(DOCUMENT), document()?).context(DOCUMENT)?;
    println!("{DOCUMENT} written");
    Ok(ExitCode::SUCCESS)
}

/// The document is what it would be if it were made now.
pub(crate) fn check() -> Result<()> {
    let kept = std::fs::read_to_string(workspace::root().join(DOCUMENT)).context(DOCUMENT)?;
    if kept != document()? {
        bail!("{DOCUMENT} is not what {OPENAPI} says: run `cargo xtask api-document` and look at the change");
    }
    println!("{DOCUMENT} is what {OPENAPI} says");
    Ok(())
}

fn document() -> Result<String> {
    let text = std::fs::read_to_string(workspace::root().join(OPENAPI)).context(OPENAPI)?;
    let openapi: Value = serde_json::from_str(&text).context(OPENAPI)?;
    let mut out = HEAD.to_owned();
    let mut tag = None;
    for (path, method, operation) in operations(&openapi) {
        let own_tag = operation["tags"][0].as_str().unwrap_or("Other");
        if tag != Some(own_tag) {
            write!(out, "\n## {own_tag}\n")?;
            tag = Some(own_tag);
        }
        write_operation(&mut out, &openapi, path, method, operation)?;
    }
    write_schemas(&mut out, &openapi)?;
    Ok(out)
}

/// All operations, those of a tag together, tags in the order of their first operation.
fn operations(openapi: &Value) -> Vec<(&str, &str, &Value)> {
    let mut found = Vec::new();
    for (path, item) in openapi["paths"].as_object().into_iter().flatten() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                found.push((path.as_str(), method, operation));
            }
        }
    }
    let mut tags: Vec<&str> = Vec::new();
    for (_, _, operation) in &found {
        let tag = operation["tags"][0].as_str().unwrap_or("Other");
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    found.sort_by_key(|(_, _, operation)| tags.iter().position(|tag| operation["tags"][0] == **tag));
    found
}

fn write_operation(out: &mut String, openapi: &Value, path: &str, method: &str, operation: &Value) -> Result<()> {
    write!(out, "\n### {} {path}\n", method.to_uppercase())?;
    for field in ["summary", "description"] {
        if let Some(text) = operation[field].as_str().filter(|text| !text.is_empty()) {
            write!(out, "\n{}\n", text.trim())?;
        }
    }
    let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        out.push_str("\n| parameter | in | type | |\n| --- | --- | --- | --- |\n");
        for parameter in parameters {
            let parameter = resolved(openapi, parameter);
            let needed = if parameter["required"] == true { "required. " } else { "" };
            let about = cell(parameter["description"].as_str().unwrap_or_default());
            let [name, place] = ["name", "in"].map(|field| parameter[field].as_str().unwrap_or_default());
            writeln!(out, "| `{name}` | {place} | {} | {needed}{about} |", shape(&parameter["schema"]))?;
        }
    }
    if let Some(body) = operation.get("requestBody") {
        write!(out, "\nBody: {}\n", content(body))?;
    }
    out.push_str("\n| answer | | body |\n| --- | --- | --- |\n");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let response = resolved(openapi, response);
        let about = cell(response["description"].as_str().unwrap_or_default());
        writeln!(out, "| {status} | {about} | {} |", content(response))?;
    }
    Ok(())
}

fn write_schemas(out: &mut String, openapi: &Value) -> Result<()> {
    out.push_str("\n## Shapes\n");
    for (name, schema) in openapi["components"]["schemas"].as_object().into_iter().flatten() {
        write!(out, "\n### {name}\n")?;
        if let Some(text) = schema["description"].as_str() {
            write!(out, "\n{}\n", text.trim())?;
        }
        let Some(properties) = schema["properties"].as_object() else {
            write!(out, "\n{}\n", shape(schema))?;
            continue;
        };
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        out.push_str("\n| field | type | |\n| --- | --- | --- |\n");
        for (field, schema) in properties {
            let needed = if required.contains(&field.as_str()) { "" } else { "optional. " };
            let about = cell(schema["description"].as_str().unwrap_or_default());
            writeln!(out, "| `{field}` | {} | {needed}{about} |", shape(schema))?;
        }
    }
    Ok(())
}

/// What a reference within the document points to.
fn resolved<'a>(openapi: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| openapi.pointer(pointer)).unwrap_or(value)
}

/// The shapes of a body, by their media types.
fn content(body: &Value) -> String {
    let media = body["content"].as_object().into_iter().flatten();
    let shapes: Vec<String> = media
        .map(|(media, content)| match media.as_str() {
            "application/json" => shape(&content["schema"]),
            media => format!("`{media}`"),
        })
        .collect();
    shapes.join(" or ")
}

/// A schema in a few words.
fn shape(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        if let Some(choices) = schema[choice].as_array() {
            return choices.iter().map(shape).collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(values) = schema["enum"].as_array() {
        return values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ");
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        kind => kind.as_str().unwrap_or("anything").to_owned(),
    };
    match (schema.get("items"), schema["format"].as_str()) {
        (Some(items), _) => kind.replace("array", &format!("array of {}", shape(items))),
        (None, Some("date-time")) => format!("{kind} (time)"),
        (None, _) => kind,
    }
}

/// Text for a cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_in_words() {
        assert_eq!(shape(&json!({"type": ["string", "null"], "format": "date-time"})), "string or null (time)");
        assert_eq!(
            shape(&json!({"type": "array", "items": {"$ref": "#/components/schemas/Host"}})),
            "array of [Host](#host)"
        );
        assert_eq!(shape(&json!({"oneOf": [{"type": "null"}, {"enum": ["a"]}]})), "null or `\"a\"`");
    }

    #[test]
    fn operations_of_a_tag_stand_together() {
        let openapi = json!({"paths": {
            "/a": {"get": {"tags": ["One"]}}, "/b": {"get": {"tags": ["Two"]}}, "/c": {"post": {"tags": ["One"]}},
        }});
        let paths: Vec<&str> = operations(&openapi).iter().map(|(path, _, _)| *path).collect();
        assert_eq!(paths, ["/a", "/c", "/b"]);
    }
}
