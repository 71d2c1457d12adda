//! The whole document as bytes, and back.
//!
//! Lines of JSON: a head, then each node in the form in which clients load it, parents first, a
//! text's memory right behind the text, and at the end the number of nodes, so that a snapshot that
//! lost its end is not taken for a small one. The stream of bytes is cut into chunks anywhere.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::apply::new_content;
use super::arena::{Content, Node, ROOT};
use super::document::{Document, ROOT_ID};
use super::json::{Json, Lenient, write_number, write_string};
use super::limits::Limits;
use super::op::Body;
use super::record::Corrupt;
use super::small_text::SmallText;
use super::text::{History, Remembered, Span};
use super::write::{CHUNK_BYTES_MAX, NodeForm};

const HEAD: &[u8] = br#"{"roomd":"storage","version":1}"#;

/// The snapshot, chunk after chunk. The document cannot change in the meantime.
pub struct SnapshotChunks<'a> {
    document: &'a Document,
    bytes_max: usize,
    pending: Vec<u32>,
    buffer: Vec<u8>,
    is_ended: bool,
}

impl Document {
    pub fn snapshot_chunks(&self) -> SnapshotChunks<'_> {
        self.snapshot_in(CHUNK_BYTES_MAX)
    }

    pub(super) fn snapshot_in(&self, bytes_max: usize) -> SnapshotChunks<'_> {
        let mut buffer = HEAD.to_vec();
        buffer.push(b'\n');
        let pending = vec![ROOT];
        SnapshotChunks { document: self, bytes_max, pending, buffer, is_ended: false }
    }

    /// The document of a snapshot and of the records since. Without a chunk, of the records alone.
    pub fn load<C: AsRef<[u8]>, R: AsRef<[u8]>>(
        chunks: impl IntoIterator<Item = C>,
        records: impl IntoIterator<Item = R>,
    ) -> Result<Self, Corrupt> {
        let mut loader = Loader::default();
        for chunk in chunks {
            loader.push(chunk.as_ref())?;
        }
        let mut document = loader.finish()?;
        for record in records {
            document.replay(record.as_ref())?;
        }
        document.limits = Limits::PRODUCTION;
        Ok(document)
    }
}

impl Iterator for SnapshotChunks<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        while self.buffer.len() < self.bytes_max && !self.is_ended {
            match self.document.next_node(&mut self.pending) {
                Some(node) => self.write(node),
                None => {
                    self.is_ended = true;
                    self.buffer.extend_from_slice(b"{\"nodes\":");
                    write_number(self.document.node_count() as u64, &mut self.buffer);
                    self.buffer.extend_from_slice(b"}\n");
                }
            }
        }
        let rest = self.buffer.split_off(self.bytes_max.min(self.buffer.len()));
        let chunk = std::mem::replace(&mut self.buffer, rest);
        (!chunk.is_empty()).then_some(chunk)
    }
}

impl SnapshotChunks<'_> {
    fn write(&mut self, node: &Node) {
        self.document.write_node(node, NodeForm::Compact, &mut self.buffer);
        self.buffer.push(b'\n');
        if let Content::Text(text) = &node.content
            && let Some(history) = text.history()
        {
            write_history(history, &mut self.buffer);
            self.buffer.push(b'\n');
        }
    }
}

/// `{"versions":[[[index,length,1 for an insertion],…],…],"opIds":[["0:1",version,edits],…]}`
fn write_history(history: &History, out: &mut Vec<u8>) {
    let numbers = |numbers: [u64; 3], out: &mut Vec<u8>| {
        for (at, number) in numbers.into_iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"[" } else { b"," });
            write_number(number, out);
        }
        out.push(b']');
    };
    out.extend_from_slice(b"{\"versions\":[");
    for (number, spans) in history.versions().enumerate() {
        out.extend_from_slice(if number == 0 { b"[" } else { b",[" });
        for (number, span) in spans.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            let kind = u64::from(span.is_insert);
            numbers([u64::from(span.index), u64::from(span.length), kind], out);
        }
        out.push(b']');
    }
    out.extend_from_slice(b"],\"opIds\":[");
    for (number, (op_id, remembered)) in history.op_ids().enumerate() {
        out.extend_from_slice(if number == 0 { b"[" } else { b",[" });
        write_string(op_id, out);
        out.push(b',');
        write_number(remembered.version, out);
        out.push(b',');
        write_number(u64::from(remembered.edits), out);
        out.push(b']');
    }
    out.extend_from_slice(b"]}");
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HistoryLine<'a> {
    versions: Vec<Vec<(u32, u32, u8)>>,
    #[serde(borrow)]
    op_ids: Vec<(Lenient<'a>, u64, u32)>,
}

#[derive(Deserialize)]
struct EndLine {
    nodes: usize,
}

/// Reads a snapshot chunk by chunk.
#[derive(Default)]
struct Loader {
    document: Document,
    /// The start of a line whose end is in a later chunk.
    line: Vec<u8>,
    state: State,
    /// The text that came last, whose memory may follow.
    text: Option<u32>,
}

#[derive(Default, PartialEq)]
enum State {
    #[default]
    Nothing,
    /// The root comes next, since everything else needs it.
    Root,
    Nodes,
    End,
}

impl Loader {
    fn push(&mut self, chunk: &[u8]) -> Result<(), Corrupt> {
        for part in chunk.split_inclusive(|byte| *byte == b'\n') {
            match part.split_last() {
                Some((b'\n', end)) if self.line.is_empty() => self.read(end)?,
                Some((b'\n', end)) => {
                    self.line.extend_from_slice(end);
                    let line = std::mem::take(&mut self.line);
                    self.read(&line)?;
                }
                _ => self.line.extend_from_slice(part),
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Document, Corrupt> {
        let is_whole = matches!(self.state, State::Nothing | State::End) && self.line.is_empty();
        if is_whole { Ok(self.document) } else { Err(Corrupt("a snapshot lacks its end")) }
    }

    fn read(&mut self, line: &[u8]) -> Result<(), Corrupt> {
        match (&self.state, line.first()) {
            (State::Nothing, _) if line == HEAD => self.state = State::Root,
            (State::Root, _) => self.read_root(line)?,
            (State::Nodes, Some(b'[')) => self.read_node(line)?,
            (State::Nodes, Some(b'{')) if line.starts_with(b"{\"nodes\"") => {
                let end: EndLine = serde_json::from_slice(line)
                    .map_err(|_| Corrupt("the end of a snapshot is malformed"))?;
                if end.nodes != self.document.node_count() {
                    return Err(Corrupt("a snapshot has not as many nodes as it says"));
                }
                self.state = State::End;
            }
            (State::Nodes, Some(b'{')) => self.read_history(line)?,
            _ => return Err(Corrupt("a line of a snapshot is of no known kind")),
        }
        Ok(())
    }

    fn read_node(&mut self, line: &[u8]) -> Result<(), Corrupt> {
        const MALFORMED: Corrupt = Corrupt("a node of a snapshot is malformed");
        let fields: Vec<&RawValue> = serde_json::from_slice(line).map_err(|_| MALFORMED)?;
        let text = |raw: &RawValue| {
            let text = serde_json::from_str::<Lenient>(raw.get()).map_err(|_| MALFORMED)?;
            Ok(SmallText::from(text.0.as_ref()))
        };
        let number = |raw: &RawValue| raw.get().parse::<u64>().map_err(|_| MALFORMED);
        let (id, code, parent, key, data) = match *fields.as_slice() {
            [id, code, parent, key] => (id, code, parent, key, None),
            [id, code, parent, key, data] | [id, code, parent, key, data, _] => {
                (id, code, parent, key, Some(Json::from(data)))
            }
            _ => return Err(MALFORMED),
        };
        let body = match (number(code)?, data) {
            (0, Some(data)) => Body::Object(data),
            (1, None) => Body::List,
            (2, None) => Body::Map,
            (3, Some(data)) => Body::Register(data),
            (4, Some(segments)) => {
                let version = number(fields.get(5).ok_or(MALFORMED)?)?;
                Body::Text { segments, version }
            }
            (5, Some(data)) => Body::File(data),
            _ => return Err(MALFORMED),
        };
        self.add(text(id)?, &text(parent)?, text(key)?, &body)
    }

    fn read_root(&mut self, line: &[u8]) -> Result<(), Corrupt> {
        const MALFORMED: Corrupt = Corrupt("the root of a snapshot is malformed");
        let (id, data): (&str, &RawValue) = serde_json::from_slice(line).map_err(|_| MALFORMED)?;
        let entries = Json::from(data).entries().filter(|_| id == ROOT_ID).ok_or(MALFORMED)?;
        for (key, value) in entries {
            self.document.set_plain(ROOT, &key, Some(value));
        }
        self.state = State::Nodes;
        Ok(())
    }

    fn add(
        &mut self,
        id: SmallText,
        parent: &str,
        key: SmallText,
        body: &Body,
    ) -> Result<(), Corrupt> {
        let document = &mut self.document;
        let content = new_content(body).map_err(Corrupt)?;
        let place = document.find(parent).ok_or(Corrupt("a node comes before its parent"))?;
        let is_parent = document.arena.get_mut(place).and_then(Node::children_slot).is_some();
        if !is_parent || document.find(&id).is_some() || document.child(place, &key).is_some() {
            return Err(Corrupt("a node has no place"));
        }
        let is_text = matches!(content, Content::Text(_));
        let place = document.attach(place, key, id, content);
        self.text = is_text.then_some(place);
        Ok(())
    }

    fn read_history(&mut self, line: &[u8]) -> Result<(), Corrupt> {
        const MALFORMED: Corrupt = Corrupt("the memory of a text is malformed");
        let line: HistoryLine = serde_json::from_slice(line).map_err(|_| MALFORMED)?;
        let mut history = History::default();
        for spans in line.versions {
            let span = |(index, length, kind)| Span { index, length, is_insert: kind == 1 };
            history.push(spans.into_iter().map(span).collect());
        }
        for (op_id, version, edits) in line.op_ids {
            history.remember(&op_id.0, Remembered { version, edits });
        }
        let place = self.text.take().ok_or(MALFORMED)?;
        if let Some(Node { content: Content::Text(text), .. }) = self.document.arena.get_mut(place)
        {
            self.document.bytes += history.bytes();
            text.set_history(history);
        }
        Ok(())
    }
}
