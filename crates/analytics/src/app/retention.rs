//! What is too old is forgotten: who saw what, and views by the hour.
use crate::app::App;
use crate::domain::time::day_of;
use crate::error::Error;
use crate::store;

/// Removes days beyond what is kept, each in its own transaction, so that views are counted
/// meanwhile. Answers how many rows went.
pub(crate) async fn prune(app: &App) -> Result<u64, Error> {
    let today = day_of(app.clock.now_us());
    let mut rows = 0;
    let keep = today - i64::from(app.kept.viewer_days);
    while let Some(day) = store::viewer::oldest_before(&app.db, keep).await? {
        let tx = app.db.begin().await?;
        rows += store::viewer::forget(&tx, day).await?;
        tx.commit().await?;
    }
    let keep = today - i64::from(app.kept.hour_days);
    while let Some(day) = store::view::oldest_day_before(&app.db, keep).await? {
        let tx = app.db.begin().await?;
        rows += store::view::forget_hours(&tx, day).await?;
        tx.commit().await?;
    }
    if rows > 0 {
        tracing::info!(rows, "old views forgotten");
    }
    Ok(rows)
}
