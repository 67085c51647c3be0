//! A program in the kernel (BPF) that hands over all processes in one read, and tells of their beginnings and ends.
//!
//! A look costs a fraction of reading a file for each process, and the end of a process comes with all that is known of it
//! as one record. The price is privilege (CAP_BPF and CAP_PERFMON) and a kernel that tells its own types, from 5.8 on.
//! Where any of that is missing, [`open`] says so and others take its place. What stays fixed of a process is still read in
//! /proc, once.

mod exits;
mod iterator;
mod load;
mod mapping;
mod records;
mod ring;
mod tasks;
#[cfg(test)]
mod tests;
mod unseen;
mod verify;

use super::events::EventSource;
use super::sweep::TaskSource;

/// What the program in the kernel gives.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) tasks: Box<dyn TaskSource>,
    pub(super) events: Box<dyn EventSource>,
}

/// Loads it. Says why where that is not to be had.
pub(super) fn open() -> Result<Sources, String> {
    open_with_ring(exits::RING_BYTES)
}

fn open_with_ring(ring_bytes: u32) -> Result<Sources, String> {
    verify::verify_namespace()?;
    let loaded = load::load(ring_bytes)?;
    let units = tasks::Units::of_this_machine();
    let mut tasks = tasks::Tasks::new(loaded.program, units).map_err(|error| error.to_string())?;
    verify::verify(&mut tasks)?;
    let events = exits::Exits::new(loaded.ring, loaded.lost, units.page_bytes);
    Ok(Sources { tasks: Box::new(tasks), events: Box::new(events) })
}
