//! Random histories: every query has to answer as the model does, whatever was sealed and however often it was restarted.

use std::sync::Arc;

use procession_model::Timestamp;
use procession_store::History;

use crate::Factory;
use crate::actions::Actors;
use crate::checks;
use crate::model::Model;
use crate::random::Random;

/// How a history is kept while it is tried.
#[derive(Clone, Copy, Debug)]
pub enum Kept {
    /// Everything stays in the journal.
    Unsealed,
    /// Everything is sealed at the end.
    Sealed,
    /// Sealings and restarts in between.
    Mixed,
}

/// One random history: the same seed makes the same one.
pub async fn random_history(factory: &impl Factory, seed: u64, kept: Kept) {
    let mut random = Random::new(seed ^ 0x00C0_FFEE);
    let mut actors = Actors::new(seed);
    let mut model = Model::default();
    let mut store = factory.open();
    let mut clock = Timestamp::from_ms(0);
    for step in 0..60 {
        actors.append(&*store, &mut model).await;
        if matches!(kept, Kept::Mixed) {
            match random.below(12) {
                0 => store = restart(factory, store).await,
                1 => seal_all(&*store, &mut clock).await,
                2 if step % 4 == 0 => checks::everything(&*store, &model, &mut random).await,
                _ => {}
            }
        }
    }
    checks::everything(&*store, &model, &mut random).await;
    if matches!(kept, Kept::Sealed | Kept::Mixed) {
        seal_all(&*store, &mut clock).await;
        assert_eq!(store.stats().await.unwrap().journal_bytes, 0);
        checks::everything(&*store, &model, &mut random).await;
    }
    let store = restart(factory, store).await;
    checks::everything(&*store, &model, &mut random).await;
    for _ in 0..10 {
        actors.append(&*store, &mut model).await;
    }
    checks::everything(&*store, &model, &mut random).await;
}

/// Far enough in the future that everything is old.
async fn seal_all(store: &dyn History, clock: &mut Timestamp) {
    store.seal(*clock).await.unwrap();
    *clock = clock.plus_ms(86_400_000);
    store.seal(*clock).await.unwrap();
}

async fn restart<F: Factory>(factory: &F, store: Arc<F::Store>) -> Arc<F::Store> {
    store.close().await.unwrap();
    assert!(Arc::into_inner(store).is_some());
    factory.open()
}
