//! The file: one JSON object, written and read part by part, each part sealed.
//!
//! ```json
//! {"format": "souk.personal-data.1", "user_id": "usr_…", "made_at": "…",
//!  "services": {"orders": {"orders": [{…}], "cart": [{…}]}, …}}
//! ```

use serde_json::json;
use souk_storage::Tx;
use souk_values::JobId;

use crate::Error;
use crate::app::App;
use crate::app::keys::part::Place;
use crate::store::data_request::{Model, part};
use crate::store::newest;

/// Bytes of a part.
const PART: usize = 256 * 1024;

/// A file that is being made.
pub(crate) struct Writer {
    request: Model,
    text: Vec<u8>,
    /// Of the service whose records are being written.
    section: Option<String>,
    services: usize,
    records: usize,
    parts: i64,
    bytes: u64,
}

impl Writer {
    /// Removes what an attempt before has left.
    pub(crate) async fn begin(app: &App, tx: &Tx, request: Model) -> Result<Self, Error> {
        part::clear(tx, request.job_id).await?;
        let head = json!({
            "format": "souk.personal-data.1",
            "user_id": request.account_id,
            "made_at": app.now(),
        });
        let head = head.to_string();
        let head = format!("{},\"services\":{{", head.trim_end_matches('}'));
        let (text, section) = (head.into_bytes(), None);
        Ok(Self { request, text, section, services: 0, records: 0, parts: 0, bytes: 0 })
    }

    pub(crate) fn begin_service(&mut self, name: &str) {
        let comma = if self.services > 0 { "," } else { "" };
        self.services += 1;
        self.text.extend_from_slice(format!("{comma}{}:{{", json!(name)).as_bytes());
    }

    /// Records of one section come together.
    pub(crate) fn put(&mut self, section: &str, record: &str) {
        if self.section.as_deref() == Some(section) {
            self.text.push(b',');
        } else {
            let before = if self.section.is_some() { "]," } else { "" };
            self.text.extend_from_slice(format!("{before}{}:[", json!(section)).as_bytes());
            self.section = Some(section.to_owned());
        }
        self.text.extend_from_slice(record.as_bytes());
        self.records += 1;
    }

    pub(crate) fn end_service(&mut self) {
        if self.section.take().is_some() {
            self.text.push(b']');
        }
        self.text.push(b'}');
    }

    /// Records so far.
    pub(crate) fn records(&self) -> usize {
        self.records
    }

    /// Whether there is enough for a part.
    pub(crate) fn is_full(&self) -> bool {
        self.text.len() >= PART
    }

    /// Keeps what was written so far.
    pub(crate) async fn flush(&mut self, app: &App, tx: &Tx) -> Result<(), Error> {
        let text = std::mem::take(&mut self.text);
        for plain in text.chunks(PART) {
            let (owner, file) = (self.request.account_id, self.request.job_id);
            let place = Place { owner, file, position: self.parts };
            let sealed = app.keys.seal_part(place, plain);
            let sealed = sealed.map_err(|error| Error::SecondFactor(error.into()))?;
            part::insert(tx, part::Model { job_id: file, position: self.parts, sealed }).await?;
            self.parts += 1;
            self.bytes += plain.len() as u64;
        }
        Ok(())
    }

    /// The end of the file; answers its bytes and its parts.
    pub(crate) async fn end(mut self, app: &App, tx: &Tx) -> Result<(u64, u64), Error> {
        self.text.extend_from_slice(b"}}\n");
        self.flush(app, tx).await?;
        Ok((self.bytes, self.parts.unsigned_abs()))
    }
}

/// A file that is read by its owner.
pub(crate) struct Reader {
    request: Model,
    next: i64,
}

impl Reader {
    pub(crate) fn new(request: Model) -> Self {
        Self { request, next: 0 }
    }

    pub(crate) fn file(&self) -> JobId {
        self.request.job_id
    }

    /// The next part; none: that was all.
    pub(crate) async fn next(&mut self, app: &App) -> Result<Option<Vec<u8>>, Error> {
        if self.next >= self.request.parts {
            return Ok(None);
        }
        let (owner, file, position) = (self.request.account_id, self.file(), self.next);
        // it may expire, or be erased, while it is read
        let part = part::find(newest(&app.db), file, position).await?;
        let part = part.ok_or(Error::ExportNotFound)?;
        let opened = app.keys.open_part(Place { owner, file, position }, &part.sealed);
        self.next += 1;
        Ok(Some(opened.map_err(|error| Error::SecondFactor(error.into()))?))
    }
}
