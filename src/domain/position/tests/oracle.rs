//! A million random pairs, as the real client answers for them. The answers are kept as hashes;
//! `tests/interop/node/position-cases.mjs` makes them, with the same random numbers.

use serde::Deserialize;

use super::super::{after, before, between};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Oracle {
    pairs_per_run: usize,
    hashes: Vec<String>,
}

/// Mulberry32, as the script has it.
struct Random(u32);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x6d2b_79f5);
        let mut t = self.0;
        t = (t ^ (t >> 15)).wrapping_mul(t | 1);
        t ^= t.wrapping_add((t ^ (t >> 7)).wrapping_mul(t | 61));
        (t ^ (t >> 14)) % bound
    }

    fn position(&mut self) -> String {
        let length = 1 + self.below(7);
        let digit = |i| {
            let code = match self.below(6) {
                0 => 32,
                1 => 126,
                _ => 32 + self.below(95),
            };
            let is_last = i == length - 1;
            char::from_u32(if is_last && code == 32 { 33 } else { code }).unwrap()
        };
        (0..length).map(digit).collect()
    }
}

/// FNV-1a over lines.
fn add(hash: &mut u64, line: &str) {
    for byte in line.bytes().chain([b'\n']) {
        *hash = (*hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
}

#[test]
fn a_million_pairs_have_the_positions_that_the_real_client_gives_them() {
    let oracle: Oracle = serde_json::from_str(include_str!("oracle.json")).unwrap();
    assert_eq!(oracle.pairs_per_run * oracle.hashes.len(), 1_000_000);
    for (run, expected) in (0..).zip(&oracle.hashes) {
        let (mut random, mut hash) = (Random(run), 0xcbf2_9ce4_8422_2325_u64);
        for _ in 0..oracle.pairs_per_run {
            let (a, b) = (random.position(), random.position());
            add(&mut hash, &after(&a));
            add(&mut hash, &before(&a));
            if a != b {
                add(&mut hash, &between(&a, &b).unwrap());
            }
        }
        assert_eq!(format!("{hash:016x}"), *expected, "run {run}");
    }
}
