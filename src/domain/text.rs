//! Checks of free text from callers, and how it is quoted back at them.

use std::borrow::Cow;

use super::ids::check_text;
use crate::error::Error;

/// Characters of a caller's text that an error message repeats.
const EXCERPT_CHARS_MAX: usize = 48;

/// The beginning of a text, so that a message about a megabyte is not a megabyte itself.
pub(crate) fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(EXCERPT_CHARS_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// `what` says which part of the field it is, such as "a key" or "a value".
pub(crate) fn check_chars(
    field: &str,
    what: &str,
    text: &str,
    chars_max: usize,
) -> Result<(), Error> {
    // A text has at most as many characters as bytes, so most texts need no counting.
    if text.len() > chars_max {
        let chars = text.chars().count();
        if chars > chars_max {
            let shown = excerpt(text);
            let problem =
                format!("{what} must be at most {chars_max} characters, got {chars} in '{shown}'");
            return Err(Error::invalid(field, problem));
        }
    }
    check_text(field, text)
}
