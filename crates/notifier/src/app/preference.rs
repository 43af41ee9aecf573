//! Preferences: whether a person wants letters.
use souk_values::UserId;

use super::App;
use crate::error::Error;
use crate::store::preference;

impl App {
    /// Letters that are written already still go out.
    pub async fn set_product_notices(&self, user: UserId, wanted: bool) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        preference::set_product_notices(&tx, user, wanted, self.clock.now()).await?;
        Ok(tx.commit().await?)
    }
}
