//! A Yjs document as people type it: short runs of letters at ever new places, now and then one
//! taken back. Every keystroke is an update.

use yrs::{Doc, ReadTxn, StateVector, Text, Transact};

const AUTHOR: u64 = 7;
/// Without paragraphs yrs would walk one long list of blocks for every keystroke.
const PARAGRAPHS: u64 = 50;
const RUN_LETTERS_MAX: u64 = 20;

pub struct Typed {
    pub updates: Vec<Vec<u8>>,
    /// The document after all of them.
    pub snapshot: Vec<u8>,
    pub state_vector: Vec<u8>,
}

pub fn typed(updates: usize) -> Typed {
    let doc = Doc::with_client_id(AUTHOR);
    let texts: Vec<_> =
        (0..PARAGRAPHS).map(|n| doc.get_or_insert_text(format!("paragraph {n}"))).collect();
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let mut written = Vec::with_capacity(updates);
    while written.len() < updates {
        let text = &texts[random.below(PARAGRAPHS) as usize];
        let length = u64::from(text.len(&doc.transact()));
        let start = random.below(length + 1) as u32;
        for letter in 0..=random.below(RUN_LETTERS_MAX) as u32 {
            let mut transaction = doc.transact_mut();
            text.insert(&mut transaction, start + letter, "e");
            written.push(transaction.encode_update_v1());
        }
        if random.below(4) == 0 {
            let mut transaction = doc.transact_mut();
            text.remove_range(&mut transaction, start, 1);
            written.push(transaction.encode_update_v1());
        }
    }
    let transaction = doc.transact();
    let snapshot = transaction.encode_state_as_update_v1(&StateVector::default());
    let state_vector = yrs::updates::encoder::Encode::encode_v1(&transaction.state_vector());
    Typed { updates: written, snapshot, state_vector }
}

/// Xorshift: the same document in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
