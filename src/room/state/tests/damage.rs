//! Ways to damage a frame: by its fields, so that most of what comes out is still read, and by its
//! bytes.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// Values that are seldom where one expects something else.
fn any_odd_value() -> impl Strategy<Value = Value> {
    let odd = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("root"),
        json!("ACK"),
        json!("0:0"),
        json!("\u{0}é\u{10FFFF}\u{2028}"),
        json!("x".repeat(300)),
        json!("~".repeat(16 << 10)),
        json!([]),
        json!({}),
        (0..120).fold(json!(1), |value, _| json!([value])),
        json!({"__proto__": 1, "type": 201}),
    ];
    prop_oneof![
        3 => proptest::sample::select(odd.to_vec()),
        1 => (0..1_000_i64).prop_map(Value::from),
    ]
}

/// One way to damage a frame.
#[derive(Debug, Clone)]
pub enum Damage {
    Replace(Index, Value),
    Remove(Index),
    Double(Index),
    Bytes(Vec<(Index, u8)>),
    Cut(Index),
    /// Something of itself at another place.
    Splice(Index, Index),
    /// As often as that.
    Repeat(usize),
}

pub fn any_damage() -> impl Strategy<Value = Damage> {
    let bytes = proptest::collection::vec((any::<Index>(), any::<u8>()), 1..4);
    prop_oneof![
        6 => (any::<Index>(), any_odd_value()).prop_map(|(at, odd)| Damage::Replace(at, odd)),
        2 => any::<Index>().prop_map(Damage::Remove),
        1 => any::<Index>().prop_map(Damage::Double),
        2 => bytes.prop_map(Damage::Bytes),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Damage::Splice(from, to)),
        1 => (2..200_usize).prop_map(Damage::Repeat),
    ]
}

/// The addresses of everything in a value but itself.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut child = |key: &str, value: &Value| {
        let key = key.replace('~', "~0").replace('/', "~1");
        let at = format!("{at}/{key}");
        pointers(value, &at, found);
        found.push(at);
    };
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| child(&at.to_string(), item));
        }
        Value::Object(fields) => fields.iter().for_each(|(key, field)| child(key, field)),
        _ => {}
    }
}

impl Damage {
    pub fn change(&self, mut frame: Value) -> Vec<u8> {
        let mut all = Vec::new();
        pointers(&frame, "", &mut all);
        let chosen = |at: &Index| all.get(at.index(all.len().max(1))).cloned().unwrap_or_default();
        match self {
            Self::Replace(at, odd) => {
                if let Some(place) = frame.pointer_mut(&chosen(at)) {
                    *place = odd.clone();
                }
            }
            Self::Remove(at) | Self::Double(at) => {
                let at = chosen(at);
                let (parent, key) = at.rsplit_once('/').unwrap_or_default();
                match (frame.pointer_mut(parent), key.parse::<usize>()) {
                    (Some(Value::Object(fields)), _) => drop(fields.remove(key)),
                    (Some(Value::Array(items)), Ok(at)) if at < items.len() => {
                        let item = items.remove(at);
                        if matches!(self, Self::Double(_)) {
                            items.extend([item.clone(), item]);
                        }
                    }
                    _ => {}
                }
            }
            Self::Repeat(times) => {
                let messages = frame.as_array().cloned().unwrap_or_default();
                frame = messages.iter().cycle().take(messages.len() * times).cloned().collect();
            }
            Self::Bytes(_) | Self::Cut(_) | Self::Splice(..) => {}
        }
        let mut bytes = frame.to_string().into_bytes();
        self.change_bytes(&mut bytes);
        bytes
    }

    pub fn change_bytes(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        match self {
            Self::Bytes(changes) => {
                changes.iter().for_each(|(at, byte)| *at.get_mut(bytes) = *byte);
            }
            Self::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Self::Splice(from, to) => {
                let copy = bytes[from.index(bytes.len())..].to_vec();
                let to = to.index(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {}
        }
    }
}
