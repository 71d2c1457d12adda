//! From text to tree.
//!
//! Each rule looks at the next character to decide what must follow, so there is no backtracking:
//! time is linear in the text, and an error names the place where reading stopped.

use winnow::LocatingSlice;
use winnow::ascii::digit1;
use winnow::combinator::{alt, opt, preceded};
use winnow::error::ParserError;
use winnow::prelude::*;
use winnow::stream::Location;
use winnow::token::{one_of, take_while};

use super::ast::{Field, Op, Query, QueryError, Term, Value};
use super::quoted::quoted;
use super::{QUERY_BYTES_MAX, QUERY_TERMS_MAX};
use crate::domain::text::excerpt;

pub(super) type Input<'i> = LocatingSlice<&'i str>;
pub(super) type Parsed<O> = Result<O, Problem>;

/// What went wrong, before it is put into words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Problem {
    at: usize,
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// This should have stood there.
    Expected(&'static str),
    /// What stands there is wrong for this reason.
    Wrong(&'static str),
}

impl Problem {
    pub(super) fn expected(at: usize, what: &'static str) -> Self {
        Self { at, what: What::Expected(what) }
    }

    pub(super) fn wrong(at: usize, why: &'static str) -> Self {
        Self { at, what: What::Wrong(why) }
    }

    fn explain(self, text: &str) -> QueryError {
        let rest = text.get(self.at..).unwrap_or_default();
        let problem = match self.what {
            What::Wrong(why) => why.to_owned(),
            What::Expected(what) if rest.is_empty() => {
                format!("expected {what}, but the query ends")
            }
            What::Expected(what) => format!("expected {what}, got '{}'", next_word(rest)),
        };
        QueryError { position: self.at, problem }
    }
}

/// For an error message: up to the next space, but at least one character.
fn next_word(rest: &str) -> std::borrow::Cow<'_, str> {
    let first = rest.chars().next().map_or(0, char::len_utf8);
    let end = rest[first..].find(char::is_whitespace).map_or(rest.len(), |space| first + space);
    excerpt(&rest[..end])
}

impl<'i> ParserError<Input<'i>> for Problem {
    type Inner = Self;

    fn from_input(input: &Input<'i>) -> Self {
        Self::expected(input.current_token_start(), "something else")
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

pub(super) fn parse(text: &str) -> Result<Query, QueryError> {
    if text.len() > QUERY_BYTES_MAX {
        let problem = format!("must be at most {QUERY_BYTES_MAX} bytes, got {}", text.len());
        return Err(QueryError { position: QUERY_BYTES_MAX, problem });
    }
    query(&mut LocatingSlice::new(text)).map_err(|problem| problem.explain(text))
}

/// The number that a text is as a whole, in the syntax of this language. Numbers in queries compare
/// with stored texts that are numbers in this sense, and with no others.
pub fn number_of(text: &str) -> Option<f64> {
    let mut input = LocatingSlice::new(text);
    let number = number(&mut input).ok()?;
    input.is_empty().then_some(number)
}

fn query(input: &mut Input<'_>) -> Parsed<Query> {
    let mut terms = Vec::new();
    spaces(input)?;
    while !input.is_empty() {
        if terms.len() == QUERY_TERMS_MAX {
            let at = input.current_token_start();
            return Err(Problem::wrong(at, "must have at most 50 terms, and here is another"));
        }
        terms.push(term(input)?);
        separator(input)?;
    }
    Ok(Query { terms })
}

const _: () = assert!(QUERY_TERMS_MAX == 50, "the message above names the limit");

/// After a term: the end, or space, or `AND` with space around it and a term behind it.
fn separator(input: &mut Input<'_>) -> Parsed<()> {
    const EXPECTED: &str = "a space, or AND and another term";
    let space = spaces(input)?;
    if input.is_empty() {
        return Ok(());
    }
    if space.is_empty() {
        return Err(Problem::expected(input.current_token_start(), EXPECTED));
    }
    if keyword(input).is_some_and(|word| word.eq_ignore_ascii_case("and")) {
        let _and = identifier(input)?;
        spaces(input)?;
        if input.is_empty() {
            return Err(Problem::expected(input.current_token_start(), "a term after AND"));
        }
    }
    Ok(())
}

/// A word with a space or the end after it. A field has its operator there instead.
fn keyword<'i>(input: &Input<'i>) -> Option<&'i str> {
    let mut ahead = *input;
    let word = identifier(&mut ahead).ok()?;
    (ahead.is_empty() || ahead.starts_with(char::is_whitespace)).then_some(word)
}

fn term(input: &mut Input<'_>) -> Parsed<Term> {
    let start = input.current_token_start();
    let field = field(input)?;
    spaces(input)?;
    let op = op(input)?;
    spaces(input)?;
    let value_at = input.current_token_start();
    let value = value(input)?;
    check_types(op, &value, value_at)?;
    Ok(Term { field, op, value, span: start..input.previous_token_end() })
}

fn field(input: &mut Input<'_>) -> Parsed<Field> {
    let at = input.current_token_start();
    match keyword(input) {
        Some(word) if word.eq_ignore_ascii_case("or") || word.eq_ignore_ascii_case("not") => {
            return Err(Problem::wrong(
                at,
                "OR and NOT do not exist here; terms are joined by AND",
            ));
        }
        Some(word) if word.eq_ignore_ascii_case("and") => {
            return Err(Problem::expected(at, FIELD));
        }
        Some(_) | None => {}
    }
    if input.starts_with('(') {
        return Err(Problem::wrong(at, "parentheses do not exist here; terms are joined by AND"));
    }
    let name = identifier(input)?.to_owned();
    if input.starts_with('.') {
        let at = input.current_token_start();
        return Err(Problem::wrong(at, r#"a key is written in brackets, as in metadata["key"]"#));
    }
    spaces(input)?;
    let key = if input.starts_with('[') { Some(key(input)?) } else { None };
    Ok(Field { name, key })
}

const FIELD: &str = r#"a field, such as roomId or metadata["key"]"#;

fn identifier<'i>(input: &mut Input<'i>) -> Parsed<&'i str> {
    let at = input.current_token_start();
    let head = |c: char| c.is_ascii_alphabetic() || c == '_';
    let tail = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (one_of::<_, _, Problem>(head), take_while(0.., tail))
        .take()
        .parse_next(input)
        .map_err(|_| Problem::expected(at, FIELD))
}

fn key(input: &mut Input<'_>) -> Parsed<String> {
    '['.parse_next(input)?;
    spaces(input)?;
    let at = input.current_token_start();
    if !input.starts_with(['"', '\'']) {
        return Err(Problem::expected(at, r#"a key in quotes, as in ["key"]"#));
    }
    let key = quoted(input)?;
    if key.is_empty() {
        return Err(Problem::wrong(at, "a key must not be empty"));
    }
    spaces(input)?;
    let end = input.current_token_start();
    ']'.parse_next(input).map_err(|_: Problem| Problem::expected(end, "']' after the key"))?;
    Ok(key)
}

fn op(input: &mut Input<'_>) -> Parsed<Op> {
    let at = input.current_token_start();
    alt((
        "<=".value(Op::LessOrEqual),
        ">=".value(Op::GreaterOrEqual),
        "<".value(Op::Less),
        ">".value(Op::Greater),
        ":".value(Op::Equals),
        "^".value(Op::StartsWith),
    ))
    .parse_next(input)
    .map_err(|_: Problem| Problem::expected(at, "one of the operators : ^ < <= > >="))
}

fn value(input: &mut Input<'_>) -> Parsed<Value> {
    let at = input.current_token_start();
    let value = match input.chars().next() {
        Some('"' | '\'') => return quoted(input).map(Value::Text),
        Some('-' | '0'..='9') => Value::Number(number(input)?),
        Some(_) | None => alt((
            "true".value(Value::Bool(true)),
            "false".value(Value::Bool(false)),
            "null".value(Value::Null),
        ))
        .parse_next(input)
        .map_err(|_: Problem| Problem::expected(at, VALUE))?,
    };
    match input.chars().next() {
        // "trueish" and "3px" are texts that lack their quotes, not values with something behind.
        Some(c) if !c.is_whitespace() => Err(Problem::expected(at, VALUE)),
        Some(_) | None => Ok(value),
    }
}

const VALUE: &str = r#"a value: "text" in quotes, a number, true, false or null"#;

fn number(input: &mut Input<'_>) -> Parsed<f64> {
    let at = input.current_token_start();
    let fraction = preceded('.', digit1::<_, Problem>);
    let exponent = (one_of(['e', 'E']), opt(one_of(['+', '-'])), digit1::<_, Problem>);
    let text = (opt('-'), digit1, opt(fraction), opt(exponent))
        .take()
        .parse_next(input)
        .map_err(|_: Problem| Problem::expected(at, "a number, such as 3, -0.5 or 1e6"))?;
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) | Err(_) => Err(Problem::wrong(at, "the number is too large")),
    }
}

fn check_types(op: Op, value: &Value, at: usize) -> Parsed<()> {
    match (op, value) {
        (Op::Equals, _)
        | (Op::StartsWith, Value::Text(_))
        | (Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual, Value::Number(_)) => {
            Ok(())
        }
        (Op::StartsWith, Value::Number(_) | Value::Bool(_) | Value::Null) => {
            Err(Problem::expected(at, "a text in quotes after ^"))
        }
        (
            Op::Less | Op::LessOrEqual | Op::Greater | Op::GreaterOrEqual,
            Value::Text(_) | Value::Bool(_) | Value::Null,
        ) => Err(Problem::expected(at, "a number after <, <=, > or >=")),
    }
}

fn spaces<'i>(input: &mut Input<'i>) -> Parsed<&'i str> {
    take_while(0.., char::is_whitespace).parse_next(input)
}
