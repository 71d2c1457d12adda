//! From tokens to definitions. A field that cannot be read is reported and left out, so that one
//! answer names the faults of many fields.

use super::ast::{Definition, FieldExpr, Kind, Name, Problem, Span, TypeExpr};
use super::lexer::{Placed, Token, tokens};
use super::types::Literal;
use super::{SCHEMA_ERRORS_MAX, SCHEMA_NESTING_LEVELS_MAX, SCHEMA_TYPES_MAX};
use crate::domain::text::excerpt;

type Parsed<O> = Result<O, Problem>;

pub(super) fn parse(text: &str) -> Result<Vec<Definition<'_>>, Vec<Problem>> {
    let mut parser =
        Parser { text, tokens: tokens(text), next: 0, levels: 0, problems: Vec::new() };
    let definitions = parser.document();
    if parser.problems.is_empty() { Ok(definitions) } else { Err(parser.problems) }
}

struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Placed<'t>>,
    next: usize,
    /// Types that are being read, one within the other.
    levels: usize,
    problems: Vec<Problem>,
}

const FIELD: &str = "a field, such as 'name: string', or '}'";
const TYPE: &str = "a type, such as string, LiveList<number> or a name";
const TOO_DEEP: &str = "types must be nested at most 32 levels deep";
const _: () = assert!(SCHEMA_NESTING_LEVELS_MAX == 32, "the message above names the limit");

impl<'t> Parser<'t> {
    fn peek(&self) -> &Token<'t> {
        self.ahead(0)
    }

    fn ahead(&self, count: usize) -> &Token<'t> {
        self.tokens.get(self.next + count).map_or(&Token::End, |(token, _)| token)
    }

    fn span(&self) -> Span {
        let end = self.text.len()..self.text.len();
        self.tokens.get(self.next).map_or(end, |(_, span)| span.clone())
    }

    /// The place from `start` up to what was read last.
    fn since(&self, start: usize) -> Span {
        let last = self.next.checked_sub(1).and_then(|last| self.tokens.get(last));
        start..last.map_or(start, |(_, span)| span.end.max(start))
    }

    fn eat(&mut self, mark: char) -> bool {
        let is_there = *self.peek() == Token::Mark(mark);
        self.next += usize::from(is_there);
        is_there
    }

    fn must(&mut self, mark: char, expected: &str) -> Parsed<()> {
        if self.eat(mark) { Ok(()) } else { Err(self.expected(expected)) }
    }

    /// The next token is not what should stand there.
    fn expected(&self, what: &str) -> Problem {
        let span = self.span();
        let got = match self.peek() {
            Token::Bad(why) => return Problem::new(span, *why),
            Token::End => return Problem::new(span, format!("expected {what}, but the text ends")),
            Token::Word(_) | Token::Number(_) | Token::Text(_) | Token::Mark(_) => {
                excerpt(self.text.get(span.clone()).unwrap_or_default())
            }
        };
        Problem::new(span, format!("expected {what}, got '{got}'"))
    }

    fn document(&mut self) -> Vec<Definition<'t>> {
        let mut definitions = Vec::new();
        while *self.peek() != Token::End && self.problems.len() < SCHEMA_ERRORS_MAX {
            match self.definition() {
                Ok(definition) if definitions.len() == SCHEMA_TYPES_MAX => {
                    let text = format!("a schema must have at most {SCHEMA_TYPES_MAX} types");
                    self.problems.push(Problem::new(definition.name.span, text));
                    break;
                }
                Ok(definition) => definitions.push(definition),
                Err(problem) => {
                    self.problems.push(problem);
                    self.skip_to_definition();
                }
            }
        }
        definitions
    }

    /// `type Name {`, which begins a definition wherever it stands: no field can look like it.
    fn at_definition(&self) -> bool {
        *self.peek() == Token::Word("type")
            && matches!(self.ahead(1), Token::Word(_))
            && matches!(self.ahead(2), Token::Mark('{' | '='))
    }

    fn skip_to_definition(&mut self) {
        while *self.peek() != Token::End && !self.at_definition() {
            self.next += 1;
        }
    }

    fn definition(&mut self) -> Parsed<Definition<'t>> {
        if *self.peek() != Token::Word("type") {
            let problem = self.expected("'type', which begins a definition");
            self.next += 1;
            return Err(problem);
        }
        self.next += 1;
        let name = self.name("the name of a type")?;
        if self.eat('=') {
            self.must('{', "'{'")?;
        } else {
            self.must('{', "'{' or '='")?;
        }
        Ok(Definition { name, fields: self.fields()? })
    }

    fn name(&mut self, expected: &str) -> Parsed<Name<'t>> {
        let span = self.span();
        let Token::Word(text) = *self.peek() else { return Err(self.expected(expected)) };
        self.next += 1;
        Ok(Name { text, span })
    }

    /// Behind the opening brace; reads the closing one, too.
    fn fields(&mut self) -> Parsed<Vec<FieldExpr<'t>>> {
        let mut fields = Vec::new();
        while !self.eat('}') {
            if *self.peek() == Token::End || self.at_definition() {
                return Err(self.expected(FIELD));
            }
            match self.field() {
                Ok(field) => {
                    fields.push(field);
                    let _separator = self.eat(',') || self.eat(';');
                }
                Err(problem) => {
                    self.problems.push(problem);
                    if self.problems.len() >= SCHEMA_ERRORS_MAX {
                        self.next = self.tokens.len();
                        return Ok(fields);
                    }
                    self.skip_to_field();
                }
            }
        }
        Ok(fields)
    }

    /// To what may be the next field of the object that is being read, or to its end.
    fn skip_to_field(&mut self) {
        let mut open_braces = 0_usize;
        loop {
            match self.peek() {
                Token::End => return,
                Token::Mark('{') => open_braces += 1,
                Token::Mark('}') if open_braces == 0 => return,
                Token::Mark('}') => open_braces -= 1,
                Token::Mark(',' | ';') if open_braces == 0 => {
                    self.next += 1;
                    return;
                }
                Token::Word(_) => {
                    let is_field = matches!(self.ahead(1), Token::Mark(':' | '?'));
                    if self.at_definition() || (is_field && open_braces == 0) {
                        return;
                    }
                }
                Token::Number(_) | Token::Text(_) | Token::Mark(_) | Token::Bad(_) => {}
            }
            self.next += 1;
        }
    }

    fn field(&mut self) -> Parsed<FieldExpr<'t>> {
        let name = self.name(FIELD)?;
        let is_optional = self.eat('?');
        self.must(':', if is_optional { "':'" } else { "':' or '?:'" })?;
        Ok(FieldExpr { name, is_optional, of: self.union()? })
    }

    fn union(&mut self) -> Parsed<TypeExpr<'t>> {
        self.levels += 1;
        let is_too_deep = self.levels > SCHEMA_NESTING_LEVELS_MAX;
        let read =
            if is_too_deep { Err(Problem::new(self.span(), TOO_DEEP)) } else { self.members() };
        self.levels -= 1;
        read
    }

    fn members(&mut self) -> Parsed<TypeExpr<'t>> {
        let start = self.span().start;
        let first = self.array()?;
        if *self.peek() != Token::Mark('|') {
            return Ok(first);
        }
        let mut members = vec![first];
        while self.eat('|') {
            members.push(self.array()?);
        }
        let below = members.iter().map(|member| member.levels).max();
        self.build(start, below, Kind::Union(members))
    }

    fn array(&mut self) -> Parsed<TypeExpr<'t>> {
        let start = self.span().start;
        let mut of = self.item()?;
        while self.eat('[') {
            self.must(']', "']'")?;
            of = self.build(start, Some(of.levels), Kind::Array(Box::new(of)))?;
        }
        Ok(of)
    }

    fn build(&self, start: usize, below: Option<usize>, kind: Kind<'t>) -> Parsed<TypeExpr<'t>> {
        let span = self.since(start);
        let levels = 1 + below.unwrap_or(0);
        if levels > SCHEMA_NESTING_LEVELS_MAX {
            return Err(Problem::new(span, TOO_DEEP));
        }
        Ok(TypeExpr { kind, span, levels })
    }

    fn item(&mut self) -> Parsed<TypeExpr<'t>> {
        let start = self.span().start;
        match self.peek() {
            Token::Mark('(') => {
                self.next += 1;
                let inner = self.union()?;
                self.must(')', "')', '|' or '[]'")?;
                Ok(TypeExpr { span: self.since(start), ..inner })
            }
            Token::Mark('{') => {
                self.next += 1;
                let fields = self.fields()?;
                let below = fields.iter().map(|field| field.of.levels).max();
                self.build(start, below, Kind::Object(fields))
            }
            Token::Word(_) => self.named(start),
            Token::Number(_) | Token::Mark('-') => self.number(start),
            Token::Text(text) => {
                let literal = Literal::Text(text.as_str().into());
                self.next += 1;
                self.build(start, None, Kind::Literal(literal))
            }
            Token::Mark(_) | Token::Bad(_) | Token::End => Err(self.expected(TYPE)),
        }
    }

    fn named(&mut self, start: usize) -> Parsed<TypeExpr<'t>> {
        let word = self.name(TYPE)?;
        match word.text {
            "LiveObject" => {
                self.must('<', "'<' after LiveObject")?;
                let name = self.name("the name of a type")?;
                self.must('>', "'>' after the name of the type")?;
                self.build(start, None, Kind::LiveObject(name))
            }
            "LiveList" => {
                self.must('<', "'<' after LiveList")?;
                let item = self.union()?;
                self.must('>', "'>', '|' or '[]'")?;
                self.build(start, Some(item.levels), Kind::LiveList(Box::new(item)))
            }
            "LiveMap" => {
                self.must('<', "'<' after LiveMap")?;
                let key = self.union()?;
                self.must(',', "',' between the types of key and value")?;
                let value = self.union()?;
                self.must('>', "'>', '|' or '[]'")?;
                let below = Some(key.levels.max(value.levels));
                self.build(start, below, Kind::LiveMap(Box::new([key, value])))
            }
            "true" => self.build(start, None, Kind::Literal(Literal::Bool(true))),
            "false" => self.build(start, None, Kind::Literal(Literal::Bool(false))),
            text => self.build(start, None, Kind::Named(text)),
        }
    }

    fn number(&mut self, start: usize) -> Parsed<TypeExpr<'t>> {
        let is_negative = self.eat('-');
        let Token::Number(digits) = *self.peek() else {
            return Err(self.expected("a whole number after '-'"));
        };
        self.next += 1;
        let wrong = |why| Problem::new(self.since(start), why);
        let number = digits.parse::<f64>().ok().filter(|_| is_decimal(digits));
        let number = number.ok_or_else(|| wrong("a number is written in digits, such as 42"))?;
        if !number.is_finite() {
            return Err(wrong("the number is too large"));
        }
        if number.fract() != 0.0 {
            return Err(wrong("literal numbers must be whole"));
        }
        // Adding zero makes -0 the same as 0, which it is in JSON.
        let number = if is_negative { -number } else { number } + 0.0;
        self.build(start, None, Kind::Literal(Literal::Number(number)))
    }
}

/// Digits with at most one point among them; Rust's own parser takes more than that.
fn is_decimal(digits: &str) -> bool {
    digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
