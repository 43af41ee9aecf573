//! The small picture of a person: one of the set, or their own, made anew before it is kept.

use rand::Rng;
use souk_audit::NewEntry;
use souk_auth::Caller;
use souk_pictures::PictureError;
use souk_rpc::Violation;
use souk_values::UserId;

use super::account::check_power;
use super::{App, address, entry};
use crate::Error;
use crate::domain::avatar as rules;
use crate::store::avatar::{self, Model};
use crate::store::{account, newest};

/// What somebody wants to be seen as.
pub(crate) struct Wish {
    /// One of the set, or …
    pub(crate) chosen: String,
    /// … a picture of their own.
    pub(crate) content: Vec<u8>,
}

/// A picture for everybody.
pub(crate) struct Shown {
    pub(crate) content: Vec<u8>,
    pub(crate) media_type: String,
    /// It ships with Souk.
    pub(crate) ships: bool,
}

/// The caller's own; `None`: there never was one.
pub(crate) async fn own(app: &App, caller: &Caller) -> Result<Option<Model>, Error> {
    let owner = address::owner(app, caller).await?;
    Ok(avatar::find(newest(&app.db), owner).await?)
}

/// Somebody's.
pub(crate) async fn of(app: &App, caller: &Caller, user: UserId) -> Result<Option<Model>, Error> {
    app.admit(caller).await?;
    let db = newest(&app.db);
    account::find(db, user).await?.ok_or(Error::UserNotFound)?;
    Ok(avatar::find(db, user).await?)
}

/// A picture by its name.
pub(crate) async fn shown(app: &App, picture: &str) -> Result<Shown, Error> {
    if let Some(content) = rules::shipped(picture) {
        let media_type = rules::MEDIA_TYPE.to_owned();
        return Ok(Shown { content: content.to_vec(), media_type, ships: true });
    }
    if !rules::is_uploaded(picture) {
        return Err(Error::AvatarNotFound);
    }
    let found = avatar::find_by_picture(newest(&app.db), picture).await?;
    let found = found.and_then(|found| Some((found.content?, found.media_type?)));
    let (content, media_type) = found.ok_or(Error::AvatarNotFound)?;
    Ok(Shown { content, media_type, ships: false })
}

/// Chooses or uploads the caller's own.
pub(crate) async fn set(
    app: &App,
    caller: &Caller,
    wish: Wish,
    expected: Option<u64>,
) -> Result<Model, Error> {
    let owner = address::owner(app, caller).await?;
    let look = look(app, wish).await?;
    let after = write(app, owner, look, expected, None).await?;
    tracing::info!(user.id = %owner, uploaded = after.picture.is_some(), "avatar set");
    Ok(after)
}

/// Takes the caller's own away; the second time nothing happens.
pub(crate) async fn remove_own(
    app: &App,
    caller: &Caller,
    expected: Option<u64>,
) -> Result<Model, Error> {
    let owner = address::owner(app, caller).await?;
    let after = write(app, owner, Look::default(), expected, None).await?;
    tracing::info!(user.id = %owner, "avatar removed");
    Ok(after)
}

/// Takes somebody's away, whatever it shows.
pub(crate) async fn remove_of(app: &App, caller: &Caller, user: UserId) -> Result<Model, Error> {
    app.admit(caller).await?;
    let db = newest(&app.db);
    let found = account::find(db, user).await?.ok_or(Error::UserNotFound)?;
    check_power(db, caller, &found).await?;
    let entry = NewEntry::new("avatar.removed", entry::target(user));
    let after = write(app, user, Look::default(), None, Some(entry)).await?;
    tracing::info!(user.id = %user, actor = caller.actor(), "avatar removed by another");
    Ok(after)
}

/// What of a row is seen.
#[derive(Default)]
struct Look {
    chosen: Option<String>,
    picture: Option<String>,
    content: Option<Vec<u8>>,
    media_type: Option<String>,
}

impl Look {
    fn is_of(&self, row: &Model) -> bool {
        // every upload is another picture
        self.picture.is_none() && row.picture.is_none() && self.chosen == row.chosen
    }
}

async fn look(app: &App, wish: Wish) -> Result<Look, Error> {
    let Wish { chosen, content } = wish;
    if content.is_empty() {
        let name = rules::find(&chosen).map(str::to_owned);
        let name = name.ok_or_else(|| broken("avatar", "is none of the set"))?;
        return Ok(Look { chosen: Some(name), ..Look::default() });
    }
    if !chosen.is_empty() {
        return Err(broken("avatar", "cannot be given with a picture"));
    }
    let made = app.workshop.square(content, rules::SIDE).await.map_err(why)?;
    Ok(Look {
        chosen: None,
        picture: Some(name(made.extension)),
        content: Some(made.content),
        media_type: Some(made.media_type.to_owned()),
    })
}

/// Drawn, not made of the content: nobody finds out by a guess who shows what.
fn name(extension: &str) -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    format!("{:032x}.{extension}", u128::from_be_bytes(bytes))
}

fn broken(field: &'static str, must: impl ToString) -> Error {
    Error::Invalid(vec![Violation::new(field, must.to_string())])
}

fn why(error: PictureError) -> Error {
    match error {
        PictureError::NotAPicture => Error::NotAPicture,
        PictureError::TooLarge | PictureError::TooManyPixels => Error::PictureTooLarge(error),
        PictureError::Broken => broken("file", error),
        PictureError::Failed => Error::Picture(error),
    }
}

/// What was so already is no change: same version.
async fn write(
    app: &App,
    owner: UserId,
    look: Look,
    expected: Option<u64>,
    entry: Option<NewEntry>,
) -> Result<Model, Error> {
    let tx = app.db.begin().await?;
    // changes of one picture take turns at the account
    account::find_for_update(&tx, owner).await?.ok_or(Error::UserNotFound)?;
    let before = avatar::find(&tx, owner).await?;
    let version = before.as_ref().map_or(0, |row| row.version);
    if expected.is_some_and(|expected| expected != version.unsigned_abs()) {
        return Err(Error::AvatarStale { current: version });
    }
    let blank = || Model {
        account_id: owner,
        chosen: None,
        picture: None,
        content: None,
        media_type: None,
        version: 0,
        updated_at: app.clock.now(),
    };
    let is_first = before.is_none();
    let before = before.unwrap_or_else(blank);
    if look.is_of(&before) {
        return Ok(before);
    }
    let Look { chosen, picture, content, media_type } = look;
    let after = Model { chosen, picture, content, media_type, version: version + 1, ..blank() };
    avatar::write(&tx, after.clone(), is_first).await?;
    if let Some(entry) = entry {
        app.audit.record(&tx, entry).await?;
    }
    tx.commit().await?;
    Ok(after)
}
