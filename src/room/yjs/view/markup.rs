//! XML types as markup, the way `toString` of Yjs writes it: nothing is escaped, names of elements
//! are in lower case, and attributes are in order.

use std::fmt::Write as _;

use serde_json::Value;
use yrs::types::text::YChange;
use yrs::{
    Any, Out, ReadTxn, Text, Xml, XmlElementRef, XmlFragment, XmlFragmentRef, XmlOut, XmlTextRef,
};

use super::{Rejected, View, json};

impl<T: ReadTxn> View<'_, T> {
    pub(super) fn node(&mut self, node: &Out) -> Result<String, Rejected> {
        match node {
            Out::YXmlElement(element) => self.element(element),
            Out::YXmlFragment(fragment) => self.fragment(fragment),
            Out::YXmlText(text) => self.xml_text(text),
            Out::Any(Any::String(text)) => {
                self.budget.spend(text.len())?;
                Ok(text.to_string())
            }
            other => self.any_shared(other).map(|value| shown(&value)),
        }
    }

    fn element(&mut self, element: &XmlElementRef) -> Result<String, Rejected> {
        let tag = element.tag().to_lowercase();
        let mut attributes = Vec::new();
        for (name, value) in element.attributes(self.transaction) {
            attributes.push((name.to_owned(), self.node(&value)?));
        }
        attributes.sort();
        let mut out = format!("<{tag}");
        for (name, value) in attributes {
            // Writing to a String cannot fail.
            let _ = write!(out, " {name}=\"{value}\"");
        }
        out.push('>');
        self.children(element, &mut out)?;
        let _ = write!(out, "</{tag}>");
        self.budget.spend(2 * tag.len() + 5)?;
        Ok(out)
    }

    pub(super) fn fragment(&mut self, fragment: &XmlFragmentRef) -> Result<String, Rejected> {
        let mut out = String::new();
        self.children(fragment, &mut out)?;
        Ok(out)
    }

    fn children(&mut self, parent: &impl XmlFragment, out: &mut String) -> Result<(), Rejected> {
        for child in parent.children(self.transaction) {
            out.push_str(&match child {
                XmlOut::Element(element) => self.element(&element)?,
                XmlOut::Fragment(fragment) => self.fragment(&fragment)?,
                XmlOut::Text(text) => self.xml_text(&text)?,
            });
        }
        Ok(())
    }

    /// Text with its formatting as elements around it.
    pub(super) fn xml_text(&mut self, text: &XmlTextRef) -> Result<String, Rejected> {
        let mut out = String::new();
        for step in text.diff(self.transaction, YChange::identity) {
            let mut marks = Vec::new();
            for (name, mark) in step.attributes.iter().flat_map(|attributes| attributes.iter()) {
                marks.push((name.to_string(), json::value(mark, &mut self.budget)?));
            }
            marks.sort_by(|a, b| a.0.cmp(&b.0));
            for (name, mark) in &marks {
                let _ = write!(out, "<{name}");
                let mut attributes: Vec<_> = mark.as_object().into_iter().flatten().collect();
                attributes.sort_by_key(|(key, _)| *key);
                for (key, value) in attributes {
                    let _ = write!(out, " {key}=\"{}\"", shown(value));
                }
                out.push('>');
            }
            out.push_str(&self.node(&step.insert)?);
            for (name, _) in marks.iter().rev() {
                self.budget.spend(2 * name.len())?;
                let _ = write!(out, "</{name}>");
            }
        }
        Ok(out)
    }
}

/// A value within markup: texts as they are, the rest as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
