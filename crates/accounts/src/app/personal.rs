//! What this service keeps of a person: handed over, and removed.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use souk_service::personal::{Hold, Person, PersonalData, Records};
use souk_storage::Tx;
use souk_values::fold;

use super::data_request::erasure::check_last_admin;
use super::{App, account, newsletter};
use crate::Error;
use crate::store::{
    account as accounts, address, api_key, avatar, data_request, email_change, newest, personal,
    role, second_factor, subscriber,
};

/// Whose name the removal bears.
const SERVICE: &str = "accounts";

struct Keeper {
    app: Arc<App>,
}

/// The personal data of this service.
pub fn keeper(app: &Arc<App>) -> Arc<dyn PersonalData> {
    Arc::new(Keeper { app: app.clone() })
}

#[async_trait::async_trait]
impl PersonalData for Keeper {
    async fn holds(&self, tx: &Tx, person: &Person) -> anyhow::Result<Vec<Hold>> {
        role::lock_admins(tx).await?;
        let Some(found) = accounts::find(tx, person.id).await? else { return Ok(Vec::new()) };
        match check_last_admin(tx, &found).await {
            Ok(()) => Ok(Vec::new()),
            Err(Error::LastAdmin) => Ok(vec![Hold { reason: "last_admin", subjects: Vec::new() }]),
            Err(error) => Err(error.into()),
        }
    }

    async fn export(&self, person: &Person, records: &mut Records) -> anyhow::Result<()> {
        let (db, id) = (newest(&self.app.db), person.id);
        if let Some(found) = accounts::find(db, id).await? {
            let factor = second_factor::enrolled(db, id).await?.is_some();
            let found = json!({
                "id": found.id, "username": found.username, "email": found.email,
                "full_name": found.full_name, "role": found.role, "active": found.active,
                "created_at": found.created_at, "updated_at": found.updated_at,
                "last_login_at": found.last_login_at, "second_factor": factor,
            });
            records.put("account", &found).await?;
        }
        if let Some(found) = avatar::find(db, id).await? {
            let found = json!({
                "chosen": found.chosen, "media_type": found.media_type,
                "picture": found.content.map(|bytes| STANDARD.encode(bytes)),
                "updated_at": found.updated_at,
            });
            records.put("avatar", &found).await?;
        }
        for found in address::list(db, id).await? {
            let found = json!({
                "id": found.id, "label": found.label, "name": found.name,
                "company": found.company, "line1": found.line1, "line2": found.line2,
                "city": found.city, "region": found.region, "postal_code": found.postal_code,
                "country": found.country, "phone": found.phone, "is_default": found.is_default,
                "created_at": found.created_at, "updated_at": found.updated_at,
            });
            records.put("addresses", &found).await?;
        }
        for found in personal::sessions(db, id).await? {
            let found = json!({
                "id": found.id, "device": found.device, "network": found.network,
                "created_at": found.created_at, "last_used_at": found.last_used_at,
                "expires_at": found.expires_at, "ended_at": found.ended_at,
                "remember": found.remember,
            });
            records.put("sessions", &found).await?;
        }
        for found in api_key::list(db, id).await? {
            let found = json!({
                "id": found.id, "name": found.name, "prefix": found.prefix,
                "scopes": found.scopes, "created_at": found.created_at,
                "expires_at": found.expires_at, "last_used_at": found.last_used_at,
                "revoked_at": found.revoked_at,
            });
            records.put("api_keys", &found).await?;
        }
        self.export_rest(person, records).await
    }

    async fn erase(&self, tx: &Tx, person: &Person) -> anyhow::Result<u64> {
        let app = &self.app;
        let mut touched = 0;
        let keys = api_key::list(tx, person.id).await?;
        let keys: Vec<String> = keys.iter().map(|key| format!("api_key/{}", key.id)).collect();
        touched += app.audit.erase_about(tx, &keys).await?;
        let folded: Vec<String> = person.emails.iter().map(|email| fold(email)).collect();
        for address in &folded {
            newsletter::forget_address(tx, address, app.clock.now()).await?;
        }
        touched += personal::forget(tx, person.id, &person.emails, &folded).await?;
        if let Some(before) = accounts::find_for_update(tx, person.id).await? {
            let ended = account::remove(app, tx, before, SERVICE).await?;
            app.outbox.append(tx, ended.events).await?;
            touched += 1;
        }
        Ok(touched)
    }
}

impl Keeper {
    async fn export_rest(&self, person: &Person, records: &mut Records) -> anyhow::Result<()> {
        let (db, id) = (newest(&self.app.db), person.id);
        for email in &person.emails {
            let Some(found) = subscriber::find_by_address(db, &fold(email)).await? else {
                continue;
            };
            let found = json!({
                "email": found.email, "status": found.status, "how": found.how,
                "text_version": found.text_version, "asked_at": found.asked_at,
                "confirmed_at": found.confirmed_at, "ended_at": found.ended_at,
            });
            records.put("consents", &found).await?;
        }
        if let Some(found) = email_change::find(db, id).await? {
            let found = json!({ "email": found.email, "asked_at": found.created_at });
            records.put("email_change", &found).await?;
        }
        for found in personal::blocks(db, id).await? {
            let found = json!({
                "id": found.id, "reason": found.reason, "created_at": found.created_at,
                "until": found.until, "lifted_at": found.lifted_at,
            });
            records.put("blocks", &found).await?;
        }
        for found in personal::letters(db, id).await? {
            let found = json!({
                "id": found.id, "kind": found.kind, "email": found.email, "facts": found.facts,
                "created_at": found.created_at,
            });
            records.put("letters_requested", &found).await?;
        }
        for found in data_request::of_account(db, id).await? {
            let found = json!({
                "kind": found.kind, "created_at": found.created_at, "ready_at": found.ready_at,
            });
            records.put("data_requests", &found).await?;
        }
        Ok(())
    }
}
