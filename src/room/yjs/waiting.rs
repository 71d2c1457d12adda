//! What of an update can be put in its place now, and what waits for something that is missing.
//!
//! This is Yjs' rule: a client's blocks come one after the other without a gap, and what a block
//! names comes before it. `yrs` would leave a hole and go on, and count differently.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::deletions::Deletions;
use super::scan::{Block, Id, Scanned};
use super::wire::Malformed;

/// The next clock of each client.
pub type Clocks = BTreeMap<u64, u32>;

#[derive(Debug)]
struct Held {
    block: Block,
    bytes: Box<[u8]>,
}

/// Blocks and deletions that came too early.
#[derive(Debug, Default)]
pub struct Waiting {
    blocks: BTreeMap<Id, Held>,
    bytes_len: usize,
    /// The first waiting block of a client waits for one insertion. Both ways round.
    wants: BTreeSet<(Id, u64)>,
    want_of: HashMap<u64, Id>,
    pub deletions: Deletions,
}

/// A block whose turn it is, without what of it is known already.
#[derive(Debug)]
pub struct Ready {
    source: Source,
    /// Whether it came with this update; if not, it had waited.
    pub fresh: bool,
}

#[derive(Debug)]
enum Source {
    /// The block at this place of the update.
    Update(usize),
    /// One that had waited, or a part of one.
    Own(Box<(Block, Vec<u8>)>),
}

impl Ready {
    /// `None` only if it is asked about another update than the one that was planned.
    pub fn block<'a>(&'a self, update: &'a Scanned) -> Option<(&'a Block, &'a [u8])> {
        match &self.source {
            Source::Update(at) => update.block(*at),
            Source::Own(own) => Some((&own.0, &own.1)),
        }
    }
}

#[derive(Debug, Default)]
pub struct Plan {
    /// In an order in which each one finds what it names.
    pub ready: Vec<Ready>,
    /// What of the update has to wait.
    early: Vec<(Block, Box<[u8]>)>,
    /// What has waited and is either ready or known.
    done: Vec<Id>,
    blocked: HashMap<u64, Id>,
}

impl Plan {
    /// Whether the update brings blocks that have to wait, and did not wait before.
    pub fn holds_more(&self, waiting: &Waiting) -> bool {
        self.early.iter().any(|(block, _)| waiting.is_news(block))
    }

    pub fn early_bytes(&self) -> usize {
        self.early.iter().map(|(_, bytes)| HELD_OVERHEAD_BYTES + bytes.len()).sum()
    }
}

/// What a waiting block takes besides its bytes, roughly.
const HELD_OVERHEAD_BYTES: usize = 200;

impl Waiting {
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.deletions.is_empty()
    }

    pub fn bytes_len(&self) -> usize {
        self.bytes_len
    }

    /// In the order of clients and clocks.
    pub fn blocks(&self) -> impl Iterator<Item = (&Block, &[u8])> {
        self.blocks.values().map(|held| (&held.block, held.bytes.as_ref()))
    }

    fn is_news(&self, block: &Block) -> bool {
        let held = self.blocks.get(&(block.client, block.clock));
        held.is_none_or(|held| held.block.len < block.len)
    }

    /// Makes a plan real: what is done waits no longer, what is early waits from now on.
    pub fn follow(&mut self, plan: &mut Plan) {
        for id in plan.done.drain(..) {
            if let Some(held) = self.blocks.remove(&id) {
                self.bytes_len -= HELD_OVERHEAD_BYTES + held.bytes.len();
            }
        }
        for (block, bytes) in plan.early.drain(..) {
            if self.is_news(&block) {
                self.bytes_len += HELD_OVERHEAD_BYTES + bytes.len();
                let held = Held { block, bytes };
                if let Some(shorter) = self.blocks.insert((block.client, block.clock), held) {
                    self.bytes_len -= HELD_OVERHEAD_BYTES + shorter.bytes.len();
                }
            }
        }
        for (client, want) in plan.blocked.drain() {
            if let Some(old) = self.want_of.remove(&client) {
                self.wants.remove(&(old, client));
            }
            if self.blocks.range((client, 0)..=(client, u32::MAX)).next().is_some() {
                self.want_of.insert(client, want);
                self.wants.insert((want, client));
            }
        }
    }
}

/// Sorts out an update against what the document has and what waits. Changes nothing.
pub fn plan(update: &Scanned, waiting: &Waiting, clocks: &Clocks) -> Result<Plan, Malformed> {
    let mut planning = Planning {
        waiting,
        clocks,
        moved: HashMap::new(),
        queues: HashMap::new(),
        joined: HashSet::new(),
        wants: BTreeSet::new(),
        plan: Plan::default(),
    };
    let mut blocks = update.blocks().enumerate().peekable();
    while let Some((_, (first, _))) = blocks.peek() {
        let client = first.client;
        let queue = planning.queues.entry(client).or_default();
        while let Some((at, (block, bytes))) =
            blocks.next_if(|(_, (next, _))| next.client == client)
        {
            queue.push(Queued { block, bytes, at: Some(at) });
        }
    }
    let mut clients = planning.reachable();
    while let Some(client) = clients.pop() {
        planning.advance(client, &mut clients)?;
    }
    Ok(planning.finish())
}

#[derive(Debug, Clone, Copy)]
struct Queued<'a> {
    block: &'a Block,
    bytes: &'a [u8],
    /// Its place in the update; none if it has waited.
    at: Option<usize>,
}

struct Planning<'a> {
    waiting: &'a Waiting,
    clocks: &'a Clocks,
    /// The clocks that this plan moves.
    moved: HashMap<u64, u32>,
    /// What is left to place of each client; the next one is at the end.
    queues: HashMap<u64, Vec<Queued<'a>>>,
    /// The queues that hold what has waited as well.
    joined: HashSet<u64>,
    wants: BTreeSet<(Id, u64)>,
    plan: Plan,
}

impl<'a> Planning<'a> {
    fn clock(&self, client: u64) -> u32 {
        let clock = self.moved.get(&client).or_else(|| self.clocks.get(&client));
        clock.copied().unwrap_or(0)
    }

    /// The clients that bring something at or below their next clock. What the others bring waits
    /// in any case, however much of theirs there is already.
    fn reachable(&mut self) -> Vec<u64> {
        let mut clients = Vec::with_capacity(self.queues.len());
        for (client, queue) in &self.queues {
            let clock = self.clock(*client);
            if queue.iter().any(|queued| queued.block.clock <= clock) {
                clients.push(*client);
            } else if !self.waiting.want_of.contains_key(client) {
                self.plan.blocked.insert(*client, (*client, clock));
            }
        }
        clients.sort_unstable();
        clients
    }

    /// Adds what has waited to a client's queue, and puts the queue in order.
    fn join_waiting(&mut self, client: u64) {
        let queue = self.queues.entry(client).or_default();
        for (_, held) in self.waiting.blocks.range((client, 0)..=(client, u32::MAX)) {
            queue.push(Queued { block: &held.block, bytes: &held.bytes, at: None });
        }
        let key = |queued: &Queued<'_>| (queued.block.clock, queued.block.len);
        queue.sort_by_key(|queued| std::cmp::Reverse(key(queued)));
    }

    /// Takes as many blocks of a client as it can, and wakes who waited for them.
    fn advance(&mut self, client: u64, woken: &mut Vec<u64>) -> Result<(), Malformed> {
        if self.joined.insert(client) {
            self.join_waiting(client);
        }
        let before = self.clock(client);
        let mut after = before;
        let mut queue = self.queues.remove(&client).unwrap_or_default();
        while let Some(next) = queue.last().copied() {
            if next.block.end() > after {
                if let Some(missing) = self.missing(next.block, after)? {
                    self.wants.insert((missing, client));
                    self.plan.blocked.insert(client, missing);
                    break;
                }
                self.take(next, after)?;
                after = next.block.end();
            }
            if next.at.is_none() {
                self.plan.done.push((client, next.block.clock));
            }
            queue.pop();
        }
        let is_empty = queue.is_empty();
        self.queues.insert(client, queue);
        if before < after {
            self.moved.insert(client, after);
            let range = ((client, 0), 0)..((client, after), 0);
            woken.extend(self.waiting.wants.range(range.clone()).map(|(_, waiter)| *waiter));
            woken.extend(self.wants.range(range).map(|(_, waiter)| *waiter));
        }
        if is_empty {
            // Whatever it waited for, it does not any more.
            self.plan.blocked.insert(client, (client, after));
        }
        Ok(())
    }

    fn take(&mut self, next: Queued<'a>, clock: u32) -> Result<(), Malformed> {
        let source = match next.at {
            _ if next.block.clock < clock => {
                let rest = next.block.after(clock - next.block.clock, next.bytes);
                let overlaps = Malformed("a block overlaps another one of the same client");
                Source::Own(Box::new(rest.ok_or(overlaps)?))
            }
            Some(at) => Source::Update(at),
            None => Source::Own(Box::new((*next.block, next.bytes.to_vec()))),
        };
        self.plan.ready.push(Ready { source, fresh: next.at.is_some() });
        Ok(())
    }

    /// The insertion that a block has to wait for, if any.
    fn missing(&self, block: &Block, clock: u32) -> Result<Option<Id>, Malformed> {
        if clock < block.clock {
            return Ok(Some((block.client, block.clock - 1)));
        }
        for need in block.needs() {
            if need.0 == block.client {
                if need.1 >= block.clock {
                    return Err(Malformed("a block names one that its client made later"));
                }
                // All that came before it is there, or it would have to wait for that.
            } else if self.clock(need.0) <= need.1 {
                return Ok(Some(need));
            }
        }
        Ok(None)
    }

    fn finish(mut self) -> Plan {
        for queue in self.queues.into_values() {
            for left in queue.into_iter().filter(|left| left.at.is_some()) {
                self.plan.early.push((*left.block, left.bytes.into()));
            }
        }
        self.plan
    }
}
