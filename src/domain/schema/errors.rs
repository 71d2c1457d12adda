//! Why a text is not a schema, with the lines at fault.

use std::fmt;
use std::ops::Range;

use super::SCHEMA_ERRORS_MAX;
use super::ast::Problem;
use crate::error::Error;

/// Characters of a line that an error quotes.
const QUOTE_CHARS_MAX: usize = 100;
/// Characters of it that stand before the fault, if the line is longer than that.
const QUOTE_CHARS_BEFORE: usize = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaError {
    /// Where it stands, in bytes.
    pub span: Range<usize>,
    /// From 1, in lines and in characters.
    pub line: usize,
    pub column: usize,
    /// What was expected there and what came, for a person.
    pub problem: String,
    /// The line, and one below it that points at the fault.
    quote: String,
}

/// At least one error, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaErrors(Vec<SchemaError>);

impl SchemaErrors {
    pub fn iter(&self) -> impl Iterator<Item = &SchemaError> {
        self.0.iter()
    }

    /// About the text as a whole.
    pub(super) fn without_place(problem: String) -> Self {
        let quote = String::new();
        Self(vec![SchemaError { span: 0..0, line: 1, column: 1, problem, quote }])
    }

    pub(super) fn locate(text: &str, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        problems.dedup();
        problems.truncate(SCHEMA_ERRORS_MAX);
        Self(problems.into_iter().map(|problem| locate(text, problem)).collect())
    }
}

/// The line of a place, from 1.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = text.as_bytes().get(..at).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

fn locate(text: &str, problem: Problem) -> SchemaError {
    let Problem { span, text: problem } = problem;
    let (before, after) = text.split_at_checked(span.start).unwrap_or((text, ""));
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let left = before.get(start..).unwrap_or_default();
    let right = after.split('\n').next().unwrap_or_default().trim_end_matches('\r');
    let column = left.chars().count();
    // A fault of many lines is underlined in the first one only.
    let fault = after.get(..span.len()).unwrap_or_default().chars().count();
    let width = fault.clamp(1, right.chars().count().max(1));
    SchemaError {
        quote: quote(left, right, column, width),
        line: line_of(text, span.start),
        column: column + 1,
        span,
        problem,
    }
}

/// The text may hold one line of megabytes; the error shows the part around the fault.
fn quote(left: &str, right: &str, column: usize, width: usize) -> String {
    let skipped = column.saturating_sub(QUOTE_CHARS_BEFORE);
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let chars = left.chars().chain(right.chars()).map(visible).skip(skipped);
    let line: String = chars.take(QUOTE_CHARS_MAX).collect();
    let width = width.min(QUOTE_CHARS_MAX - (column - skipped));
    let blank = " ".repeat(column - skipped);
    format!("  {}\n  {blank}{}", line.trim_end(), "^".repeat(width))
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quote.is_empty() {
            return f.write_str(&self.problem);
        }
        write!(f, "{}:{}: {}\n{}", self.line, self.column, self.problem, self.quote)
    }
}

impl fmt::Display for SchemaErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, error) in self.0.iter().enumerate() {
            f.write_str(if place == 0 { "" } else { "\n" })?;
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaErrors {}

impl From<SchemaErrors> for Error {
    fn from(errors: SchemaErrors) -> Self {
        Self::invalid("body", errors.to_string())
    }
}
