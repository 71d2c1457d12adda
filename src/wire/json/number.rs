//! Reading of scalars: numbers, booleans, text and bytes.

use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::de::{Deserializer, Error, Visitor};

use super::read::{ReadJson, ReadOptions};

/// A float that is a whole number, as `1.0` and `1e3` are.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub(super) fn whole(number: f64) -> Option<i128> {
    let fits = number.fract() == 0.0 && number.abs() < 1e20;
    fits.then_some(number as i128)
}

/// The integer that a float is, to be written as `5` and not as `5.0`: a reader in another language
/// must see the integer that was sent. Not minus zero, which is none.
pub(super) fn exact_integer(number: f64) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    let whole = i64::try_from(whole(number)?).ok()?;
    let is_exact = number.abs() <= EXACT_MAX && (whole != 0 || number.is_sign_positive());
    is_exact.then_some(whole)
}

macro_rules! integer {
    ($kind:ty, $what:literal) => {
        impl ReadJson for $kind {
            fn read_json<'de, D: Deserializer<'de>>(
                source: D,
                _: ReadOptions,
            ) -> Result<Self, D::Error> {
                struct Integer;

                impl Visitor<'_> for Integer {
                    type Value = $kind;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_u64<E: Error>(self, value: u64) -> Result<$kind, E> {
                        value.try_into().map_err(|_| out_of_range(value, $what))
                    }

                    fn visit_i64<E: Error>(self, value: i64) -> Result<$kind, E> {
                        value.try_into().map_err(|_| out_of_range(value, $what))
                    }

                    fn visit_f64<E: Error>(self, value: f64) -> Result<$kind, E> {
                        let whole = whole(value).and_then(|whole| whole.try_into().ok());
                        whole.ok_or_else(|| out_of_range(value, $what))
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$kind, E> {
                        if let Ok(value) = text.parse() {
                            return Ok(value);
                        }
                        match decimal(text) {
                            Some(value) => self.visit_f64(value),
                            None => Err(out_of_range(format_args!("`{text}`"), $what)),
                        }
                    }
                }

                source.deserialize_any(Integer)
            }
        }
    };
}

integer!(i32, "a whole number of 32 bits");
integer!(u32, "a whole number from 0 to 4294967295");
integer!(i64, "a whole number of 64 bits");
integer!(u64, "a whole number from 0 to 18446744073709551615");

fn out_of_range<E: Error>(came: impl fmt::Display, wanted: &str) -> E {
    E::custom(format_args!("must be {wanted}, got {came}"))
}

/// The decimal notation that JSON has; Rust's own parser also knows `inf` and `nan`.
fn decimal(text: &str) -> Option<f64> {
    let plain =
        text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|value: &f64| plain && value.is_finite())
}

impl ReadJson for f64 {
    fn read_json<'de, D: Deserializer<'de>>(source: D, _: ReadOptions) -> Result<Self, D::Error> {
        struct Float;

        impl Visitor<'_> for Float {
            type Value = f64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E>(self, value: f64) -> Result<f64, E> {
                Ok(value)
            }

            #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double")]
            fn visit_i64<E>(self, value: i64) -> Result<f64, E> {
                Ok(value as f64)
            }

            #[expect(clippy::cast_precision_loss, reason = "a JSON number is a double")]
            fn visit_u64<E>(self, value: u64) -> Result<f64, E> {
                Ok(value as f64)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
                match text {
                    "NaN" => Ok(f64::NAN),
                    "Infinity" => Ok(f64::INFINITY),
                    "-Infinity" => Ok(f64::NEG_INFINITY),
                    _ => decimal(text)
                        .ok_or_else(|| out_of_range(format_args!("`{text}`"), "a number")),
                }
            }
        }

        source.deserialize_any(Float)
    }
}

impl ReadJson for f32 {
    #[expect(clippy::cast_possible_truncation, reason = "overflow is checked, rounding is meant")]
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        let wide = f64::read_json(source, options)?;
        let narrow = wide as Self;
        if wide.is_finite() && narrow.is_infinite() {
            return Err(out_of_range(wide, "a number of 32 bits"));
        }
        Ok(narrow)
    }
}

impl ReadJson for bool {
    fn read_json<'de, D: Deserializer<'de>>(source: D, _: ReadOptions) -> Result<Self, D::Error> {
        <Self as serde::Deserialize>::deserialize(source)
    }
}

impl ReadJson for String {
    fn read_json<'de, D: Deserializer<'de>>(source: D, _: ReadOptions) -> Result<Self, D::Error> {
        <Self as serde::Deserialize>::deserialize(source)
    }
}

/// Both alphabets of base64, padding optional.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

impl ReadJson for Bytes {
    fn read_json<'de, D: Deserializer<'de>>(
        source: D,
        options: ReadOptions,
    ) -> Result<Self, D::Error> {
        let text = String::read_json(source, options)?.replace('-', "+").replace('_', "/");
        let bytes = BASE64.decode(text).map_err(|_| D::Error::custom("must be base64"))?;
        Ok(bytes.into())
    }
}
