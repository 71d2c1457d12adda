//! Which insertions are deleted: ranges of clocks for each client.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use super::Encoding;
use super::wire::put_uint;

/// The ranges of one client: ascending, apart from each other, never empty.
#[derive(Debug, Default)]
struct Ranges {
    ranges: Vec<(u32, u32)>,
    /// What the snapshot says about this client, in both formats. A document of years has many
    /// thousands of ranges, and an edit changes those of one client.
    encoded: [OnceCell<Vec<u8>>; 2],
}

#[derive(Debug, Default)]
pub struct Deletions {
    clients: BTreeMap<u64, Ranges>,
    changes: u64,
}

impl Deletions {
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    pub fn ranges_len(&self) -> usize {
        self.clients.values().map(|client| client.ranges.len()).sum()
    }

    /// Adds `start..end`, and says whether any of it is new.
    pub fn insert(&mut self, client: u64, start: u32, end: u32) -> bool {
        let entry = self.clients.entry(client).or_default();
        let ranges = &mut entry.ranges;
        let from = ranges.partition_point(|range| range.1 < start);
        let to = ranges.partition_point(|range| range.0 <= end);
        let touched = ranges.get(from..to).unwrap_or_default();
        if let (Some(first), Some(last)) = (touched.first(), touched.last()) {
            let merged = (start.min(first.0), end.max(last.1));
            if touched == [merged] {
                return false;
            }
            ranges.splice(from..to, [merged]);
        } else {
            ranges.insert(from, (start, end));
        }
        entry.encoded = [OnceCell::new(), OnceCell::new()];
        self.changes += 1;
        true
    }

    /// Another number after every insertion of something new.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    pub fn iter(&self) -> impl Iterator<Item = (u64, &[(u32, u32)])> {
        self.clients.iter().map(|(client, ranges)| (*client, ranges.ranges.as_slice()))
    }

    pub fn of(&self, client: u64) -> &[(u32, u32)] {
        self.clients.get(&client).map(|client| client.ranges.as_slice()).unwrap_or_default()
    }

    /// Forgets everything below the clocks given.
    pub fn keep_from(&mut self, clocks: &BTreeMap<u64, u32>) {
        self.clients.retain(|client, entry| {
            let clock = clocks.get(client).copied().unwrap_or(0);
            if entry.ranges.first().is_some_and(|range| range.0 < clock) {
                entry.ranges.retain(|range| range.1 > clock);
                if let Some(first) = entry.ranges.first_mut() {
                    first.0 = first.0.max(clock);
                }
                entry.encoded = [OnceCell::new(), OnceCell::new()];
            }
            !entry.ranges.is_empty()
        });
    }

    pub fn contains(&self, client: u64, clock: u32) -> bool {
        let Some(client) = self.clients.get(&client) else { return false };
        let at = client.ranges.partition_point(|range| range.1 <= clock);
        client.ranges.get(at).is_some_and(|range| range.0 <= clock)
    }

    /// Calls back with each part of `start..end` that is not in here.
    pub fn missing(&self, client: u64, start: u32, end: u32, mut found: impl FnMut(u32, u32)) {
        let mut at = start;
        if let Some(client) = self.clients.get(&client) {
            let from = client.ranges.partition_point(|range| range.1 <= start);
            for range in client.ranges.get(from..).unwrap_or_default() {
                if range.0 >= end {
                    break;
                }
                if at < range.0 {
                    found(at, range.0);
                }
                at = at.max(range.1);
            }
        }
        if at < end {
            found(at, end);
        }
    }

    /// As the end of an update of version 1 has it.
    pub fn put_v1(&self, out: &mut Vec<u8>) {
        put_uint(out, self.clients.len() as u64);
        for (client, ranges) in self.clients.iter().rev() {
            out.extend_from_slice(ranges.encoded(*client, Encoding::V1));
        }
    }

    /// As a snapshot has it: piece by piece, the clients in descending order.
    pub fn snapshot(&self, encoding: Encoding, mut put: impl FnMut(&[u8])) {
        let mut head = Vec::with_capacity(5);
        put_uint(&mut head, self.clients.len() as u64);
        put(&head);
        for (client, ranges) in self.clients.iter().rev() {
            put(ranges.encoded(*client, encoding));
        }
    }
}

impl Ranges {
    fn encoded(&self, client: u64, encoding: Encoding) -> &[u8] {
        let [v1, v2] = &self.encoded;
        let cell = match encoding {
            Encoding::V1 => v1,
            Encoding::V2 => v2,
        };
        cell.get_or_init(|| self.encode(client, encoding))
    }

    fn encode(&self, client: u64, encoding: Encoding) -> Vec<u8> {
        let mut out = Vec::with_capacity(12 + 4 * self.ranges.len());
        put_uint(&mut out, client);
        put_uint(&mut out, self.ranges.len() as u64);
        let mut at = 0;
        for (start, end) in &self.ranges {
            let (clock, len) = match encoding {
                Encoding::V1 => (*start, end - start),
                // From the end of the range before, and no range is empty.
                Encoding::V2 => (start - at, end - start - 1),
            };
            at = *end;
            put_uint(&mut out, u64::from(clock));
            put_uint(&mut out, u64::from(len));
        }
        out
    }
}
