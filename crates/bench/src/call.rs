//! What is measured: calls of the panel API, written once and sent again and again.

use crate::http::post;

/// The service that is ordered.
pub(crate) const SERVICE: &str = "1";
/// How much of it.
pub(crate) const QUANTITY: u32 = 100;
/// Digits of the number that makes each link another one.
pub(crate) const DIGITS: usize = 12;

/// A call that is made over and over.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// What the table says.
    pub(crate) name: &'static str,
    /// The whole requests, sent in turn.
    pub(crate) requests: Vec<Vec<u8>>,
    /// Each request ends in a number of [`DIGITS`] digits that must be new.
    pub(crate) numbered: bool,
    /// How the body of a success begins.
    pub(crate) success: String,
}

impl Call {
    fn of(name: &'static str, forms: impl IntoIterator<Item = String>, success: &str) -> Self {
        let requests = forms.into_iter().map(|form| post(&form)).collect();
        Self { name, requests, numbered: false, success: success.to_owned() }
    }

    /// What is in the wallet.
    pub(crate) fn balance(key: &str) -> Self {
        Self::of("balance", [format!("key={key}&action=balance")], "{\"balance\":")
    }

    /// The whole price list.
    pub(crate) fn services(key: &str) -> Self {
        Self::of("services (1,000)", [format!("key={key}&action=services")], "[{\"service\":")
    }

    /// One order, each of `ids` in turn.
    pub(crate) fn status(name: &'static str, key: &str, ids: &[i64]) -> Self {
        Self::of(name, ids.iter().map(|id| format!("key={key}&action=status&order={id}")), "{\"charge\":")
    }

    /// All of `ids` in one call.
    pub(crate) fn statuses(name: &'static str, key: &str, ids: &[i64]) -> Self {
        let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
        let first = texts.first().cloned().unwrap_or_default();
        let form = format!("key={key}&action=status&orders={}", texts.join("%2C"));
        Self::of(name, [form], &format!("{{\"{first}\":{{\"charge\":"))
    }

    /// An order for a link that nobody ordered before. `ends` tells our upstream to say that it is completed.
    pub(crate) fn add(key: &str, ends: bool) -> Self {
        let word = if ends { "ends" } else { "open" };
        let zeros = "0".repeat(DIGITS);
        let form = format!(
            "key={key}&action=add&service={SERVICE}&quantity={QUANTITY}\
             &link=https%3A%2F%2Fexample.com%2F{word}%2F{zeros}"
        );
        Self { numbered: true, ..Self::of("add", [form], "{\"order\":") }
    }
}

/// Writes the number that a request ends in.
pub(crate) fn number(request: &mut [u8], mut number: u64) {
    for digit in request.iter_mut().rev().take(DIGITS) {
        *digit = b"0123456789"[usize::try_from(number % 10).unwrap_or(0)];
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_makes_another_link_of_the_same_length() {
        let call = Call::add("k", false);
        let mut request = call.requests[0].clone();
        number(&mut request, 1_234);
        assert!(request.ends_with(b"%2Fopen%2F000000001234"));
        assert_eq!(request.len(), call.requests[0].len());
    }
}
