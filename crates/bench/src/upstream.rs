//! An upstream that answers at once and remembers nothing but a count: whatever it costs is taken from the same cores.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::Result;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
};

use crate::{http::Messages, process};

/// Services that it lists, and that the gateway sells.
pub(crate) const SERVICES: u32 = 1_000;
/// What is in its balance at the start.
pub(crate) const FUNDS: u64 = 100_000_000;
/// Its price per 1000, at which an order costs a tenth.
const RATE: &str = "1.00";

struct Upstream {
    /// Ids begin here: even ones are of orders that run for ever, odd ones of orders that have ended.
    first: u64,
    orders: AtomicU64,
    services: String,
}

/// Serves on a free port that it says on stdout.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    process::say(&format!("listening on http://{}", listener.local_addr()?))?;
    let upstream = Arc::new(Upstream::new()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let upstream = Arc::clone(&upstream);
        tokio::spawn(async move {
            // A connection that breaks is seen at the other end, where it is counted.
            let _ = upstream.connection(stream).await;
        });
    }
}

impl Upstream {
    fn new() -> Result<Self> {
        // Another start must not give an id again.
        let first = u64::try_from(jiff::Timestamp::now().as_second())? * 1_000_000;
        Ok(Self { first, orders: AtomicU64::new(0), services: services() })
    }

    async fn connection(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (mut messages, mut out) = (Messages::new(), Vec::new());
        while let Some(request) = messages.next(&mut stream).await? {
            let body = self.answer(&String::from_utf8_lossy(request.body));
            out.clear();
            write!(
                out,
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )?;
            stream.write_all(&out).await?;
        }
        Ok(())
    }

    fn answer(&self, form: &str) -> Cow<'_, str> {
        match field(form, "action") {
            "add" => self.add(form.contains("%2Fends%2F")).into(),
            "status" => match field(form, "orders") {
                "" => state(field(form, "order")).into(),
                orders => states(orders).into(),
            },
            "balance" => {
                let tenths = FUNDS * 10 - self.orders.load(Ordering::Relaxed);
                format!("{{\"balance\":\"{}.{}\",\"currency\":\"USD\"}}", tenths / 10, tenths % 10).into()
            }
            "services" => self.services.as_str().into(),
            _ => "{\"error\":\"Incorrect request\"}".into(),
        }
    }

    fn add(&self, ends: bool) -> String {
        let id = self.first + self.orders.fetch_add(1, Ordering::Relaxed) * 2 + u64::from(ends);
        format!("{{\"order\":{id}}}")
    }
}

/// A field of a form as it was sent.
fn field<'a>(form: &'a str, name: &str) -> &'a str {
    let value = |pair: &'a str| pair.strip_prefix(name)?.strip_prefix('=');
    form.split('&').find_map(value).unwrap_or_default()
}

/// How an order stands: its id says it.
fn state(id: &str) -> String {
    let ended = id.bytes().last().is_some_and(|digit| digit % 2 == 1);
    let (status, remains) = if ended { ("Completed", "0") } else { ("In progress", "100") };
    format!(
        "{{\"charge\":\"0.1\",\"start_count\":\"7\",\"status\":\"{status}\",\"remains\":\"{remains}\",\"currency\":\"USD\"}}"
    )
}

fn states(ids: &str) -> String {
    let mut body = String::from("{");
    for id in ids.split("%2C") {
        let comma = if body.len() > 1 { "," } else { "" };
        // A text takes whatever is written.
        let _ = write!(body, "{comma}\"{id}\":{}", state(id));
    }
    body + "}"
}

fn services() -> String {
    let service = |id: u32| {
        format!(
            "{{\"service\":\"{id}\",\"name\":\"Placement {id}\",\"type\":\"Default\",\"rate\":\"{RATE}\",\"min\":\"10\",\
             \"max\":\"100000\",\"category\":\"Placements\",\"cancel\":true,\"refill\":false}}"
        )
    };
    format!("[{}]", (1..=SERVICES).map(service).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_how_its_order_stands() {
        let upstream = Upstream { first: 10, orders: AtomicU64::new(0), services: services() };
        assert_eq!(upstream.answer("key=k&action=add&service=1&link=x%2Fopen%2F1"), "{\"order\":10}");
        assert_eq!(upstream.answer("key=k&action=add&service=1&link=x%2Fends%2F1"), "{\"order\":13}");
        assert!(upstream.answer("key=k&action=status&order=10").contains("In progress"));
        let both = upstream.answer("key=k&action=status&orders=10%2C13");
        let both: serde_json::Value = serde_json::from_str(&both).unwrap();
        assert_eq!((&both["10"]["status"], &both["13"]["status"]), (&"In progress".into(), &"Completed".into()));
        assert_eq!(upstream.answer("action=balance&key=k"), "{\"balance\":\"99999999.8\",\"currency\":\"USD\"}");
    }

    #[test]
    fn it_lists_what_is_sold() {
        let listed: Vec<serde_json::Value> = serde_json::from_str(&services()).unwrap();
        assert_eq!(listed.len(), usize::try_from(SERVICES).unwrap());
    }
}
