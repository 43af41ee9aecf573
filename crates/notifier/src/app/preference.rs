//! Preferences: which letters a person wants.
use souk_audit::NewEntry;
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
        let before = preference::of(&tx, user).await?;
        let mut wishes = before;
        wishes.product_notices = product_notices.unwrap_or(wishes.product_notices);
        wishes.order_notices = order_notices.unwrap_or(wishes.order_notices);
        preference::set(&tx, user, wishes, self.clock.now()).await?;
        if wishes != before {
            let entry = NewEntry::new("preferences.changed", format!("user/{user}"))
                .change("product_notices", before.product_notices, wishes.product_notices)
                .change("order_notices", before.order_notices, wishes.order_notices);
            self.audit.record(&tx, entry).await?;
        }
        Ok(tx.commit().await?)
    }
}
