//! Streamskill's addresses below `/v1` (`protocol.md` §6).

use http::Method;

/// What is at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Every tarif.
    Tarifs,
    /// One tarif.
    Tarif(u64),
    /// A new purchase.
    Create,
    /// Every purchase.
    All,
    /// Every purchase that has not ended.
    Unfinished,
    /// Some purchases.
    Bulk,
    /// One purchase.
    One(u64),
    /// Its start.
    Start(u64),
    /// Its stop.
    Stop(u64),
    /// The stop of several.
    BulkStop,
    /// More time for one.
    Prolong(u64),
    /// Nothing.
    Nothing,
}

impl Route {
    /// What is at `path`, asked for by `method`.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let of = |id: &str, route: fn(u64) -> Self| id.parse::<u64>().ok().map(route);
        let found = match (method.as_str(), parts.as_slice()) {
            ("GET", ["tarifs"]) => Some(Self::Tarifs),
            ("GET", ["tarifs", id]) => of(id, Self::Tarif),
            ("GET", ["purchases"]) => Some(Self::All),
            ("GET", ["purchases", "uncomplete"]) => Some(Self::Unfinished),
            ("GET", ["purchases", "bulk"]) => Some(Self::Bulk),
            ("GET", ["purchases", id]) => of(id, Self::One),
            ("POST", ["purchases", "create"]) => Some(Self::Create),
            ("POST", ["purchases", "bulk-stop"]) => Some(Self::BulkStop),
            ("POST", ["purchases", id, "start"]) => of(id, Self::Start),
            ("POST", ["purchases", id, "stop"]) => of(id, Self::Stop),
            ("POST", ["purchases", id, "prolong"]) => of(id, Self::Prolong),
            _ => None,
        };
        found.unwrap_or(Self::Nothing)
    }

    /// The action that faults and the journal know it by; empty for none.
    pub(crate) const fn action(self) -> &'static str {
        match self {
            Self::Tarifs | Self::Tarif(_) => "services",
            Self::Create => "add",
            Self::All | Self::Unfinished => "orders",
            Self::Bulk | Self::One(_) => "status",
            Self::Start(_) => "resume",
            Self::Stop(_) | Self::BulkStop => "pause",
            Self::Prolong(_) => "prolong",
            Self::Nothing => "",
        }
    }

    /// The purchase that it is about, if it names one.
    pub(crate) const fn order(self) -> Option<u64> {
        match self {
            Self::One(id) | Self::Start(id) | Self::Stop(id) | Self::Prolong(id) => Some(id),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_one_thing() {
        for (method, path, route) in [
            (Method::GET, "/tarifs", Route::Tarifs),
            (Method::GET, "/tarifs/7", Route::Tarif(7)),
            (Method::GET, "/purchases/bulk", Route::Bulk),
            (Method::GET, "/purchases/7", Route::One(7)),
            (Method::POST, "/purchases/create", Route::Create),
            (Method::POST, "/purchases/bulk-stop", Route::BulkStop),
            (Method::POST, "/purchases/7/prolong", Route::Prolong(7)),
            (Method::GET, "/purchases/create", Route::Nothing),
            (Method::POST, "/purchases/7", Route::Nothing),
            (Method::GET, "/purchases/x", Route::Nothing),
            (Method::GET, "", Route::Nothing),
        ] {
            assert_eq!(Route::of(&method, path), route, "{method} {path}");
        }
    }
}
