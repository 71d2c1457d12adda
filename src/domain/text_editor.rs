//! Which editor a room's Yjs document is written with. Whoever knows the editor and the shared type
//! that it writes can make a text of the document again.

use super::text::{check_chars, excerpt};
use crate::error::Error;

pub const ROOT_KEY_CHARS_MAX: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditorKind {
    Lexical,
    Tiptap,
    Blocknote,
}

impl EditorKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lexical => "lexical",
            Self::Tiptap => "tiptap",
            Self::Blocknote => "blocknote",
        }
    }

    pub fn parse(raw: &str) -> Option<Self> {
        [Self::Lexical, Self::Tiptap, Self::Blocknote].into_iter().find(|kind| kind.as_str() == raw)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextEditor {
    pub kind: EditorKind,
    /// The name of the shared type that holds the text.
    pub root_key: String,
}

impl TextEditor {
    /// Checks what a caller sent.
    pub fn parse(kind: &str, root_key: String) -> Result<Self, Error> {
        if kind.is_empty() {
            return Err(Error::missing("type"));
        }
        let kind = EditorKind::parse(kind).ok_or_else(|| {
            let shown = excerpt(kind);
            Error::invalid("type", format!("must be lexical, tiptap or blocknote, got '{shown}'"))
        })?;
        if root_key.is_empty() {
            return Err(Error::missing("rootKey"));
        }
        check_chars("rootKey", "it", &root_key, ROOT_KEY_CHARS_MAX)?;
        if root_key.contains(char::is_control) {
            return Err(Error::invalid("rootKey", "must not contain control characters"));
        }
        Ok(Self { kind, root_key })
    }
}

pub fn text_editor_not_found() -> Error {
    Error::not_found("TEXT_EDITOR_NOT_FOUND", "No text editor was reported for this room.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_editors_are_known_by_their_names() {
        for kind in [EditorKind::Lexical, EditorKind::Tiptap, EditorKind::Blocknote] {
            let parsed = TextEditor::parse(kind.as_str(), "root".to_owned()).unwrap();
            assert_eq!(parsed, TextEditor { kind, root_key: "root".to_owned() });
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let longest = "é".repeat(ROOT_KEY_CHARS_MAX);
        assert_eq!(TextEditor::parse("tiptap", longest.clone()).unwrap().root_key, longest);
        let too_long = "é".repeat(ROOT_KEY_CHARS_MAX + 1);
        for (kind, root_key, field) in [
            ("", "root", "type"),
            ("Lexical", "root", "type"),
            ("lexical\0", "root", "type"),
            ("quill", "root", "type"),
            ("lexical", "", "rootKey"),
            ("lexical", too_long.as_str(), "rootKey"),
            ("lexical", "ro\0ot", "rootKey"),
            ("lexical", "root\n", "rootKey"),
            ("lexical", "\u{7f}", "rootKey"),
            ("lexical", "\u{85}", "rootKey"),
        ] {
            let error = TextEditor::parse(kind, root_key.to_owned()).unwrap_err();
            assert_eq!(error.reason(), "UNPROCESSABLE_ENTITY", "{kind:?} {root_key:?}");
            assert_eq!(error.fields()[0].field, field, "{kind:?} {root_key:?}");
        }
    }
}
