//! Preferences: which letters a person wants.
use souk_values::UserId;

use super::App;
use crate::error::Error;
use crate::store::preference;

impl App {
    /// Changes what is said. Letters that are written already still go out.
    pub async fn set_preferences(
        &self,
        user: UserId,
        product_notices: Option<bool>,
        order_notices: Option<bool>,
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut wishes = preference::of(&tx, user).await?;
        wishes.product_notices = product_notices.unwrap_or(wishes.product_notices);
        wishes.order_notices = order_notices.unwrap_or(wishes.order_notices);
        preference::set(&tx, user, wishes, self.clock.now()).await?;
        Ok(tx.commit().await?)
    }
}
