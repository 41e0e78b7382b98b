//! Secrets at rest and the keys of customers.

use std::fs;

use secrecy::ExposeSecret as _;

use super::{NOW, Site, customer, execute, on_both};
use crate::{
    Engine, KeyRecord, MasterKey, NewKey, Store, StoreError, UpstreamKey, UpstreamRecord, db::q, new_master_key,
    secrets::new_api_key,
};

/// Broken: with the wrong key file the gateway starts, and fails or seals with two keys from then on.
#[tokio::test]
async fn another_master_key_is_refused() {
    on_both(async |site: &Site| {
        drop(site.open().await);
        let other = MasterKey::from_base64(&new_master_key()).unwrap();
        let refused = Box::pin(Store::open(&site.url, other, NOW)).await.err();
        assert!(matches!(refused, Some(StoreError::MasterKey(_))), "{refused:?}");
        drop(site.open().await);
    })
    .await;
}

/// Broken: who can write to the database makes us send one upstream's key to another upstream's address.
#[tokio::test]
async fn a_sealed_key_opens_only_in_its_own_row() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let catalogue = store.catalogue().await.unwrap();
        let keys: Vec<&str> = catalogue.upstreams.iter().map(|(record, _)| plain_key(record)).collect();
        assert_eq!(keys, ["key-of-alpha", "key-of-beta"]);
        let theft = "UPDATE upstreams SET key_sealed = (SELECT key_sealed FROM upstreams WHERE id = 'alpha')
                     WHERE id = 'beta'";
        assert_eq!(execute(&store, theft).await.unwrap(), 1);
        let refused = store.catalogue().await.err();
        assert!(matches!(refused, Some(StoreError::MasterKey(_))), "{refused:?}");
    })
    .await;
}

/// Broken: a customer's key is not found, or is found for ever: past its end, or after it was revoked.
#[tokio::test]
async fn a_key_is_valid_until_its_end_or_its_revocation() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let end = NOW.plus_ms(1_000);
        let (made, key) = store.create_key(&customer(), NewKey { expires_at: Some(end), ..shop() }, NOW).await.unwrap();
        let key = key.expose_secret();
        let found = find(&store, key).await;
        assert_eq!((found.id.as_str(), found.account.clone(), found.label.as_str()), (&*made.id, customer(), "shop"));
        assert!(found.is_valid(end.plus_ms(-1)) && !found.is_valid(end));
        assert_eq!(store.keys(&customer()).await.unwrap().len(), 1);

        assert!(store.revoke_key(&made.id, NOW.plus_ms(1)).await.unwrap());
        assert!(store.revoke_key(&made.id, NOW.plus_ms(2)).await.unwrap());
        assert!(!store.revoke_key("key_000000000000", NOW).await.unwrap());
        store.forget_keys();
        let revoked = find(&store, key).await;
        assert_eq!(revoked.revoked_at, Some(NOW.plus_ms(1)), "the first revocation counts");
        assert!(!revoked.is_valid(NOW.plus_ms(1)));

        assert!(store.find_key(new_api_key().expose_secret()).await.unwrap().is_none());
        let nobody = store.create_key(&"nobody".parse().unwrap(), NewKey::default(), NOW).await.err();
        assert!(matches!(nobody, Some(StoreError::Refused(_))), "{nobody:?}");
    })
    .await;
}

/// Broken: every request asks the database for its key; or a server is never told that a key has changed and goes on
/// taking a revoked one.
#[tokio::test]
async fn keys_are_found_in_memory_until_they_are_forgotten() {
    on_both(async |site: &Site| {
        let stores = [site.stocked().await, site.open().await];
        let (_, first) = stores[0].versions().await.unwrap();
        let (made, key) = stores[0].create_key(&customer(), shop(), NOW).await.unwrap();
        let key = key.expose_secret();
        let (_, second) = stores[0].versions().await.unwrap();
        assert!(second > first, "a key that is new is not announced");
        assert_eq!(find(&stores[0], key).await.label, "shop");
        execute(&stores[0], "UPDATE api_keys SET label = 'changed'").await.unwrap();
        assert_eq!(find(&stores[0], key).await.label, "shop", "it was asked of the database");

        // Another process revokes it; this one learns it by the version.
        assert!(stores[1].revoke_key(&made.id, NOW).await.unwrap());
        assert!(find(&stores[0], key).await.is_valid(NOW));
        let (_, third) = stores[0].versions().await.unwrap();
        assert!(third > second, "a revocation is not announced");
        stores[0].forget_keys();
        let fresh = find(&stores[0], key).await;
        assert_eq!((fresh.label.as_str(), fresh.revoked_at), ("changed", Some(NOW)));
    })
    .await;
}

/// Broken: a guess that shares the public id of a customer's key is taken for that key.
#[tokio::test]
async fn a_key_is_compared_as_a_whole() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let (_, key) = store.create_key(&customer(), shop(), NOW).await.unwrap();
        // A hash that differs in its last digit alone belongs to another key, whose id would be the same.
        let last = "CASE SUBSTR(hash, 64) WHEN '0' THEN '1' ELSE '0' END";
        execute(&store, &format!("UPDATE api_keys SET hash = SUBSTR(hash, 1, 63) || {last}")).await.unwrap();
        assert!(store.find_key(key.expose_secret()).await.unwrap().is_none());
    })
    .await;
}

/// Broken: a copy of the database is enough to order in a customer's name, or to spend our money at an upstream.
#[tokio::test]
async fn no_key_is_readable_in_the_database() {
    on_both(async |site: &Site| {
        let store = site.stocked().await;
        let (made, key) = store.create_key(&customer(), shop(), NOW).await.unwrap();
        let stored = stored(site, &store).await;
        let holds = |text: &str| stored.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(holds(&made.prefix) && holds("https://alpha.example"), "the rows are not in what was read");
        let secret = &key.expose_secret()[made.prefix.len()..];
        assert!(!holds(secret), "the customer's key can be read");
        assert!(!holds("key-of-alpha") && !holds("key-of-beta"), "an upstream's key can be read");
    })
    .await;
}

/// The key of that text.
async fn find(store: &Store, key: &str) -> KeyRecord {
    store.find_key(key).await.unwrap().unwrap()
}

fn plain_key(record: &UpstreamRecord) -> &str {
    match &record.key {
        UpstreamKey::Plain(key) => key.expose_secret(),
        other => panic!("{other:?}"),
    }
}

/// What who copies the database gets: SQLite's files, or the rows that have to do with keys.
async fn stored(site: &Site, store: &Store) -> Vec<u8> {
    if site.engine == Engine::Sqlite {
        return [site.file(""), site.file("-wal")].iter().flat_map(|file| fs::read(file).unwrap()).collect();
    }
    let text = "SELECT CAST(k AS TEXT) AS line FROM api_keys k UNION ALL SELECT CAST(u AS TEXT) FROM upstreams u
                UNION ALL SELECT CAST(m AS TEXT) FROM meta m";
    let rows = q(text).all(&*store.db).await.unwrap();
    rows.iter().flat_map(|row| row.get::<String>("line").unwrap().into_bytes()).collect()
}

fn shop() -> NewKey {
    NewKey { label: "shop".to_owned(), ..NewKey::default() }
}
