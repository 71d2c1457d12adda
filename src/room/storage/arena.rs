//! The nodes, each at a place that stays its own for its life.
//!
//! Places are in chunks, so that growth never copies what is there, and places of deleted nodes are
//! used again. A node names its parent by place; nothing in here is recursive, and dropping a tree
//! of any depth is a walk over chunks.

use super::children::Children;
use super::json::Json;
use super::plain::Plain;
use super::small_text::SmallText;
use super::text::TextBody;

const CHUNK_BITS: u32 = 10;
const CHUNK_LEN: usize = 1 << CHUNK_BITS;

/// The parent of the root.
pub const NOWHERE: u32 = u32::MAX;
pub const ROOT: u32 = 0;

#[derive(Debug)]
pub struct Node {
    pub id: SmallText,
    /// The property name, map key or position under which the parent has it.
    pub key: SmallText,
    pub parent: u32,
    /// How many nodes are above it.
    pub depth: u16,
    pub content: Content,
}

#[derive(Debug)]
pub enum Content {
    Object { plain: Plain, children: Option<Box<Children>> },
    List(Option<Box<Children>>),
    Map(Option<Box<Children>>),
    Register(Json),
    Text(Box<TextBody>),
    File(Json),
}

impl Node {
    pub fn children(&self) -> Option<&Children> {
        match &self.content {
            Content::Object { children, .. } | Content::List(children) | Content::Map(children) => {
                children.as_deref()
            }
            Content::Register(_) | Content::Text(_) | Content::File(_) => None,
        }
    }

    /// `None` for a leaf, which cannot have children.
    pub fn children_slot(&mut self) -> Option<&mut Option<Box<Children>>> {
        match &mut self.content {
            Content::Object { children, .. } | Content::List(children) | Content::Map(children) => {
                Some(children)
            }
            Content::Register(_) | Content::Text(_) | Content::File(_) => None,
        }
    }

    /// About what it takes in memory, with its share of the tables around it.
    pub fn bytes(&self) -> usize {
        const TABLES: usize = 16;
        let content = match &self.content {
            Content::Object { plain, .. } => plain.heap_bytes(),
            Content::List(_) | Content::Map(_) => 0,
            Content::Register(json) | Content::File(json) => json.heap_bytes(),
            Content::Text(text) => text.bytes(),
        };
        size_of::<Self>() + TABLES + self.id.heap_bytes() + self.key.heap_bytes() + content
    }
}

#[derive(Debug, Default)]
pub struct Arena {
    chunks: Vec<Vec<Option<Node>>>,
    free: Vec<u32>,
    len: usize,
}

impl Arena {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn get(&self, place: u32) -> Option<&Node> {
        let chunk = self.chunks.get((place >> CHUNK_BITS) as usize)?;
        chunk.get(place as usize & (CHUNK_LEN - 1))?.as_ref()
    }

    pub fn get_mut(&mut self, place: u32) -> Option<&mut Node> {
        self.slot(place)?.as_mut()
    }

    pub fn insert(&mut self, node: Node) -> u32 {
        self.len += 1;
        if let Some(place) = self.free.pop() {
            if let Some(slot) = self.slot(place) {
                *slot = Some(node);
            }
            return place;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_LEN) {
            self.chunks.push(Vec::new());
        }
        let full = self.chunks.len() - 1;
        let Some(chunk) = self.chunks.last_mut() else { return NOWHERE };
        chunk.push(Some(node));
        // `Limits::NONE` keeps the number of nodes within 32 bits.
        ((full << CHUNK_BITS) + chunk.len() - 1) as u32
    }

    /// Takes a node out. Its place stays reserved until `release`.
    pub fn take(&mut self, place: u32) -> Option<Node> {
        let node = self.slot(place)?.take()?;
        self.len -= 1;
        Some(node)
    }

    /// Puts back what `take` took.
    pub fn put_back(&mut self, place: u32, node: Node) {
        self.len += 1;
        if let Some(slot) = self.slot(place) {
            *slot = Some(node);
        }
    }

    /// Lets another node have the place.
    pub fn release(&mut self, place: u32) {
        self.free.push(place);
    }

    pub fn key(&self, place: u32) -> &[u8] {
        self.get(place).map_or(&[], |node| node.key.as_bytes())
    }

    pub fn id(&self, place: u32) -> &[u8] {
        self.get(place).map_or(&[], |node| node.id.as_bytes())
    }

    fn slot(&mut self, place: u32) -> Option<&mut Option<Node>> {
        let chunk = self.chunks.get_mut((place >> CHUNK_BITS) as usize)?;
        chunk.get_mut(place as usize & (CHUNK_LEN - 1))
    }
}
