//! A comment's body as the tree of text that Rocket.Chat calls `md`.

use serde_json::{Value, json};

/// The blocks of `md`, of the blocks of a body. Blocks that are not known are shown as the plain
/// text in them.
pub fn markdown(content: &[Value]) -> Vec<Value> {
    let paragraph = |block: &Value| {
        let value: Vec<Value> = children(block).iter().map(inline).collect();
        json!({"type": "PARAGRAPH", "value": value})
    };
    content.iter().map(paragraph).collect()
}

/// The addresses of the links, in order.
pub fn links(content: &[Value]) -> Vec<String> {
    let elements = content.iter().flat_map(children);
    let links = elements.filter(|element| text(element, "type") == "link");
    links.map(|link| text(link, "url").to_owned()).collect()
}

fn children(block: &Value) -> &[Value] {
    block.get("children").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(element: &'a Value, key: &str) -> &'a str {
    element.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn plain(text: &str) -> Value {
    json!({"type": "PLAIN_TEXT", "value": text})
}

fn inline(element: &Value) -> Value {
    match text(element, "type") {
        "mention" => json!({"type": "MENTION_USER", "value": plain(text(element, "id"))}),
        "link" => {
            let url = text(element, "url");
            let label = Some(text(element, "text")).filter(|label| !label.is_empty());
            let label = plain(label.unwrap_or(url));
            json!({"type": "LINK", "value": {"src": plain(url), "label": [label]}})
        }
        _ => marked(element),
    }
}

/// Code knows no other form; of the others, each wraps what it applies to.
fn marked(element: &Value) -> Value {
    let is = |mark: &str| element.get(mark).and_then(Value::as_bool).unwrap_or(false);
    let plain = plain(text(element, "text"));
    if is("code") {
        return json!({"type": "INLINE_CODE", "value": plain});
    }
    let marks = [("strikethrough", "STRIKE"), ("italic", "ITALIC"), ("bold", "BOLD")];
    let marks = marks.into_iter().filter(|(mark, _)| is(mark));
    marks.fold(plain, |inner, (_, name)| json!({"type": name, "value": [inner]}))
}
