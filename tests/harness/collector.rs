//! An OpenTelemetry collector as the product meets one: OTLP over HTTP on a real socket. It keeps every span.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, ensure};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span as Exported,
};
use prost::Message as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::http::runtime;

/// The kinds that the protocol numbers.
const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// A span as it was exported; ids are hexadecimal digits.
#[derive(Debug, Clone)]
pub struct Span {
    /// What it is of.
    pub name: String,
    /// Its trace.
    pub trace: String,
    /// Its own id.
    pub id: String,
    /// The id of the span that it belongs to; empty for a root.
    pub parent: String,
    /// `server`, `client` or `internal`.
    pub kind: &'static str,
    /// Its attributes, numbers as text.
    pub fields: BTreeMap<String, String>,
    /// The ids of spans in other traces that it follows from.
    pub links: Vec<String>,
    /// The service that it was exported for.
    pub service: String,
}

impl Span {
    /// An attribute; empty if it has none of that name.
    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// A running collector. It ends when it is dropped.
pub struct Collector {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Kept {
    spans: Vec<Span>,
    bytes: Vec<u8>,
    /// What arrived and was no export of spans.
    strange: Vec<String>,
}

impl Collector {
    /// Starts one on a free port.
    pub fn start() -> Result<Self> {
        let runtime = runtime()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let (address, kept) = (listener.local_addr()?, Arc::<Mutex<Kept>>::default());
        let task = runtime.spawn(serve(listener, Arc::clone(&kept)));
        Ok(Self { address, kept, task })
    }

    /// What the configuration names it by.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every span so far; an error if anything else arrived.
    pub fn spans(&self) -> Result<Vec<Span>> {
        let kept = lock(&self.kept);
        ensure!(kept.strange.is_empty(), "the collector was sent {:?}", kept.strange);
        Ok(kept.spans.clone())
    }

    /// Whether `text` stands anywhere in what was exported.
    pub fn holds(&self, text: &str) -> bool {
        lock(&self.kept).bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let kept = Arc::clone(&kept);
        tokio::spawn(async move {
            if let Err(error) = connection(stream, &kept).await {
                lock(&kept).strange.push(format!("{error:#}"));
            }
        });
    }
}

/// Answers requests until the client goes.
async fn connection(stream: TcpStream, kept: &Mutex<Kept>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        ensure!(line.starts_with("POST /v1/traces HTTP/1.1"), "`{}`", line.trim_end());
        let mut length = None;
        loop {
            let mut header = String::new();
            stream.read_line(&mut header).await?;
            match header.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.trim().parse()?);
                }
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length.context("no content-length")?];
        stream.read_exact(&mut body).await?;
        keep(kept, &body)?;
        let answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await?;
        stream.flush().await?;
    }
}

fn keep(kept: &Mutex<Kept>, body: &[u8]) -> Result<()> {
    let request = ExportTraceServiceRequest::decode(body)?;
    let mut kept = lock(kept);
    kept.bytes.extend_from_slice(body);
    for resource in request.resource_spans {
        let attributes = resource.resource.map(|resource| fields(resource.attributes)).unwrap_or_default();
        let service = attributes.get("service.name").cloned().unwrap_or_default();
        let spans = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
        kept.spans.extend(spans.map(|span| read(span, &service)));
    }
    Ok(())
}

fn read(span: Exported, service: &str) -> Span {
    let kind = usize::try_from(span.kind).ok().and_then(|kind| KINDS.get(kind));
    Span {
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
        kind: kind.copied().unwrap_or_default(),
        fields: fields(span.attributes),
        links: span.links.iter().map(|link| hex(&link.span_id)).collect(),
        service: service.to_owned(),
    }
}

fn fields(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Option<Value>| match value {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().map(|one| (one.key, text(one.value.and_then(|value| value.value)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |four: u8| char::from_digit(u32::from(four), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
