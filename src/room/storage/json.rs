//! A JSON value that is kept as its text.
//!
//! Most values are only stored and handed on, byte for byte; nobody needs to understand them.
//!
//! Invariant: valid JSON on one line, so that snapshots can separate values by line feeds.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::small_text::SmallText;

#[derive(Clone, PartialEq, Eq)]
pub struct Json(SmallText);

impl Json {
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str::<&RawValue>(text).map(Self::from)
    }

    pub fn null() -> Self {
        Self("null".into())
    }

    pub fn empty_object() -> Self {
        Self("{}".into())
    }

    /// The text of the value.
    pub fn get(&self) -> &str {
        &self.0
    }

    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }

    pub fn is_object(&self) -> bool {
        self.0.as_bytes().first() == Some(&b'{')
    }

    /// The value to look into. Half a surrogate pair, which clients may store, is U+FFFD in it.
    pub fn to_value(&self) -> Result<serde_json::Value, serde_json::Error> {
        serde_json::from_str(self.get()).or_else(|error| {
            let mended = mend_surrogates(self.get()).ok_or(error)?;
            serde_json::from_str(&mended)
        })
    }

    /// An object with these entries, in this order.
    pub fn object<'a>(entries: impl IntoIterator<Item = (&'a str, &'a Json)>) -> Self {
        let mut text = Vec::from(*b"{");
        write_entries(entries, &mut text);
        text.push(b'}');
        Self(String::from_utf8_lossy(&text).as_ref().into())
    }

    /// The entries of an object in the order of its text. `None` when it is no object.
    pub fn entries(&self) -> Option<Vec<(SmallText, Json)>> {
        let mut reader = serde_json::Deserializer::from_str(self.get());
        reader.deserialize_map(EntriesVisitor).ok()
    }

    /// How deep lists and objects are nested in it.
    pub fn depth(&self) -> usize {
        let (mut depth, mut most) = (0_usize, 0);
        let mut bytes = self.0.as_bytes().iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'[' | b'{' => {
                    depth += 1;
                    most = most.max(depth);
                }
                b']' | b'}' => depth = depth.saturating_sub(1),
                b'"' => skip_string(&mut bytes),
                _ => {}
            }
        }
        most
    }

    pub fn heap_bytes(&self) -> usize {
        self.0.heap_bytes()
    }
}

/// JSON without escapes of half surrogate pairs. `None` when there are none.
fn mend_surrogates(text: &str) -> Option<String> {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_mended = false;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        mended.push_str(before);
        let len = match (surrogate(escape), escape.get(6..).and_then(surrogate)) {
            (Some(true), Some(false)) => 12,
            (Some(_), _) => 6,
            (None, _) => 2,
        };
        let (escape, behind) = escape.split_at_checked(len)?;
        if len == 6 {
            is_mended = true;
            mended.push('\u{FFFD}');
        } else {
            mended.push_str(escape);
        }
        rest = behind;
    }
    mended.push_str(rest);
    is_mended.then_some(mended)
}

/// Whether a text starts with the escape of half a pair, and whether it is a first half.
fn surrogate(text: &str) -> Option<bool> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let unit = u16::from_str_radix(digits, 16).ok()?;
    (0xD800..0xE000).contains(&unit).then_some(unit < 0xDC00)
}

/// Goes on behind the quote that ends a string.
fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

impl From<&RawValue> for Json {
    fn from(raw: &RawValue) -> Self {
        let text = raw.get();
        // A control character can only be white space between two tokens: strings escape theirs.
        if text.bytes().any(|byte| byte < b' ') {
            return Self(text.replace(|character: char| character < ' ', "").into());
        }
        Self(text.into())
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl From<&str> for Json {
    /// The text as a JSON string.
    fn from(text: &str) -> Self {
        Self(serde_json::Value::from(text).to_string().into())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get())
    }
}

/// `"key":value` of each, with commas between them.
pub fn write_entries<'a>(
    entries: impl IntoIterator<Item = (&'a str, &'a Json)>,
    out: &mut Vec<u8>,
) {
    for (number, (key, value)) in entries.into_iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        write_string(key, out);
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
}

/// A text as a JSON string.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

pub fn write_number(number: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// A text out of JSON in which half a surrogate pair is no error: JavaScript writes such texts when
/// somebody cuts an emoji in two. The half becomes U+FFFD, which is as long in UTF-16.
#[derive(Debug)]
pub struct Lenient<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Lenient<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_bytes(LenientVisitor).map(Self)
    }
}

impl<'de> DeserializeSeed<'de> for LenientVisitor {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }
}

struct LenientVisitor;

impl<'de> Visitor<'de> for LenientVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(std::str::from_utf8(bytes).map_or_else(|_| Cow::Owned(repair(bytes)), Cow::Borrowed))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(Cow::Owned(std::str::from_utf8(bytes).map_or_else(|_| repair(bytes), str::to_owned)))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Each half surrogate pair, three bytes that are not UTF-8, as one U+FFFD.
fn repair(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // The bytes of one half are reported one by one; only the first of them is 0xED.
        if chunk.invalid().first() == Some(&0xED) {
            text.push('\u{FFFD}');
        }
    }
    text
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Vec<(SmallText, Json)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key_seed(LenientVisitor)? {
            entries.push((key.as_ref().into(), Json::from(map.next_value::<&RawValue>()?)));
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_keeps_its_bytes_but_not_its_lines() {
        assert_eq!(Json::parse(" [1.0, \"\\u0041\"] ").unwrap().get(), "[1.0, \"\\u0041\"]");
        assert_eq!(Json::parse("{\"a\":\r\n\t1}").unwrap().get(), "{\"a\":1}");
        assert!(Json::parse("{").is_err());
        assert!(Json::parse("").is_err());
    }

    #[test]
    fn entries_keep_their_order_and_survive_odd_keys() {
        let json = Json::parse(r#"{"b":[1],"a":null,"\ud83d":2,"\n":{"c":3}}"#).unwrap();
        let entries = json.entries().unwrap();
        let keys: Vec<_> = entries.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "\u{FFFD}", "\n"]);
        let again = Json::object(entries.iter().map(|(key, value)| (key.as_str(), value)));
        assert_eq!(again.entries(), Some(entries));
        assert_eq!(Json::parse("[1]").unwrap().entries(), None);
    }

    #[test]
    fn depth_does_not_count_what_is_in_strings() {
        assert_eq!(Json::parse("1").unwrap().depth(), 0);
        assert_eq!(Json::parse(r#"["[[[","\"[",{"a":[]}]"#).unwrap().depth(), 3);
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert_eq!(Json::parse(&deep).unwrap().depth(), 1_000_000);
    }

    #[test]
    fn a_value_can_be_looked_into_even_with_half_a_pair() {
        let value = |text: &str| Json::parse(text).unwrap().to_value().unwrap();
        let odd = r#"["\ud83d","\ud83d\udd25\udd25","\\ud83d\ud83d\n",{"\udd25é":1}]"#;
        let mended =
            serde_json::json!(["\u{FFFD}", "🔥\u{FFFD}", "\\ud83d\u{FFFD}\n", {"\u{FFFD}é": 1}]);
        assert_eq!(value(odd), mended);
        assert_eq!(value(r#"{"a":[1.5]}"#), serde_json::json!({"a": [1.5]}));
    }

    #[test]
    fn half_a_surrogate_pair_is_one_replacement_character() {
        let text: Lenient = serde_json::from_str(r#""a\ud83db\ud83d\udd25\udd25""#).unwrap();
        assert_eq!(text.0, "a\u{FFFD}b🔥\u{FFFD}");
        let text: Lenient = serde_json::from_str(r#""plain""#).unwrap();
        assert!(matches!(text.0, Cow::Borrowed("plain")));
    }
}
