//! A catalogue file applied: what it makes, changes and disables, and that it is done as a whole or not at all.

use std::collections::BTreeMap;

use interline_domain::{ServiceId, ServiceType};
use rust_decimal::Decimal;
use secrecy::ExposeSecret as _;

use super::{NOW, Site, customer, eur, money, on_both, upstream, upstream_id, usd};
use crate::{Applied, Desired, DesiredUpstream, OfferRecord, SellPrice, ServiceRecord, Store, StoreError, UpstreamKey};

/// Broken: applying the same file again writes everything again and sends every server back to the database; or a dry
/// run tells something else than what then happens, or does it.
#[tokio::test]
async fn the_same_file_twice_changes_nothing() {
    on_both(async |site: &Site| {
        let store = site.open().await;
        let before = shown(&store).await;
        let tried = store.apply(&file(), true, NOW).await.unwrap();
        assert_eq!(shown(&store).await, before, "a dry run did something");
        let names = names(&[
            "currency USD",
            "currency EUR",
            "upstream alpha",
            "upstream beta",
            "service 101",
            "service 102",
            "account panel-a",
        ]);
        assert_eq!(tried, Applied { created: names.clone(), ..Applied::default() });
        assert_eq!(store.apply(&file(), false, NOW).await.unwrap(), tried);
        assert_eq!(store.services().await.unwrap(), file().services.unwrap());

        let before = shown(&store).await;
        let again = store.apply(&file(), false, NOW.plus_ms(1)).await.unwrap();
        assert_eq!(again, Applied { unchanged: names, ..Applied::default() });
        assert_eq!(shown(&store).await, before);
    })
    .await;
}

/// Broken: a change in the file does not arrive, what it leaves out goes on being sold or used, or a section that it
/// does not have is emptied.
#[tokio::test]
async fn a_changed_file_changes_what_it_says() {
    on_both(async |site: &Site| {
        let store = site.open().await;
        store.apply(&file(), false, NOW).await.unwrap();
        let (version, _) = store.versions().await.unwrap();
        let applied = store.apply(&changed(), false, NOW).await.unwrap();
        let (created, unchanged) = (Vec::new(), names(&["currency USD", "account panel-a"]));
        let updated = names(&["currency EUR", "upstream alpha", "service 101"]);
        let disabled = names(&["upstream beta", "service 102"]);
        assert_eq!(applied, Applied { created, updated, unchanged, disabled });

        let catalogue = store.catalogue().await.unwrap();
        assert!(catalogue.version > version, "no server would see it");
        assert_eq!(catalogue.currencies[0].rate.to_string(), "1.2", "EUR");
        let [(alpha, _), (beta, _)] = catalogue.upstreams.as_slice() else { panic!("{catalogue:?}") };
        assert_eq!((alpha.url.as_str(), alpha.enabled, beta.enabled), ("https://new.example/api/v2", true, false));
        assert!(
            matches!(&alpha.key, UpstreamKey::Plain(key) if key.expose_secret() == "key-of-alpha"),
            "a key that the file does not name was lost"
        );
        let [kept, left_out] = catalogue.services.as_slice() else { panic!("{catalogue:?}") };
        assert_eq!(*kept, service(101, &[("beta", "7")]));
        let disabled = |offer: OfferRecord| OfferRecord { enabled: false, ..offer };
        let offers = service(102, &[("beta", "9"), ("alpha", "3")]).offers.into_iter().map(disabled).collect();
        assert_eq!(*left_out, ServiceRecord { enabled: false, offers, ..service(102, &[]) });

        let before = shown(&store).await;
        let again = store.apply(&changed(), false, NOW).await.unwrap();
        assert_eq!(again.unchanged.len(), 5);
        assert_eq!(Applied { unchanged: Vec::new(), ..again }, Applied::default());
        assert_eq!(store.apply(&Desired::default(), false, NOW).await.unwrap(), Applied::default());
        assert_eq!(shown(&store).await, before);
        store.apply(&file(), false, NOW).await.unwrap();
        assert_eq!(store.services().await.unwrap(), file().services.unwrap(), "what was left out came back");
    })
    .await;
}

/// Broken: a file with a mistake in it is applied by half.
#[tokio::test]
async fn a_file_that_is_refused_changes_nothing() {
    on_both(async |site: &Site| {
        let store = site.open().await;
        store.apply(&file(), false, NOW).await.unwrap();
        let before = shown(&store).await;
        let unknown = vec![service(101, &[("alpha", "1")]), service(103, &[("gamma", "1")])];
        let moved = DesiredUpstream { currency: eur(), ..upstream("beta") };
        let keyless = DesiredUpstream { key: None, ..upstream("gamma") };
        for (mistake, wrong) in [
            ("there is no upstream `gamma`", Desired { services: Some(unknown), ..changed() }),
            ("its currency cannot change", Desired { upstreams: Some(vec![upstream("alpha"), moved]), ..changed() }),
            ("is new and has no `key`", Desired { upstreams: Some(vec![keyless]), ..changed() }),
            ("its currency cannot change", Desired { accounts: vec![(customer(), eur(), Decimal::ZERO)], ..changed() }),
        ] {
            let refused = store.apply(&wrong, false, NOW).await.err();
            let told = matches!(&refused, Some(StoreError::Refused(text)) if text.contains(mistake));
            assert!(told, "{mistake}: {refused:?}");
            assert_eq!(shown(&store).await, before, "{mistake}");
        }
    })
    .await;
}

/// Broken: a customer made by hand is made twice, or changes its currency under the money that it has.
#[tokio::test]
async fn an_account_is_made_once_and_keeps_its_currency() {
    on_both(async |site: &Site| {
        let store = site.open().await;
        assert!(store.create_account(&customer(), usd(), NOW).await.unwrap());
        let before = store.accounts().await.unwrap();
        assert!(!store.create_account(&customer(), usd(), NOW.plus_ms(1)).await.unwrap());
        let refused = store.create_account(&customer(), eur(), NOW).await.err();
        assert!(matches!(refused, Some(StoreError::Refused(_))), "{refused:?}");
        assert_eq!(store.accounts().await.unwrap(), before);
    })
    .await;
}

/// The whole catalogue and its version, but for the keys' texts.
async fn shown(store: &Store) -> String {
    format!("{:#?}", store.catalogue().await.unwrap())
}

fn file() -> Desired {
    Desired {
        currencies: vec![(usd(), Decimal::ONE), (eur(), "1.1".parse().unwrap())],
        upstreams: Some(vec![upstream("alpha"), upstream("beta")]),
        services: Some(vec![
            service(101, &[("alpha", "1"), ("beta", "2")]),
            service(102, &[("beta", "9"), ("alpha", "3")]),
        ]),
        accounts: vec![(customer(), usd(), Decimal::ZERO)],
    }
}

/// The same with another rate and address, without beta and without service 102.
fn changed() -> Desired {
    let alpha = DesiredUpstream { url: "https://new.example/api/v2".to_owned(), key: None, ..upstream("alpha") };
    Desired {
        currencies: vec![(usd(), Decimal::ONE), (eur(), "1.2".parse().unwrap())],
        upstreams: Some(vec![alpha]),
        services: Some(vec![service(101, &[("beta", "7")])]),
        ..file()
    }
}

fn service(id: i64, offers: &[(&str, &str)]) -> ServiceRecord {
    let offer = |(upstream, service): &(&str, &str)| OfferRecord {
        upstream: upstream_id(upstream),
        service: (*service).to_owned(),
        enabled: true,
        params: BTreeMap::from([("country".to_owned(), "DE".to_owned())]),
    };
    let price = if id == 102 { SellPrice::Markup("30.5".parse().unwrap()) } else { SellPrice::Rate(money("2.5")) };
    ServiceRecord {
        id: ServiceId(id),
        name: format!("Followers {id} ✓"),
        category: "Followers".to_owned(),
        service_type: ServiceType::Default,
        price,
        min: 10,
        max: 100_000,
        refill: true,
        cancel: false,
        dripfeed: false,
        enabled: true,
        description: String::new(),
        offers: offers.iter().map(offer).collect(),
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
