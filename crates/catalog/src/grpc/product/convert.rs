//! Between the wire and the domain.
use prost::Message;
use souk_proto::catalog::v1::{ListProductsRequest, Product as Wire, ProductFields, ProductKind};
use souk_proto::types::v1::Money as WireMoney;
use souk_rpc::Violation;
use souk_values::{Currency, Money, Sku, Slug};

use crate::domain::category::CategoryPath;
use crate::domain::product::{Kind, Patch, Product, rules};
use crate::error::Error;
use crate::store::product::Filter;

/// The request as bytes that are the same for the same request: maps have no order on the wire.
pub(super) fn canonical(fields: &Option<ProductFields>) -> Vec<u8> {
    let mut fields = fields.clone().unwrap_or_default();
    let attributes = fields.attributes.take().map(|map| {
        let mut pairs: Vec<_> = map.values.into_iter().collect();
        pairs.sort();
        pairs
    });
    let mut bytes = fields.encode_to_vec();
    bytes.extend(format!("{attributes:?}").into_bytes());
    bytes
}

/// What a request says, as far as it can be read, and all that is broken in it.
pub(super) struct Wish {
    pub(super) sku: Option<Sku>,
    pub(super) patch: Patch,
    pub(super) broken: Vec<Violation>,
}

impl Wish {
    /// One sentence for each field: the first one stays.
    pub(super) fn breaks(&mut self, field: &str, message: &str) {
        if !self.broken.iter().any(|v| v.field == field) {
            self.broken.push(Violation::new(field, message));
        }
    }

    /// A product cannot be made without a name and a price.
    pub(super) fn complete(mut self) -> Self {
        for (field, absent) in
            [("name", self.patch.name.is_none()), ("price", self.patch.price.is_none())]
        {
            if absent {
                self.breaks(field, "is required");
            }
        }
        self
    }

    /// Only a request that is in order.
    pub(super) fn fine(self) -> Result<(Option<Sku>, Patch), Error> {
        if self.broken.is_empty() {
            Ok((self.sku, self.patch))
        } else {
            Err(Error::Invalid(self.broken))
        }
    }
}

/// Parses all fields. `currency`: of prices that say none.
pub(super) fn from_proto(fields: ProductFields, currency: Currency) -> Wish {
    let mut broken = Vec::new();
    let sku = check(&mut broken, "sku", fields.sku, |text| Sku::parse(&text));
    let said = check(&mut broken, "currency", fields.currency, |code| code.parse::<Currency>());
    if said.is_some_and(|said| said != currency) && fields.price.is_none() {
        broken.push(Violation::new("price", "is needed to change the currency"));
    }
    let currency = said.unwrap_or(currency);
    let price =
        check(&mut broken, "price", fields.price, |text| Money::parse_price(&text, currency));
    let patch = Patch {
        slug: check(&mut broken, "slug", fields.slug, |text| Slug::parse(&text)),
        name: check(&mut broken, "name", fields.name, |text| rules::name(&text)),
        description: check(&mut broken, "description", fields.description, |text| {
            rules::description(&text)
        }),
        brand: check(&mut broken, "brand", fields.brand, |text| rules::brand(&text)),
        category: check(&mut broken, "category", fields.category, |text| match text.as_str() {
            "" => Ok(None),
            text => CategoryPath::parse(text).map(Some),
        }),
        tags: check(&mut broken, "tags", fields.tags, |list| rules::tags(&list.values)),
        kind: check(&mut broken, "kind", fields.kind, |number| {
            match ProductKind::try_from(number) {
                Ok(ProductKind::Physical) => Ok(Kind::Physical),
                Ok(ProductKind::Digital) => Ok(Kind::Digital),
                _ => Err("must be \"physical\" or \"digital\""),
            }
        }),
        condition: check(&mut broken, "condition", fields.condition, |text| {
            rules::condition(&text)
        }),
        old_price: check(&mut broken, "old_price", fields.old_price, |wish| {
            let price = wish.text.map(|text| Money::parse_price(&text, currency));
            price.transpose().map(|price| price.map(|money| money.minor))
        }),
        stock: check(&mut broken, "stock", fields.stock, rules::stock),
        active: fields.active,
        images: check(&mut broken, "images", fields.images, |list| rules::images(&list.values)),
        attributes: check(&mut broken, "attributes", fields.attributes, |map| {
            rules::attributes(&map.values.into_iter().collect())
        }),
        handle: check(&mut broken, "handle", fields.handle, |text| rules::handle(&text)),
        price,
    };
    Wish { sku, patch, broken }
}

fn check<T, U, E: ToString>(
    broken: &mut Vec<Violation>,
    field: &str,
    value: Option<T>,
    rule: impl FnOnce(T) -> Result<U, E>,
) -> Option<U> {
    match value.map(rule)? {
        Ok(value) => Some(value),
        Err(e) => {
            broken.push(Violation::new(field, e));
            None
        }
    }
}

/// What a list is asked to hold. Hidden products only for those who may see them.
pub(super) fn filter(
    request: &ListProductsRequest,
    sees_hidden: bool,
    broken: &mut Vec<Violation>,
) -> Filter {
    let text = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut no_nul = |field: &str, text: &str| {
        if text.contains('\0') {
            broken.push(Violation::new(field, "must not contain control characters"));
        }
    };
    no_nul("brand", &request.brand);
    no_nul("text", &request.text);
    request.tags.iter().for_each(|tag| no_nul("tag", tag));
    if request.text.split_whitespace().count() > 10 {
        broken.push(Violation::new("text", "must have at most 10 words"));
    }
    if let Err(sentence) = rules::condition(&request.condition) {
        broken.push(Violation::new("condition", sentence));
    }
    let category = match request.category.as_str() {
        "" => None,
        path => check(broken, "category", Some(path), CategoryPath::parse),
    };
    if let (Some(min), Some(max)) = (request.min_price_minor, request.max_price_minor)
        && min > max
    {
        broken.push(Violation::new("min_price", "must not be above max_price"));
    }
    let active = match (request.active, request.include_hidden, sees_hidden) {
        (_, _, false) => Some(true),
        (Some(active), _, true) => Some(active),
        (None, true, true) => None,
        (None, false, true) => Some(true),
    };
    Filter {
        category,
        brand: text(&request.brand),
        text: text(&request.text),
        tags: request.tags.clone(),
        min_price: request.min_price_minor,
        max_price: request.max_price_minor,
        in_stock: request.in_stock,
        active,
        kind: match request.kind() {
            ProductKind::Physical => Some(Kind::Physical),
            ProductKind::Digital => Some(Kind::Digital),
            ProductKind::Unspecified => None,
        },
        condition: text(&request.condition),
    }
}

pub(super) fn to_proto(p: &Product) -> Wire {
    Wire {
        id: p.id.to_string(),
        sku: p.sku.to_string(),
        slug: p.slug.to_string(),
        name: p.name.clone(),
        description: p.description.clone(),
        brand: p.brand.clone(),
        category: p.category.as_ref().map(ToString::to_string).unwrap_or_default(),
        tags: p.tags.clone(),
        kind: match p.kind {
            Kind::Physical => ProductKind::Physical,
            Kind::Digital => ProductKind::Digital,
        }
        .into(),
        condition: p.condition.clone().unwrap_or_default(),
        price: Some(WireMoney { minor: p.price.minor, currency: p.price.currency.to_string() }),
        old_price_minor: p.old_price,
        stock: p.stock(),
        active: p.active,
        images: p.images.clone(),
        attributes: p.attributes.clone().into_iter().collect(),
        version: p.version.unsigned_abs(),
        stock_seq: p.stock_seq.unsigned_abs(),
        created_at_us: p.created_at.timestamp_micros(),
        updated_at_us: p.updated_at.timestamp_micros(),
        handle: p.handle.clone(),
    }
}
