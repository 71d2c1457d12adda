//! Brings edits up to date: what they must become after other edits that came first.
//!
//! Of the earlier edits only the insertions and deletions matter, and of these only where and how
//! long they are.

use super::TextOp;

/// An insertion or a deletion that was accepted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub index: u32,
    pub length: u32,
    pub is_insert: bool,
}

/// One edit becomes at most two.
type UpToTwo<T> = [Option<T>; 2];

/// The later edits after the earlier ones. Both start from one version, and the edits of each apply
/// one after another. `None` when that takes more than `steps`.
pub fn over(
    later: Vec<TextOp>,
    earlier: impl IntoIterator<Item = Span>,
    steps: &mut usize,
) -> Option<Vec<TextOp>> {
    let mut later = later;
    for span in earlier {
        later = lists(later, vec![span], steps)?.0;
    }
    Some(later)
}

/// Both, each after the other: doing `later` and then the second result ends in the same text as
/// doing `earlier` and then the first.
pub fn lists(
    later: Vec<TextOp>,
    earlier: Vec<Span>,
    steps: &mut usize,
) -> Option<(Vec<TextOp>, Vec<Span>)> {
    let mut earlier = earlier;
    let mut moved = Vec::with_capacity(later.len());
    for op in later {
        let mut ops = vec![op];
        let mut spans = Vec::with_capacity(earlier.len());
        for span in earlier {
            let (next, span) = over_one(ops, span, steps)?;
            ops = next;
            spans.extend(span);
        }
        moved.extend(ops);
        earlier = spans;
    }
    Some((moved, earlier))
}

/// The recursion is three deep at most: only a span of an insertion splits edits, and such a span
/// is not split itself.
fn over_one(
    mut later: Vec<TextOp>,
    earlier: Span,
    steps: &mut usize,
) -> Option<(Vec<TextOp>, Vec<Span>)> {
    if later.len() > 1 {
        return lists(later, vec![earlier], steps);
    }
    *steps = steps.checked_sub(1)?;
    let Some(op) = later.pop() else { return Some((later, vec![earlier])) };
    let spans = earlier_over_later(earlier, &op);
    let ops = later_over_earlier(op, earlier);
    Some((ops.into_iter().flatten().collect(), spans.into_iter().flatten().collect()))
}

fn later_over_earlier(op: TextOp, earlier: Span) -> UpToTwo<TextOp> {
    match op {
        TextOp::Insert { index, text, units, attributes } => {
            let index = match earlier.is_insert {
                // At the same place the earlier one stays to the left.
                true if earlier.index <= index => index.saturating_add(earlier.length),
                true => index,
                false => after_deletion(index, earlier),
            };
            [Some(TextOp::Insert { index, text, units, attributes }), None]
        }
        TextOp::Delete { index, length } => {
            let ranges = range_over((index, length), earlier, false);
            ranges.map(|range| range.map(|(index, length)| TextOp::Delete { index, length }))
        }
        TextOp::Format { index, length, attributes } => range_over((index, length), earlier, true)
            .map(|range| {
                let attributes = attributes.clone();
                range.map(|(index, length)| TextOp::Format { index, length, attributes })
            }),
    }
}

fn earlier_over_later(earlier: Span, op: &TextOp) -> UpToTwo<Span> {
    let Some(other) = op.span() else { return [Some(earlier), None] };
    if earlier.is_insert {
        let index = match other.is_insert {
            true if other.index < earlier.index => earlier.index.saturating_add(other.length),
            true => earlier.index,
            false => after_deletion(earlier.index, other),
        };
        return [Some(Span { index, ..earlier }), None];
    }
    let ranges = range_over((earlier.index, earlier.length), other, false);
    ranges.map(|range| range.map(|(index, length)| Span { index, length, is_insert: false }))
}

/// What a range is after another edit. An insertion inside splits it, so that the new text is not
/// touched. Of a deletion, the first part is gone when the second applies; a format keeps it.
fn range_over(range: (u32, u32), edit: Span, keeps_first: bool) -> UpToTwo<(u32, u32)> {
    let (start, end) = (range.0, range.0.saturating_add(range.1));
    if !edit.is_insert {
        let (start, end) = (after_deletion(start, edit), after_deletion(end, edit));
        return [(end > start).then_some((start, end - start)), None];
    }
    if edit.index <= start {
        return [Some((start.saturating_add(edit.length), range.1)), None];
    }
    if edit.index >= end {
        return [Some(range), None];
    }
    let first = edit.index - start;
    let second = if keeps_first { edit.index } else { start };
    [Some((start, first)), Some((second.saturating_add(edit.length), end - edit.index))]
}

fn after_deletion(index: u32, deletion: Span) -> u32 {
    if deletion.index >= index {
        return index;
    }
    deletion.index.max(index.saturating_sub(deletion.length))
}
