//! The canonical text of a query: what is printed parses back to the same query, as long as it
//! fits the limit on length (escapes can make it longer than what it was parsed from).

use std::fmt::{Display, Formatter, Result, Write as _};

use super::ast::{Field, Op, Query, Term, Value};

impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (index, term) in self.terms.iter().enumerate() {
            if index > 0 {
                f.write_str(" AND ")?;
            }
            term.fmt(f)?;
        }
        Ok(())
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "{}{}{}", self.field, self.op, self.value)
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(&self.name)?;
        match &self.key {
            Some(key) => {
                f.write_char('[')?;
                quote(key, f)?;
                f.write_char(']')
            }
            None => Ok(()),
        }
    }
}

impl Display for Op {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(self.as_str())
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Text(text) => quote(text, f),
            // Debug keeps huge and tiny numbers short, and either parses back exactly.
            Self::Number(number) if number.abs() < 1e15 => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

fn quote(text: &str, f: &mut Formatter<'_>) -> Result {
    f.write_char('"')?;
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            f.write_char('\\')?;
        }
        f.write_char(c)?;
    }
    f.write_char('"')
}
