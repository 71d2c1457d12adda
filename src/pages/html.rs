//! What a page says about itself, from the tags in its beginning.

use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};
use reqwest::Url;

const TITLE_CHARS_MAX: usize = 300;
const DESCRIPTION_CHARS_MAX: usize = 1_000;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageMetadata {
    pub title: Option<String>,
    pub description: Option<String>,
    pub image: Option<String>,
    pub icon: Option<String>,
}

/// `base` is where the page is, since addresses in it may leave that out.
pub(super) fn read(base: &Url, text: &[u8]) -> PageMetadata {
    let mut found = Found::default();
    let mut emitter = DefaultEmitter::default();
    // Else what stands in scripts and titles would count as tags.
    emitter.naively_switch_states(true);
    let mut in_title = false;
    for Ok(token) in Tokenizer::new_with_emitter(text, emitter) {
        match token {
            Token::StartTag(tag) => {
                in_title = &**tag.name == b"title" && found.title.is_none();
                match tag.name.as_slice() {
                    b"meta" => found.meta(&tag),
                    b"link" => found.link(&tag),
                    b"body" => break,
                    _ => {}
                }
            }
            Token::String(text) if in_title => {
                let title = found.title.get_or_insert_default();
                title.push_str(&String::from_utf8_lossy(&text));
            }
            Token::EndTag(_) => in_title = false,
            _ => {}
        }
    }
    found.finish(base)
}

#[derive(Default)]
struct Found {
    title: Option<String>,
    og_title: Option<String>,
    description: Option<String>,
    og_description: Option<String>,
    image: Option<String>,
    icon: Option<String>,
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> Option<String> {
    tag.attributes.get(name).map(|value| String::from_utf8_lossy(&value.value).into_owned())
}

impl Found {
    fn meta(&mut self, tag: &StartTag<()>) {
        let Some(content) = attribute(tag, b"content") else { return };
        let name = attribute(tag, b"property").or_else(|| attribute(tag, b"name"));
        let slot = match name.unwrap_or_default().to_ascii_lowercase().as_str() {
            "og:title" => &mut self.og_title,
            "og:description" => &mut self.og_description,
            "description" => &mut self.description,
            "og:image" => &mut self.image,
            _ => return,
        };
        slot.get_or_insert(content);
    }

    fn link(&mut self, tag: &StartTag<()>) {
        let rel = attribute(tag, b"rel").unwrap_or_default();
        if rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("icon"))
            && let Some(href) = attribute(tag, b"href")
        {
            self.icon.get_or_insert(href);
        }
    }

    fn finish(self, base: &Url) -> PageMetadata {
        let address = |raw: Option<String>| {
            let url = base.join(raw?.trim()).ok()?;
            let is_fine = matches!(url.scheme(), "http" | "https")
                && url.as_str().len() <= super::URL_BYTES_MAX;
            is_fine.then(|| url.to_string())
        };
        PageMetadata {
            title: self.og_title.or(self.title).and_then(|text| tidy(&text, TITLE_CHARS_MAX)),
            description: self
                .og_description
                .or(self.description)
                .and_then(|text| tidy(&text, DESCRIPTION_CHARS_MAX)),
            image: address(self.image),
            icon: address(self.icon),
        }
    }
}

/// Words with one space between them, at most so many characters.
fn tidy(text: &str, chars_max: usize) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").replace('\0', "").chars().take(chars_max).collect();
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> PageMetadata {
        read(&Url::parse("https://example.com/a/b?c").unwrap(), text.as_bytes())
    }

    #[test]
    fn open_graph_comes_before_the_rest() {
        let found = page(
            "<!doctype html><html><head><title> A &amp;\n B </title>\
             <script>'<title>no</title><meta property=\"og:title\" content=no>'</script>\
             <meta name=Description content='plain'><meta property='og:description' content='Ö'>\
             <meta property=og:image content='/i.png'><link rel='shortcut ICON' href=../f.ico>\
             <link rel=stylesheet href=s.css></head><body><title>late</title>",
        );
        assert_eq!(found.title.as_deref(), Some("A & B"));
        assert_eq!(found.description.as_deref(), Some("Ö"));
        assert_eq!(found.image.as_deref(), Some("https://example.com/i.png"));
        assert_eq!(found.icon.as_deref(), Some("https://example.com/f.ico"));
        let found = page("<meta property=og:title content=og><title>plain</title>");
        assert_eq!(found.title.as_deref(), Some("og"));
    }

    #[test]
    fn odd_pages_harm_nobody() {
        assert_eq!(page(""), PageMetadata::default());
        assert_eq!(page("<title></title><meta content=x><link rel=icon>").title, None);
        for hostile in ["javascript:alert(1)", "data:image/png;base64,AA", "http://", "file:///x"] {
            let found = page(&format!("<meta property=og:image content='{hostile}'>"));
            assert_eq!(found.image, None, "{hostile}");
        }
        let long = page(&format!("<title>{}</title>", "é".repeat(5_000)));
        assert_eq!(long.title.unwrap().chars().count(), TITLE_CHARS_MAX);
        let bytes = read(&Url::parse("http://a/").unwrap(), b"<title>\xff\xfe</title><meta");
        assert_eq!(bytes.title.as_deref(), Some("\u{fffd}\u{fffd}"));
    }
}
