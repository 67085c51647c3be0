//! The history as CSV: the same table as the server's.

use std::io::Write;

use procession_server::sample_csv::{COLUMNS, write_rows};
use procession_store::KeptSnapshot;

use super::Sink;

/// Rows to a writer.
pub(super) struct Rows<W: Write> {
    out: csv::Writer<W>,
    headed: bool,
}

impl<W: Write> Rows<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out: csv::Writer::from_writer(out), headed: false }
    }

    fn head(&mut self) -> csv::Result<()> {
        if !std::mem::replace(&mut self.headed, true) {
            self.out.write_record(COLUMNS)?;
        }
        Ok(())
    }
}

impl<W: Write> Sink for Rows<W> {
    fn write(&mut self, host: &str, kept: &KeptSnapshot) -> std::io::Result<()> {
        self.head()?;
        Ok(write_rows(&mut self.out, host, kept)?)
    }

    fn finish(&mut self) -> std::io::Result<()> {
        self.head()?;
        self.out.flush()
    }
}
