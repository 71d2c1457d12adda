//! Writing updates of version 1 out of blocks.

use std::collections::BTreeMap;

use super::deletions::Deletions;
use super::scan::Block;
use super::scan::kind::SKIP;
use super::wire::put_uint;

#[derive(Default)]
struct Section {
    blocks: u64,
    first: u32,
    next: u32,
    bytes: Vec<u8>,
}

/// An update in the making. The blocks of one client come in ascending order.
#[derive(Default)]
pub struct Writer {
    clients: BTreeMap<u64, Section>,
}

impl Writer {
    pub fn push(&mut self, block: &Block, bytes: &[u8]) {
        let next = self.next(block.client);
        if block.clock < next {
            // Only what came too early can overlap: it is not cut before its turn comes.
            let rest = next.checked_sub(block.clock).filter(|known| *known < block.len);
            if let Some((block, bytes)) = rest.and_then(|known| block.after(known, bytes)) {
                self.append(&block, &bytes);
            }
        } else {
            self.append(block, bytes);
        }
    }

    fn append(&mut self, block: &Block, bytes: &[u8]) {
        let section = self.clients.entry(block.client).or_default();
        if section.blocks == 0 {
            (section.first, section.next) = (block.clock, block.clock);
        }
        if section.next < block.clock {
            section.bytes.push(SKIP);
            put_uint(&mut section.bytes, u64::from(block.clock - section.next));
            section.blocks += 1;
        }
        section.bytes.extend_from_slice(bytes);
        section.blocks += 1;
        section.next = block.end();
    }

    /// Where the blocks of a client end so far.
    fn next(&self, client: u64) -> u32 {
        self.clients.get(&client).map_or(0, |section| section.next)
    }

    pub fn finish(self, deletions: &Deletions) -> Vec<u8> {
        let blocks: usize = self.clients.values().map(|section| 20 + section.bytes.len()).sum();
        let mut out = Vec::with_capacity(10 + blocks);
        put_uint(&mut out, self.clients.len() as u64);
        for (client, section) in self.clients.iter().rev() {
            put_uint(&mut out, section.blocks);
            put_uint(&mut out, *client);
            put_uint(&mut out, u64::from(section.first));
            out.extend_from_slice(&section.bytes);
        }
        deletions.put_v1(&mut out);
        out
    }
}
