//! Rollups: a host's history in steps of a minute, a quarter of an hour, an hour.
//!
//! They are made from sealed blocks and from finer rollups, and say how far they have come, so they can be made late and
//! again. What a step has is exact: integrals of CPU, sums, counts and maxima are those of its snapshots. Late snapshots have
//! rollups of their own, which are added to the others: sums over programs and users stay exact, while a process may have a row
//! in one and be folded in the other, and what its end tells beyond its samples is too much by what the late ones have of it.

mod cache;
mod cell;
mod columns;
mod draft;
mod encode;
mod encode_cells;
mod encode_folded;
mod encode_rows;
mod encode_steps;
#[cfg(test)]
mod encode_tests;
mod fold;
mod make;
mod model;
mod names;

pub(crate) use cache::{RollupCache, damages, read, read_host, read_of, read_once, read_steps};
pub(crate) use cell::{Cell, each_stretch, sum};
pub(crate) use draft::step_of;
pub(crate) use encode::reads_alike;
pub(crate) use make::{after_seal, before_retiring};
pub(crate) use model::{Folded, FoldedKey, Rollup, Row, Step};
pub(crate) use names::{NamesCache, read_names};
