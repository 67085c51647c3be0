//! `procession export`: the history as JSON lines, which `import` takes back, or as CSV. Streams: memory stays the same
//! however long the history is.

mod csv;

use std::io::{BufWriter, ErrorKind, Write};

use procession_model::Timestamp;
use procession_server::upload;
use procession_store::{Catalog, History, Host, KeptSnapshot, Range, SCAN_MAX};

use crate::data_folder;
use crate::failure::Failure;
use crate::moment;
use crate::runtime::block_on;
use crate::storage;

const BUFFER_BYTES: usize = 256 << 10;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    data: data_folder::Options,
    /// Only this host
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// From here on: RFC 3339, or a time ago such as `2h`
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    start: Option<Timestamp>,
    /// Up to before here
    #[arg(long, value_name = "TIME", value_parser = moment::parse)]
    end: Option<Timestamp>,
    /// What to write
    #[arg(long, value_enum, default_value = "jsonl")]
    format: Format,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// One upload body a line, with everything: `import` makes the same history of it
    Jsonl,
    /// One process at one time a row; cells that a spreadsheet would run as a formula begin with an apostrophe
    Csv,
}

/// Something that snapshots are written to.
trait Sink {
    fn write(&mut self, host: &str, kept: &KeptSnapshot) -> std::io::Result<()>;
    fn finish(&mut self) -> std::io::Result<()>;
}

/// Writes the history to standard output.
pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let folder = options.data.existing()?;
    let out = BufWriter::with_capacity(BUFFER_BYTES, std::io::stdout());
    let mut sink: Box<dyn Sink + Send> = match options.format {
        Format::Jsonl => Box::new(Lines { out, body: Vec::new() }),
        Format::Csv => Box::new(csv::Rows::new(out)),
    };
    block_on(async {
        let store = storage::open_to_read(&folder).await?;
        let range = Range { start: options.start, end: options.end };
        for host in chosen(options, store.catalog.hosts().await?)? {
            if !write_host(&store, &host, range, &mut *sink).await? {
                return Ok(());
            }
        }
        unless_closed(sink.finish()).map(drop)
    })
}

fn chosen(options: &Options, hosts: Vec<Host>) -> Result<Vec<Host>, Failure> {
    let Some(name) = &options.host else { return Ok(hosts) };
    let found: Vec<Host> = hosts.into_iter().filter(|host| host.name == *name).collect();
    if found.is_empty() {
        let failure = Failure::failed(format!("no host {name:?} in the history"));
        return Err(failure.hint("names are compared byte by byte; without --host all are written"));
    }
    Ok(found)
}

/// Writes a host; false when nobody reads any more.
async fn write_host(store: &storage::Store, host: &Host, range: Range, sink: &mut dyn Sink) -> Result<bool, Failure> {
    let mut after = None;
    loop {
        let page = store.history.scan(host.number, range, after, SCAN_MAX).await?;
        let Some(last) = page.last() else { return Ok(true) };
        after = Some(last.entry());
        for kept in &page {
            if !unless_closed(sink.write(&host.name, kept))? {
                return Ok(false);
            }
        }
    }
}

/// A reader that has seen enough (`| head`) is no failure: false.
fn unless_closed(written: std::io::Result<()>) -> Result<bool, Failure> {
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::failed(format!("writing: {error}"))),
    }
}

/// One upload body a line.
struct Lines<W> {
    out: W,
    body: Vec<u8>,
}

impl<W: Write> Sink for Lines<W> {
    fn write(&mut self, host: &str, kept: &KeptSnapshot) -> std::io::Result<()> {
        self.body.clear();
        upload::write(host, &kept.snapshot, &mut self.body);
        self.body.push(b'\n');
        self.out.write_all(&self.body)
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
