//! Work that waits for a disk, away from the threads that serve connections.

use crate::StoreError;

/// Runs `work` on a thread for blocking work. It runs to its end even when nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Failed(Box::new(error))),
    }
}
