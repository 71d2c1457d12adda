//! From JSON to operations.

use serde_json::{Map, Value};

use super::pointer::Pointer;
use super::{BadPatch, PATCH_OPERATIONS_MAX, PatchOp};
use crate::domain::text::excerpt;

impl PatchOp {
    /// Reads the body of a request: a list of operations.
    pub fn parse_all(body: Value) -> Result<Vec<Self>, BadPatch> {
        let whole = |problem: String| BadPatch { index: None, problem };
        let Value::Array(operations) = body else {
            return Err(whole("a patch must be a list of operations".to_owned()));
        };
        if operations.len() > PATCH_OPERATIONS_MAX {
            let count = operations.len();
            return Err(whole(format!(
                "a patch must have at most {PATCH_OPERATIONS_MAX} operations, got {count}"
            )));
        }
        let operations = operations.into_iter().enumerate();
        operations.map(|(index, operation)| parse(index, operation)).collect()
    }
}

fn parse(index: usize, operation: Value) -> Result<PatchOp, BadPatch> {
    let problem = match operation {
        Value::Object(members) => match read(members) {
            Ok(op) => return Ok(op),
            Err(problem) => problem,
        },
        _ => "must be an object".to_owned(),
    };
    Err(BadPatch { index: Some(index), problem: format!("operation {index}: {problem}") })
}

fn read(mut members: Map<String, Value>) -> Result<PatchOp, String> {
    const NAMES: &str = "add, remove, replace, move, copy or test";
    let name = match members.remove("op") {
        Some(Value::String(name)) => name,
        Some(_) => return Err(format!("'op' must be a string: {NAMES}")),
        None => return Err(format!("'op' is missing: {NAMES}")),
    };
    let is_known = matches!(&*name, "add" | "remove" | "replace" | "move" | "copy" | "test");
    if !is_known {
        return Err(format!("'op' must be {NAMES}, got '{}'", excerpt(&name)));
    }
    let path = pointer(&mut members, &name, "path")?;
    Ok(match &*name {
        "remove" => PatchOp::Remove { path },
        "move" => PatchOp::Move { from: pointer(&mut members, &name, "from")?, path },
        "copy" => PatchOp::Copy { from: pointer(&mut members, &name, "from")?, path },
        "add" => PatchOp::Add { path, value: value(&mut members, &name)? },
        "replace" => PatchOp::Replace { path, value: value(&mut members, &name)? },
        _ => PatchOp::Test { path, value: value(&mut members, &name)? },
    })
}

fn pointer(members: &mut Map<String, Value>, op: &str, member: &str) -> Result<Pointer, String> {
    match members.remove(member) {
        Some(Value::String(text)) => {
            Pointer::parse(&text).map_err(|problem| format!("'{member}' {problem}"))
        }
        Some(_) => Err(format!("'{member}' must be a string")),
        None => Err(format!("'{member}' is missing, which '{op}' needs")),
    }
}

fn value(members: &mut Map<String, Value>, op: &str) -> Result<Value, String> {
    members.remove("value").ok_or_else(|| format!("'value' is missing, which '{op}' needs"))
}
