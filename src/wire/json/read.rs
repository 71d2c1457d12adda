//! Reading: driven by serde_json, into messages directly.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

/// What differs between the protocols that read JSON.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions {
    /// Fields with the option `required` must be there: REST.
    pub required: bool,
    /// An unknown name of an enum is taken as unset instead of refused: LiveKit's Twirp.
    pub unknown_enums: bool,
    /// What follows the first value is ignored: Twirp, whose reference implementation does.
    pub trailing: bool,
}

pub trait ReadJson: Sized {
    /// Whether `null` is a value of this type instead of "unset": only `google.protobuf.Value`.
    const READS_NULL: bool = false;

    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error>;
}

/// The generated half of a message: its names and how each field is read.
pub trait JsonMessage: Default {
    const NAME: &'static str;
    const REQUIRED: &'static [(usize, &'static str)];

    fn index_of(name: &str) -> Option<usize>;

    fn read_field<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        map: &mut A,
        options: ReadOptions,
    ) -> Result<(), A::Error>;
}

pub fn read_message<'de, M: JsonMessage, D: Deserializer<'de>>(
    source: D,
    options: ReadOptions,
) -> Result<M, D::Error> {
    source.deserialize_map(MessageVisitor::<M>(options, PhantomData))
}

struct MessageVisitor<M>(ReadOptions, PhantomData<M>);

impl<'de, M: JsonMessage> Visitor<'de> for MessageVisitor<M> {
    type Value = M;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object ({})", M::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<M, A::Error> {
        let mut message = M::default();
        // No message of ours has 128 fields; a build with one would see its duplicates pass.
        let mut seen: u128 = 0;
        while let Some(index) = map.next_key_seed(NameSeed::<M>(PhantomData))? {
            let Some(index) = index else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let bit = 1_u128.checked_shl(u32::try_from(index).unwrap_or(0)).unwrap_or(0);
            if seen & bit != 0 {
                return Err(A::Error::custom("the field is given twice"));
            }
            seen |= bit;
            message.read_field(index, &mut map, self.0)?;
        }
        if self.0.required {
            for (index, name) in M::REQUIRED {
                if seen & (1_u128 << index) == 0 {
                    return Err(A::Error::custom(format_args!("{MISSING}{name}'.")));
                }
            }
        }
        Ok(message)
    }
}

/// How a missing field travels through serde's errors; [`super::parse`] makes it an error of ours.
pub(super) const MISSING: &str = "Missing key: '";

struct NameSeed<M>(PhantomData<M>);

impl<'de, M: JsonMessage> DeserializeSeed<'de> for NameSeed<M> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Self::Value, D::Error> {
        source.deserialize_identifier(self)
    }
}

impl<M: JsonMessage> Visitor<'_> for NameSeed<M> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(M::index_of(name))
    }
}

/// The next value of a map, or `None` for `null`.
pub fn next<'de, T: ReadJson, A: MapAccess<'de>>(
    map: &mut A,
    options: ReadOptions,
) -> Result<Option<T>, A::Error> {
    map.next_value_seed(Nullable(options, PhantomData))
}

struct Nullable<T>(ReadOptions, PhantomData<T>);

impl<'de, T: ReadJson> DeserializeSeed<'de> for Nullable<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<Option<T>, D::Error> {
        if T::READS_NULL {
            return T::read_json(source, self.0).map(Some);
        }
        source.deserialize_option(self)
    }
}

impl<'de, T: ReadJson> Visitor<'de> for Nullable<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<Option<T>, D::Error> {
        T::read_json(source, self.0).map(Some)
    }
}

/// One value that must not be `null`: an element of a list, a value of a map.
pub(super) struct Seed<T>(pub ReadOptions, pub PhantomData<T>);

impl<'de, T: ReadJson> DeserializeSeed<'de> for Seed<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<T, D::Error> {
        T::read_json(source, self.0)
    }
}

/// Two members of one oneof are a contradiction.
pub fn refuse_second<'de, A: MapAccess<'de>, T>(
    held: &Option<T>,
    oneof: &str,
) -> Result<(), A::Error> {
    match held {
        Some(_) => Err(A::Error::custom(format_args!("more than one member of {oneof} is given"))),
        None => Ok(()),
    }
}

/// What prost generates for an enum, under one name.
pub trait ProtoEnum {
    fn name_of(number: i32) -> Option<&'static str>;
    fn number_of(name: &str) -> Option<i32>;
}

/// An enum's number with its type, which prost keeps apart.
pub struct Enum<E> {
    number: Option<i32>,
    kind: PhantomData<fn() -> E>,
}

impl<E> Enum<E> {
    pub fn new(number: i32) -> Self {
        Self { number: Some(number), kind: PhantomData }
    }

    /// `None` for a name that nobody knows, where those are taken as unset.
    pub fn number(&self) -> Option<i32> {
        self.number
    }
}

impl<E: ProtoEnum> ReadJson for Enum<E> {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        source.deserialize_any(EnumVisitor(options, PhantomData))
    }
}

struct EnumVisitor<E>(ReadOptions, PhantomData<E>);

impl<E: ProtoEnum> Visitor<'_> for EnumVisitor<E> {
    type Value = Enum<E>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name or number of an enum value")
    }

    fn visit_str<X: serde::de::Error>(self, name: &str) -> Result<Enum<E>, X> {
        let number = E::number_of(name);
        if number.is_none() && !self.0.unknown_enums {
            return Err(X::custom(format_args!("no such value: `{name}`")));
        }
        Ok(Enum { number, kind: PhantomData })
    }

    fn visit_i64<X: serde::de::Error>(self, number: i64) -> Result<Enum<E>, X> {
        let number = i32::try_from(number).map_err(|_| X::custom("an enum has 32 bits"))?;
        Ok(Enum::new(number))
    }

    fn visit_u64<X: serde::de::Error>(self, number: u64) -> Result<Enum<E>, X> {
        let number = i32::try_from(number).map_err(|_| X::custom("an enum has 32 bits"))?;
        Ok(Enum::new(number))
    }

    fn visit_f64<X: serde::de::Error>(self, number: f64) -> Result<Enum<E>, X> {
        let whole = super::number::whole(number).and_then(|whole| i32::try_from(whole).ok());
        whole.map(Enum::new).ok_or_else(|| X::custom("an enum has 32 bits"))
    }
}

impl<T: ReadJson> ReadJson for Vec<T> {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        source.deserialize_seq(ListVisitor(options, PhantomData))
    }
}

struct ListVisitor<T>(ReadOptions, PhantomData<T>);

impl<'de, T: ReadJson> Visitor<'de> for ListVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Seed(self.0, PhantomData))? {
            values.push(value);
        }
        Ok(values)
    }
}

impl<K: Ord + std::str::FromStr, V: ReadJson> ReadJson for BTreeMap<K, V> {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        source.deserialize_map(MapVisitor(options, PhantomData))
    }
}

struct MapVisitor<K, V>(ReadOptions, PhantomData<(K, V)>);

impl<'de, K: Ord + std::str::FromStr, V: ReadJson> Visitor<'de> for MapVisitor<K, V> {
    type Value = BTreeMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let key = K::from_str(&key)
                .map_err(|_| A::Error::custom(format_args!("`{key}` is not such a key")))?;
            let value = map.next_value_seed(Seed(self.0, PhantomData))?;
            if values.insert(key, value).is_some() {
                return Err(A::Error::custom("a key is given twice"));
            }
        }
        Ok(values)
    }
}

impl<T: ReadJson> ReadJson for Option<T> {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        T::read_json(source, options).map(Some)
    }
}

impl<T: ReadJson> ReadJson for Box<T> {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        T::read_json(source, options).map(Self::new)
    }
}
