//! Arrays, maps, texts and plain values as JSON.

use serde_json::{Map, Value};
use yrs::types::Attrs;
use yrs::types::text::YChange;
use yrs::{Any, Array, ArrayRef, MapRef, Number, Out, ReadTxn, Text, TextRef};

use super::{Budget, Rejected, View};

/// What a value counts that has no text in it.
const VALUE_BYTES: usize = 8;

impl<T: ReadTxn> View<'_, T> {
    pub(super) fn array(&mut self, array: &ArrayRef) -> Result<Value, Rejected> {
        let mut items = Vec::new();
        for item in array.iter(self.transaction) {
            items.push(self.any_shared(&item)?);
        }
        Ok(Value::Array(items))
    }

    pub(super) fn map(&mut self, map: &MapRef) -> Result<Value, Rejected> {
        use yrs::Map as _;
        let mut entries = Map::new();
        for (key, entry) in map.iter(self.transaction) {
            self.budget.spend(key.len())?;
            // `JSON.stringify` leaves out what is undefined.
            if !matches!(entry, Out::Any(Any::Undefined)) {
                entries.insert(key.to_owned(), self.any_shared(&entry)?);
            }
        }
        Ok(Value::Object(entries))
    }

    pub(super) fn text(&mut self, text: &TextRef) -> Result<Value, Rejected> {
        let steps = text.diff(self.transaction, YChange::identity);
        if self.formatting {
            let mut delta = Vec::new();
            for step in steps {
                let mut shown = Map::new();
                shown.insert("insert".to_owned(), self.any_shared(&step.insert)?);
                if let Some(attributes) = step.attributes {
                    shown.insert("attributes".to_owned(), self.attributes(&attributes)?);
                }
                delta.push(Value::Object(shown));
            }
            return Ok(Value::Array(delta));
        }
        let mut plain = String::new();
        for step in steps {
            if let Out::Any(Any::String(part)) = step.insert {
                self.budget.spend(part.len())?;
                plain.push_str(&part);
            }
        }
        Ok(Value::from(plain))
    }

    fn attributes(&mut self, attributes: &Attrs) -> Result<Value, Rejected> {
        let mut shown = Map::new();
        for (key, attribute) in attributes {
            self.budget.spend(key.len())?;
            shown.insert(key.to_string(), value(attribute, &mut self.budget)?);
        }
        Ok(Value::Object(shown))
    }
}

/// A plain value. Its nesting was limited when it came.
pub(in super::super) fn value(any: &Any, budget: &mut Budget) -> Result<Value, Rejected> {
    budget.spend(VALUE_BYTES)?;
    Ok(match any {
        Any::Null | Any::Undefined => Value::Null,
        Any::Bool(bool) => Value::from(*bool),
        Any::Number(Number::Int(int)) => Value::from(*int),
        Any::Number(Number::Float(float)) => number(*float),
        Any::String(text) => {
            budget.spend(text.len())?;
            Value::from(text.as_ref())
        }
        Any::Buffer(bytes) => {
            // As `JSON.stringify` shows a Uint8Array.
            budget.spend(bytes.len().saturating_mul(VALUE_BYTES))?;
            let bytes = bytes.iter().enumerate();
            Value::Object(bytes.map(|(at, byte)| (at.to_string(), Value::from(*byte))).collect())
        }
        Any::Array(items) => {
            let items = items.iter().map(|item| value(item, budget));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Any::Map(entries) => {
            let mut shown = Map::new();
            for (key, entry) in entries.iter().filter(|(_, entry)| **entry != Any::Undefined) {
                budget.spend(key.len())?;
                shown.insert(key.clone(), value(entry, budget)?);
            }
            Value::Object(shown)
        }
    })
}

/// JavaScript has one kind of number, and shows a whole one without a fraction.
fn number(float: f64) -> Value {
    const WHOLE_MAX: f64 = 9_007_199_254_740_991.0;
    if float.fract() == 0.0 && float.abs() <= WHOLE_MAX {
        Value::from(float as i64)
    } else {
        // What is no number at all is `null` in JSON.
        Value::from(float)
    }
}
