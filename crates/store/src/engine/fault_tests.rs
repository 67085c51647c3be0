//! Every call that the engine makes to its database fails, one after the other: once, for ever, before the work and after it.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use procession_model::{Description, Process, Sample, Snapshot, SnapshotId, Timestamp};

use super::seal::Which;
use super::segments::{BlockEntry, BlockFilter, HostMark, HostNames, JournalRow, NamedHost, Sealing, Segments, Totals};
use super::{Engine, Level, SealPolicy};
use crate::sqlite::{OpenOptions, SqliteSegments, SqliteStore};
use crate::{Append, Appended, HostNumber, Range, StoreError};

/// When calls fail.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// This one, before it does anything.
    Before(u64),
    /// This one, after all of it is done: as a commit whose answer is lost.
    After(u64),
    /// This one and all that follow.
    From(u64),
}

struct Faulty {
    inner: SqliteSegments,
    fault: Fault,
    calls: AtomicU64,
}

impl Faulty {
    fn call<T>(&self, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let failed = || Err(StoreError::Failed(format!("call {call} fails").into()));
        match self.fault {
            Fault::Before(at) if call == at => failed(),
            Fault::From(at) if call >= at => failed(),
            Fault::After(at) if call == at => work().and_then(|_| failed()),
            _ => work(),
        }
    }
}

impl Segments for Faulty {
    fn append_journal(&self, bytes: &[u8]) -> Result<u64, StoreError> {
        self.call(|| self.inner.append_journal(bytes))
    }
    fn journal_rows(&self) -> Result<Vec<u64>, StoreError> {
        self.inner.journal_rows()
    }
    fn each_journal_row(&self, rows: RangeInclusive<u64>, see: &mut dyn FnMut(JournalRow)) -> Result<(), StoreError> {
        self.inner.each_journal_row(rows, see)
    }
    fn marks(&self) -> Result<Vec<HostMark>, StoreError> {
        self.inner.marks()
    }
    fn seal(&self, sealing: &Sealing) -> Result<Vec<i64>, StoreError> {
        self.call(|| self.inner.seal(sealing))
    }
    fn blocks(&self, filter: BlockFilter) -> Result<Vec<BlockEntry>, StoreError> {
        self.call(|| self.inner.blocks(filter))
    }
    fn blocks_around(&self, host: HostNumber, sequence: u32) -> Result<Vec<BlockEntry>, StoreError> {
        self.call(|| self.inner.blocks_around(host, sequence))
    }
    fn base(&self, host: HostNumber) -> Result<Option<Bytes>, StoreError> {
        self.call(|| self.inner.base(host))
    }
    fn oldest_blocks(&self, level: Level, before: Timestamp, limit: usize) -> Result<Vec<BlockEntry>, StoreError> {
        self.call(|| self.inner.oldest_blocks(level, before, limit))
    }
    fn clean_up(&self, hosts: &[HostNumber]) -> Result<(), StoreError> {
        self.call(|| self.inner.clean_up(hosts))
    }
    fn block_head(&self, id: i64) -> Result<Option<Bytes>, StoreError> {
        self.call(|| self.inner.block_head(id))
    }
    fn block_body(&self, id: i64) -> Result<Option<Bytes>, StoreError> {
        self.call(|| self.inner.block_body(id))
    }
    fn dictionary(&self, host: HostNumber, epoch: u32) -> Result<Vec<Bytes>, StoreError> {
        self.call(|| self.inner.dictionary(host, epoch))
    }
    fn named_hosts(&self) -> Result<Vec<(HostNumber, HostNames)>, StoreError> {
        self.inner.named_hosts()
    }
    fn names(&self, host: HostNumber) -> Result<Option<HostNames>, StoreError> {
        self.call(|| self.inner.names(host))
    }
    fn names_seen(&self, host: HostNumber, names: &[Arc<str>]) -> Result<HostNames, StoreError> {
        self.call(|| self.inner.names_seen(host, names))
    }
    fn hosts_with_name(&self, name: &str, host: Option<HostNumber>) -> Result<Vec<NamedHost>, StoreError> {
        self.call(|| self.inner.hosts_with_name(name, host))
    }
    fn totals(&self) -> Result<Totals, StoreError> {
        self.call(|| self.inner.totals())
    }
    fn check(&self) -> Result<Vec<String>, StoreError> {
        self.inner.check()
    }
    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
}

const HOSTS: u32 = 2;
/// So many that hours are made of their blocks.
const STEPS: i64 = 13;

fn snapshot(host: u32, second: i64) -> Arc<Snapshot> {
    let process = |pid: u32| Process {
        description: Arc::new(Description::new(pid, format!("program {pid}"))),
        sample: Sample::ABSENT.with(procession_model::Metric::Cpu, second.unsigned_abs() * 3 + u64::from(host)),
    };
    let first = u32::try_from(second).unwrap();
    let time = Timestamp::from_ms(second * 1_000);
    Arc::new(Snapshot { time, processes: (first..first + 4).map(process).collect(), ..Snapshot::default() })
}

/// Ingest with sealings in between; returns what was acknowledged and how many calls there were.
fn ingest(segments: SqliteSegments, fault: Fault) -> (Vec<(SnapshotId, i64)>, u64) {
    let faulty = Faulty { inner: segments, fault, calls: AtomicU64::new(0) };
    let engine = Engine::open(faulty, SealPolicy { frames_max: 2, ..SealPolicy::default() }).unwrap();
    let mut acknowledged = Vec::new();
    for second in 1..=STEPS {
        let batch = (0..HOSTS).map(|host| Append::Snapshot { host, snapshot: snapshot(host, second) }).collect();
        if let Ok(applied) = engine.append(batch) {
            let stored = |outcome| if let Appended::Stored(id) = outcome { Some((id, second)) } else { None };
            acknowledged.extend(applied.outcomes.into_iter().filter_map(stored));
        }
        // What fails is tried again by the next one.
        drop(engine.seal(Which::DueBy(Timestamp::from_ms(0))));
    }
    let calls = engine.segments.calls.load(Ordering::Relaxed);
    (acknowledged, calls)
}

fn check(directory: &std::path::Path, acknowledged: &[(SnapshotId, i64)], fault: Fault) {
    let store = SqliteStore::open(&OpenOptions::new(directory)).unwrap();
    let engine = store.engine();
    let list = engine.list(None, Range::default(), None, 1_000).unwrap();
    let mut times: Vec<_> = list.iter().map(|entry| (entry.id.host(), entry.time)).collect();
    let mut ids: Vec<_> = list.iter().map(|entry| entry.id).collect();
    times.sort_unstable();
    times.dedup();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((times.len(), ids.len()), (list.len(), list.len()), "{fault:?}: something is stored twice");
    for (id, second) in acknowledged {
        let kept = engine.snapshot(*id).unwrap().unwrap_or_else(|| panic!("{fault:?}: {id:?} is lost"));
        let mut processes = kept.snapshot.processes.clone();
        processes.sort_by_key(|process| process.description.identity);
        assert_eq!(processes, snapshot(id.host(), *second).processes, "{fault:?}: {id:?}");
    }
    assert_eq!(engine.verify().unwrap(), Vec::<String>::new(), "{fault:?}");
}

/// Row 3: every call of the engine to its database fails, once, after its work, and for ever.
#[test]
fn no_failing_call_makes_a_false_acknowledgement() {
    let whole = tempfile::tempdir().unwrap();
    let (all, calls) = ingest(SqliteSegments::open(&OpenOptions::new(whole.path())).unwrap(), Fault::Before(u64::MAX));
    assert_eq!(all.len(), usize::try_from(STEPS).unwrap() * HOSTS as usize);
    assert!(calls > 20);
    let store = SqliteStore::open(&OpenOptions::new(whole.path())).unwrap();
    let filter = BlockFilter { host: Some(0), level: Level::Hour, range: Range::default() };
    assert_eq!(store.segments().blocks(filter).unwrap().len(), 1);
    drop(store);
    for at in 0..calls {
        for fault in [Fault::Before(at), Fault::After(at), Fault::From(at)] {
            let directory = tempfile::tempdir().unwrap();
            let segments = SqliteSegments::open(&OpenOptions::new(directory.path())).unwrap();
            let (acknowledged, _) = ingest(segments, fault);
            check(directory.path(), &acknowledged, fault);
        }
    }
}
