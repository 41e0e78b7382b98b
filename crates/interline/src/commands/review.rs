//! `interline review`

use anyhow::anyhow;
use interline_domain::CaseId;
use interline_orders::{Resolution, ReviewError};
use interline_store::CaseRow;
use serde_json::{Value, json};

use crate::{
    cli::{ResolveArgs, ReviewCommand},
    config::Config,
    output::{self, parse_id, time},
    wiring,
};

/// Runs one of the commands.
pub(crate) async fn run(config: &Config, command: ReviewCommand, as_json: bool) -> anyhow::Result<()> {
    let gateway = wiring::gateway(config).await?;
    match command {
        ReviewCommand::List { all, page } => {
            let after: i64 = page.after.as_deref().map(parse_id::<CaseId>).transpose()?.map_or(0, |c| c.0);
            let cases = gateway.store().cases(all).await?;
            let limit = page.limit.unwrap_or(usize::MAX);
            let rows = cases.iter().filter(|c| c.id.0 > after).take(limit).map(shown).collect();
            output::list(
                rows,
                &["case", "kind", "status", "order", "upstream", "amount", "currency", "age_s", "suggested"],
                as_json,
            )
        }
        ReviewCommand::Show { case } => {
            let id: CaseId = parse_id(&case)?;
            let case = gateway.store().case(id).await?.ok_or_else(|| anyhow!("there is no case {id}"))?;
            let mut row = shown(&case);
            row["evidence"] = case.evidence;
            if let Some(resolution) = case.resolution {
                row["evidence"]["resolution"] = json!(resolution);
            }
            output::json(&row)
        }
        ReviewCommand::Resolve { case, how } => {
            let id: CaseId = parse_id(&case)?;
            gateway.resolve(id, resolution(how)).await.map_err(|error| match error {
                ReviewError::TooEarly(from) => anyhow!(
                    "the submission may still be under way; \"not delivered\" can be said from {} on",
                    time(from)
                ),
                other => anyhow!(other),
            })?;
            if as_json {
                output::json(&json!({"case": id, "status": "resolved"}))
            } else {
                output::line(&format!("case {id} resolved"))
            }
        }
    }
}

fn resolution(how: ResolveArgs) -> Resolution {
    match how.delivered {
        Some(order) => Resolution::Delivered(order.trim().to_owned()),
        None if how.not_delivered => Resolution::NotDelivered,
        None => Resolution::WriteOff,
    }
}

fn shown(case: &CaseRow) -> Value {
    let until = case.resolved_at.unwrap_or_else(wiring::now);
    json!({
        "case": case.id, "kind": case.kind, "status": if case.resolved_at.is_some() { "resolved" } else { "open" },
        "order": case.order_id, "attempt": case.attempt_id, "upstream": case.upstream,
        "amount": case.amount.map(|a| a.to_string()), "currency": case.currency, "opened_at": time(case.opened_at),
        "age_s": until.since(case.opened_at) / 1_000, "suggested": case.suggested,
    })
}
