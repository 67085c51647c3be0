//! Names that are made to be taken for something else: each is found as what it is, and no other with it.

use std::sync::Arc;

use procession_model::{Description, Identity, Metric, Process, Sample, Snapshot, Timestamp};
use procession_store::analysis::{Analysis, Of, Search};
use procession_store::{Append, Catalog, History, OpenOptions, Range, SampleFilter, SqliteStore};

fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        " ",
        "*",
        "**",
        "%",
        "_",
        "'; DROP TABLE block; --",
        "\"",
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "\u{202e}gnp.exe",
        "a\0b",
        "a",
        "\n",
        "\u{1b}[2J",
        "ＮＧＩＮＸ",
        "🦀",
        "e\u{301}",
        "é",
        "\u{fffd}",
        "../../etc/passwd",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(4_096));
    names.push(format!("{}y", "x".repeat(4_095)));
    names
}

fn snapshot(names: &[String], time: i64) -> Arc<Snapshot> {
    let process = |(pid, name): (u32, &String)| {
        let mut description = Description::new(pid, name.as_str());
        description.identity = Identity { pid, start: Some(Timestamp::from_ms(1)) };
        description.user = Some(Arc::from(name.as_str()));
        description.command_line = Some(Arc::from(name.as_str()));
        Process { description: Arc::new(description), sample: Sample::ABSENT.with(Metric::Cpu, u64::from(pid)) }
    };
    let processes = (1..).zip(names).map(process).collect();
    Arc::new(Snapshot { time: Timestamp::from_ms(time), processes, ..Snapshot::default() })
}

#[tokio::test]
async fn every_name_is_found_as_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&OpenOptions::new(directory.path())).unwrap();
    let host = store.host_named("\u{202e}'; --", Timestamp::from_ms(0)).await.unwrap().number;
    let names = names();
    for is_sealed in [false, true] {
        if is_sealed {
            for now in [0, 86_400_000] {
                store.seal(Timestamp::from_ms(now)).await.unwrap();
            }
        } else {
            for time in 0..40 {
                let snapshot = snapshot(&names, 1_000_000 + time * 5_000);
                store.append(vec![Append::Snapshot { host, snapshot }]).await.unwrap();
            }
        }
        for (pid, name) in (1..).zip(&names) {
            check(&store, host, pid, name).await;
        }
    }
    assert_eq!(store.verify().await.unwrap(), Vec::<String>::new());
}

async fn check(store: &SqliteStore, host: u32, pid: u32, name: &str) {
    let all = Range::default();
    let with = store.hosts_with(name, all, 10).await.unwrap();
    assert_eq!((with.count, with.hosts[0].running), (1, 1), "{name:?}");
    let runs = store.runs(host, name, all).await.unwrap();
    assert_eq!((runs.len(), runs[0].description.identity.pid), (1, pid), "{name:?}");
    let found = store.program_runs(None, name, all, 0, 10).await.unwrap();
    assert_eq!((found.count, found.runs[0].run.description.identity.pid), (1, pid), "{name:?}");
    for of in [Of::Program(name.to_owned()), Of::User(name.to_owned())] {
        let series = store.series(Some(host), &of, all, 1_000).await.unwrap();
        assert_eq!(series.points.iter().map(|point| point.samples).sum::<u64>(), 40, "{name:?}");
        assert!(series.points.iter().all(|point| point.cpu_max == Some(u64::from(pid))), "{name:?}");
    }
    let filter = SampleFilter { name: Some(name.to_owned()), user: Some(name.to_owned()), ..SampleFilter::default() };
    let page = store.samples(&filter, 0, 100).await.unwrap();
    assert_eq!(page.count, 40, "{name:?}");
    assert!(page.items.iter().all(|row| *row.description.name == *name));
    let search = Search { words: vec![name.to_owned()], pid: Some(pid), ..Search::default() };
    assert_eq!(store.search(&search, 10).await.unwrap().count, 1, "{name:?}");
}
