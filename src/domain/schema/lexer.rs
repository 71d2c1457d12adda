//! From text to words, marks, texts and numbers. What is none of these becomes a [`Token::Bad`], so
//! that the parser reports it in its place and goes on.

use super::ast::Span;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'t> {
    Word(&'t str),
    /// Without a sign.
    Number(&'t str),
    Text(String),
    Mark(char),
    /// Its text is what to say about it.
    Bad(&'static str),
    End,
}

pub(super) type Placed<'t> = (Token<'t>, Span);

const MARKS: &str = "{}<>[]()|:?=,;-";
pub(super) const SLASH: &str = "a comment is one line that begins with '#' or '//'";
pub(super) const STRANGE: &str = "this character has no meaning here";
pub(super) const UNCLOSED: &str = "the quote that opens here is never closed";
pub(super) const ESCAPE: &str = r"\u is followed by four hex digits that make a character";

/// The last one is always [`Token::End`].
pub(super) fn tokens(text: &str) -> Vec<Placed<'_>> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank();
        let start = lexer.at;
        let token = lexer.token();
        let is_end = token == Token::End;
        tokens.push((token, start..lexer.at));
        if is_end {
            return tokens;
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take_while(&mut self, mut wanted: impl FnMut(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    fn skip_blank(&mut self) {
        // A byte order mark is what some editors put in front of every file.
        let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        loop {
            self.take_while(is_blank);
            if !self.rest().starts_with('#') && !self.rest().starts_with("//") {
                return;
            }
            self.take_while(|c| c != '\n');
        }
    }

    fn token(&mut self) -> Token<'t> {
        let start = self.at;
        let Some(first) = self.rest().chars().next() else { return Token::End };
        if first.is_ascii_alphabetic() || first == '_' {
            return Token::Word(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'));
        }
        if first.is_ascii_digit() {
            // Also what follows it without a gap: "3px" is one bad number, not two good tokens.
            let digits = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
            return Token::Number(digits);
        }
        self.next();
        match first {
            '"' | '\'' => self.quoted(first, start),
            '/' => Token::Bad(SLASH),
            mark if MARKS.contains(mark) => Token::Mark(mark),
            _ => Token::Bad(STRANGE),
        }
    }

    /// Stands behind the opening quote, which is at `start`.
    fn quoted(&mut self, quote: char, start: usize) -> Token<'t> {
        let mut text = String::new();
        loop {
            text.push_str(self.take_while(|c| c != quote && c != '\\' && c != '\n'));
            match self.next() {
                Some('\\') => {
                    if !self.escape(&mut text) {
                        return Token::Bad(ESCAPE);
                    }
                }
                Some(c) if c == quote => return Token::Text(text),
                // Reading on would take the rest of the schema for a text.
                Some(_) | None => {
                    self.at = self.at.min(self.text.len()).max(start + 1);
                    return Token::Bad(UNCLOSED);
                }
            }
        }
    }

    /// Stands behind a backslash. One before the end of a line continues the text on the next, and
    /// one before a character that needs none changes nothing.
    fn escape(&mut self, text: &mut String) -> bool {
        let plain = match self.next() {
            None | Some('\n') => return true,
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => match self.unicode() {
                Some(c) => c,
                None => return false,
            },
            Some(c) => c,
        };
        text.push(plain);
        true
    }

    fn unicode(&mut self) -> Option<char> {
        let high = self.four_hex_digits()?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        // What does not fit into sixteen bits is written as two escapes, a surrogate pair.
        if self.next() != Some('\\') || self.next() != Some('u') {
            return None;
        }
        let low = self.four_hex_digits()?.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)
    }

    fn four_hex_digits(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}
