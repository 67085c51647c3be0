//! What every store has to do, tried on each store that there is.
//!
//! `suite` knows no store: a second one adds a [`Factory`] and its tests below.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

mod actions;
mod catalog;
mod checks;
mod model;
mod random;
mod sqlite;
mod suite;
mod world;

use std::sync::Arc;

use procession_store::{Catalog, History};

/// Opens a store again and again on the same data.
pub(crate) trait Factory {
    /// What it opens.
    type Store: History + Catalog + 'static;

    /// Opens the data; the store before it is closed by then.
    fn open(&self) -> Arc<Self::Store>;
}
