//! What a person looked at: handed over, and freed of the person.
use std::sync::Arc;

use chrono::DateTime;
use serde_json::json;
use souk_service::personal::{Person, PersonalData, Records};
use souk_storage::Tx;
use uuid::Uuid;

use super::App;
use crate::store::viewer;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

struct Keeper {
    app: App,
}

/// The personal data of this service.
pub fn keeper(app: &App) -> Arc<dyn PersonalData> {
    Arc::new(Keeper { app: app.clone() })
}

#[async_trait::async_trait]
impl PersonalData for Keeper {
    async fn export(&self, person: &Person, records: &mut Records) -> anyhow::Result<()> {
        let db = self.app.db.read();
        let name = person.id.to_string();
        for day in viewer::days_of(db, &name).await? {
            for saw in viewer::saw(db, &name, day).await? {
                let saw = json!({
                    "day": DateTime::from_timestamp_micros(saw.day * DAY).map(|at| at.date_naive()),
                    "product_id": saw.product_id,
                    "views": saw.views,
                    "first_at": DateTime::from_timestamp_micros(saw.first_at),
                    "last_at": DateTime::from_timestamp_micros(saw.last_at),
                });
                records.put("product_views", &saw).await?;
            }
        }
        Ok(())
    }

    /// Under a name that leads to nobody, and the same on all days: different viewers of a month
    /// are as many as before.
    async fn erase(&self, tx: &Tx, person: &Person) -> anyhow::Result<u64> {
        let name = person.id.to_string();
        let nobody = format!("erased-{}", Uuid::new_v4().simple());
        let mut renamed = 0;
        for day in viewer::days_of(tx, &name).await? {
            renamed += viewer::rename(tx, &name, &nobody, day).await?;
        }
        Ok(renamed)
    }
}
