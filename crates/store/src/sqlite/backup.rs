//! A copy of a store while it is used.

use std::fs::File;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::database::{Database, FILE_NAME};
use super::failure::failed;
use super::{OpenOptions, database};
use crate::StoreError;

/// Copies a store as it is at one moment into another directory, where it can be opened like any store. A server may run on
/// it and goes on taking snapshots meanwhile. Returns the bytes of the copy.
pub fn backup(options: &OpenOptions, target: &Path) -> Result<u64, StoreError> {
    let copy = target.join(FILE_NAME);
    if copy.exists() {
        return Err(StoreError::Failed(format!("{}: there is a store already", copy.display()).into()));
    }
    if !options.directory.join(FILE_NAME).exists() {
        let text = format!("{}: there is no store in this directory", options.directory.display());
        return Err(StoreError::Failed(text.into()));
    }
    database::make_directory(target)?;
    let unfinished = target.join(format!("{FILE_NAME}.unfinished"));
    let done = copy_pages(options, &unfinished).and_then(|()| finish(&unfinished, &copy));
    if done.is_err() {
        // What is left of it is no store; that it cannot be removed changes nothing of that.
        drop(std::fs::remove_file(&unfinished));
    }
    done
}

fn copy_pages(options: &OpenOptions, unfinished: &Path) -> Result<(), StoreError> {
    let source = Database::open(&options.directory)?;
    let mut target = Connection::open(unfinished).map_err(failed)?;
    source.read(|source| {
        let backup = Backup::new(source, &mut target).map_err(failed)?;
        // All pages in one step: they are read in one transaction, so a server that writes does not make it begin again.
        match backup.step(-1).map_err(failed)? {
            StepResult::Done => Ok(()),
            other => Err(StoreError::Failed(format!("the copy stopped: {other:?}").into())),
        }
    })
}

/// Durable first, under its name then.
fn finish(unfinished: &Path, copy: &Path) -> Result<u64, StoreError> {
    let failed = |error: std::io::Error| {
        StoreError::Failed(Box::new(std::io::Error::new(error.kind(), format!("{}: {error}", copy.display()))))
    };
    let file = File::open(unfinished).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    std::fs::rename(unfinished, copy).map_err(failed)?;
    Ok(file.metadata().map_err(failed)?.len())
}
