//! The document as a page to read: plain HTML without a script, so that it needs no exception from any policy.

use std::fmt::Write as _;
use std::sync::OnceLock;

use serde_json::Value;

const HEAD: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"color-scheme\" content=\"light dark\">\
    <title>Procession API</title><link rel=\"stylesheet\" href=\"/api/docs/style.css\"></head><body><main>";

/// The style of the page.
pub(crate) const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:0}main{max-width:60rem;margin:auto;\
    padding:1rem}code,pre{font:13px/1.45 ui-monospace,monospace}pre{overflow:auto;padding:.5rem;border:1px solid}\
    details{border:1px solid;border-radius:4px;margin:.5rem 0;padding:.5rem}summary{cursor:pointer}\
    table{border-collapse:collapse;width:100%}td,th{border-top:1px solid;padding:.25rem .5rem;text-align:left;\
    vertical-align:top}b.method{display:inline-block;min-width:4.5rem}";

/// The page.
pub(crate) fn html() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| {
        let document = serde_json::from_str(super::document_json()).unwrap_or_default();
        let mut out = HEAD.to_owned();
        // Writing into a string does not fail.
        if write_page(&document, &mut out).is_err() {
            out.push_str("<p>The page could not be written: see /api/openapi.json.");
        }
        out
    })
}

fn write_page(document: &Value, out: &mut String) -> std::fmt::Result {
    write!(out, "<h1>{} <small>{}</small></h1>", text(&document["info"]["title"]), text(&document["info"]["version"]))?;
    write!(
        out,
        "<p>{}</p><p><a href=\"/api/openapi.json\">OpenAPI 3.1 document</a>",
        text(&document["info"]["description"])
    )?;
    let mut last_tag = String::new();
    for (path, item) in operations(document) {
        for (method, operation) in item {
            let tag = text(&operation["tags"][0]);
            if tag != last_tag {
                write!(out, "<h2>{tag}</h2>")?;
                last_tag = tag;
            }
            write_operation(path, method, operation, out)?;
        }
    }
    out.push_str("<h2>Shapes</h2>");
    for (name, shape) in document["components"]["schemas"].as_object().into_iter().flatten() {
        write!(
            out,
            "<details id=\"{0}\"><summary><code>{0}</code> {1}</summary>",
            escaped(name),
            text(&shape["description"])
        )?;
        write!(out, "<pre>{}</pre></details>", escaped(&format!("{shape:#}")))?;
    }
    out.push_str("</main></body></html>");
    Ok(())
}

fn operations(document: &Value) -> Vec<(&String, &serde_json::Map<String, Value>)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let mut operations: Vec<_> = paths.filter_map(|(path, item)| Some((path, item.as_object()?))).collect();
    let tag = |item: &serde_json::Map<String, Value>| item.values().next().map(|first| text(&first["tags"][0]));
    operations.sort_by_key(|(path, item)| (tag(item).map(|tag| tag == "Page"), tag(item), (*path).clone()));
    operations
}

fn write_operation(path: &str, method: &str, operation: &Value, out: &mut String) -> std::fmt::Result {
    let method = escaped(&method.to_uppercase());
    write!(out, "<details><summary><b class=\"method\">{method}</b> <code>{}</code> ", escaped(path))?;
    write!(out, "{}</summary><p>{}</p>", text(&operation["summary"]), text(&operation["description"]))?;
    if let Some(parameters) = operation["parameters"].as_array() {
        out.push_str("<table><tr><th>Parameter<th>Meaning");
        for parameter in parameters {
            let required = if parameter["required"] == true { " (required)" } else { "" };
            write!(
                out,
                "<tr><td><code>{}</code>{required}<td>{}",
                text(&parameter["name"]),
                text(&parameter["description"])
            )?;
        }
        out.push_str("</table>");
    }
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        write!(out, "<p>Body: {}</p>", shape_link(body))?;
    }
    out.push_str("<table><tr><th>Answer<th>Meaning<th>Shape");
    for (status, response) in operation["responses"].as_object().into_iter().flatten() {
        let shape = shape_link(&response["content"]["application/json"]["schema"]);
        write!(out, "<tr><td>{}<td>{}<td>{shape}", escaped(status), text(&response["description"]))?;
    }
    out.push_str("</table></details>");
    Ok(())
}

fn shape_link(schema: &Value) -> String {
    let (reference, many) = match schema["items"]["$ref"].as_str() {
        Some(reference) => (Some(reference), "[] "),
        None => (schema["$ref"].as_str(), ""),
    };
    let name = reference.and_then(|reference| reference.rsplit('/').next()).map(escaped);
    name.map_or_else(String::new, |name| format!("{many}<a href=\"#{name}\">{name}</a>"))
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
