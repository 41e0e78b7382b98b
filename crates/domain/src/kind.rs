//! What is sold: service types and the typed parameters of an order, parsed once at the door.
//!
//! A further type of `protocol.md` §1.4 is a variant of [`ServiceType`] and one of [`OrderKind`]; the compiler then shows
//! every place that has to know it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Longest target (`link`) that is taken in, in bytes.
pub const TARGET_BYTES_MAX: usize = 2_048;

/// The parameters of an order as a panel sent them: names in lower case, values trimmed, empty values absent.
pub type Fields = BTreeMap<String, String>;

/// The type label of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ServiceType {
    /// A link and a quantity.
    Default,
}

impl ServiceType {
    /// Every type there is.
    pub const ALL: [Self; 1] = [Self::Default];

    /// The exact label that panels compare.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Default => "Default",
        }
    }

    /// Reads a label as leniently as panel software does: case, spaces, `_` and `-` do not count.
    pub fn from_label(label: &str) -> Option<Self> {
        let plain = |text: &str| -> String {
            text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
        };
        let wanted = plain(label);
        Self::ALL.into_iter().find(|kind| plain(kind.label()) == wanted)
    }
}

/// A parameter that cannot be taken; the text names the field and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is needed and was not sent.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// It is not what it should be.
    #[error("`{field}` must be {allowed}")]
    Malformed {
        /// The field's name on the wire.
        field: &'static str,
        /// What would be taken.
        allowed: String,
    },
    /// This service does not take it.
    #[error("`{0}` is not offered by this service")]
    NotOffered(&'static str),
}

/// What is to be delivered, with everything its type needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type")]
pub enum OrderKind {
    /// `quantity` units to `link`.
    Default {
        /// The target, as the customer wrote it (trimmed).
        link: String,
        /// Units to deliver.
        quantity: u64,
    },
}

impl OrderKind {
    /// Reads the parameters that `service_type` uses and ignores the rest, as clients send superfluous ones.
    pub fn parse(service_type: ServiceType, fields: &Fields) -> Result<Self, FieldError> {
        match service_type {
            ServiceType::Default => {
                let link = target(fields, "link")?;
                for drip in ["runs", "interval"] {
                    // Zero is how panel software writes "no drip-feed".
                    if fields.get(drip).is_some_and(|value| value != "0") {
                        return Err(FieldError::NotOffered(drip));
                    }
                }
                Ok(Self::Default { link, quantity: whole(fields, "quantity")? })
            }
        }
    }

    /// The type of service that delivers it.
    pub const fn service_type(&self) -> ServiceType {
        match self {
            Self::Default { .. } => ServiceType::Default,
        }
    }

    /// Where it is delivered to.
    pub fn target(&self) -> &str {
        match self {
            Self::Default { link, .. } => link,
        }
    }

    /// How many units are delivered in all.
    pub const fn quantity(&self) -> u64 {
        match self {
            Self::Default { quantity, .. } => *quantity,
        }
    }
}

/// A target: present, one line, of bounded length.
fn target(fields: &Fields, field: &'static str) -> Result<String, FieldError> {
    let text = fields.get(field).ok_or(FieldError::Missing(field))?;
    if text.len() > TARGET_BYTES_MAX || text.chars().any(char::is_control) {
        let allowed = format!("one line of at most {TARGET_BYTES_MAX} bytes without control characters");
        return Err(FieldError::Malformed { field, allowed });
    }
    Ok(text.clone())
}

/// A whole number from 1 to 2147483647.
fn whole(fields: &Fields, field: &'static str) -> Result<u64, FieldError> {
    let text = fields.get(field).ok_or(FieldError::Missing(field))?;
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse::<u64>().ok().filter(|n| digits && (1..=2_147_483_647).contains(n));
    number.ok_or_else(|| FieldError::Malformed { field, allowed: "a whole number from 1 to 2147483647".to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn a_default_order_needs_a_link_and_a_quantity() {
        let good =
            fields(&[("link", "https://a.example/p"), ("quantity", "100"), ("comments", "ignored"), ("runs", "0")]);
        let kind = OrderKind::parse(ServiceType::Default, &good).unwrap();
        assert_eq!((kind.target(), kind.quantity()), ("https://a.example/p", 100));
        let missing = OrderKind::parse(ServiceType::Default, &fields(&[("quantity", "1")])).unwrap_err();
        assert_eq!(missing.to_string(), "`link` is missing");
    }

    #[test]
    fn a_bad_field_is_named() {
        for quantity in ["0", "-5", "1.5", "1e3", "+1", "99999999999", "ten", "١"] {
            let error =
                OrderKind::parse(ServiceType::Default, &fields(&[("link", "x"), ("quantity", quantity)])).unwrap_err();
            assert_eq!(error.to_string(), "`quantity` must be a whole number from 1 to 2147483647", "{quantity}");
        }
        let drip = fields(&[("link", "x"), ("quantity", "1"), ("runs", "3")]);
        assert_eq!(OrderKind::parse(ServiceType::Default, &drip), Err(FieldError::NotOffered("runs")));
        let lines = fields(&[("link", "x\ny"), ("quantity", "1")]);
        assert!(matches!(
            OrderKind::parse(ServiceType::Default, &lines),
            Err(FieldError::Malformed { field: "link", .. })
        ));
    }

    #[test]
    fn labels_are_read_leniently() {
        for label in ["Default", "default", " DEFAULT "] {
            assert_eq!(ServiceType::from_label(label), Some(ServiceType::Default));
        }
        assert_eq!(ServiceType::from_label("Hologram"), None);
    }
}
