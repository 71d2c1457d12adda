//! Under which conditions a file was asked for, and how much of it (RFC 9110, section 13).

use http::header::{IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderName, Method as Verb};

use super::range::{Selected, select};

/// What a request says besides the file's address.
pub struct Asked {
    /// Only what would be sent is asked for.
    pub is_head: bool,
    headers: HeaderMap,
}

/// What is owed to the client.
#[derive(Debug, PartialEq, Eq)]
pub enum Owed {
    File(Selected),
    /// It has the file already.
    NotModified,
    /// It wanted another file than there is.
    Changed,
}

impl Asked {
    pub fn new(verb: &Verb, headers: &HeaderMap) -> Self {
        Self { is_head: *verb == Verb::HEAD, headers: headers.clone() }
    }

    /// `tag` is the file's, with its quotes. A file's bytes never change, so it has no date.
    pub fn owed(&self, tag: &str, size: u64) -> Owed {
        if self.names(IF_MATCH, |named| named == tag) == Some(false) {
            return Owed::Changed;
        }
        let same = |named: &str| named.strip_prefix("W/").unwrap_or(named) == tag;
        if self.names(IF_NONE_MATCH, same) == Some(true) {
            return Owed::NotModified;
        }
        Owed::File(self.selected(tag, size))
    }

    fn selected(&self, tag: &str, size: u64) -> Selected {
        let mut ranges = self.headers.get_all(RANGE).iter();
        let (Some(range), None, false) = (ranges.next(), ranges.next(), self.is_head) else {
            return Selected::Whole;
        };
        // What the client has the beginning of is perhaps another file.
        let is_other =
            self.headers.get(IF_RANGE).is_some_and(|known| known.as_bytes() != tag.as_bytes());
        match range.to_str() {
            Ok(range) if !is_other => select(range, size),
            _ => Selected::Whole,
        }
    }

    /// Whether one of the tags in a header is meant; `None` if there is no such header. Our own tags
    /// have no comma, so it does not matter where one that has is cut.
    fn names(&self, header: HeaderName, is_meant: impl Fn(&str) -> bool) -> Option<bool> {
        let mut values = self.headers.get_all(header).iter().peekable();
        values.peek()?;
        Some(values.filter_map(|value| value.to_str().ok()).any(|value| {
            value.split(',').map(str::trim).any(|named| named == "*" || is_meant(named))
        }))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const TAG: &str = "\"abc\"";

    fn owed_to(verb: Verb, headers: &[(&'static str, &'static str)]) -> Owed {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Asked::new(&verb, &map).owed(TAG, 100)
    }

    fn owed(headers: &[(&'static str, &'static str)]) -> Owed {
        owed_to(Verb::GET, headers)
    }

    const WHOLE: Owed = Owed::File(Selected::Whole);
    const PART: Owed = Owed::File(Selected::Part(5..100));

    #[test]
    fn who_has_the_file_is_told_so() {
        for tags in ["\"abc\"", "W/\"abc\"", "*", "\"x\", \"abc\"", "\"a,b\",W/\"abc\" ,\"y\""] {
            assert_eq!(owed(&[("if-none-match", tags)]), Owed::NotModified, "{tags}");
        }
        assert_eq!(owed(&[("if-none-match", "\"x\""), ("if-none-match", TAG)]), Owed::NotModified);
        let with_range = [("if-none-match", TAG), ("range", "bytes=5-")];
        assert_eq!(owed(&with_range), Owed::NotModified);
        for tags in ["", "abc", "\"ABC\"", "\"x\"", "\"abc", "w/\"abc\"", "\"abc\"x"] {
            assert_eq!(owed(&[("if-none-match", tags)]), WHOLE, "{tags}");
        }
    }

    #[test]
    fn who_wants_another_file_gets_none() {
        for tags in ["\"x\"", "W/\"abc\"", ""] {
            assert_eq!(owed(&[("if-match", tags)]), Owed::Changed, "{tags}");
        }
        for tags in ["\"x\", \"abc\"", "*"] {
            assert_eq!(owed(&[("if-match", tags), ("range", "bytes=5-")]), PART, "{tags}");
        }
    }

    #[test]
    fn a_part_is_given_of_the_same_file_only() {
        let range = ("range", "bytes=5-");
        assert_eq!(owed(&[range]), PART);
        assert_eq!(owed(&[range, ("if-range", TAG)]), PART);
        for other in ["\"x\"", "W/\"abc\"", "Wed, 21 Oct 2015 07:28:00 GMT", ""] {
            assert_eq!(owed(&[range, ("if-range", other)]), WHOLE, "{other}");
        }
        assert_eq!(owed(&[("range", "bytes=100-")]), Owed::File(Selected::Nothing));
        assert_eq!(owed(&[range, ("range", "bytes=6-")]), WHOLE);
        assert_eq!(owed_to(Verb::HEAD, &[range]), WHOLE);
    }
}
