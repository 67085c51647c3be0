//! What every store has to do, tried on any store: a second one runs the same suite as the first.
//!
//! A store says how it is opened ([`Factory`]); [`everything`] then makes random histories in it, seals and restarts it, and
//! compares every answer of [`History`] with that of a model which keeps whole snapshots in a map and goes through them in
//! loops; and it tries all of [`Catalog`]. What it finds wrong ends in a panic that says what was asked: it is for tests.

#![expect(clippy::unwrap_used, reason = "a suite ends where something is not as it should be")]

mod actions;
mod catalog;
mod checks;
mod model;
mod random;
mod suite;
mod world;

use std::sync::Arc;

use procession_store::analysis::Analysis;
use procession_store::{Catalog, History};

pub use catalog::catalog;
pub use suite::{Kept, random_history};

/// Opens a store again and again on the same data, which is empty at first.
pub trait Factory {
    /// What it opens.
    type Store: History + Analysis + Catalog + 'static;

    /// Opens the data; the store before it is closed by then.
    fn open(&self) -> Arc<Self::Store>;
}

/// The whole suite; `new` makes a factory of empty data each time. Takes some seconds, without optimisation half a minute.
pub async fn everything<F: Factory>(new: impl Fn() -> F) {
    catalog(&new()).await;
    for (kept, seeds) in [(Kept::Unsealed, 0..3), (Kept::Sealed, 100..104), (Kept::Mixed, 200..206)] {
        for seed in seeds {
            random_history(&new(), seed, kept).await;
        }
    }
}
