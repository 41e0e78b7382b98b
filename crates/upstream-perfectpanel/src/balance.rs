//! The answer to `balance` (`protocol.md` §1.7).

use interline_upstream::{Answer, call::Stated};
use serde_json::Value;

use crate::{
    heard::Heard,
    value::{self, field},
};

/// Reads a balance, which may be negative.
pub(crate) fn read(heard: &Heard<'_>) -> Answer {
    let told = heard.good_json().filter(|_| heard.complaint().is_none());
    let stated = told.and_then(Value::as_object).and_then(|object| {
        let amount = field(object, "balance").and_then(value::amount)?;
        Some(Stated { amount, currency: value::currency(object) })
    });
    stated.map_or_else(|| Answer::Fault(heard.fault("no balance")), Answer::Balance)
}

#[cfg(test)]
mod tests {
    use interline_upstream::{Fault, Response};

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        read(&Heard::new(&Response { status, retry_after_ms: None, body: body.into() }))
    }

    #[test]
    fn balances_are_read_as_text_and_as_numbers() {
        for (body, amount, currency) in [
            (r#"{"balance":"100.84292","currency":"USD"}"#, "100.84292", Some("USD")),
            (r#"{"status":"success","balance":100.84292,"currency":"usd"}"#, "100.84292", Some("USD")),
            (r#"{"Balance":" -0.5 ","balancef":"$0.5"}"#, "-0.5", None),
            (r#"{"balance":1e-5,"currency":"$"}"#, "0.00001", None),
            (r#"{"balance":"0.0000005","error":null}"#, "0.000001", None),
        ] {
            let currency = currency.map(|code| code.parse().unwrap());
            assert_eq!(
                answer(200, body),
                Answer::Balance(Stated { amount: amount.parse().unwrap(), currency }),
                "{body}"
            );
        }
    }

    #[test]
    fn anything_else_is_a_fault() {
        for (status, body) in [
            (200, r#"{"balance":null}"#),
            (200, r#"{"balance":"a lot"}"#),
            (200, r#"{"balance":"9999999999999"}"#),
            (200, r#"{"status":"error","message":"later","balance":"1"}"#),
            (502, r#"{"balance":"1"}"#),
            (200, r#"["1"]"#),
        ] {
            assert!(matches!(answer(status, body), Answer::Fault(Fault::Unreadable(_))), "{status} {body}");
        }
    }
}
