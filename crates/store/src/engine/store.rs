//! The history as the rest of the project sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use procession_codec::Frame;
use procession_model::{HostFacts, Loss, SnapshotId, Timestamp};
use tokio::sync::{Mutex, broadcast};

use super::Engine;
use super::seal::Which;
use super::segments::Segments;
use crate::blocking::{blocking, in_background};
use crate::{
    Append, Applied, History, HostNumber, HostPoint, HostSeries, KeptSnapshot, Nearest, Page, Published, Range,
    Retention, Retired, Run, SampleFilter, SampleRow, SnapshotEntry, Stats, StoreError, StreamPosition,
};

/// A history over a database that keeps rows of bytes.
pub struct SegmentStore<S> {
    engine: Arc<Engine<S>>,
    /// Keeps batches in the order of the calls.
    order: Arc<Mutex<()>>,
    /// Whether a sealing that nobody asked for runs.
    relieving: Arc<AtomicBool>,
    /// Why the last such sealing failed, for the next batch that has to wait for one.
    not_relieved: Arc<std::sync::Mutex<Option<StoreError>>>,
}

impl<S> SegmentStore<S> {
    /// The history.
    #[cfg(test)]
    pub(crate) fn engine(&self) -> &Engine<S> {
        &self.engine
    }

    /// The database.
    pub(crate) fn segments(&self) -> &S {
        &self.engine.segments
    }
}

#[expect(private_bounds, reason = "only databases of this crate hold a history")]
impl<S: Segments> SegmentStore<S> {
    pub(crate) fn new(engine: Engine<S>) -> Self {
        Self {
            engine: Arc::new(engine),
            order: Arc::default(),
            relieving: Arc::default(),
            not_relieved: Arc::default(),
        }
    }

    pub(crate) async fn query<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine<S>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let engine = Arc::clone(&self.engine);
        blocking(move || work(&engine)).await
    }

    /// Seals in the background when open runs are over their cap, so that memory stays bounded whoever appends.
    fn relieve(&self) {
        if !self.engine.is_pressed() || self.relieving.swap(true, Ordering::AcqRel) {
            return;
        }
        let (engine, relieving) = (Arc::clone(&self.engine), Arc::clone(&self.relieving));
        let not_relieved = Arc::clone(&self.not_relieved);
        *not_relieved.lock().unwrap_or_else(PoisonError::into_inner) = None;
        drop(tokio::spawn(async move {
            let sealing = Arc::clone(&engine);
            let result = in_background(move || sealing.seal(Which::Long)).await;
            if let Err(error) = &result {
                tracing::error!(%error, "sealing failed; it is tried again");
            }
            *not_relieved.lock().unwrap_or_else(PoisonError::into_inner) = result.err();
            relieving.store(false, Ordering::Release);
            engine.room.notify_waiters();
        }));
    }

    /// Waits until something can be taken again: nothing is sealed on the way of those who append. What cannot be sealed
    /// because it is damaged does not keep others out.
    async fn wait_for_room(&self) -> Result<(), StoreError> {
        let mut waited_for_all = false;
        while self.engine.is_flooded() && !waited_for_all {
            let told = self.engine.room.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            self.relieve();
            told.await;
            if let Some(error) = self.not_relieved.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return Err(error);
            }
            waited_for_all = !self.relieving.load(Ordering::Acquire);
        }
        Ok(())
    }
}

#[async_trait]
impl<S: Segments> History for SegmentStore<S> {
    async fn append(&self, batch: Vec<Append>) -> Result<Applied, StoreError> {
        let in_order = Arc::clone(&self.order).lock_owned().await;
        self.wait_for_room().await?;
        let applied = self
            .query(move |engine| {
                let _in_order = in_order;
                engine.append(batch)
            })
            .await;
        self.relieve();
        applied
    }

    fn follow(&self) -> broadcast::Receiver<Arc<Published>> {
        self.engine.published.subscribe()
    }

    async fn stream_position(&self, host: HostNumber) -> Result<Option<StreamPosition>, StoreError> {
        self.query(move |engine| engine.stream_position(host)).await
    }

    async fn latest(&self, host: HostNumber) -> Result<Option<KeptSnapshot>, StoreError> {
        self.query(move |engine| engine.latest(host)).await
    }

    async fn live_frame(&self, host: HostNumber) -> Result<Option<(SnapshotId, Arc<Frame>)>, StoreError> {
        self.query(move |engine| engine.live_frame(host)).await
    }

    async fn facts(&self, host: HostNumber) -> Result<Option<Arc<HostFacts>>, StoreError> {
        self.query(move |engine| engine.facts(host)).await
    }

    async fn snapshot(&self, id: SnapshotId) -> Result<Option<KeptSnapshot>, StoreError> {
        self.query(move |engine| engine.snapshot(id)).await
    }

    async fn snapshot_at(
        &self,
        host: HostNumber,
        time: Timestamp,
        nearest: Nearest,
    ) -> Result<Option<KeptSnapshot>, StoreError> {
        self.query(move |engine| engine.snapshot_at(host, time, nearest)).await
    }

    async fn list(
        &self,
        host: Option<HostNumber>,
        range: Range,
        before: Option<SnapshotId>,
        limit: usize,
    ) -> Result<Vec<SnapshotEntry>, StoreError> {
        self.query(move |engine| engine.list(host, range, before, limit)).await
    }

    async fn scan(
        &self,
        host: HostNumber,
        range: Range,
        after: Option<SnapshotEntry>,
        limit: usize,
    ) -> Result<Vec<KeptSnapshot>, StoreError> {
        self.query(move |engine| engine.scan(host, range, after, limit)).await
    }

    async fn newest_points(&self, host: HostNumber, range: Range, limit: usize) -> Result<Vec<HostPoint>, StoreError> {
        self.query(move |engine| engine.newest_points(host, range, limit)).await
    }

    async fn host_series(&self, host: HostNumber, range: Range, points: usize) -> Result<HostSeries, StoreError> {
        self.query(move |engine| engine.host_series(host, range, points)).await
    }

    async fn losses(&self, host: HostNumber, range: Range, limit: usize) -> Result<Vec<Loss>, StoreError> {
        self.query(move |engine| engine.losses(host, range, limit)).await
    }

    async fn samples(&self, filter: &SampleFilter, offset: u64, limit: usize) -> Result<Page<SampleRow>, StoreError> {
        let filter = filter.clone();
        self.query(move |engine| engine.samples(&filter, offset, limit)).await
    }

    async fn runs(&self, host: HostNumber, name: &str, range: Range) -> Result<Vec<Run>, StoreError> {
        let name = name.to_owned();
        self.query(move |engine| engine.runs(host, &name, range)).await
    }

    async fn stats(&self) -> Result<Stats, StoreError> {
        self.query(Engine::stats).await
    }

    async fn verify(&self) -> Result<Vec<String>, StoreError> {
        self.query(Engine::verify).await
    }

    async fn seal(&self, now: Timestamp) -> Result<(), StoreError> {
        let engine = Arc::clone(&self.engine);
        in_background(move || engine.seal(Which::DueBy(now))).await
    }

    async fn retire(&self, now: Timestamp, retention: Retention) -> Result<Retired, StoreError> {
        self.query(move |engine| engine.retire(now, retention)).await
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.query(|engine| engine.segments.close()).await
    }
}
