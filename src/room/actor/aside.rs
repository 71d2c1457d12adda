//! Work on a whole document, which may take a tenth of a second.

use tokio::runtime::{Handle, RuntimeFlavor};

/// Runs it here, while other rooms go on elsewhere. A runtime of one thread has no elsewhere.
pub(super) fn aside<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}
