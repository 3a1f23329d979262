//! The word that it is time to stop, heard by every task.

use tokio::sync::watch;

/// Clones share one state; once requested it stays requested.
#[derive(Debug, Clone)]
pub struct Shutdown {
    state: watch::Sender<bool>,
}

impl Shutdown {
    pub fn new() -> Self {
        Self { state: watch::Sender::new(false) }
    }

    pub fn request(&self) {
        self.state.send_replace(true);
    }

    pub fn is_requested(&self) -> bool {
        *self.state.borrow()
    }

    /// Returns when shutdown is requested, at once if it has been. The future borrows nothing.
    pub fn requested(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut state = self.state.subscribe();
        // Keeps the channel open: without a sender the wait would end.
        let sender = self.state.clone();
        async move {
            let _ = state.wait_for(|requested| *requested).await;
            drop(sender);
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::clock;
    use std::time::Duration;

    #[tokio::test]
    async fn every_waiter_hears_it_early_or_late() {
        let shutdown = Shutdown::new();
        let early = shutdown.clone().requested();
        assert!(!shutdown.is_requested());
        assert!(clock::timeout(Duration::from_millis(5), shutdown.requested()).await.is_err());
        shutdown.request();
        early.await;
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }
}
