//! Connections that have left HTTP, and are still the listener's to end.

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Among the extensions of every request that asks for an upgrade. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Upgrades {
    tasks: TaskTracker,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Upgrades {
    pub(super) fn new(
        tasks: TaskTracker,
        shutdown: CancellationToken,
        cut: CancellationToken,
    ) -> Self {
        Self { tasks, shutdown, cut }
    }

    /// Cancelled when the connections have to end by themselves.
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// Runs an upgraded connection. The drain waits for it, and cuts it at its end.
    pub fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let cut = self.cut.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = connection => {}
                () = cut.cancelled() => {}
            }
        });
    }
}
