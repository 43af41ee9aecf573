//! Letters to a person: handed over, and freed of the person. The ledger still knows how many there
//! were and what became of them.
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use souk_service::personal::{Person, PersonalData, Records};
use souk_storage::Tx;
use souk_values::{LetterId, fold};

use super::{App, compose};
use crate::store::personal::{self, To};
use crate::store::preference;

/// What stands in the place of a subject.
const ERASED: &str = "Erased";
/// Why a letter was not sent, as the ledger says it.
const REASON: &str = "account_erased";

struct Keeper {
    app: App,
    /// Where letters lie that went to a folder.
    folder: PathBuf,
}

/// The personal data of this service.
pub fn keeper(app: &App, folder: impl Into<PathBuf>) -> Arc<dyn PersonalData> {
    Arc::new(Keeper { app: app.clone(), folder: folder.into() })
}

#[async_trait::async_trait]
impl PersonalData for Keeper {
    async fn export(&self, person: &Person, records: &mut Records) -> anyhow::Result<()> {
        let emails = spellings(person);
        let to = To { user: person.id, emails: &emails };
        let db = self.app.db.write();
        let mut after = None;
        loop {
            let letters = personal::letters(db, &to, after).await?;
            let Some(last) = letters.last() else { break };
            after = Some(last.id);
            for letter in letters {
                let letter = json!({
                    "id": letter.id, "recipient": letter.recipient, "kind": letter.kind,
                    "subject": letter.subject, "text": letter.text, "status": letter.status,
                    "created_at": letter.created_at, "sent_at": letter.sent_at,
                });
                records.put("letters", &letter).await?;
            }
        }
        let mut after = None;
        loop {
            let notices = personal::notices(db, &to, after).await?;
            let Some(last) = notices.last() else { break };
            after = Some(last.id);
            for notice in notices {
                let notice = json!({
                    "id": notice.id, "recipient": notice.recipient, "kind": notice.kind,
                    "product_id": notice.product_id, "order_id": notice.order_id,
                    "letter_id": notice.letter_id, "reason": notice.reason,
                    "created_at": notice.created_at,
                });
                records.put("notices", &notice).await?;
            }
        }
        let preference::Wishes { product_notices, order_notices } =
            preference::of(db, person.id).await?;
        let wishes = json!({ "product_notices": product_notices, "order_notices": order_notices });
        records.put("preferences", &wishes).await
    }

    async fn erase(&self, tx: &Tx, person: &Person) -> anyhow::Result<u64> {
        let emails = spellings(person);
        let to = To { user: person.id, emails: &emails };
        for letter in personal::letter_ids(tx, &to).await? {
            remove(&self.folder, letter).await?;
        }
        let words = compose::not_kept(ERASED.to_owned());
        Ok(personal::erase(tx, &to, &words, REASON).await?)
    }
}

/// Addresses as they were typed, and as they are compared.
fn spellings(person: &Person) -> BTreeSet<String> {
    let typed = person.emails.iter().cloned();
    typed.chain(person.emails.iter().map(|email| fold(email))).collect()
}

/// A letter that went to the folder.
async fn remove(folder: &Path, letter: LetterId) -> anyhow::Result<()> {
    match tokio::fs::remove_file(folder.join(format!("{letter}.eml"))).await {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).context("a letter in the folder cannot be removed")
        }
        _ => Ok(()),
    }
}
