//! What customers may ask of the database at a time, and how long they wait for it.
//!
//! What changes something goes through the writer, which has bounds of its own; here are the bounds of what is read. What
//! is answered from memory needs none.

use std::time::Duration;

use interline_store::StoreError;
use tokio::sync::Semaphore;

use crate::gateway::Gateway;

/// Most reads at a time. Each takes a millisecond or less, so that the last of them is served well within a second.
const READS_MAX: usize = 1_024;
/// How long a customer waits for a read. A database that is stopped, or that somebody locks, answers no sooner.
pub(crate) const READ_WITHIN: Duration = Duration::from_secs(3);

/// The room for reads; nobody waits for a place in it.
pub(crate) struct Admission(Semaphore);

impl Admission {
    pub(crate) const fn new() -> Self {
        Self(Semaphore::const_new(READS_MAX))
    }
}

impl Gateway {
    /// A read that a customer waits for: refused at once while too many are under way, and given up when it takes long.
    pub(crate) async fn read<T>(&self, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let _place = self.admission.0.try_acquire().map_err(|_| StoreError::Busy)?;
        tokio::time::timeout(READ_WITHIN, work).await.unwrap_or(Err(StoreError::Busy))
    }
}
