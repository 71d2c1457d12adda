//! Proto JSON: the runtime under the generated `WriteJson` and `ReadJson` of every message.
//!
//! Reading is canonical and lenient where the specification asks for it: both spellings of a name,
//! unknown fields, numbers as strings, `1.0` for an integer, `null` for unset. Writing has two
//! profiles, see [`Profile`].

mod body;
mod number;
mod read;
#[cfg(test)]
mod tests;
mod well_known;
mod write;

pub use body::{parse, parse_field};
pub use read::{
    Enum, JsonMessage, ProtoEnum, ReadJson, ReadOptions, next, read_message, refuse_second,
};
pub use well_known::parse_timestamp;
pub use write::{IsZero, Profile, WriteJson, Writer, is_zero};

#[allow(clippy::all, reason = "generated code")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/json.rs"));
    #[cfg(test)]
    include!(concat!(env!("OUT_DIR"), "/testing/json.rs"));
}
