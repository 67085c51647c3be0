//! Hosts, keys, links, sessions and settings.

use procession_model::Timestamp;
use procession_store::{Catalog, HostAgent, KeyChange, KeyPurpose, NewKey, NewSession, SignInLink};

use crate::Factory;

const NOW: Timestamp = Timestamp::from_ms(1_000_000_000_000);

/// Everything that a catalog does, and that it is still there after a restart.
pub async fn catalog(factory: &impl Factory) {
    let store = factory.open();
    let new = !store.was_ever_used().await.unwrap();
    assert!(new);
    hosts(&*store).await;
    let agents = agents(&*store).await;
    sessions(&*store).await;
    assert!(store.was_ever_used().await.unwrap());
    let kept = keys(&*store).await;
    store.set_setting("a", "1").await.unwrap();
    store.set_setting("a", "2").await.unwrap();
    drop(store);
    let store = factory.open();
    assert_eq!(store.hosts().await.unwrap().len(), 3);
    assert_eq!(store.host_agents().await.unwrap(), agents);
    assert_eq!(store.keys().await.unwrap(), kept);
    assert_eq!(store.setting("a").await.unwrap().as_deref(), Some("2"));
    assert_eq!(store.setting("b").await.unwrap(), None);
    assert!(store.was_ever_used().await.unwrap());
}

async fn hosts(store: &dyn Catalog) {
    for (number, name) in [(0, "alpha"), (1, "ALPHA"), (2, "x'; DROP TABLE host; --\u{202e}")] {
        let host = store.host_named(name, NOW).await.unwrap();
        assert_eq!((host.number, host.name.as_str(), host.first_seen), (number, name, NOW));
        assert_eq!(store.host_named(name, NOW.plus_ms(5)).await.unwrap(), host);
    }
    let names: Vec<_> = store.hosts().await.unwrap().into_iter().map(|host| host.number).collect();
    assert_eq!(names, [0, 1, 2]);
}

async fn agents(store: &dyn Catalog) -> Vec<HostAgent> {
    assert!(store.rename_host(1, "beta").await.unwrap());
    assert!(!store.rename_host(1, "alpha").await.unwrap(), "another host has the name");
    assert!(!store.rename_host(3, "gamma").await.unwrap(), "there is no such host");
    let renamed = store.host_named("beta", NOW.plus_ms(5)).await.unwrap();
    assert_eq!((renamed.number, renamed.first_seen), (1, NOW));
    let agent = |host, agent_id: &str, boot_id: &str| HostAgent {
        host,
        agent_id: agent_id.to_owned(),
        told_name: "x'; DROP TABLE host; --".to_owned(),
        boot_id: boot_id.to_owned(),
    };
    store.set_host_agents(vec![agent(0, "a", "1"), agent(1, "b", "1"), agent(2, "c", "")]).await.unwrap();
    store.set_host_agents(Vec::new()).await.unwrap();
    // Another agent of host 0; agent b went from host 1 to host 2.
    store.set_host_agents(vec![agent(0, "d", "1"), agent(2, "b", "2")]).await.unwrap();
    let known = store.host_agents().await.unwrap();
    assert_eq!(known, [agent(0, "d", "1"), agent(2, "b", "2")]);
    known
}

async fn sessions(store: &dyn Catalog) {
    let link = SignInLink { hash: [1; 32], expires: NOW };
    store.create_sign_in_link(link.clone()).await.unwrap();
    assert!(!store.use_sign_in_link(&[2; 32], NOW.plus_ms(-1)).await.unwrap());
    assert!(store.use_sign_in_link(&[1; 32], NOW.plus_ms(-1)).await.unwrap());
    assert!(!store.use_sign_in_link(&[1; 32], NOW.plus_ms(-1)).await.unwrap());
    store.create_sign_in_link(link).await.unwrap();
    assert!(!store.use_sign_in_link(&[1; 32], NOW).await.unwrap(), "a link is not good when it expires");
    let session = NewSession { hash: [3; 32], created: NOW, expires: NOW.plus_ms(10) };
    store.create_session(session.clone()).await.unwrap();
    assert_eq!(store.session(&[3; 32], NOW.plus_ms(9)).await.unwrap(), Some(session));
    assert_eq!(store.session(&[3; 32], NOW.plus_ms(10)).await.unwrap(), None);
    store.delete_session(&[3; 32]).await.unwrap();
    assert_eq!(store.session(&[3; 32], NOW).await.unwrap(), None);
}

async fn keys(store: &dyn Catalog) -> Vec<procession_store::Key> {
    let new = |prefix: &str, purpose| NewKey {
        prefix: prefix.to_owned(),
        hash: [7; 32],
        purpose,
        host_pattern: Some("web-*".to_owned()),
        expires: Some(NOW.plus_ms(1)),
        created: NOW,
        label: Some("läbel".to_owned()),
    };
    let upload = store.create_key(new("one", KeyPurpose::Upload)).await.unwrap();
    let read = store.create_key(new("two", KeyPurpose::Read)).await.unwrap();
    assert!(store.create_key(new("two", KeyPurpose::Read)).await.is_err(), "a prefix is unique");
    assert_eq!(store.key_by_prefix("one").await.unwrap().as_ref(), Some(&upload));
    assert_eq!(store.key_by_prefix("on").await.unwrap(), None);
    assert!(store.change_key(upload.id, KeyChange::Revoked(NOW)).await.unwrap());
    assert!(store.change_key(upload.id, KeyChange::Revoked(NOW.plus_ms(9))).await.unwrap());
    assert!(store.change_key(read.id, KeyChange::Used(NOW.plus_ms(61_000))).await.unwrap());
    assert!(!store.change_key(999, KeyChange::Used(NOW)).await.unwrap());
    let kept = store.keys().await.unwrap();
    assert_eq!(
        kept.iter().map(|key| key.revoked).collect::<Vec<_>>(),
        [Some(NOW), None],
        "the first revocation stands"
    );
    let used = kept[1].last_used.unwrap();
    assert!(used <= NOW.plus_ms(61_000) && used > NOW.plus_ms(1_000));
    kept
}
