//! What names may be, what built-in ones mean, and what somebody meant who misspelled one.

use super::types::Type;

/// The name that means this type without any definition.
pub(super) fn built_in(name: &str) -> Option<Type> {
    match name {
        "string" => Some(Type::String),
        "number" => Some(Type::Number),
        "boolean" => Some(Type::Boolean),
        "null" => Some(Type::Null),
        "LiveText" => Some(Type::LiveText),
        "LiveFile" => Some(Type::LiveFile),
        _ => None,
    }
}

/// How the language spelled its scalars before 0.0.11. Bodies of that time are still around.
pub(super) fn old_spelling(name: &str) -> Option<Type> {
    match name {
        "String" => Some(Type::String),
        "Float" => Some(Type::Number),
        "Int" => Some(Type::Integer),
        "Boolean" => Some(Type::Boolean),
        _ => None,
    }
}

/// Why a definition cannot have this name.
pub(super) fn fault_of_type_name(name: &str) -> Option<String> {
    if matches!(name, "string" | "number" | "boolean" | "null" | "true" | "false") {
        return Some(format!("'{name}' is built in and cannot be defined"));
    }
    if name.starts_with("Live") {
        return Some(format!("'{name}' is reserved, as are all names that begin with 'Live'"));
    }
    if !name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_') {
        return Some(format!("the name of a type begins with a capital letter, unlike '{name}'"));
    }
    None
}

/// Plain LSON tells a live node from plain JSON by this key.
pub(super) const RESERVED_FIELD: &str = "liveblocksType";

const BUILT_INS: [&str; 9] = [
    "string",
    "number",
    "boolean",
    "null",
    "LiveObject",
    "LiveList",
    "LiveMap",
    "LiveText",
    "LiveFile",
];

/// Bytes of a name that suggestions are looked for; what is longer was hardly mistyped.
const SUGGESTED_FOR_BYTES_MAX: usize = 40;

/// The known name that is closest to this one, if any is close.
pub(super) fn suggestion<'n>(
    wrong: &str,
    defined: impl Iterator<Item = &'n str>,
) -> Option<&'n str> {
    if wrong.len() > SUGGESTED_FOR_BYTES_MAX {
        return None;
    }
    let far = 1 + wrong.len() / 3;
    let known = BUILT_INS.into_iter().chain(defined);
    let near = known.filter(|name| name.len().abs_diff(wrong.len()) <= far);
    let (distance, name) = near.map(|name| (distance(wrong, name), name)).min()?;
    (distance <= far).then_some(name)
}

/// Insertions, deletions and replacements from one to the other, blind to case.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.bytes().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        for (above, b) in row.iter_mut().skip(1).zip(to.bytes()) {
            let replaced = diagonal + usize::from(!a.eq_ignore_ascii_case(&b));
            diagonal = *above;
            left = replaced.min(left + 1).min(*above + 1);
            *above = left;
        }
        if let Some(first) = row.first_mut() {
            *first = line + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}
