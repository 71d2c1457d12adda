//! Free-form JSON between messages and serde_json.

use prost_types::value::Kind;
use prost_types::{Struct, Value};
use serde_json::{Map, Number, Value as Json};

/// A double that is a whole number becomes an integer again: `5`, not `5.0`.
pub fn to_json(value: Value) -> Json {
    match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(found)) => Json::Bool(found),
        Some(Kind::StringValue(found)) => Json::String(found),
        Some(Kind::NumberValue(found)) => number(found).map_or(Json::Null, Json::Number),
        Some(Kind::ListValue(found)) => found.values.into_iter().map(to_json).collect(),
        Some(Kind::StructValue(found)) => Json::Object(to_object(found)),
    }
}

pub fn to_object(object: Struct) -> Map<String, Json> {
    object.fields.into_iter().map(|(key, value)| (key, to_json(value))).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
fn number(found: f64) -> Option<Number> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let whole = found.fract() == 0.0 && found.abs() <= EXACT_MAX;
    if whole { Some(Number::from(found as i64)) } else { Number::from_f64(found) }
}

pub fn from_json(json: Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(found) => Kind::BoolValue(found),
        Json::String(found) => Kind::StringValue(found),
        Json::Number(found) => Kind::NumberValue(found.as_f64().unwrap_or_default()),
        Json::Array(found) => Kind::ListValue(prost_types::ListValue {
            values: found.into_iter().map(from_json).collect(),
        }),
        Json::Object(found) => Kind::StructValue(from_object(found)),
    };
    Value { kind: Some(kind) }
}

pub fn from_object(object: Map<String, Json>) -> Struct {
    Struct { fields: object.into_iter().map(|(key, value)| (key, from_json(value))).collect() }
}
