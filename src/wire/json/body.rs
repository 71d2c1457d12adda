//! From the bytes of a body to a message, or to an error that says where it is wrong.

use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess};

use super::read::{JsonMessage, MISSING, ReadJson, ReadOptions};
use crate::error::Error;

/// Reads a whole body into a message.
pub fn parse<M: ReadJson>(body: &[u8], options: ReadOptions) -> Result<M, Error> {
    run(&Whole(options, PhantomData), body, options)
}

/// Reads a whole body into one field of a message that is otherwise empty.
pub fn parse_field<M: JsonMessage>(
    field: &'static str,
    body: &[u8],
    options: ReadOptions,
) -> Result<M, Error> {
    let index = M::index_of(field)
        .ok_or_else(|| Error::internal(format!("{} has no field {field}", M::NAME)))?;
    run(&OneField(index, options, PhantomData), body, options)
}

/// What is read, so that a failed reading can be repeated to find its place.
trait Target {
    type Message;

    fn read<'de, D: Deserializer<'de>>(&self, source: D) -> Result<Self::Message, D::Error>;
}

struct Whole<M>(ReadOptions, PhantomData<M>);

impl<M: ReadJson> Target for Whole<M> {
    type Message = M;

    fn read<'de, D: Deserializer<'de>>(&self, source: D) -> Result<M, D::Error> {
        M::read_json(source, self.0)
    }
}

struct OneField<M>(usize, ReadOptions, PhantomData<M>);

impl<M: JsonMessage> Target for OneField<M> {
    type Message = M;

    fn read<'de, D: Deserializer<'de>>(&self, source: D) -> Result<M, D::Error> {
        let mut message = M::default();
        message.read_field(self.0, &mut OneValue(Some(source)), self.1)?;
        Ok(message)
    }
}

/// A map whose next value is a whole document.
struct OneValue<D>(Option<D>);

impl<'de, D: Deserializer<'de>> MapAccess<'de> for OneValue<D> {
    type Error = D::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        _: K,
    ) -> Result<Option<K::Value>, D::Error> {
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, D::Error> {
        let source = self.0.take().ok_or_else(|| D::Error::custom("the value is read already"))?;
        seed.deserialize(source)
    }
}

fn run<T: Target>(target: &T, body: &[u8], options: ReadOptions) -> Result<T::Message, Error> {
    let text = std::str::from_utf8(body).map_err(|e| {
        Error::malformed(format!("The body is not UTF-8 at byte {}.", e.valid_up_to()))
    })?;
    let mut source = serde_json::Deserializer::from_str(text);
    let outcome = target.read(&mut source).and_then(|message| match options.trailing {
        true => Ok(message),
        false => source.end().map(|()| message),
    });
    outcome.map_err(|error| explain(target, text, &error))
}

/// The error of a failed reading. It reads once more to learn the path, which the usual case of a
/// good body need not pay for.
fn explain<T: Target>(target: &T, text: &str, error: &serde_json::Error) -> Error {
    let full = error.to_string();
    if !error.is_data() {
        return Error::malformed(format!("The body is not valid JSON: {full}."));
    }
    let problem = full.rfind(" at line ").map_or(full.as_str(), |end| &full[..end]);
    let mut track = serde_path_to_error::Track::new();
    let mut source = serde_json::Deserializer::from_str(text);
    _ = target.read(serde_path_to_error::Deserializer::new(&mut source, &mut track));
    let path = track.path().to_string();
    match problem.strip_prefix(MISSING).and_then(|rest| rest.strip_suffix("'.")) {
        Some(name) if path == "." => Error::missing(name),
        Some(name) => Error::missing(&format!("{path}.{name}")),
        None if path == "." => Error::invalid("body", problem),
        None => Error::invalid(path, problem),
    }
}
