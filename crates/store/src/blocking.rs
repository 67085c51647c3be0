//! Work that waits for a disk, away from the threads that serve connections.

use tokio::sync::oneshot;

use crate::StoreError;

/// How much sealing gives way: a tenth of the time of a thread that wants to run beside it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;

/// Runs `work` on a thread for blocking work. It runs to its end even when nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Failed(Box::new(error))),
    }
}

/// Runs `work`, which may take long, on a thread of its own that gives way to those who are waited for.
pub(crate) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let (done, result) = oneshot::channel();
    let run = move || {
        give_way();
        // Whoever waited may be gone; the work is done all the same.
        drop(done.send(work()));
    };
    let started = std::thread::Builder::new().name("seal".to_owned()).spawn(run);
    started.map_err(|error| StoreError::Failed(Box::new(error)))?;
    result.await.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
}

/// Gives this thread a low priority. It cannot be had back, so only for a thread that ends.
fn give_way() {
    // On Linux the process that asks is the thread; elsewhere it would be the whole process.
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::debug!(%error, "sealing has the priority of the rest");
    }
}
