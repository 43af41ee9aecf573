//! Prefixed, sortable ids: `prd_01J…`, a UUIDv7 in Crockford's base 32 behind the noun.
use std::fmt;
use std::str::FromStr;

use ulid::Ulid;
use uuid::Uuid;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not an id of this kind")]
pub struct IdError;

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $prefix:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// What stands before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new id, later than all made before it on this machine.
            #[allow(clippy::new_without_default, reason = "a new id is never a default")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), Ulid::from(self.0.as_u128()))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let body = text.strip_prefix(concat!($prefix, "_")).ok_or(IdError)?;
                let ulid = Ulid::from_string(body).map_err(|_| IdError)?;
                let id = Self(Uuid::from_u128(ulid.into()));
                // one spelling only: what is printed is what is read
                if id.to_string() == text { Ok(id) } else { Err(IdError) }
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl From<$name> for sea_orm::Value {
            fn from(id: $name) -> Self {
                id.0.into()
            }
        }
        impl sea_orm::TryGetable for $name {
            fn try_get_by<I: sea_orm::ColIdx>(
                row: &sea_orm::QueryResult,
                index: I,
            ) -> Result<Self, sea_orm::TryGetError> {
                <Uuid as sea_orm::TryGetable>::try_get_by(row, index).map(Self)
            }
        }
        impl sea_orm::sea_query::ValueType for $name {
            fn try_from(value: sea_orm::Value) -> Result<Self, sea_orm::sea_query::ValueTypeErr> {
                <Uuid as sea_orm::sea_query::ValueType>::try_from(value).map(Self)
            }
            fn type_name() -> String {
                stringify!($name).to_owned()
            }
            fn array_type() -> sea_orm::sea_query::ArrayType {
                sea_orm::sea_query::ArrayType::Uuid
            }
            fn column_type() -> sea_orm::sea_query::ColumnType {
                sea_orm::sea_query::ColumnType::Uuid
            }
        }
        impl sea_orm::sea_query::Nullable for $name {
            fn null() -> sea_orm::Value {
                <Uuid as sea_orm::sea_query::Nullable>::null()
            }
        }
        impl sea_orm::TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    };
}

id!(ProductId, "prd");
id!(CategoryId, "cat");
id!(UserId, "usr");
id!(
    /// One login on one device; also the family of its refresh tokens.
    SessionId,
    "ses"
);
id!(NotificationId, "ntf");
id!(LetterId, "ltr");
id!(JobId, "job");
id!(DeadLetterId, "dlt");
id!(AddressId, "adr");
id!(CartId, "crt");
id!(OrderId, "ord");
id!(RefundId, "rfd");
id!(
    /// One movement of stock.
    MovementId,
    "mov"
);
id!(
    /// Somebody who wants to become a customer and has not proven their address yet.
    RegistrationId,
    "reg"
);
id!(
    /// One letter that accounts asked for.
    MailRequestId,
    "mrq"
);
id!(ApiKeyId, "key");
id!(BlockId, "blk");
id!(AuditId, "aud");
id!(
    /// One address that may be sent the newsletter.
    SubscriberId,
    "sub"
);
id!(NewsletterId, "nws");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints_and_nothing_else() {
        let id = ProductId::new();
        let text = id.to_string();
        assert!(text.starts_with("prd_") && text.len() == 30, "{text}");
        assert_eq!(text.parse::<ProductId>(), Ok(id));
        for bad in [text.to_lowercase(), text.replace("prd", "cat"), "prd_".into(), String::new()] {
            assert_eq!(bad.parse::<ProductId>(), Err(IdError), "{bad}");
        }
    }

    #[test]
    fn later_ids_sort_later() {
        let ids: Vec<String> = (0..1000).map(|_| ProductId::new().to_string()).collect();
        assert!(ids.is_sorted());
    }
}
