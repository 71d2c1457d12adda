//! Writing: straight into one buffer, no intermediate tree.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::number::exact_integer;
use super::read::{Enum, ProtoEnum};

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// lowerCamelCase names; what is unset is left out.
    Canonical,
    /// The proto's own names; zero values are written: what LiveKit's servers do.
    SnakeCase,
}

pub trait WriteJson {
    fn write_json(&self, w: &mut Writer);
}

pub struct Writer {
    buffer: Vec<u8>,
    profile: Profile,
}

impl Writer {
    /// `capacity_bytes` is a guess of the size, so that most replies never grow the buffer.
    pub fn new(profile: Profile, capacity_bytes: usize) -> Self {
        Self { buffer: Vec::with_capacity(capacity_bytes), profile }
    }

    pub fn finish(self) -> Bytes {
        self.buffer.into()
    }

    pub fn raw(&mut self, text: &str) {
        self.buffer.extend_from_slice(text.as_bytes());
    }

    pub fn null(&mut self) {
        self.raw("null");
    }

    /// A JSON string. Most have nothing to escape, and are one copy; serde_json does the others.
    pub fn string(&mut self, text: &str) {
        // Without an early end, so that the compiler looks at many bytes at once.
        let special = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
        if text.as_bytes().iter().fold(false, |found, byte| found | special(byte)) {
            // Writing into a Vec cannot fail.
            _ = serde_json::to_writer(&mut self.buffer, text);
            return;
        }
        self.buffer.reserve(text.len() + 2);
        self.buffer.push(b'"');
        self.buffer.extend_from_slice(text.as_bytes());
        self.buffer.push(b'"');
    }

    pub fn integer(&mut self, value: impl itoa::Integer) {
        self.raw(itoa::Buffer::new().format(value));
    }

    /// 64 bits do not survive JavaScript's numbers, so proto JSON quotes them.
    pub fn quoted_integer(&mut self, value: impl itoa::Integer) {
        self.raw("\"");
        self.integer(value);
        self.raw("\"");
    }

    pub fn value(&mut self, value: &impl WriteJson) {
        value.write_json(self);
    }

    pub fn list<T: WriteJson>(&mut self, values: &[T]) {
        self.sequence(values.iter(), |w, value| value.write_json(w));
    }

    pub fn map<K: MapKey, V: WriteJson>(&mut self, values: &BTreeMap<K, V>) {
        self.entries(values.iter(), |w, value| value.write_json(w));
    }

    pub fn sequence<T>(&mut self, values: impl Iterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.raw("[");
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.raw(",");
            }
            write(self, value);
        }
        self.raw("]");
    }

    pub fn entries<'a, K: MapKey + 'a, V>(
        &mut self,
        values: impl Iterator<Item = (&'a K, V)>,
        write: impl Fn(&mut Self, V),
    ) {
        self.raw("{");
        for (index, (key, value)) in values.enumerate() {
            if index > 0 {
                self.raw(",");
            }
            key.write_key(self);
            self.raw(":");
            write(self, value);
        }
        self.raw("}");
    }

    pub fn object(&mut self) -> Object<'_> {
        let start = self.buffer.len();
        Object { w: self, start }
    }
}

/// A message under way. Its keys come with a comma in front; [`Object::end`] turns the first of
/// them into the opening brace, which spares every field a branch.
pub struct Object<'a> {
    w: &'a mut Writer,
    start: usize,
}

impl Object<'_> {
    pub fn writes_zeros(&self) -> bool {
        self.w.profile == Profile::SnakeCase
    }

    pub fn key(&mut self, camel: &'static str, snake: &'static str) -> &mut Self {
        let key = match self.w.profile {
            Profile::Canonical => camel,
            Profile::SnakeCase => snake,
        };
        self.w.raw(key);
        self
    }

    pub fn value(&mut self, value: &impl WriteJson) {
        value.write_json(self.w);
    }

    pub fn list<T: WriteJson>(&mut self, values: &[T]) {
        self.w.list(values);
    }

    pub fn map<K: MapKey, V: WriteJson>(&mut self, values: &BTreeMap<K, V>) {
        self.w.map(values);
    }

    pub fn enum_list<E: ProtoEnum>(&mut self, numbers: &[i32]) {
        let write = |w: &mut Writer, number: &i32| Enum::<E>::new(*number).write_json(w);
        self.w.sequence(numbers.iter(), write);
    }

    pub fn enum_map<E: ProtoEnum>(&mut self, numbers: &BTreeMap<impl MapKey, i32>) {
        let write = |w: &mut Writer, number: &i32| Enum::<E>::new(*number).write_json(w);
        self.w.entries(numbers.iter(), write);
    }

    pub fn null(&mut self) {
        self.w.null();
    }

    pub fn empty_object(&mut self) {
        self.w.raw("{}");
    }

    pub fn end(self) {
        match self.w.buffer.get_mut(self.start) {
            Some(comma) => *comma = b'{',
            None => self.w.raw("{"),
        }
        self.w.raw("}");
    }
}

/// What proto3 cannot tell from unset.
pub trait IsZero {
    fn is_zero(&self) -> bool;
}

pub fn is_zero(value: &impl IsZero) -> bool {
    value.is_zero()
}

macro_rules! number {
    ($kind:ty, $zero:expr, $write:expr) => {
        impl IsZero for $kind {
            fn is_zero(&self) -> bool {
                *self == $zero
            }
        }

        impl WriteJson for $kind {
            fn write_json(&self, w: &mut Writer) {
                $write(w, *self);
            }
        }
    };
}

number!(i32, 0, Writer::integer);
number!(u32, 0, Writer::integer);
number!(i64, 0, Writer::quoted_integer);
number!(u64, 0, Writer::quoted_integer);
number!(bool, false, |w: &mut Writer, value| w.raw(if value { "true" } else { "false" }));

macro_rules! float {
    ($kind:ty) => {
        impl IsZero for $kind {
            // Minus zero is not the default: it has another bit pattern, and canonical JSON shows it.
            fn is_zero(&self) -> bool {
                self.to_bits() == 0
            }
        }

        impl WriteJson for $kind {
            fn write_json(&self, w: &mut Writer) {
                match *self {
                    value if value.is_nan() => w.raw("\"NaN\""),
                    <$kind>::INFINITY => w.raw("\"Infinity\""),
                    <$kind>::NEG_INFINITY => w.raw("\"-Infinity\""),
                    value => match exact_integer(value.into()) {
                        Some(whole) => w.integer(whole),
                        // Writing a finite number into a Vec cannot fail.
                        None => _ = serde_json::to_writer(&mut w.buffer, &value),
                    },
                }
            }
        }
    };
}

float!(f32);
float!(f64);

impl IsZero for String {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl WriteJson for String {
    fn write_json(&self, w: &mut Writer) {
        w.string(self);
    }
}

impl IsZero for Bytes {
    fn is_zero(&self) -> bool {
        self.is_empty()
    }
}

impl WriteJson for Bytes {
    fn write_json(&self, w: &mut Writer) {
        use base64::Engine;
        w.raw("\"");
        w.raw(&base64::engine::general_purpose::STANDARD.encode(self));
        w.raw("\"");
    }
}

impl<T: WriteJson> WriteJson for Box<T> {
    fn write_json(&self, w: &mut Writer) {
        (**self).write_json(w);
    }
}

/// A field that `response_body` names: unset is `null`, since a body cannot be left out.
impl<T: WriteJson> WriteJson for Option<T> {
    fn write_json(&self, w: &mut Writer) {
        match self {
            Some(value) => value.write_json(w),
            None => w.null(),
        }
    }
}

impl<E: ProtoEnum> IsZero for Enum<E> {
    fn is_zero(&self) -> bool {
        self.number() == Some(0)
    }
}

impl<E: ProtoEnum> WriteJson for Enum<E> {
    fn write_json(&self, w: &mut Writer) {
        let number = self.number().unwrap_or_default();
        match E::name_of(number) {
            Some(name) => w.string(name),
            // A newer peer's value keeps its number, as the specification asks.
            None => w.integer(number),
        }
    }
}

pub trait MapKey {
    fn write_key(&self, w: &mut Writer);
}

impl MapKey for String {
    fn write_key(&self, w: &mut Writer) {
        w.string(self);
    }
}

impl MapKey for bool {
    fn write_key(&self, w: &mut Writer) {
        w.raw(if *self { "\"true\"" } else { "\"false\"" });
    }
}

macro_rules! integer_key {
    ($($kind:ty)*) => {$(
        impl MapKey for $kind {
            fn write_key(&self, w: &mut Writer) {
                w.quoted_integer(*self);
            }
        }
    )*};
}

integer_key!(i32 u32 i64 u64);
