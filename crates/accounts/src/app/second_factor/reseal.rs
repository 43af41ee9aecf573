//! After a change of keys: secrets that were sealed by the key before are sealed again.

use crate::Error;
use crate::app::App;
use crate::store::{newest, second_factor};

const AT_ONCE: u64 = 500;

/// Answers how many were sealed again. Without a previous key there is nothing to do.
pub(crate) async fn reseal(app: &App) -> Result<u64, Error> {
    let (mut after, mut done) = (None, 0);
    while app.keys.has_previous() {
        let rows = second_factor::page(newest(&app.db), after, AT_ONCE).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.account_id);
        let tx = app.db.begin().await?;
        for row in &rows {
            // what no key of ours opens is told to its owner's next attempt
            let Ok(opened) = app.keys.open(row.account_id, &row.sealed_secret) else { continue };
            if opened.is_dated {
                let sealed = app.keys.seal(row.account_id, &opened.plain);
                let sealed = sealed.map_err(|error| Error::SecondFactor(error.into()))?;
                second_factor::reseal(&tx, row, sealed).await?;
                done += 1;
            }
        }
        tx.commit().await?;
    }
    if done > 0 {
        tracing::info!(second_factors = done, "sealed by the new key");
    }
    Ok(done)
}
