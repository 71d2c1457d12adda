//! The JSON forms of `google.protobuf`'s own messages.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use prost_types::value::Kind;
use prost_types::{Duration, FieldMask, ListValue, NullValue, Struct, Timestamp, Value};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::read::{ProtoEnum, ReadJson, ReadOptions, Seed};
use super::write::{WriteJson, Writer};

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what a Timestamp may hold.
const TIMESTAMP_SECONDS_MIN: i64 = -62_135_596_800;
const TIMESTAMP_SECONDS_MAX: i64 = 253_402_300_799;

impl WriteJson for Timestamp {
    fn write_json(&self, w: &mut Writer) {
        if !(TIMESTAMP_SECONDS_MIN..=TIMESTAMP_SECONDS_MAX).contains(&self.seconds) {
            return w.null();
        }
        let (days, second) = (self.seconds.div_euclid(86_400), self.seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        let mut text = *b"\"0000-00-00T00:00:00.";
        put(&mut text[1..5], year);
        put(&mut text[6..8], month);
        put(&mut text[9..11], day);
        put(&mut text[12..14], second / 3600);
        put(&mut text[15..17], second / 60 % 60);
        put(&mut text[18..20], second % 60);
        // All of it is ASCII.
        w.raw(std::str::from_utf8(&text).unwrap_or_default());
        fraction(w, self.nanos, 3);
        w.raw("Z\"");
    }
}

/// The date of a day number, by Howard Hinnant's algorithm for the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Writes a number into all of the digits of `target`.
fn put(target: &mut [u8], mut value: i64) {
    for digit in target.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
}

/// 3, 6 or 9 digits: as many as it takes, but at least `digits_min`.
fn fraction(w: &mut Writer, nanos: i32, digits_min: usize) {
    let mut digits = [0; 9];
    put(&mut digits, i64::from(nanos.unsigned_abs()));
    let needed = match nanos.unsigned_abs() {
        nanos if nanos % 1_000_000 == 0 => 3,
        nanos if nanos % 1_000 == 0 => 6,
        _ => 9,
    };
    let shown = &digits[..needed.max(digits_min)];
    w.raw(std::str::from_utf8(shown).unwrap_or_default());
}

/// RFC 3339; without a zone it is UTC, since Python's `isoformat` leaves the zone out.
impl ReadJson for Timestamp {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        let text = String::read_json(source, options)?;
        parse_timestamp(&text).ok_or_else(|| {
            D::Error::custom(format_args!("must be a time as RFC 3339 has it, got `{text}`"))
        })
    }
}

pub fn parse_timestamp(text: &str) -> Option<Timestamp> {
    let time = Timestamp::from_str(text).ok()?;
    let in_range = (TIMESTAMP_SECONDS_MIN..=TIMESTAMP_SECONDS_MAX).contains(&time.seconds);
    in_range.then_some(time)
}

/// Seconds with 0, 3, 6 or 9 digits of fraction, and an `s`.
impl WriteJson for Duration {
    fn write_json(&self, w: &mut Writer) {
        w.raw("\"");
        if self.seconds < 0 || self.nanos < 0 {
            w.raw("-");
        }
        w.integer(self.seconds.unsigned_abs());
        if self.nanos != 0 {
            w.raw(".");
            fraction(w, self.nanos, 3);
        }
        w.raw("s\"");
    }
}

impl ReadJson for Duration {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        let text = String::read_json(source, options)?;
        Self::from_str(&text)
            .map_err(|_| D::Error::custom(format_args!("must be seconds and an `s`, got `{text}`")))
    }
}

impl WriteJson for FieldMask {
    fn write_json(&self, w: &mut Writer) {
        let paths: Vec<String> = self.paths.iter().map(|path| camel(path)).collect();
        w.string(&paths.join(","));
    }
}

fn camel(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut upper = false;
    for character in path.chars() {
        match character {
            '_' => upper = true,
            _ if upper => {
                out.push(character.to_ascii_uppercase());
                upper = false;
            }
            _ => out.push(character),
        }
    }
    out
}

impl ReadJson for FieldMask {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        let text = String::read_json(source, options)?;
        let snake = |path: &str| {
            path.chars().fold(String::new(), |mut out, character| {
                if character.is_ascii_uppercase() {
                    out.push('_');
                }
                out.push(character.to_ascii_lowercase());
                out
            })
        };
        let paths = text.split(',').filter(|path| !path.is_empty()).map(snake).collect();
        Ok(Self { paths })
    }
}

impl WriteJson for Struct {
    fn write_json(&self, w: &mut Writer) {
        w.map(&self.fields);
    }
}

impl ReadJson for Struct {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        BTreeMap::read_json(source, options).map(|fields| Self { fields })
    }
}

impl WriteJson for ListValue {
    fn write_json(&self, w: &mut Writer) {
        w.list(&self.values);
    }
}

impl ReadJson for ListValue {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        Vec::read_json(source, options).map(|values| Self { values })
    }
}

impl WriteJson for Value {
    fn write_json(&self, w: &mut Writer) {
        match &self.kind {
            None | Some(Kind::NullValue(_)) => w.null(),
            Some(Kind::BoolValue(value)) => value.write_json(w),
            Some(Kind::StringValue(value)) => w.string(value),
            Some(Kind::StructValue(value)) => value.write_json(w),
            Some(Kind::ListValue(value)) => value.write_json(w),
            Some(Kind::NumberValue(value)) => write_number(w, *value),
        }
    }
}

fn write_number(w: &mut Writer, value: f64) {
    match value.is_finite() {
        true => value.write_json(w),
        false => w.null(),
    }
}

impl ReadJson for Value {
    const READS_NULL: bool = true;

    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        source.deserialize_any(AnyValue(options))
    }
}

struct AnyValue(ReadOptions);

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(value(Kind::NullValue(0)))
    }

    fn visit_bool<E>(self, found: bool) -> Result<Value, E> {
        Ok(value(Kind::BoolValue(found)))
    }

    fn visit_f64<E>(self, found: f64) -> Result<Value, E> {
        Ok(value(Kind::NumberValue(found)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a Value's number is a double by definition")]
    fn visit_i64<E>(self, found: i64) -> Result<Value, E> {
        Ok(value(Kind::NumberValue(found as f64)))
    }

    #[expect(clippy::cast_precision_loss, reason = "a Value's number is a double by definition")]
    fn visit_u64<E>(self, found: u64) -> Result<Value, E> {
        Ok(value(Kind::NumberValue(found as f64)))
    }

    fn visit_str<E>(self, found: &str) -> Result<Value, E> {
        Ok(value(Kind::StringValue(found.to_owned())))
    }

    fn visit_string<E>(self, found: String) -> Result<Value, E> {
        Ok(value(Kind::StringValue(found)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(found) = seq.next_element_seed(Seed(self.0, PhantomData))? {
            values.push(found);
        }
        Ok(value(Kind::ListValue(ListValue { values })))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut fields = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            let found = map.next_value_seed(Seed(self.0, PhantomData))?;
            if fields.insert(key, found).is_some() {
                return Err(A::Error::custom("a key is given twice"));
            }
        }
        Ok(value(Kind::StructValue(Struct { fields })))
    }
}

impl ProtoEnum for NullValue {
    fn name_of(number: i32) -> Option<&'static str> {
        (number == 0).then_some("NULL_VALUE")
    }

    fn number_of(name: &str) -> Option<i32> {
        (name == "NULL_VALUE").then_some(0)
    }
}

/// `google.protobuf.Empty`.
impl WriteJson for () {
    fn write_json(&self, w: &mut Writer) {
        w.raw("{}");
    }
}

impl ReadJson for () {
    fn read_json<'de, D: Deserializer<'de>>(source: D, _: ReadOptions) -> Result<Self, D::Error> {
        struct Empty;

        impl<'de> Visitor<'de> for Empty {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(())
            }
        }

        source.deserialize_map(Empty)
    }
}
