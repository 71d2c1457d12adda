//! Path variables and query parameters into fields, by the setters that `build.rs` generates.

use std::collections::BTreeMap;

use percent_encoding::percent_decode;
use prost_types::Timestamp;

use super::json::{ProtoEnum, parse_timestamp};
use crate::error::Error;

/// Parameters that one query string may have.
pub const QUERY_PARAMS_MAX: usize = 256;
/// How deep `a.b.c=1` may reach.
const PATH_DEPTH_MAX: usize = 8;

/// What is wrong with one parameter; the caller adds its name.
#[derive(Debug)]
pub struct ParamError(pub String);

/// A message whose fields can be set by name. `Ok(false)` means that it has no such field.
pub trait ParamMessage {
    fn set_field(&mut self, name: &str, rest: Option<&str>, raw: &str) -> Result<bool, ParamError>;
}

/// A field that can be set from text. `rest` is what follows the field's name and a dot.
pub trait Param {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError>;
}

/// Sets the fields that a query string names. Unknown names are ignored, as unknown JSON keys are.
pub fn apply_query<M: ParamMessage>(message: &mut M, query: &str) -> Result<(), Error> {
    for (index, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
        if index == QUERY_PARAMS_MAX {
            let problem = format!("must have at most {QUERY_PARAMS_MAX} parameters");
            return Err(Error::invalid("query string", problem));
        }
        let (name, raw) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(&name.replace('+', " "))?;
        let raw = decode(&raw.replace('+', " "))?;
        apply(message, &name, &raw)?;
    }
    Ok(())
}

/// Sets one field; its name may be a path with dots.
pub fn apply<M: ParamMessage>(message: &mut M, name: &str, raw: &str) -> Result<(), Error> {
    let (field, rest) = match name.split_once('.') {
        Some((field, rest)) => (field, Some(rest)),
        None => (name, None),
    };
    match message.set_field(field, rest, raw) {
        Ok(_) => Ok(()),
        Err(ParamError(problem)) => Err(Error::invalid(name, problem)),
    }
}

/// Percent-decodes one segment of a path, or one part of a query.
pub fn decode(raw: &str) -> Result<String, Error> {
    let bytes = percent_decode(raw.as_bytes());
    match bytes.decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Error::malformed("The URL is not UTF-8 after percent-decoding.")),
    }
}

/// A field of a message inside the message.
pub fn set_nested<M: ParamMessage>(
    message: &mut M,
    rest: Option<&str>,
    raw: &str,
) -> Result<(), ParamError> {
    let Some(path) = rest else {
        return Err(ParamError("is an object: name one of its fields".to_owned()));
    };
    if path.split('.').count() > PATH_DEPTH_MAX {
        return Err(ParamError(format!("must be at most {PATH_DEPTH_MAX} names deep")));
    }
    let (field, rest) = match path.split_once('.') {
        Some((field, rest)) => (field, Some(rest)),
        None => (path, None),
    };
    message.set_field(field, rest, raw).map(|_| ())
}

fn no_rest(rest: Option<&str>) -> Result<(), ParamError> {
    match rest {
        Some(rest) => Err(ParamError(format!("has no field `{rest}`"))),
        None => Ok(()),
    }
}

impl Param for String {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        no_rest(rest)?;
        raw.clone_into(self);
        Ok(())
    }
}

macro_rules! number {
    ($($kind:ty, $what:literal;)*) => {$(
        impl Param for $kind {
            fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
                no_rest(rest)?;
                let parsed = raw.parse();
                *self = parsed.map_err(|_| ParamError(format!("must be {}, got `{raw}`", $what)))?;
                Ok(())
            }
        }
    )*};
}

number! {
    i32, "a whole number of 32 bits";
    u32, "a whole number from 0 to 4294967295";
    i64, "a whole number of 64 bits";
    u64, "a whole number from 0 to 18446744073709551615";
    f32, "a number";
    f64, "a number";
}

/// Bare, as in `?idempotent`, is true: the Node SDK writes it so.
impl Param for bool {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        no_rest(rest)?;
        *self = match raw {
            "" | "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(ParamError(format!("must be true or false, got `{raw}`"))),
        };
        Ok(())
    }
}

impl Param for Timestamp {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        no_rest(rest)?;
        let problem = || ParamError(format!("must be a time as RFC 3339 has it, got `{raw}`"));
        *self = parse_timestamp(raw).ok_or_else(problem)?;
        Ok(())
    }
}

impl Param for bytes::Bytes {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        no_rest(rest)?;
        *self = raw.to_owned().into();
        Ok(())
    }
}

impl<T: Param + Default> Param for Option<T> {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        self.get_or_insert_default().set(rest, raw)
    }
}

impl<T: Param> Param for Box<T> {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        (**self).set(rest, raw)
    }
}

/// A repeated parameter adds an element each time.
impl<T: Param + Default> Param for Vec<T> {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        let mut value = T::default();
        value.set(rest, raw)?;
        self.push(value);
        Ok(())
    }
}

/// `metadata.color=blue`: everything after the first dot is the key.
impl Param for BTreeMap<String, String> {
    fn set(&mut self, rest: Option<&str>, raw: &str) -> Result<(), ParamError> {
        let key = rest.ok_or_else(|| ParamError("needs a key, as in name.key=value".to_owned()))?;
        self.insert(key.to_owned(), raw.to_owned());
        Ok(())
    }
}

/// Where an enum's number goes.
pub trait EnumSlot {
    fn put(&mut self, number: i32);
}

impl EnumSlot for i32 {
    fn put(&mut self, number: i32) {
        *self = number;
    }
}

impl EnumSlot for Option<i32> {
    fn put(&mut self, number: i32) {
        *self = Some(number);
    }
}

impl EnumSlot for Vec<i32> {
    fn put(&mut self, number: i32) {
        self.push(number);
    }
}

/// An enum by name or by number.
pub fn set_enum<E: ProtoEnum, S: EnumSlot>(
    slot: &mut S,
    rest: Option<&str>,
    raw: &str,
) -> Result<(), ParamError> {
    no_rest(rest)?;
    let number = E::number_of(raw).or_else(|| raw.parse().ok());
    slot.put(number.ok_or_else(|| ParamError(format!("no such value: `{raw}`")))?);
    Ok(())
}

#[allow(clippy::all, reason = "generated code")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/params.rs"));
    #[cfg(test)]
    include!(concat!(env!("OUT_DIR"), "/testing/params.rs"));
}
