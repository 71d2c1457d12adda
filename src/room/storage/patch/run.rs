//! Runs the operations of a patch, one after another.

use serde_json::Value;

use super::super::build::{Builder, LsonError, Nested, Slot};
use super::super::document::{Applied, Document, ROOT_ID};
use super::super::json::Json;
use super::super::lson::{DATA_KEY, TYPE_KEY};
use super::super::node_ref::TextRef;
use super::super::op::Op;
use super::copy::Copied;
use super::equal::{is_json, is_node, is_value};
use super::pointer::Pointer;
use super::segments::{self, Change};
use super::target::{Found, Target, is_missing, position_at};
use super::{PATCH_BYTES_MAX, PATCH_OPS_MAX, PatchOp};
use crate::domain::text::excerpt;

pub(super) struct Runner<'r> {
    document: &'r mut Document,
    new_id: &'r mut dyn FnMut() -> String,
    done: Vec<Op>,
    bytes_left: usize,
}

/// Why an operation fails, for a person.
type Run<T = ()> = Result<T, String>;

impl<'r> Runner<'r> {
    pub(super) fn new(document: &'r mut Document, new_id: &'r mut dyn FnMut() -> String) -> Self {
        Self { document, new_id, done: Vec::new(), bytes_left: PATCH_BYTES_MAX }
    }

    pub(super) fn finish(self) -> Vec<Op> {
        self.done
    }

    pub(super) fn run(&mut self, op: &PatchOp) -> Run {
        match op {
            PatchOp::Add { path, value } => self.add(path, value),
            PatchOp::Remove { path } => self.remove(path),
            PatchOp::Replace { path, value } => self.replace(path, value),
            PatchOp::Move { from, path } => self.r#move(from, path),
            PatchOp::Copy { from, path } => {
                let copied = self.take(from)?;
                self.put(path, copied)
            }
            PatchOp::Test { path, value } => self.test(path, value),
        }
    }

    fn charge(&mut self, bytes: usize) -> Run {
        let left = self.bytes_left.checked_sub(bytes);
        let problem = || format!("a patch must handle at most {PATCH_BYTES_MAX} bytes of values");
        self.bytes_left = left.ok_or_else(problem)?;
        Ok(())
    }

    fn apply(&mut self, op: Op) -> Run {
        self.charge(bytes_of(&op))?;
        if self.done.len() == PATCH_OPS_MAX {
            return Err(format!("a patch must become at most {PATCH_OPS_MAX} ops"));
        }
        match self.document.apply(op, None) {
            Applied::Done { op, .. } => self.done.push(op),
            Applied::Rejected { reason } => return Err(reason.into_owned()),
            Applied::Ignored | Applied::Gone(_) | Applied::Echo(_) | Applied::Repeated { .. } => {
                return Err("the document does not take it".to_owned());
            }
        }
        Ok(())
    }

    fn apply_all(&mut self, ops: Vec<Op>) -> Run {
        ops.into_iter().try_for_each(|op| self.apply(op))
    }

    fn add(&mut self, path: &Pointer, value: &Value) -> Run {
        let slot = match Target::resolve(self.document, path)? {
            Target::Root(_) => return self.replace_root(value),
            Target::InText { .. } => return self.change_text(path, Change::Add(value.clone())),
            target => target.slot_to_add(),
        };
        self.create(slot, value)
    }

    fn replace(&mut self, path: &Pointer, value: &Value) -> Run {
        let slot = match Target::resolve(self.document, path)? {
            Target::Root(_) => return self.replace_root(value),
            Target::InText { .. } => return self.change_text(path, Change::Replace(value.clone())),
            target if target.found().is_none() => return Err(missing(path)),
            target => target.slot_to_replace(),
        };
        self.create(slot, value)
    }

    fn create(&mut self, slot: Option<Slot>, value: &Value) -> Run {
        let slot = slot.ok_or("there is no such place")?;
        let mut builder = Builder::new(self.new_id, Nested::Live);
        builder.add(slot, value).map_err(about_value)?;
        let ops = builder.finish();
        self.apply_all(ops)
    }

    fn remove(&mut self, path: &Pointer) -> Run {
        let op = match Target::resolve(self.document, path)? {
            Target::Root(_) => return Err("the root cannot be removed".to_owned()),
            Target::InText { .. } => return self.change_text(path, Change::Remove),
            Target::Field { object, key, found: Some(_) } => {
                Op::DeleteObjectKey { id: object.id().into(), key: key.into() }
            }
            Target::Entry { found: Some(node), .. } | Target::Item { found: Some(node), .. } => {
                Op::DeleteCrdt { id: node.id().into() }
            }
            Target::Field { .. } | Target::Entry { .. } | Target::Item { .. } => {
                return Err(missing(path));
            }
        };
        self.apply(op)
    }

    fn r#move(&mut self, from: &Pointer, path: &Pointer) -> Run {
        if from.is_above(path) {
            return Err(format!("'{from}' cannot be moved into itself"));
        }
        if from == path {
            self.take(from)?;
            return Ok(());
        }
        if let Some(op) = self.move_within_list(from, path)? {
            return self.apply(op);
        }
        let copied = self.take(from)?;
        self.remove(from)?;
        self.put(path, copied)
    }

    /// Within its list an item can move and stay what it is.
    fn move_within_list(&self, from: &Pointer, path: &Pointer) -> Run<Option<Op>> {
        let (Some((_, above)), Some((to, below))) =
            (from.steps().split_last(), path.steps().split_last())
        else {
            return Ok(None);
        };
        if above != below {
            return Ok(None);
        }
        let Target::Item { list, index: moved, found } = Target::resolve(self.document, from)?
        else {
            return Ok(None);
        };
        let item = found.ok_or_else(|| missing(from))?;
        let Target::Item { index, .. } = Target::resolve(self.document, path)? else {
            return Ok(None);
        };
        // The paths of a move are read one after the other: the item is gone from the list by then.
        let len = list.len().saturating_sub(1);
        if index > len && to != "-" {
            return Err(format!("index {index} is out of bounds: the list has {len} other items"));
        }
        let parent_key = position_at(list, index.min(len), Some(moved)).into();
        Ok(Some(Op::SetParentKey { id: item.id().into(), parent_key }))
    }

    fn take(&mut self, from: &Pointer) -> Run<Copied> {
        let nodes_max = PATCH_OPS_MAX.saturating_sub(self.done.len());
        match Target::resolve(self.document, from)? {
            Target::InText { text, rest } => {
                let units = text.text().map_or(0, TextRef::units);
                let data = segments::read(text).unwrap_or_default();
                let value = segments::get(&data, rest).ok_or_else(|| missing(from))?;
                let copied = Copied::Plain(Json::from(value));
                self.charge(units)?;
                Ok(copied)
            }
            target => match target.found().ok_or_else(|| missing(from))? {
                Found::Plain(json) => Ok(Copied::Plain(json.clone())),
                Found::Node(node) => Copied::take(node, nodes_max)
                    .ok_or_else(|| format!("a patch must become at most {PATCH_OPS_MAX} ops")),
            },
        }
    }

    fn put(&mut self, path: &Pointer, copied: Copied) -> Run {
        let slot = match Target::resolve(self.document, path)? {
            Target::Root(_) => {
                let ops = copied.fill(ROOT_ID.into(), self.new_id);
                let ops = ops.ok_or("the root can only be a LiveObject")?;
                self.clear_root(|_| false)?;
                return self.apply_all(ops);
            }
            Target::InText { .. } => {
                let Copied::Plain(json) = copied else {
                    return Err("a LiveText cannot have anything live in it".to_owned());
                };
                let value = json.to_value().map_err(|error| error.to_string())?;
                return self.change_text(path, Change::Add(value));
            }
            target => target.slot_to_add().ok_or("there is no such place")?,
        };
        let ops = copied.put(slot, self.new_id);
        self.apply_all(ops)
    }

    /// The root itself stays, since it is what everybody holds on to.
    fn replace_root(&mut self, value: &Value) -> Run {
        const PROBLEM: &str = "the root can only be replaced with an object";
        let (data, nested) = match value.get(TYPE_KEY) {
            Some(name) if name == "LiveObject" => (value.get(DATA_KEY), Nested::Plain),
            Some(_) => (None, Nested::Plain),
            None => (Some(value), Nested::Live),
        };
        let fields = data.and_then(Value::as_object).ok_or(PROBLEM)?;
        let mut builder = Builder::new(self.new_id, nested);
        builder.fill(ROOT_ID.into(), fields).map_err(about_value)?;
        let ops = builder.finish();
        self.clear_root(|key| fields.contains_key(key))?;
        self.apply_all(ops)
    }

    fn clear_root(&mut self, keep: impl Fn(&str) -> bool) -> Run {
        let root = self.document.root();
        let plain = root.plain_entries().map(|(key, _)| key);
        let keys = plain.chain(root.children().map(|(key, _)| key));
        let delete = |key: &str| Op::DeleteObjectKey { id: ROOT_ID.into(), key: key.into() };
        let ops = keys.filter(|key| !keep(key)).map(delete).collect();
        self.apply_all(ops)
    }

    fn change_text(&mut self, path: &Pointer, change: Change) -> Run {
        let Target::InText { text, rest } = Target::resolve(self.document, path)? else {
            return Err(missing(path));
        };
        // Such an operation costs as much as the text, however little it changes.
        let units = text.text().map_or(0, TextRef::units);
        let mut data = segments::read(text).unwrap_or_default();
        segments::change(&mut data, rest, change)?;
        let op = segments::update(text, &data)?;
        self.charge(units)?;
        op.map_or(Ok(()), |op| self.apply(op))
    }

    fn test(&mut self, path: &Pointer, value: &Value) -> Run {
        let target = Target::resolve(self.document, path)?;
        let bytes = match (target, target.found()) {
            (Target::InText { text, .. }, _) => text.text().map_or(0, TextRef::units),
            (_, Some(Found::Plain(json))) => json.get().len(),
            (_, Some(Found::Node(node))) => node.data().map_or(0, |json| json.get().len()),
            (_, None) => 0,
        };
        self.charge(bytes)?;
        let target = Target::resolve(self.document, path)?;
        let (is_equal, is) = match (target, target.found()) {
            (Target::InText { text, rest }, _) => {
                let data = segments::read(text).unwrap_or_default();
                let found = segments::get(&data, rest).ok_or_else(|| missing(path))?;
                (is_value(found, value), found.to_string())
            }
            (_, Some(Found::Plain(json))) => (is_json(json, value), json.get().to_owned()),
            (_, Some(Found::Node(node))) => {
                let is = match node.data() {
                    Some(json) => json.get().to_owned(),
                    None => "something live that differs".to_owned(),
                };
                (is_node(node, value), is)
            }
            (_, None) => return Err(missing(path)),
        };
        if is_equal {
            return Ok(());
        }
        let expected = value.to_string();
        Err(format!("expected {}, found {}", excerpt(&expected), excerpt(&is)))
    }
}

fn missing(path: &Pointer) -> String {
    is_missing(path.steps(), path.steps().len())
}

fn about_value(error: LsonError) -> String {
    let LsonError { path, problem } = error;
    if path.is_empty() {
        format!("the value: {problem}")
    } else {
        format!("'{path}' in the value: {problem}")
    }
}

/// The size of the values in an op, which is what can be much.
fn bytes_of(op: &Op) -> usize {
    match op {
        Op::UpdateText(update) => update.ops.iter().map(|op| op.inserted_units()).sum(),
        _ => op.value_bytes(),
    }
}
