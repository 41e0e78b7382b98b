//! The PerfectPanel v2 face at `/api/v2`.

use std::sync::Arc;

use axum::{
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use interline_domain::{AccountId, Currency, OrderId};
use interline_orders::{AccountRecord, CancelRefusal, Gateway, PlaceRefusal, StatusView, StoreError};
use interline_panel_protocol::{
    Command, Encoded, GivenId, Incoming, Key, Parsed, Refused, Reply, ServiceLine, StatusLine, encode, encode_services,
    parse,
};
use moka::sync::Cache;

/// Price lists kept in memory, one per version, currency and discount.
const PRICE_LISTS_MAX: u64 = 64;
/// What a client is told to wait when we are too busy, in seconds.
const RETRY_AFTER_S: u64 = 1;

/// The state of the face.
pub(crate) struct Panel {
    gateway: Arc<Gateway>,
    request_body_bytes_max: usize,
    price_lists: Cache<(i64, Currency, String), Arc<[u8]>>,
}

impl Panel {
    pub(crate) fn new(gateway: Arc<Gateway>, request_body_bytes_max: usize) -> Self {
        Self { gateway, request_body_bytes_max, price_lists: Cache::new(PRICE_LISTS_MAX) }
    }
}

/// Answers whatever arrives, in the face's own dialect.
pub(crate) async fn answer(State(panel): State<Arc<Panel>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, panel.request_body_bytes_max).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return respond(encode(&Reply::Refused(panel.unreadable(error.as_ref())))),
    };
    let parsed = parse(&incoming(&head.headers, head.uri.query().unwrap_or_default(), &body));
    respond(encode(&panel.reply(parsed).await))
}

fn incoming<'a>(headers: &'a HeaderMap, query: &'a str, body: &'a Bytes) -> Incoming<'a> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    Incoming {
        content_type: text(header::CONTENT_TYPE),
        query,
        body,
        authorization: text(header::AUTHORIZATION),
        cookies: text(header::COOKIE).unwrap_or_default(),
    }
}

fn respond(encoded: Encoded) -> Response {
    let mut response = Response::new(Body::from(encoded.body));
    *response.status_mut() = axum::http::StatusCode::from_u16(encoded.status).unwrap_or_default();
    let headers = response.headers_mut();
    // Exactly so, without a charset: some clients compare it (`protocol.md`, trap 1).
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(seconds) = encoded.retry_after_s {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

impl Panel {
    fn unreadable(&self, error: &(dyn std::error::Error + 'static)) -> Refused {
        Refused::BadRequest(if error.is::<LengthLimitError>() {
            format!("the request body is larger than {} bytes", self.request_body_bytes_max)
        } else {
            "the request body could not be read".to_owned()
        })
    }

    async fn reply(&self, parsed: Parsed) -> Reply {
        if parsed.key == Key::Absent && parsed.unreadable {
            // The key may stand in what could not be read: what is wrong with that helps more than "no key".
            return Reply::Refused(parsed.command.err().unwrap_or(Refused::InvalidKey));
        }
        let account = match self.account(parsed.key).await {
            Ok(account) => account,
            Err(refused) => {
                return Reply::Refused(parsed.command.map_or(refused.clone(), |command| refused.said_to(&command)));
            }
        };
        match parsed.command {
            Err(refused) => Reply::Refused(refused),
            Ok(command) => {
                self.run(&account, &command).await.unwrap_or_else(|refused| Reply::Refused(refused.said_to(&command)))
            }
        }
    }

    async fn account(&self, key: Key) -> Result<AccountRecord, Refused> {
        let Key::One(key) = key else { return Err(Refused::InvalidKey) };
        self.gateway.authenticate(&key).await.map_err(later)?.ok_or(Refused::InvalidKey)
    }

    async fn run(&self, account: &AccountRecord, command: &Command) -> Result<Reply, Refused> {
        Ok(match command {
            Command::Services => Reply::Services(self.price_list(account)),
            Command::Balance => Reply::Balance(self.gateway.balance(account).await.map_err(later)?),
            Command::Add { service, fields } => {
                Reply::Added(self.gateway.place(account, service, fields).await.map_err(not_placed)?)
            }
            Command::Status(given) => {
                let lines = self.statuses(&account.id, std::slice::from_ref(given)).await?;
                Reply::Status(lines.into_iter().next().and_then(|line| line.1).ok_or(Refused::IncorrectOrder)?)
            }
            Command::StatusMany(given) => Reply::StatusMany(self.statuses(&account.id, given).await?),
            Command::Cancel(given) => self.cancel(&account.id, given).await.map(|()| Reply::Canceled)?,
            Command::CancelMany(given) => {
                let mut answers = Vec::with_capacity(given.len());
                for one in given {
                    answers.push((one.clone(), self.cancel(&account.id, one).await));
                }
                Reply::CanceledMany(answers)
            }
        })
    }

    /// The account's price list, written once per version of the catalogue.
    fn price_list(&self, account: &AccountRecord) -> Arc<[u8]> {
        let catalogue = self.gateway.catalogue();
        let key = (catalogue.version, account.currency, account.discount_percent.normalize().to_string());
        self.price_lists.get_with(key, || {
            let line = |priced: interline_orders::Priced<'_>| ServiceLine {
                id: priced.service.id,
                name: priced.service.name.clone(),
                service_type: priced.service.service_type,
                category: priced.service.category.clone(),
                rate: priced.rate,
                min: priced.service.min,
                max: priced.service.max,
                refill: priced.service.refill,
                cancel: priced.service.cancel,
                dripfeed: priced.service.dripfeed,
                description: priced.service.description.clone(),
            };
            let lines: Vec<ServiceLine> = catalogue.price_list(account).into_iter().map(line).collect();
            encode_services(&lines).into()
        })
    }

    async fn statuses(
        &self,
        account: &AccountId,
        given: &[GivenId],
    ) -> Result<Vec<(GivenId, Option<StatusLine>)>, Refused> {
        let ids: Vec<OrderId> = given.iter().filter_map(|g| g.id).collect();
        let found = self.gateway.statuses(account, &ids).await.map_err(later)?;
        Ok(given.iter().map(|g| (g.clone(), g.id.and_then(|id| found.get(&id)).map(line))).collect())
    }

    async fn cancel(&self, account: &AccountId, given: &GivenId) -> Result<(), Refused> {
        let order = given.id.ok_or(Refused::IncorrectOrder)?;
        self.gateway.cancel(account, order).await.map_err(|refusal| match refusal {
            CancelRefusal::Order => Refused::IncorrectOrder,
            CancelRefusal::NotOffered => Refused::NoCancel,
            CancelRefusal::Store(error) => later(error),
        })
    }
}

fn line(view: &StatusView) -> StatusLine {
    StatusLine {
        charge: view.charge,
        start_count: view.start_count,
        status: view.status,
        remains: view.remains,
        currency: view.currency,
    }
}

fn not_placed(refusal: PlaceRefusal) -> Refused {
    match refusal {
        PlaceRefusal::Service => Refused::IncorrectService,
        PlaceRefusal::Field(text) => Refused::BadRequest(text),
        PlaceRefusal::Funds => Refused::NotEnoughFunds,
        PlaceRefusal::NoUpstream => Refused::NoUpstream,
        PlaceRefusal::Store(error) => later(error),
    }
}

/// A failure of ours that will pass; it is logged here, once, and the customer is told to come back.
#[expect(clippy::needless_pass_by_value, reason = "it is the last place that the error reaches")]
fn later(error: StoreError) -> Refused {
    if matches!(error, StoreError::Busy) {
        tracing::warn!("too busy: a call was sent away");
    } else {
        tracing::error!(%error, "a call could not be answered");
    }
    Refused::TryLater { retry_after_s: RETRY_AFTER_S }
}
