//! Pictures of products: made anew from their pixels when they are uploaded, stored by the hash of
//! their bytes.
use std::fmt::Write as _;
use std::path::PathBuf;

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::app::{App, product};
use crate::domain::product::{Patch, Product};
use crate::error::Error;
use crate::store;

pub(crate) use souk_pictures::MAX_BYTES;

/// Endings and media types of what is stored. The demo shop brings SVG along; nobody uploads it.
const TYPES: [(&str, &str); 5] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("svg", "image/svg+xml"),
];

/// Makes a picture anew, stores it and puts it behind the product's others.
pub(crate) async fn add(
    app: &App,
    actor: &str,
    key: &str,
    content: Vec<u8>,
    expected: Option<u64>,
) -> Result<Product, Error> {
    let found = store::product::find(app.db.write(), key).await?;
    let product = found.ok_or(Error::ProductNotFound)?;
    let made = app.workshop.remake(content).await;
    let made = made.map_err(|error| Error::field("file", error))?;
    let url = keep(app, &made.content, made.extension).await?;
    if product.images.contains(&url) {
        return Ok(product);
    }
    let mut images = product.images;
    images.push(url);
    let images =
        crate::domain::product::rules::images(&images).map_err(|e| Error::field("images", e))?;
    let patch = Patch { images: Some(images), ..Patch::default() };
    // the version read above guards the list against a second writer
    let expected = expected.or_else(|| u64::try_from(product.version).ok());
    product::update_one(app, actor, &product.id.to_string(), &patch, expected).await
}

/// Stores the bytes; answers the path under which the gateway serves them.
pub(crate) async fn keep(app: &App, content: &[u8], extension: &str) -> Result<String, Error> {
    let mut name = String::new();
    for byte in Sha256::digest(content) {
        let _ = write!(name, "{byte:02x}");
    }
    let name = format!("{name}.{extension}");
    let path = dir(app).join(&name);
    if !tokio::fs::try_exists(&path).await? {
        tokio::fs::create_dir_all(dir(app)).await?;
        // beside and renamed: nobody ever reads half a picture
        let fresh = dir(app).join(format!("{name}.{}.new", uuid::Uuid::new_v4()));
        let mut file = tokio::fs::File::create(&fresh).await?;
        file.write_all(content).await?;
        file.sync_all().await?;
        tokio::fs::rename(&fresh, &path).await?;
    }
    Ok(format!("/api/images/{name}"))
}

/// The bytes and the media type of a stored picture.
pub(crate) async fn read(app: &App, name: &str) -> Result<(Vec<u8>, &'static str), Error> {
    let (hash, extension) = name.split_once('.').ok_or(Error::ImageNotFound)?;
    let known = TYPES.iter().find(|(e, _)| *e == extension);
    let hexadecimal = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
    let (Some((_, media_type)), true) = (known, hexadecimal) else {
        return Err(Error::ImageNotFound);
    };
    match tokio::fs::read(dir(app).join(name)).await {
        Ok(content) => Ok((content, media_type)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Error::ImageNotFound),
        Err(e) => Err(e.into()),
    }
}

fn dir(app: &App) -> PathBuf {
    app.files.join("images")
}
