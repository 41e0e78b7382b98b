//! The answer to `services` (`protocol.md` §1.5).

use std::collections::BTreeSet;

use interline_domain::ServiceType;
use interline_upstream::{Answer, Listing};
use rust_decimal::Decimal;
use serde_json::Value;

use crate::{
    heard::Heard,
    value::{self, Object, field, flag, text, whole},
};

/// Reads a catalogue. What is not a list of services is a fault and never an empty catalogue: panels answer errors,
/// pages and `"Empty Data"` here, and whoever believed that would take every service off sale.
pub(crate) fn read(heard: &Heard<'_>) -> Answer {
    let services = heard.good_json().filter(|_| heard.complaint().is_none()).and_then(list);
    let Some(services) = services else { return Answer::Fault(heard.fault("no list of services")) };
    let listings: Vec<Listing> = services.iter().filter_map(listing).collect();
    if listings.is_empty() && !services.is_empty() {
        return Answer::Fault(heard.fault("no service that can be read"));
    }
    Answer::Catalogue(listings)
}

/// The list of services, bare or in an envelope.
fn list(body: &Value) -> Option<&[Value]> {
    match body {
        Value::Array(services) => Some(services),
        Value::Object(object) => {
            let services = ["services", "data"].iter().find_map(|name| field(object, name)?.as_array());
            services.map(Vec::as_slice)
        }
        _ => None,
    }
}

/// One service; nothing if it cannot be sold as it stands: without id, price or bounds.
fn listing(service: &Value) -> Option<Listing> {
    let service = service.as_object()?;
    let min = bound(service, "min")?.max(1);
    let max = bound(service, "max")?;
    let rate = value::decimal(field(service, "rate")?).filter(|rate| *rate >= Decimal::ZERO)?;
    let words = |name| field(service, name).and_then(text).unwrap_or_default();
    let says = |name| field(service, name).and_then(flag);
    (min <= max).then_some(Listing {
        service: value::id(field(service, "service")?)?,
        name: words("name"),
        category: words("category"),
        service_type: service_type(service),
        rate,
        price: None,
        min,
        max,
        refill: says("refill"),
        cancel: says("cancel"),
        dripfeed: says("dripfeed"),
        changes: BTreeSet::new(),
        upgrades: BTreeSet::new(),
    })
}

/// A bound of the quantity.
fn bound(service: &Object, name: &str) -> Option<u64> {
    field(service, name).and_then(whole).and_then(|bound| u64::try_from(bound).ok())
}

/// The type; a panel that names none has services of the default type only.
fn service_type(service: &Object) -> Option<ServiceType> {
    match field(service, "type") {
        None | Some(Value::Null) => Some(ServiceType::Default),
        Some(label) => ServiceType::from_label(label.as_str()?),
    }
}

#[cfg(test)]
mod tests {
    use interline_upstream::{Fault, Response};

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        read(&Heard::new(&Response { status, retry_after_ms: None, body: body.into() }))
    }

    fn listed(service: &str) -> Option<Listing> {
        listing(&serde_json::from_str(service).unwrap())
    }

    #[test]
    fn a_service_is_read_however_its_values_are_written() {
        let wanted = Listing {
            service: "7".to_owned(),
            name: "Likes".to_owned(),
            category: "Posts".to_owned(),
            service_type: Some(ServiceType::Default),
            rate: "0.9".parse().unwrap(),
            price: None,
            min: 50,
            max: 10_000,
            refill: Some(true),
            cancel: Some(false),
            dripfeed: None,
            changes: BTreeSet::new(),
            upgrades: BTreeSet::new(),
        };
        for service in [
            r#"{"service":7,"name":"Likes","type":"Default","category":"Posts","rate":"0.90","min":"50","max":"10000","refill":true,"cancel":false}"#,
            r#"{"service":"7","name":" Likes\n","type":"default","category":"Posts","rate":0.9,"min":50,"max":10000,"refill":1,"cancel":0}"#,
            r#"{"Service":"7","Name":"Likes","Category":"Posts","Rate":9e-1,"Min":50.0,"Max":"1e4","Refill":"yes","Cancel":"false","dripfeed":null}"#,
        ] {
            assert_eq!(listed(service), Some(wanted.clone()), "{service}");
        }
    }

    #[test]
    fn what_is_missing_is_left_open() {
        let listing = listed(r#"{"service":1,"rate":0,"min":0,"max":1,"category":null,"type":"Hologram"}"#).unwrap();
        assert_eq!((listing.name.as_str(), listing.category.as_str(), listing.service_type), ("", "", None));
        assert_eq!((listing.min, listing.max, listing.rate), (1, 1, Decimal::ZERO));
        assert_eq!((listing.refill, listing.cancel, listing.dripfeed), (None, None, None));
    }

    #[test]
    fn types_are_known_by_their_labels_and_never_by_numbers() {
        let type_of = |label: &str| listed(&format!(r#"{{"service":1,"rate":1,"min":1,"max":1,"type":{label}}}"#));
        for known in ServiceType::ALL {
            for label in [known.label().to_owned(), known.label().to_lowercase().replace(' ', "_")] {
                let listing = type_of(&format!("\"{label}\"")).unwrap();
                assert_eq!(listing.service_type, Some(known), "{label}");
            }
        }
        for label in ["10", "\"10\"", "\"Hologram\"", "true", "[\"Default\"]"] {
            assert_eq!(type_of(label).unwrap().service_type, None, "{label}");
        }
        assert_eq!(type_of("null").unwrap().service_type, Some(ServiceType::Default));
    }

    #[test]
    fn a_service_that_cannot_be_sold_is_left_out() {
        for service in [
            r#"{"rate":"1","min":"1","max":"2"}"#,
            r#"{"service":"","rate":"1","min":"1","max":"2"}"#,
            r#"{"service":1,"min":"1","max":"2"}"#,
            r#"{"service":1,"rate":"-1","min":"1","max":"2"}"#,
            r#"{"service":1,"rate":"free","min":"1","max":"2"}"#,
            r#"{"service":1,"rate":"1","max":"2"}"#,
            r#"{"service":1,"rate":"1","min":"3","max":"2"}"#,
            r#"{"service":1,"rate":"1","min":0,"max":0}"#,
            r#"{"service":1,"rate":"1","min":-1,"max":2}"#,
            r#"{"service":1,"rate":"1","min":"1.5","max":2}"#,
            "[]",
            "7",
        ] {
            assert_eq!(listed(service), None, "{service}");
        }
    }

    #[test]
    fn one_bad_entry_does_not_spoil_the_catalogue() {
        let good = r#"{"service":1,"rate":"1","min":"1","max":"2"}"#;
        for body in
            [format!("[null,{good},{{}}]"), format!(r#"{{"services":[{good}]}}"#), format!(r#"{{"Data":[{good}]}}"#)]
        {
            assert_eq!(answer(200, &body), Answer::Catalogue(vec![listed(good).unwrap()]), "{body}");
        }
        assert_eq!(answer(200, "[]"), Answer::Catalogue(Vec::new()));
    }

    #[test]
    fn what_is_no_list_of_services_is_a_fault() {
        for (status, body) in [
            (200, r#"{"status":"success","data":"Empty Data"}"#),
            (200, r#"{"error":"maintenance","services":[]}"#),
            (200, r#"[{"service":1,"rate":"1","min":"1""#),
            (200, "[{},{}]"),
            (200, "{}"),
            (500, "[]"),
        ] {
            assert!(matches!(answer(status, body), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
        }
        assert!(matches!(answer(401, r#"{"error":"Invalid API key"}"#), Answer::Fault(Fault::Refused(_))));
    }
}
