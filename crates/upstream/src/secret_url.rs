//! An address that may hold a key.

use std::{fmt, ops::Deref};

use secrecy::{ExposeSecret, SecretString};

/// A whole address with its query, in which a key may stand. It is sent and never shown: it has no `Display`, and its
/// `Debug` ends where the query begins.
#[derive(Clone)]
pub struct SecretUrl(SecretString);

impl From<String> for SecretUrl {
    fn from(url: String) -> Self {
        Self(url.into())
    }
}

/// For whoever opens a connection to it.
impl Deref for SecretUrl {
    type Target = str;
    fn deref(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.split(['?', '#']).next().unwrap_or_default();
        // Before `@` stand a user and a password.
        let shown = shown.rsplit_once('@').map_or(shown, |(_, rest)| rest);
        write!(f, "{shown}\u{2026}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_query_and_its_user_are_not_shown() {
        let url =
            SecretUrl::from("https://me:pass@upstream.example/api/newOrder?key=k3yk3y&amount=1#k3yk3y".to_owned());
        assert_eq!(format!("{url:?}"), "upstream.example/api/newOrder\u{2026}");
        assert!(url.contains("key=k3yk3y"), "it is sent whole");
    }
}
