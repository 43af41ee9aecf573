//! Request bodies: strict JSON, then fields taken one by one so that everything broken is named at
//! once.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, StatusCode, header};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use souk_rpc::Violation;

use super::problem::Problem;

/// Deeper nesting is no request of ours.
const MAX_DEPTH: usize = 16;

/// The JSON object of a body, its fields to be taken one by one.
#[derive(Clone, Debug)]
pub(crate) struct Fields {
    map: Map<String, Value>,
    broken: Vec<Violation>,
    known: BTreeSet<&'static str>,
    /// The body as it came, for idempotency.
    empty: bool,
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let bytes = body(request, state).await?;
        Self::parse(&bytes)
    }
}

/// The whole body within the limit of its route.
pub(crate) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|e| {
        if e.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(e.status(), "body_too_large", "the body is larger than allowed here")
        } else {
            Problem::not_parsable("the body could not be read")
        }
    })
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let fine = essence.eq_ignore_ascii_case("application/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if fine {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "not_json",
        "send the body as application/json",
    ))
}

impl Fields {
    /// A body that may be left out.
    pub(crate) fn parse_optional(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.is_empty() {
            return Ok(Self::new(Map::new()));
        }
        require_json(headers)?;
        Self::parse(bytes)
    }

    /// Strict: UTF-8, one object, no name twice, bounded depth.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Problem::not_parsable("the body is not UTF-8"))?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let value = Strict { depth: 0 }
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value))
            .map_err(|e| Problem::not_parsable(format!("the body is not JSON: {e}")))?;
        match value {
            Value::Object(map) => Ok(Self::new(map)),
            _ => Err(Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "not_an_object",
                "the body must be a JSON object",
            )),
        }
    }

    pub(crate) fn new(map: Map<String, Value>) -> Self {
        let empty = map.is_empty();
        Self { map, broken: Vec::new(), known: BTreeSet::new(), empty }
    }

    /// Nothing was sent at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty
    }

    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.insert(name);
        self.map.remove(name)
    }

    /// Which of several names for one field was sent; two of them are one too many.
    pub(crate) fn alias(&mut self, names: &[&'static str]) -> &'static str {
        let sent: Vec<&'static str> =
            names.iter().copied().filter(|name| self.map.contains_key(*name)).collect();
        for double in sent.iter().skip(1) {
            self.broken.push(Violation::new(*double, format!("says the same as {}", sent[0])));
            self.map.remove(*double);
        }
        self.known.extend(names);
        sent.first().or(names.first()).copied().unwrap_or_default()
    }

    /// One sentence for each field: the first one stays.
    pub(crate) fn breaks(&mut self, name: &str, message: impl ToString) {
        if !self.broken.iter().any(|known| known.field == name) {
            self.broken.push(Violation::new(name, message));
        }
    }

    pub(crate) fn string(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            _ => {
                self.breaks(name, "must be a string");
                None
            }
        }
    }

    /// `null` takes the value away.
    pub(crate) fn string_or_null(&mut self, name: &'static str) -> Option<Option<String>> {
        match self.take(name)? {
            Value::String(text) => Some(Some(text)),
            Value::Null => Some(None),
            _ => {
                self.breaks(name, "must be a string or null");
                None
            }
        }
    }

    pub(crate) fn required(&mut self, name: &'static str) -> String {
        if self.map.contains_key(name) {
            return self.string(name).unwrap_or_default();
        }
        self.known.insert(name);
        self.breaks(name, "is required");
        String::new()
    }

    /// Breaks if the field was not sent; it is still to be taken.
    pub(crate) fn needs(&mut self, name: &'static str) {
        if !self.map.contains_key(name) {
            self.breaks(name, "is required");
        }
    }

    /// A field that stands in the path too may repeat it, in any case.
    pub(crate) fn same(&mut self, name: &'static str, path: &str) {
        if let Some(text) = self.string(name)
            && !text.trim().eq_ignore_ascii_case(path)
        {
            self.breaks(name, "cannot be changed");
        }
    }

    /// A whole number; `"1"`, `1.5` and `1e3` are none.
    pub(crate) fn integer(&mut self, name: &'static str) -> Option<i64> {
        let value = self.take(name)?;
        let number = match &value {
            Value::Number(number) => number.to_string().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.breaks(name, "must be a whole number");
        }
        number
    }

    /// `null` takes the number away.
    pub(crate) fn integer_or_null(&mut self, name: &'static str) -> Option<Option<i64>> {
        if matches!(self.map.get(name), Some(Value::Null)) {
            self.take(name);
            return Some(None);
        }
        self.integer(name).map(Some)
    }

    pub(crate) fn boolean(&mut self, name: &'static str) -> Option<bool> {
        match self.take(name)? {
            Value::Bool(value) => Some(value),
            _ => {
                self.breaks(name, "must be true or false");
                None
            }
        }
    }

    /// A decimal number as it was written, from a string or a number: it never becomes a float.
    pub(crate) fn decimal(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => {
                self.breaks(name, "must be a number or a string such as \"39.99\"");
                None
            }
        }
    }

    pub(crate) fn decimal_or_null(&mut self, name: &'static str) -> Option<Option<String>> {
        if matches!(self.map.get(name), Some(Value::Null)) {
            self.take(name);
            return Some(None);
        }
        self.decimal(name).map(Some)
    }

    pub(crate) fn strings(&mut self, name: &'static str) -> Option<Vec<String>> {
        let value = self.take(name)?;
        let texts = match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Some(text),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if texts.is_none() {
            self.breaks(name, "must be a list of strings");
        }
        texts
    }

    pub(crate) fn string_map(&mut self, name: &'static str) -> Option<BTreeMap<String, String>> {
        let value = self.take(name)?;
        let pairs = match value {
            Value::Object(map) => map
                .into_iter()
                .map(|(key, value)| match value {
                    Value::String(text) => Some((key, text)),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if pairs.is_none() {
            self.breaks(name, "must be an object of strings");
        }
        pairs
    }

    /// An object within the body; what breaks in it is named `name.field` by [`adopt`](Self::adopt).
    pub(crate) fn object(&mut self, name: &'static str) -> Option<Self> {
        match self.take(name)? {
            Value::Object(map) => Some(Self::new(map)),
            _ => {
                self.breaks(name, "must be an object");
                None
            }
        }
    }

    /// Everything that broke in an object within, when all its fields are taken.
    pub(crate) fn adopt(&mut self, name: &'static str, inner: Self) {
        for Violation { field, message } in inner.violations() {
            self.broken.push(Violation::new(format!("{name}.{field}"), message));
        }
    }

    pub(crate) fn objects(&mut self, name: &'static str) -> Option<Vec<Map<String, Value>>> {
        let value = self.take(name)?;
        let objects = match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::Object(map) => Some(map),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if objects.is_none() {
            self.breaks(name, "must be a list of objects");
        }
        objects
    }

    /// Everything that broke a rule, unknown fields too.
    pub(crate) fn violations(mut self) -> Vec<Violation> {
        for name in self.map.keys() {
            self.broken.push(Violation::new(name.clone(), "is not a field of this request"));
        }
        self.broken
    }

    /// To be called when all fields are taken.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        let broken = self.violations();
        if broken.is_empty() { Ok(()) } else { Err(Problem::fields(broken)) }
    }
}

/// Reads any JSON value, refusing doubled names and deep nesting.
struct Strict {
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth > MAX_DEPTH {
            return Err(de::Error::custom("nested too deeply"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }
    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self { depth: self.depth + 1 })? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            // serde_json hands an arbitrary-precision number over as a map of one private name
            if name == NUMBER {
                let text: String = entries.next_value()?;
                return text.parse::<Number>().map(Value::Number).map_err(de::Error::custom);
            }
            let value = entries.next_value_seed(Self { depth: self.depth + 1 })?;
            if map.insert(name.clone(), value).is_some() {
                return Err(de::Error::custom(format!("the name {name:?} stands twice")));
            }
        }
        Ok(Value::Object(map))
    }
}

const NUMBER: &str = "$serde_json::private::Number";

#[cfg(test)]
mod tests {
    use super::*;

    fn status(body: &[u8]) -> u16 {
        Fields::parse(body).map_or_else(|p| p.status(), |_| 200)
    }

    #[test]
    fn what_is_not_json_is_a_400() {
        for bad in [
            &b""[..],
            b"{",
            b"{} {}",
            b"{\"a\":1,\"a\":2}",
            b"{\"a\":\"\xff\"}",
            b"{'a':1}",
            b"{\"a\":NaN}",
        ] {
            assert_eq!(status(bad), 400, "{}", String::from_utf8_lossy(bad));
        }
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        assert_eq!(status(deep.as_bytes()), 400);
        assert_eq!(status(b"[1]"), 422);
        assert_eq!(status(b"{\"a\":{\"b\":[1,2]}}"), 200);
    }

    #[test]
    fn numbers_keep_every_digit() {
        let mut fields =
            Fields::parse(br#"{"price": 12345678901234567890.12, "big": 1e400, "whole": 7}"#)
                .unwrap();
        assert_eq!(fields.decimal("price").unwrap(), "12345678901234567890.12");
        // the parser writes the sign; no price has an exponent anyway
        assert_eq!(fields.decimal("big").unwrap(), "1e+400");
        assert_eq!(fields.integer("whole"), Some(7));
        fields.finish().unwrap();
    }

    #[test]
    fn everything_broken_is_named_at_once() {
        let mut fields = Fields::parse(
            br#"{"name": 1, "stock": "1", "active": 0, "tags": [1], "quantity": 2, "colour": "x"}"#,
        )
        .unwrap();
        fields.string("name");
        fields.boolean("active");
        fields.strings("tags");
        let stock = fields.alias(&["stock", "quantity"]);
        fields.integer(stock);
        fields.required("price");
        let names: Vec<String> = fields.violations().into_iter().map(|v| v.field).collect();
        assert_eq!(names, ["name", "active", "tags", "quantity", "stock", "price", "colour"]);
    }
}
