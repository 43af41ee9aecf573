//! Accounts that closed or lost their role: what waits for them is not sent any more. Letters about
//! one's own orders or account have nothing to do with roles.
use chrono::{DateTime, Utc};
use souk_storage::Tx;
use souk_values::UserId;

use super::App;
use crate::error::Error;
use crate::store::{account, letter};

/// Why letters of a closed account were not sent, as the ledger says it.
pub(crate) const INACTIVE: &str = "inactive";

/// What an account event says to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountNews {
    pub user: UserId,
    pub epoch: u32,
    pub version: u64,
    pub at: DateTime<Utc>,
    pub standing: Standing,
}

/// Which letters an account gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Open,
    /// It gets no notices any more: it lost the role.
    Closed,
    /// It gets nothing any more.
    Gone,
}

impl App {
    /// Learns the news unless newer ones are known; a closed account's queued letters are
    /// suppressed.
    pub async fn learn(&self, tx: &Tx, news: AccountNews) -> Result<(), Error> {
        let closed_at = (news.standing != Standing::Open).then_some(news.at);
        let is_gone = news.standing == Standing::Gone;
        let row = account::Model {
            user_id: news.user,
            epoch: i64::from(news.epoch),
            version: i64::try_from(news.version).unwrap_or(i64::MAX),
            closed_at,
            gone_at: closed_at.filter(|_| is_gone),
        };
        if account::learn(tx, row).await?
            && let Some(closed_at) = closed_at
        {
            let suppressed = letter::suppress(tx, news.user, closed_at, is_gone, INACTIVE).await?;
            tracing::info!(user.id = %news.user, letters = suppressed, "letters suppressed");
        }
        Ok(())
    }
}
