//! The negative control: a gateway that breaks the central rule is caught by the very check that clears the real one.

use std::{env, fs};

use acceptance::{Gateway, Setup, on_both, sandbox::FaultKind, wait_until};
use anyhow::{Context, Result};

#[test]
fn fail_over_on_unknown_makes_a_duplicate_and_the_journals_show_it() -> Result<()> {
    on_both(|engine| {
        let gateway = Gateway::start(engine, &Setup::two().sabotage("failover_on_unknown"))?;
        let link = "https://example.com/twice";
        gateway.upstream("alpha")?.fail(FaultKind::TakeAndDrop, 1);
        gateway.place(link, 1000)?;
        wait_until("the second order", || Ok(gateway.upstream("beta")?.order(link).is_ok()))?;
        // Had this found nothing, no other test's clean journal would prove anything.
        assert_eq!(gateway.duplicates().get(link), Some(&2));
        Ok(())
    })
}

#[test]
fn the_product_has_no_sabotage_in_it() -> Result<()> {
    let holds = |variable: &str| -> Result<bool> {
        let path = env::var(variable).with_context(|| format!("{variable}: run the tests by `cargo xtask test`"))?;
        Ok(String::from_utf8_lossy(&fs::read(&path)?).contains("INTERLINE_SABOTAGE"))
    };
    assert!(holds("INTERLINE_TEST_SABOTAGE_BIN")?, "the word is not even in the binary that has it");
    assert!(!holds("INTERLINE_TEST_BIN")?);
    Ok(())
}
