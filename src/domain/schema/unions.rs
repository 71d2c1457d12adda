//! Which types may stand in one union: those that can be told apart by a look at the value, without
//! trying one after the other. That also makes every violation name one expectation.

use std::collections::HashMap;

use super::ast::{Problem, Span};
use super::types::{Literal, ObjectType, Shown, Type};

/// What only one member of a union can be.
#[derive(PartialEq, Eq, Hash)]
enum Slot {
    String,
    Text(Box<str>),
    Number,
    NumberLiteral(u64),
    Boolean,
    Bool(bool),
    Null,
    Object,
    Array,
    LiveObject,
    LiveList,
    LiveMap,
    LiveText,
    LiveFile,
}

/// Scalars of which some literal was seen, with the first of them.
type Literals = HashMap<Slot, usize>;

/// Finds members that get into each other's way. They are no unions themselves.
pub(super) fn union(
    members: Vec<(Type, Span)>,
    objects: &[ObjectType],
    problems: &mut Vec<Problem>,
) -> Type {
    let mut flat: Vec<Type> = Vec::new();
    let mut taken = HashMap::new();
    let mut literals = Literals::new();
    for (member, span) in members {
        match conflict(&member, flat.len(), &mut taken, &mut literals) {
            Some(earlier) => {
                let earlier = flat.get(earlier).unwrap_or(&member);
                problems.push(Problem::new(span, explain(&member, earlier, objects)));
            }
            None => flat.push(member),
        }
    }
    Type::Union(flat.into())
}

/// The earlier member that this one cannot stand beside; else its slots are taken.
fn conflict(
    member: &Type,
    place: usize,
    taken: &mut HashMap<Slot, usize>,
    literals: &mut Literals,
) -> Option<usize> {
    let (slot, scalar) = slots(member)?;
    if let Some(earlier) = taken.get(&slot) {
        return Some(*earlier);
    }
    match scalar {
        // A literal, beside the scalar that it belongs to.
        Some(scalar) => {
            if let Some(earlier) = taken.get(&scalar) {
                return Some(*earlier);
            }
            literals.entry(scalar).or_insert(place);
        }
        // A scalar, beside one of its literals.
        None => {
            if let Some(earlier) = literals.get(&slot) {
                return Some(*earlier);
            }
        }
    }
    taken.insert(slot, place);
    None
}

/// The slot that a type takes and, for a literal, the one that must stay free.
fn slots(of: &Type) -> Option<(Slot, Option<Slot>)> {
    Some(match of {
        Type::String => (Slot::String, None),
        Type::Number | Type::Integer => (Slot::Number, None),
        Type::Boolean => (Slot::Boolean, None),
        Type::Null => (Slot::Null, None),
        Type::Literal(Literal::Text(text)) => (Slot::Text(text.clone()), Some(Slot::String)),
        Type::Literal(Literal::Number(number)) => {
            (Slot::NumberLiteral(number.to_bits()), Some(Slot::Number))
        }
        Type::Literal(Literal::Bool(bool)) => (Slot::Bool(*bool), Some(Slot::Boolean)),
        Type::Object(_) => (Slot::Object, None),
        Type::Array(_) => (Slot::Array, None),
        Type::LiveObject(_) => (Slot::LiveObject, None),
        Type::LiveList(_) => (Slot::LiveList, None),
        Type::LiveMap(_) => (Slot::LiveMap, None),
        Type::LiveText => (Slot::LiveText, None),
        Type::LiveFile => (Slot::LiveFile, None),
        Type::Union(_) => return None,
    })
}

fn explain(member: &Type, earlier: &Type, objects: &[ObjectType]) -> String {
    let shown = |of| Shown { objects, of };
    let only_one = match member {
        Type::Object(_) => "a union has at most one object type: ",
        Type::LiveObject(_) => "a union has at most one LiveObject: ",
        Type::LiveList(_) => "a union has at most one LiveList: ",
        Type::LiveMap(_) => "a union has at most one LiveMap: ",
        Type::Array(_) => "a union has at most one array type: ",
        Type::String
        | Type::Number
        | Type::Integer
        | Type::Boolean
        | Type::Null
        | Type::Literal(_)
        | Type::LiveText
        | Type::LiveFile
        | Type::Union(_) => "",
    };
    format!("{only_one}'{}' cannot stand beside '{}'", shown(member), shown(earlier))
}
