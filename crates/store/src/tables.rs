//! The tables that groups write, column by column. A row's type in [`crate::rows`] has the same fields.

use crate::sets::{
    Kind::{Bool, Int, Json, Text},
    Present, Table,
};

pub(crate) const ORDERS: Table = Table {
    name: "orders",
    columns: &[
        ("id", Int),
        ("account", Text),
        ("service", Int),
        ("kind", Json),
        ("target", Text),
        ("target_key", Text),
        ("quantity", Int),
        ("currency", Text),
        ("rate", Int),
        ("charge", Int),
        ("refund", Int),
        ("status", Text),
        ("start_count", Int),
        ("remains", Int),
        ("vague_partials", Int),
        ("cancel_requested_at", Int),
        ("plan", Json),
        ("created_at", Int),
        ("ended_at", Int),
        ("trace", Text),
    ],
    key: &["id"],
    present: Present::Takes(&[
        "refund",
        "status",
        "start_count",
        "remains",
        "vague_partials",
        "cancel_requested_at",
        "ended_at",
    ]),
};

pub(crate) const ATTEMPTS: Table = Table {
    name: "attempts",
    columns: &[
        ("id", Int),
        ("order_id", Int),
        ("upstream", Text),
        ("upstream_service", Text),
        ("params", Json),
        ("state", Text),
        ("upstream_order", Text),
        ("currency", Text),
        ("reserve", Int),
        ("wip", Int),
        ("last_charge", Int),
        ("charge_read", Bool),
        ("cost", Int),
        ("claim", Int),
        ("postings", Int),
        ("to_loss", Bool),
        ("send_number", Int),
        ("owner", Text),
        ("lease_until", Int),
        ("not_before", Int),
        ("queued_at", Int),
        ("sent_at", Int),
        ("decided_at", Int),
        ("ended_at", Int),
        ("reason", Text),
    ],
    key: &["id"],
    present: Present::Takes(&[
        "state",
        "upstream_order",
        "wip",
        "last_charge",
        "charge_read",
        "cost",
        "claim",
        "postings",
        "to_loss",
        "send_number",
        "owner",
        "lease_until",
        "not_before",
        "sent_at",
        "decided_at",
        "ended_at",
        "reason",
    ]),
};

pub(crate) const BALANCES: Table = Table {
    name: "balances",
    columns: &[("account", Text), ("currency", Text), ("balance", Int), ("version", Int), ("floor", Int)],
    key: &["account"],
    present: Present::Takes(&["balance", "version"]),
};

/// Balances that are missing are made before they are locked, so that two writers never both begin at zero.
pub(crate) const NEW_BALANCES: Table = Table { present: Present::Stays, ..BALANCES };

pub(crate) const TRANSACTIONS: Table = Table {
    name: "transactions",
    columns: &[("id", Int), ("key", Text), ("posted_at", Int), ("effective_at", Int), ("reason", Text), ("fx", Json)],
    key: &["id"],
    present: Present::Fails,
};

pub(crate) const ENTRIES: Table = Table {
    name: "entries",
    columns: &[
        ("id", Int),
        ("transaction_id", Int),
        ("account", Text),
        ("currency", Text),
        ("amount", Int),
        ("account_version", Int),
        ("balance_after", Int),
        ("floor", Int),
        ("order_id", Int),
        ("attempt_id", Int),
        ("upstream", Text),
        ("service", Int),
        ("customer", Text),
    ],
    key: &["id"],
    present: Present::Fails,
};

pub(crate) const REFILLS: Table = Table {
    name: "refills",
    columns: &[
        ("id", Int),
        ("order_id", Int),
        ("attempt_id", Int),
        ("upstream", Text),
        ("state", Text),
        ("status", Text),
        ("upstream_refill", Text),
        ("owner", Text),
        ("lease_until", Int),
        ("postings", Int),
        ("created_at", Int),
        ("ended_at", Int),
        ("reason", Text),
    ],
    key: &["id"],
    present: Present::Takes(&["state", "status", "upstream_refill", "postings", "ended_at", "reason"]),
};

pub(crate) const EVENTS: Table = Table {
    name: "events",
    columns: &[
        ("id", Int),
        ("order_id", Int),
        ("attempt_id", Int),
        ("upstream", Text),
        ("at", Int),
        ("kind", Text),
        ("text", Text),
        ("data", Json),
    ],
    key: &["id"],
    present: Present::Fails,
};

pub(crate) const FINDINGS: Table = Table {
    name: "findings",
    columns: &[
        ("id", Int),
        ("key", Text),
        ("kind", Text),
        ("at", Int),
        ("upstream", Text),
        ("order_id", Int),
        ("attempt_id", Int),
        ("text", Text),
    ],
    key: &["key"],
    present: Present::Stays,
};

pub(crate) const CASES: Table = Table {
    name: "cases",
    columns: &[
        ("id", Int),
        ("kind", Text),
        ("order_id", Int),
        ("attempt_id", Int),
        ("upstream", Text),
        ("amount", Int),
        ("currency", Text),
        ("opened_at", Int),
        ("resolved_at", Int),
        ("resolution", Text),
        ("suggested", Text),
        ("evidence", Json),
    ],
    key: &["id"],
    present: Present::Takes(&["amount", "resolved_at", "resolution", "suggested", "evidence"]),
};

pub(crate) const DUE: Table = Table {
    name: "due",
    columns: &[
        ("kind", Text),
        ("subject", Text),
        ("upstream", Text),
        ("due_at", Int),
        ("interval_ms", Int),
        ("lease_until", Int),
    ],
    key: &["kind", "subject"],
    present: Present::Takes(&["upstream", "due_at", "interval_ms", "lease_until"]),
};

/// What is on the list already keeps its time.
pub(crate) const NEW_DUE: Table = Table { present: Present::Stays, ..DUE };

pub(crate) const RECENT_ORDERS: Table = Table {
    name: "recent_orders",
    columns: &[("account", Text), ("fingerprint", Text), ("order_id", Int), ("until", Int)],
    key: &["account", "fingerprint"],
    present: Present::Takes(&["order_id", "until"]),
};

/// An order that was not there when the group was read: somebody else's twin must fail it, so that it is read again.
pub(crate) const RECENT_ORDERS_NEW: Table = Table { present: Present::Fails, ..RECENT_ORDERS };

pub(crate) const READINGS: Table = Table {
    name: "balance_readings",
    columns: &[
        ("id", Int),
        ("upstream", Text),
        ("asked_at", Int),
        ("answered_at", Int),
        ("reading", Int),
        ("lower", Int),
        ("upper", Int),
    ],
    key: &["id"],
    present: Present::Fails,
};

pub(crate) const UPSTREAM_STATE: Table = Table {
    name: "upstream_state",
    columns: &[
        ("upstream", Text),
        ("reading", Int),
        ("reading_asked_at", Int),
        ("reading_at", Int),
        ("reading_book", Int),
        ("balance_fault", Text),
        ("excess", Int),
        ("excess_since", Int),
    ],
    key: &["upstream"],
    present: Present::Takes(&[
        "reading",
        "reading_asked_at",
        "reading_at",
        "reading_book",
        "balance_fault",
        "excess",
        "excess_since",
    ]),
};

pub(crate) const UPSTREAM_SERVICES: Table = Table {
    name: "upstream_services",
    columns: &[
        ("upstream", Text),
        ("service", Text),
        ("name", Text),
        ("category", Text),
        ("service_type", Text),
        ("rate", Text),
        ("price", Json),
        ("min", Int),
        ("max", Int),
        ("refill", Bool),
        ("cancel", Bool),
        ("dripfeed", Bool),
        ("changes", Json),
        ("upgrades", Json),
        ("present", Bool),
    ],
    key: &["upstream", "service"],
    present: Present::Takes(&[
        "name",
        "category",
        "service_type",
        "rate",
        "price",
        "min",
        "max",
        "refill",
        "cancel",
        "dripfeed",
        "changes",
        "upgrades",
        "present",
    ]),
};

pub(crate) const CURRENCIES: Table = Table {
    name: "currencies",
    columns: &[("code", Text), ("rate", Text), ("updated_at", Int)],
    key: &["code"],
    present: Present::Takes(&["rate", "updated_at"]),
};

pub(crate) const ACCOUNTS: Table = Table {
    name: "accounts",
    columns: &[("id", Text), ("currency", Text), ("discount_percent", Text), ("enabled", Bool), ("created_at", Int)],
    key: &["id"],
    present: Present::Takes(&["discount_percent"]),
};

pub(crate) const SERVICES: Table = Table {
    name: "services",
    columns: &[
        ("id", Int),
        ("generation", Int),
        ("position", Int),
        ("name", Text),
        ("category", Text),
        ("service_type", Text),
        ("rate", Int),
        ("markup_percent", Text),
        ("min", Int),
        ("max", Int),
        ("refill", Bool),
        ("cancel", Bool),
        ("dripfeed", Bool),
        ("enabled", Bool),
        ("description", Text),
    ],
    key: &["id", "generation"],
    present: Present::Fails,
};

pub(crate) const OFFERS: Table = Table {
    name: "offers",
    columns: &[
        ("service", Int),
        ("generation", Int),
        ("position", Int),
        ("upstream", Text),
        ("upstream_service", Text),
        ("enabled", Bool),
        ("params", Json),
    ],
    key: &["service", "generation", "position"],
    present: Present::Fails,
};

/// Every table that sets are written to, for the test that prepares their statements on both engines.
#[cfg(test)]
pub(crate) const ALL: [&Table; 21] = [
    &ORDERS,
    &ATTEMPTS,
    &BALANCES,
    &NEW_BALANCES,
    &TRANSACTIONS,
    &ENTRIES,
    &REFILLS,
    &EVENTS,
    &FINDINGS,
    &CASES,
    &DUE,
    &RECENT_ORDERS,
    &RECENT_ORDERS_NEW,
    &NEW_DUE,
    &CURRENCIES,
    &ACCOUNTS,
    &SERVICES,
    &OFFERS,
    &READINGS,
    &UPSTREAM_STATE,
    &UPSTREAM_SERVICES,
];
