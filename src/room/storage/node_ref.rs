//! Reading the tree.

use serde::Deserialize;

use super::arena::{Content, NOWHERE, Node};
use super::document::Document;
use super::json::Json;
use super::text::{Segment, TextBody};

const FILE_ID_BYTES_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Object,
    List,
    Map,
    Register,
    Text,
    File,
}

/// A node of a document. Copying it is free.
#[derive(Clone, Copy)]
pub struct NodeRef<'a> {
    document: &'a Document,
    place: u32,
}

impl<'a> NodeRef<'a> {
    /// The place must be one of a node of the document.
    pub(super) fn new(document: &'a Document, place: u32) -> Self {
        Self { document, place }
    }

    pub(super) fn node(self) -> Option<&'a Node> {
        self.document.arena.get(self.place)
    }

    fn content(self) -> Option<&'a Content> {
        self.node().map(|node| &node.content)
    }

    pub fn id(self) -> &'a str {
        self.node().map_or("", |node| node.id.as_str())
    }

    pub fn kind(self) -> Kind {
        match self.content() {
            None | Some(Content::Object { .. }) => Kind::Object,
            Some(Content::List(_)) => Kind::List,
            Some(Content::Map(_)) => Kind::Map,
            Some(Content::Register(_)) => Kind::Register,
            Some(Content::Text(_)) => Kind::Text,
            Some(Content::File(_)) => Kind::File,
        }
    }

    /// The parent, and the key under which it has this node. `None` for the root.
    pub fn parent(self) -> Option<(NodeRef<'a>, &'a str)> {
        let node = self.node().filter(|node| node.parent != NOWHERE)?;
        Some((NodeRef::new(self.document, node.parent), &node.key))
    }

    /// How many nodes are above it.
    pub fn depth(self) -> usize {
        self.node().map_or(0, |node| usize::from(node.depth))
    }

    /// How many live children it has; plain values of an object do not count.
    pub fn len(self) -> usize {
        self.node().and_then(Node::children).map_or(0, |children| children.len())
    }

    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    pub fn child(self, key: &str) -> Option<NodeRef<'a>> {
        let arena = &self.document.arena;
        let children = self.node()?.children()?;
        let place = children.get(key.as_bytes(), |place| arena.key(place))?;
        Some(NodeRef::new(self.document, place))
    }

    /// The n-th child in the order of the keys: for a list, the item at that index.
    pub fn child_at(self, index: usize) -> Option<NodeRef<'a>> {
        let place = self.node()?.children()?.nth(index)?;
        Some(NodeRef::new(self.document, place))
    }

    /// At which index of its parent it stands. `None` for the root.
    pub fn index(self) -> Option<usize> {
        let (parent, key) = self.parent()?;
        let arena = &self.document.arena;
        Some(parent.node()?.children()?.rank(key.as_bytes(), |place| arena.key(place)))
    }

    /// Keys and live children, in the order of the keys.
    pub fn children(self) -> impl DoubleEndedIterator<Item = (&'a str, NodeRef<'a>)> {
        let document = self.document;
        let places = self.node().and_then(Node::children).into_iter().flat_map(|all| all.iter());
        places.filter_map(move |place| {
            let node = document.arena.get(place)?;
            Some((node.key.as_str(), NodeRef::new(document, place)))
        })
    }

    /// A plain value of an object.
    pub fn plain(self, key: &str) -> Option<&'a Json> {
        match self.content()? {
            Content::Object { plain, .. } => plain.get(key),
            _ => None,
        }
    }

    /// The plain values of an object, in the order of the keys.
    pub fn plain_entries(self) -> impl Iterator<Item = (&'a str, &'a Json)> {
        let plain = self.content().and_then(|content| match content {
            Content::Object { plain, .. } => Some(plain),
            _ => None,
        });
        plain.into_iter().flat_map(|plain| plain.iter())
    }

    pub fn plain_len(self) -> usize {
        match self.content() {
            Some(Content::Object { plain, .. }) => plain.len(),
            _ => 0,
        }
    }

    /// The value of a register.
    pub fn data(self) -> Option<&'a Json> {
        match self.content()? {
            Content::Register(data) => Some(data),
            _ => None,
        }
    }

    pub fn text(self) -> Option<TextRef<'a>> {
        match self.content()? {
            Content::Text(text) => Some(TextRef(text)),
            _ => None,
        }
    }

    pub fn file(self) -> Option<FileRef> {
        self.file_json().and_then(FileRef::read)
    }

    /// What a file is described by, as it came.
    pub fn file_json(self) -> Option<&'a Json> {
        match self.content()? {
            Content::File(data) => Some(data),
            _ => None,
        }
    }
}

#[derive(Clone, Copy)]
pub struct TextRef<'a>(pub(super) &'a TextBody);

impl TextRef<'_> {
    pub fn version(self) -> u64 {
        self.0.version()
    }

    /// In UTF-16 code units.
    pub fn units(self) -> usize {
        self.0.pieces().units()
    }

    /// Runs of one style; two neighbours always differ, and none is empty.
    pub fn segments(self) -> Vec<Segment> {
        self.0.pieces().segments()
    }

    /// The segments as JSON: `[["text"],["styled",{"bold":true}]]`.
    pub fn write_segments(self, out: &mut Vec<u8>) {
        self.0.pieces().write(out);
    }
}

/// A stored file that the document refers to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileRef {
    pub id: String,
    pub name: String,
    /// In bytes.
    pub size: f64,
    pub mime_type: String,
}

impl FileRef {
    /// `None` when it is malformed: a field is missing, or the id is no id of a file.
    pub fn read(data: &Json) -> Option<Self> {
        let file: Self = serde_json::from_str(data.get()).ok()?;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let word = file.id.strip_prefix("fl_")?;
        let is_id = !word.is_empty() && file.id.len() <= FILE_ID_BYTES_MAX;
        (is_id && word.bytes().all(is_word) && file.size >= 0.0).then_some(file)
    }
}
