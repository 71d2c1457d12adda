//! What a document and an op may grow to.

/// Bytes of a node's id or an op's id.
pub const ID_BYTES_MAX: usize = 256;
/// Bytes of a property name, a map's key or a position in a list.
pub const KEY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one op in JSON: as much as a client's frame may hold.
pub const OP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How deep one plain value may be nested. Readers of JSON, ours too, go to about 128.
pub const VALUE_DEPTH_MAX: usize = 100;
/// Edits in one op on a text. Hours of typing without a connection arrive as one op.
pub const TEXT_OPS_MAX: usize = 10_000;
/// UTF-16 code units of one text.
pub const TEXT_UNITS_MAX: usize = 4 * 1024 * 1024;
/// Pairs of edits that are compared to bring one op up to date.
pub const TRANSFORM_STEPS_MAX: usize = 10_000_000;
/// Edits in one op times the pieces of the text that each of them walks over.
pub const EDIT_STEPS_MAX: usize = 50_000_000;
/// Versions of a text over which a late edit can still be brought up to date. Clients keep 1000.
pub const HISTORY_VERSIONS_MAX: usize = 1024;
/// Insertions and deletions in those versions; the oldest versions give way.
pub const HISTORY_SPANS_MAX: usize = 64 * 1024;
/// Accepted op ids that a text remembers, to know an op that is sent again.
pub const OP_IDS_MAX: usize = 4096;

/// What one document may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub nodes_max: usize,
    /// Nodes from the root to a leaf. Clients walk the tree by recursion.
    pub depth_max: usize,
    /// Memory of the nodes, by the document's own estimate.
    pub bytes_max: usize,
}

impl Limits {
    pub const PRODUCTION: Self =
        Self { nodes_max: 1_000_000, depth_max: 256, bytes_max: 512 * 1024 * 1024 };
    pub const TINY: Self = Self { nodes_max: 8, depth_max: 4, bytes_max: 4096 };
    /// What has been accepted once is read back whatever the limits are today.
    pub(super) const NONE: Self =
        Self { nodes_max: u32::MAX as usize, depth_max: u16::MAX as usize, bytes_max: usize::MAX };
}
