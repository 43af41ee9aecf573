//! What staff ask for.
use prost::Message;
use souk_proto::orders::v1::{
    AddNoteRequest, DeliverOrderRequest, Order, RefundOrderRequest, ResumeOrderRequest,
    ShipOrderRequest,
};
use souk_rpc::{Failure, Violation, caller};
use souk_values::{Currency, Money, ProductId};
use tonic::{Request, Response, Status};

use super::{ENCODE_WHOLE, Orders, REASON_MAX, once, user};
use crate::app::order::{self, Shipping};
use crate::domain::address::{check_line, check_text};
use crate::domain::order::refund::Wish;
use crate::error::Error;
use crate::store::{self};

/// Longest note, in characters.
const NOTE_MAX: usize = 2_000;

impl Orders {
    pub(super) async fn ship(
        &self,
        request: Request<ShipOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let actor = caller(&request).actor();
        let request = request.into_inner();
        let (shipping, mut broken) = (shipping(&request), Vec::new());
        for (field, text, most) in [
            ("carrier", &shipping.carrier, 100),
            ("tracking_number", &shipping.tracking_number, 100),
            ("tracking_url", &shipping.tracking_url, 500),
        ] {
            // tracking numbers may look like card numbers
            let lines = text.chars().any(char::is_control) || text.chars().count() > most;
            if lines {
                let must = format!("must be one line of at most {most} characters");
                broken.push(Violation::new(field, must));
            }
        }
        let url = shipping.tracking_url.as_str();
        if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
            broken.push(Violation::new("tracking_url", "must begin with https:// or http://"));
        }
        if !broken.is_empty() {
            return Err(Error::Invalid(broken).into());
        }
        let id = self.id(&request.id).await?;
        let expected = request.expected_version;
        let after = order::ship(&self.app, id, shipping, &actor, expected).await?;
        self.answer(after, true).await
    }

    pub(super) async fn deliver(
        &self,
        request: Request<DeliverOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let actor = caller(&request).actor();
        let DeliverOrderRequest { id, expected_version } = request.into_inner();
        let id = self.id(&id).await?;
        let after = order::deliver(&self.app, id, &actor, expected_version).await?;
        self.answer(after, true).await
    }

    pub(super) async fn refund(
        &self,
        request: Request<RefundOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let staff = user(&caller(&request)).ok_or(Error::OrderNotFound)?;
        let request = request.into_inner();
        let db = store::order::fresh(&self.app.db);
        let found = store::order::find_by_key(db, &request.id).await.map_err(Error::from)?;
        let found = found.ok_or(Error::OrderNotFound)?;
        let wish = wish(&request, found.currency())?;
        let request = order::Request {
            id: found.id,
            wish,
            staff,
            once: once(request.idempotency_key, request.fingerprint),
            expected: request.expected_version,
        };
        let answer = order::refund(&self.app, request, ENCODE_WHOLE).await?;
        let answer = Order::decode(answer.as_slice()).map_err(|e| Failure::internal(&e))?;
        Ok(Response::new(answer))
    }

    pub(super) async fn note(
        &self,
        request: Request<AddNoteRequest>,
    ) -> Result<Response<Order>, Status> {
        let actor = caller(&request).actor();
        let AddNoteRequest { id, text } = request.into_inner();
        let text = text.trim().to_owned();
        if text.is_empty() {
            return Err(Error::field("text", "is required").into());
        }
        check_text(&text, NOTE_MAX).map_err(|must| Error::field("text", must))?;
        let id = self.id(&id).await?;
        let after = order::add_note(&self.app, id, text, &actor).await?;
        self.answer(after, true).await
    }

    pub(super) async fn resume(
        &self,
        request: Request<ResumeOrderRequest>,
    ) -> Result<Response<Order>, Status> {
        let actor = caller(&request).actor();
        let id = self.id(&request.into_inner().id).await?;
        let after = order::resume(&self.app, id, &actor).await?;
        self.answer(after, true).await
    }

    async fn id(&self, key: &str) -> Result<souk_values::OrderId, Error> {
        let found = store::order::id_of(store::order::fresh(&self.app.db), key).await?;
        found.ok_or(Error::OrderNotFound)
    }
}

fn shipping(request: &ShipOrderRequest) -> Shipping {
    let text = |text: &str| text.trim().to_owned();
    Shipping {
        carrier: text(&request.carrier),
        tracking_number: text(&request.tracking_number),
        tracking_url: text(&request.tracking_url),
    }
}

/// All broken fields at once.
fn wish(request: &RefundOrderRequest, currency: Currency) -> Result<Wish, Error> {
    let mut broken = Vec::new();
    let amount =
        request.amount.as_deref().and_then(|text| match Money::parse_price(text, currency) {
            Ok(money) => Some(money.minor),
            Err(e) => {
                broken.push(Violation::new("amount", e));
                None
            }
        });
    let mut lines: Vec<(ProductId, i64)> = Vec::with_capacity(request.lines.len());
    for (index, line) in request.lines.iter().enumerate() {
        match line.product_id.parse() {
            Ok(id) => lines.push((id, line.quantity)),
            Err(_) => {
                let field = format!("lines[{index}].product_id");
                broken.push(Violation::new(field, "is not in the order"));
            }
        }
    }
    let reason = request.reason.trim().to_owned();
    if let Err(must) = check_line(&reason, 0, REASON_MAX) {
        broken.push(Violation::new("reason", must));
    }
    if broken.is_empty() {
        Ok(Wish { amount, lines, restock: request.restock, reason })
    } else {
        Err(Error::Invalid(broken))
    }
}
