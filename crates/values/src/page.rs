//! Paging: how many, and where to go on.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub const DEFAULT_LIMIT: u32 = 24;
pub const MAX_LIMIT: u32 = 100;

/// A wish for part of a list, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// 1 to [`MAX_LIMIT`].
    pub limit: u32,
    pub cursor: Option<Cursor>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PageError {
    #[error("must be between 1 and {MAX_LIMIT}")]
    Limit,
}

impl Page {
    /// `limit` 0 means the default, an empty cursor the beginning.
    pub fn new(limit: u32, cursor: &str) -> Result<Self, PageError> {
        let limit = if limit == 0 { DEFAULT_LIMIT } else { limit };
        if limit > MAX_LIMIT {
            return Err(PageError::Limit);
        }
        let cursor = (!cursor.is_empty()).then(|| Cursor(cursor.to_owned()));
        Ok(Self { limit, cursor })
    }
}

/// Where the next page begins: opaque to clients, the sort key of the last item within.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("is not a cursor of this list")]
pub struct CursorError;

impl Cursor {
    pub fn encode<T: Serialize>(position: &T) -> Self {
        let json = serde_json::to_vec(position).unwrap_or_default();
        Self(URL_SAFE_NO_PAD.encode(json))
    }

    /// Fails on anything that [`encode`](Self::encode) of the same type did not make.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, CursorError> {
        let json = URL_SAFE_NO_PAD.decode(&self.0).map_err(|_| CursorError)?;
        serde_json::from_slice(&json).map_err(|_| CursorError)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_goes_round_and_rubbish_is_refused() {
        let cursor = Cursor::encode(&("price", 12_i64));
        assert_eq!(cursor.decode::<(String, i64)>(), Ok(("price".to_owned(), 12)));
        assert_eq!(cursor.decode::<i64>(), Err(CursorError));
        assert_eq!(Cursor("%%%".into()).decode::<i64>(), Err(CursorError));
    }

    #[test]
    fn limits_have_a_default_and_a_bound() {
        assert_eq!(Page::new(0, "").unwrap().limit, 24);
        assert_eq!(Page::new(100, "").unwrap().limit, 100);
        assert_eq!(Page::new(101, ""), Err(PageError::Limit));
    }
}
