//! Rollups: a host's history in steps of a minute and of a quarter of an hour.
//!
//! They are made from sealed blocks and from nothing else, and say how far they have come, so they can be made late and
//! again. What a step has is exact: integrals of CPU, sums, counts and maxima are those of its snapshots.

mod cell;
mod draft;
mod fold;
mod model;

pub(crate) use cell::{Cell, each_stretch, sum};
pub(crate) use draft::Draft;
pub(crate) use model::{Folded, FoldedKey, Rollup, Row, Step};
