//! The nodes as JSON, in chunks: what a client loads, and what a snapshot for people holds.

use super::arena::{Content, NOWHERE, Node, ROOT};
use super::children::Children;
use super::document::Document;
use super::json::{write_entries, write_number, write_string};

/// How one node is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeForm {
    /// `["0:1",3,"0:0","!",data]`, as the current protocol loads storage.
    Compact,
    /// `["0:1",{"type":3,"parentId":"0:0","parentKey":"!","data":data}]`, as the protocol before it
    /// does, and as version snapshots are kept.
    Full,
}

/// The nodes in chunks, parents first: each chunk is some of them, separated by commas or by line
/// feeds, without brackets around them. A chunk is at most `bytes_max` long unless it is one node.
pub struct NodeChunks<'a> {
    document: &'a Document,
    form: NodeForm,
    separator: u8,
    bytes_max: usize,
    pending: Vec<u32>,
    /// A node that did not fit into the last chunk.
    left: Vec<u8>,
}

/// A chunk that suits a frame of a WebSocket.
pub const CHUNK_BYTES_MAX: usize = 256 * 1024;

impl Document {
    /// For a JSON array: `[` and `]` around a chunk, or around all of them with commas between.
    pub fn node_chunks(&self, form: NodeForm) -> NodeChunks<'_> {
        self.chunks(form, b',', CHUNK_BYTES_MAX)
    }

    /// One node a line; a chunk ends without its line feed.
    pub fn node_lines(&self, form: NodeForm) -> NodeChunks<'_> {
        self.chunks(form, b'\n', CHUNK_BYTES_MAX)
    }

    pub(super) fn chunks(&self, form: NodeForm, separator: u8, bytes_max: usize) -> NodeChunks<'_> {
        let (pending, left) = (vec![ROOT], Vec::new());
        NodeChunks { document: self, form, separator, bytes_max, pending, left }
    }

    /// Takes the next node from those pending, and adds its children to them.
    pub(super) fn next_node(&self, pending: &mut Vec<u32>) -> Option<&Node> {
        let node = self.arena.get(pending.pop()?)?;
        pending.extend(node.children().into_iter().flat_map(Children::iter).rev());
        Some(node)
    }

    pub(super) fn write_node(&self, node: &Node, form: NodeForm, out: &mut Vec<u8>) {
        out.push(b'[');
        write_string(&node.id, out);
        match form {
            NodeForm::Compact => self.write_compact(node, out),
            NodeForm::Full => self.write_full(node, out),
        }
        out.push(b']');
    }

    fn write_compact(&self, node: &Node, out: &mut Vec<u8>) {
        if node.parent != NOWHERE {
            out.push(b',');
            write_number(node.code(), out);
            out.push(b',');
            out.extend_from_slice(&self.parent_id_json(node));
            out.push(b',');
            write_string(&node.key, out);
        }
        if node.has_data() {
            out.push(b',');
            node.write_data(out);
        }
        if let Content::Text(text) = &node.content {
            out.push(b',');
            write_number(text.version(), out);
        }
    }

    fn write_full(&self, node: &Node, out: &mut Vec<u8>) {
        out.extend_from_slice(b",{\"type\":");
        write_number(node.code(), out);
        if node.parent != NOWHERE {
            out.extend_from_slice(b",\"parentId\":");
            out.extend_from_slice(&self.parent_id_json(node));
            out.extend_from_slice(b",\"parentKey\":");
            write_string(&node.key, out);
        }
        if node.has_data() {
            out.extend_from_slice(b",\"data\":");
            node.write_data(out);
        }
        if let Content::Text(text) = &node.content {
            out.extend_from_slice(b",\"version\":");
            write_number(text.version(), out);
        }
        out.push(b'}');
    }

    fn parent_id_json(&self, node: &Node) -> Vec<u8> {
        let mut json = Vec::new();
        let id = self.arena.get(node.parent).map_or("", |parent| parent.id.as_str());
        write_string(id, &mut json);
        json
    }
}

impl Iterator for NodeChunks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut chunk = std::mem::take(&mut self.left);
        while chunk.len() < self.bytes_max {
            let Some(node) = self.document.next_node(&mut self.pending) else { break };
            let full = chunk.len();
            if full > 0 {
                chunk.push(self.separator);
            }
            let start = chunk.len();
            self.document.write_node(node, self.form, &mut chunk);
            if full > 0 && chunk.len() > self.bytes_max {
                self.left = chunk.split_off(start);
                chunk.truncate(full);
                break;
            }
        }
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl Node {
    pub(super) fn code(&self) -> u64 {
        match self.content {
            Content::Object { .. } => 0,
            Content::List(_) => 1,
            Content::Map(_) => 2,
            Content::Register(_) => 3,
            Content::Text(_) => 4,
            Content::File(_) => 5,
        }
    }

    fn has_data(&self) -> bool {
        !matches!(self.content, Content::List(_) | Content::Map(_))
    }

    fn write_data(&self, out: &mut Vec<u8>) {
        match &self.content {
            Content::Object { plain, .. } => {
                out.push(b'{');
                write_entries(plain.iter(), out);
                out.push(b'}');
            }
            Content::List(_) | Content::Map(_) => {}
            Content::Register(data) | Content::File(data) => {
                out.extend_from_slice(data.get().as_bytes());
            }
            Content::Text(text) => text.pieces().write(out),
        }
    }
}
