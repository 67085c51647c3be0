//! Hosts by name, without a look into the store for each request.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use procession_store::{Catalog, HostNumber, StoreError};

use crate::time_text;

/// All hosts that the store knows, kept in memory.
pub(crate) struct HostDirectory {
    catalog: Arc<dyn Catalog>,
    known: RwLock<Known>,
    /// Names of new hosts that are waited for. As many as there are connections at most.
    wanted: Mutex<BTreeSet<String>>,
    /// Who has it makes new hosts.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Known {
    by_name: HashMap<Arc<str>, HostNumber>,
    by_number: HashMap<HostNumber, Arc<str>>,
}

impl Known {
    fn insert(&mut self, number: HostNumber, name: &str) {
        let name: Arc<str> = name.into();
        self.by_name.insert(Arc::clone(&name), number);
        if let Some(before) = self.by_number.insert(number, Arc::clone(&name))
            && before != name
        {
            self.by_name.remove(&before);
        }
    }
}

impl HostDirectory {
    /// All hosts of the store.
    pub(crate) async fn load(catalog: Arc<dyn Catalog>) -> Result<Self, StoreError> {
        let mut known = Known::default();
        for host in catalog.hosts().await? {
            known.insert(host.number, &host.name);
        }
        Ok(Self { catalog, known: RwLock::new(known), wanted: Mutex::default(), turn: tokio::sync::Mutex::default() })
    }

    /// The number of a host that has sent something.
    pub(crate) fn number(&self, name: &str) -> Option<HostNumber> {
        self.read().by_name.get(name).copied()
    }

    /// The name of a host.
    pub(crate) fn name(&self, number: HostNumber) -> Option<Arc<str>> {
        self.read().by_number.get(&number).cloned()
    }

    /// The number of a host, which is made if there is none. Thousands may be new at once, so whoever has the turn makes those
    /// of all who wait, in one durable step.
    pub(crate) async fn number_or_new(&self, name: &str) -> Result<HostNumber, StoreError> {
        if let Some(number) = self.number(name) {
            return Ok(number);
        }
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        let _turn = self.turn.lock().await;
        if let Some(number) = self.number(name) {
            return Ok(number);
        }
        for host in self.catalog.hosts_named(self.take_wanted(name), time_text::now()).await? {
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(host.number, &host.name);
        }
        self.number(name).ok_or_else(|| StoreError::Failed("the store made a host of another name".into()))
    }

    /// Gives a host another name; false if another host has it.
    pub(crate) async fn rename(&self, number: HostNumber, name: &str) -> Result<bool, StoreError> {
        let _turn = self.turn.lock().await;
        let renamed = self.number(name).is_none() && self.catalog.rename_host(number, name).await?;
        if renamed {
            self.known.write().unwrap_or_else(PoisonError::into_inner).insert(number, name);
        }
        Ok(renamed)
    }

    /// The names that are waited for, and this one, which someone may have taken who then failed.
    fn take_wanted(&self, name: &str) -> Vec<String> {
        let mut names = std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        names.insert(name.to_owned());
        names.into_iter().collect()
    }

    /// All hosts by number.
    pub(crate) fn all(&self) -> Vec<(HostNumber, Arc<str>)> {
        let mut hosts: Vec<_> =
            self.read().by_number.iter().map(|(number, name)| (*number, Arc::clone(name))).collect();
        hosts.sort_unstable_by_key(|(number, _)| *number);
        hosts
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}
