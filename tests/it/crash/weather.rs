//! What goes on at the upstreams, whether a gateway lives or not: faults, and the life of the orders there.

use acceptance::{Upstream, sandbox::FaultKind};

use super::dice::Dice;

/// What a submission may meet. An upstream that gives one number to two orders (`DuplicateId`) is not among it: then
/// nobody could tell whose order it is, and a test of its own shows what becomes of that.
const OF_SUBMISSIONS: [FaultKind; 15] = [
    FaultKind::TakeAndDrop,
    FaultKind::TakeAndHang,
    FaultKind::TakeAnd502,
    FaultKind::WrongId,
    FaultKind::Html,
    FaultKind::Empty,
    FaultKind::UnknownError,
    FaultKind::Refusal,
    FaultKind::RefusalUnder502,
    FaultKind::NoFunds,
    FaultKind::BadLink,
    FaultKind::TooManyRequests,
    FaultKind::ActiveOrder,
    FaultKind::ChargeDrift,
    FaultKind::Slow,
];

/// What another call may meet.
const OF_OTHERS: [FaultKind; 7] = [
    FaultKind::TakeAndDrop,
    FaultKind::TakeAndHang,
    FaultKind::Html,
    FaultKind::Empty,
    FaultKind::UnknownError,
    FaultKind::TooManyRequests,
    FaultKind::Slow,
];

/// The other calls.
const OTHERS: [&str; 4] = ["status", "cancel", "balance", "services"];

/// Words that an order does not come back from.
const ENDS: [&str; 3] = ["Completed", "Partial", "Canceled"];

/// Lets one fault strike: a closed port, a connection that drops before anything is read, or what a call meets.
pub(crate) fn strike(upstream: &Upstream, dice: &mut Dice) {
    let (count, delay_ms) = (dice.number(1, 3), u64::from(dice.number(0, 60)));
    match dice.number(0, 9) {
        // How long connections are refused.
        0 => upstream.meet("*", FaultKind::RefuseConnection, 0, 20 + delay_ms),
        1 => upstream.meet("*", FaultKind::DropBeforeReading, 1, delay_ms),
        2 | 3 => {
            if let (Some(action), Some(kind)) = (dice.pick(&OTHERS), dice.pick(&OF_OTHERS)) {
                upstream.meet(action, *kind, count, delay_ms);
            }
        }
        _ => {
            if let Some(kind) = dice.pick(&OF_SUBMISSIONS) {
                upstream.meet("add", *kind, count, delay_ms);
            }
        }
    }
}

/// Moves some of the orders on that have not ended.
pub(crate) fn live(upstream: &Upstream, dice: &mut Dice) {
    for order in upstream.orders() {
        if ENDS.contains(&order.status.as_str()) || dice.chance(70) {
            continue;
        }
        let most = u32::try_from(order.quantity).unwrap_or(u32::MAX).saturating_sub(1);
        let remains = Some(i64::from(dice.number(1, most)));
        match dice.number(0, 9) {
            0..=3 => upstream.move_on(&order.id, "Completed", None),
            4 | 5 => upstream.move_on(&order.id, "Partial", remains),
            6 => upstream.move_on(&order.id, "Canceled", None),
            _ => upstream.move_on(&order.id, "In progress", remains),
        }
    }
}

/// Brings every order to its end.
pub(crate) fn complete(upstream: &Upstream) {
    for order in upstream.orders() {
        if !ENDS.contains(&order.status.as_str()) {
            upstream.move_on(&order.id, "Completed", None);
        }
    }
}
