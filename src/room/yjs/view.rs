//! A document as JSON, for those who do not speak Yjs.
//!
//! The name of a root says nothing about its kind, and neither do updates: a client decides by how
//! it asks. So the kind is inferred from what was ever put in: text makes it a text, XML nodes an
//! XML fragment, other elements an array, and keys alone a map. Of a root whose whole content is
//! deleted and collected nothing is left to infer from: it is shown as an empty text. Whoever knows
//! better says so with `key` and `type`.
//!
//! Everything looks as `toJSON` of Yjs has it: texts as strings, or with `formatting` as arrays of
//! Delta steps; XML as markup, in which formatting shows as elements in any case.

mod json;
mod markup;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Map, Value};
use yrs::branch::{BranchID, BranchPtr};
use yrs::{ArrayRef, MapRef, Out, ReadTxn, TextRef, Transact, XmlFragmentRef, XmlTextRef};

use super::lists::Seen;
use super::{Rejected, YDocument};

/// What a view may be made of, as bytes of text; values count as if they were short texts.
pub const VIEW_BYTES_MAX: usize = 64 << 20;

/// The kinds of root that a caller can ask for by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Array,
    Map,
    Text,
    XmlFragment,
    XmlText,
}

impl Kind {
    /// As the `type` parameter has it.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "yarray" => Some(Self::Array),
            "ymap" => Some(Self::Map),
            "ytext" => Some(Self::Text),
            "yxmlfragment" => Some(Self::XmlFragment),
            "yxmltext" => Some(Self::XmlText),
            _ => None,
        }
    }

    fn infer(seen: Seen) -> Self {
        match seen {
            Seen { text: true, .. } => Self::Text,
            Seen { xml: true, .. } => Self::XmlFragment,
            Seen { elements: true, .. } => Self::Array,
            Seen { keys: true, .. } => Self::Map,
            _ => Self::Text,
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Show texts as Delta steps, which say how they are formatted.
    pub formatting: bool,
    /// Only this root.
    pub key: Option<&'a str>,
    /// The kind of the root that `key` names.
    pub kind: Option<Kind>,
}

/// How much of the limit is left.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_left: usize,
}

impl Budget {
    fn spend(&mut self, bytes: usize) -> Result<(), Rejected> {
        let left = self.bytes_left.checked_sub(bytes).ok_or(Rejected::ViewTooLarge)?;
        self.bytes_left = left;
        Ok(())
    }
}

impl YDocument {
    /// The roots of the document by name. A `key` that names no root is shown as its kind would be
    /// if it were empty, as asking Yjs for it would have it.
    pub fn view(&self, options: Options<'_>) -> Result<Value, Rejected> {
        let doc = self.engine.doc()?;
        let view = AssertUnwindSafe(|| {
            let transaction = doc.transact();
            let mut view = View {
                transaction: &transaction,
                formatting: options.formatting,
                budget: Budget { bytes_left: VIEW_BYTES_MAX },
            };
            let mut roots = Map::new();
            if let Some(key) = options.key {
                let seen = self.lists.root(key).unwrap_or_default();
                let kind = options.kind.unwrap_or_else(|| Kind::infer(seen));
                roots.insert(key.to_owned(), view.root(key, kind)?);
            } else {
                let mut names: Vec<_> = self.lists.roots().collect();
                names.sort_unstable_by_key(|(name, _)| *name);
                for (name, seen) in names {
                    roots.insert(name.to_owned(), view.root(name, Kind::infer(seen))?);
                }
            }
            Ok(Value::Object(roots))
        });
        // Reading leaves the document as it was, whatever happens on the way.
        catch_unwind(view).unwrap_or(Err(Rejected::Broken))
    }
}

struct View<'a, T> {
    transaction: &'a T,
    formatting: bool,
    budget: Budget,
}

impl<T: ReadTxn> View<'_, T> {
    fn root(&mut self, name: &str, kind: Kind) -> Result<Value, Rejected> {
        self.budget.spend(name.len())?;
        let Some(branch) = BranchID::get_root(self.transaction, name) else {
            return Ok(match kind {
                Kind::Array => Value::Array(Vec::new()),
                Kind::Map => Value::Object(Map::new()),
                Kind::Text if self.formatting => Value::Array(Vec::new()),
                Kind::Text | Kind::XmlFragment | Kind::XmlText => Value::from(""),
            });
        };
        self.shared(branch, kind)
    }

    fn shared(&mut self, branch: BranchPtr, kind: Kind) -> Result<Value, Rejected> {
        match kind {
            Kind::Array => self.array(&ArrayRef::from(branch)),
            Kind::Map => self.map(&MapRef::from(branch)),
            Kind::Text => self.text(&TextRef::from(branch)),
            Kind::XmlFragment => Ok(Value::from(self.fragment(&XmlFragmentRef::from(branch))?)),
            Kind::XmlText => Ok(Value::from(self.xml_text(&XmlTextRef::from(branch))?)),
        }
    }

    fn any_shared(&mut self, out: &Out) -> Result<Value, Rejected> {
        match out {
            Out::Any(any) => json::value(any, &mut self.budget),
            Out::YText(text) => self.text(text),
            Out::YArray(array) => self.array(array),
            Out::YMap(map) => self.map(map),
            Out::YXmlElement(_) | Out::YXmlFragment(_) | Out::YXmlText(_) => {
                Ok(Value::from(self.node(out)?))
            }
            // A sub-document is a document of its own, which is read by its guid.
            Out::YDoc(_) | Out::UndefinedRef(_) => Ok(Value::Object(Map::new())),
        }
    }
}
