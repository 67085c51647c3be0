//! `procession import`: upload bodies, one a line, into the history.
//!
//! A thread reads and parses, the rest appends big batches: one commit for hundreds of snapshots, so that the disk's
//! `fsync` does not set the pace. Every batch is durable before the next; a failure keeps what came before it and names
//! the line.

mod progress;
mod source;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use procession_server::upload;
use procession_store::{Append, Appended, Catalog, History, HostNumber};
use tokio::sync::mpsc;

use crate::data_folder;
use crate::failure::Failure;
use crate::moment;
use crate::runtime::block_on;
use crate::storage;
use progress::Progress;
use source::Lines;

/// The most snapshots in a batch.
const BATCH_SNAPSHOTS_MAX: usize = 256;
/// The most bytes of lines in a batch: bounds memory where snapshots are huge.
const BATCH_BYTES_MAX: usize = 32 << 20;
/// Batches parsed ahead of the one being stored.
const BATCHES_AHEAD: usize = 2;
/// By then any run is old enough to be sealed.
const SEAL_AFTER_MS: i64 = 7_200_000;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: data_folder::Options,
    /// Files of upload bodies, one a line, plain, gzip or zstd (told by their content); `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

/// A parsed line.
struct Parsed {
    line: u64,
    upload: upload::Upload,
}

type Batch = Result<Vec<Parsed>, Failure>;

/// Imports the files, one after the other.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let folder = options.data.made(&options.data.settings()?)?;
    block_on(async {
        let store = storage::open(&folder).await?;
        let mut importer = Importer { store: &store, hosts: HashMap::new() };
        let mut done = Ok(());
        for file in &options.files {
            let progress = Progress::new();
            done = importer.file(file.clone(), &progress).await;
            progress.finish(importer.hosts.len());
            if done.is_err() {
                break;
            }
        }
        // What came before a bad line stays, so it is sealed and written down like the rest.
        seal_all(&store).await?;
        store.close().await?;
        done
    })
}

/// Seals every run: the second round is at a time by which each of them is due.
async fn seal_all(store: &storage::Store) -> Result<(), Failure> {
    let now = moment::now();
    store.history.seal(now).await?;
    Ok(store.history.seal(now.plus_ms(SEAL_AFTER_MS)).await?)
}

struct Importer<'a> {
    store: &'a storage::Store,
    hosts: HashMap<String, HostNumber>,
}

impl Importer<'_> {
    async fn file(&mut self, file: PathBuf, progress: &Progress) -> Result<(), Failure> {
        let lines = Lines::open(&file, progress)?;
        let (sender, mut receiver) = mpsc::channel(BATCHES_AHEAD);
        let parser = std::thread::spawn(move || parse_all(lines, &sender));
        let mut done = Ok(());
        while let Some(batch) = receiver.recv().await {
            done = self.batch(batch, &file, progress).await;
            if done.is_err() {
                break;
            }
        }
        // The parser stops at its next batch once nobody receives.
        drop(receiver);
        if parser.join().is_err() {
            return Err(Failure::failed("the parser stopped unexpectedly"));
        }
        done
    }

    async fn batch(&mut self, batch: Batch, file: &std::path::Path, progress: &Progress) -> Result<(), Failure> {
        let batch = batch?;
        let mut lines = Vec::with_capacity(batch.len());
        let mut appends = Vec::with_capacity(batch.len());
        let mut samples = 0;
        for Parsed { line, upload } in batch {
            let host = self.host_number(&upload.hostname).await?;
            lines.push(line);
            samples += upload.snapshot.processes.len() as u64;
            appends.push(Append::Snapshot { host, snapshot: Arc::new(upload.snapshot) });
        }
        let applied = self.store.history.append(appends).await?;
        let mut duplicates = 0;
        for (line, outcome) in lines.iter().zip(&applied.outcomes) {
            match outcome {
                Appended::Stored(_) => {}
                Appended::Duplicate(_) => duplicates += 1,
                Appended::KeyframeNeeded => {
                    return Err(refused(file, *line, "it is a change to a snapshot that is not there"));
                }
                Appended::Refused(why) => return Err(refused(file, *line, why)),
            }
        }
        progress.stored(lines.len() as u64, duplicates, samples);
        Ok(())
    }

    async fn host_number(&mut self, name: &str) -> Result<HostNumber, Failure> {
        if let Some(number) = self.hosts.get(name) {
            return Ok(*number);
        }
        let number = self.store.catalog.host_named(name, moment::now()).await?.number;
        self.hosts.insert(name.to_owned(), number);
        Ok(number)
    }
}

fn refused(file: &std::path::Path, line: u64, why: &str) -> Failure {
    Failure::failed(format!("{}, line {line}: {why}", file.display())).hint(
        "what came before this line is imported; mend or remove it and import again: what is there already is skipped",
    )
}

fn parse_all(mut lines: Lines, sender: &mpsc::Sender<Batch>) {
    loop {
        let batch = next_batch(&mut lines);
        let last = !matches!(&batch, Ok(batch) if !batch.is_empty());
        if sender.blocking_send(batch).is_err() || last {
            return;
        }
    }
}

/// The next lines, parsed; empty at the end. A bad line comes alone, after those before it.
fn next_batch(lines: &mut Lines) -> Batch {
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < BATCH_SNAPSHOTS_MAX && bytes < BATCH_BYTES_MAX {
        let Some((line, text)) = lines.next_line()? else { break };
        bytes += text.len();
        match upload::parse(text) {
            Ok(upload) => batch.push(Parsed { line, upload }),
            Err(error) if batch.is_empty() => return Err(refused(lines.file(), line, &error.to_string())),
            Err(_) => {
                lines.put_back();
                break;
            }
        }
    }
    Ok(batch)
}
