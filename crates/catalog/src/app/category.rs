//! Making and removing categories.
use souk_audit::NewEntry;
use souk_rpc::Violation;
use souk_storage::OnConstraint;

use crate::app::App;
use crate::domain::category::CategoryPath;
use crate::error::Error;
use crate::store;

/// Its parent must exist.
pub(crate) async fn create(
    app: &App,
    path: &str,
    name: &str,
) -> Result<store::category::Model, Error> {
    let mut broken = Vec::new();
    let parsed = CategoryPath::parse(path).map_err(|e| broken.push(Violation::new("path", e)));
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        broken.push(Violation::new("name", "must be 1 to 100 characters, one line"));
    }
    let (Ok(path), true) = (parsed, broken.is_empty()) else {
        return Err(Error::Invalid(broken));
    };
    let tx = app.db.begin().await?;
    if let Some(parent) = path.parent()
        && store::category::find(&tx, &parent).await?.is_none()
    {
        return Err(Error::ParentNotFound);
    }
    let made = store::category::insert(&tx, &path, name, app.clock.now())
        .await
        .on_constraint("category_path|category.path", Error::CategoryExists)?;
    let entry = NewEntry::new("category.created", format!("category/{}", made.path));
    app.audit.record(&tx, entry.change("name", "", &made.name)).await?;
    tx.commit().await?;
    Ok(made)
}

/// Only an empty one.
pub(crate) async fn delete(app: &App, path: &str) -> Result<store::category::Model, Error> {
    let path = CategoryPath::parse(path).map_err(|_| Error::CategoryNotFound)?;
    let tx = app.db.begin().await?;
    let found = store::category::find(&tx, &path).await?.ok_or(Error::CategoryNotFound)?;
    if store::category::has_children(&tx, &path).await?
        || store::product::any_in(&tx, &path).await?
    {
        return Err(Error::CategoryInUse);
    }
    store::category::delete(&tx, found.id).await?;
    let entry = NewEntry::new("category.deleted", format!("category/{}", found.path));
    app.audit.record(&tx, entry.change("name", &found.name, "")).await?;
    tx.commit().await?;
    Ok(found)
}
