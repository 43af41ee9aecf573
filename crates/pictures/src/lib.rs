//! Foreign pictures made anew: decoded within bounds and written again, so that only pixels are
//! left of what a stranger sent.

mod pixels;
mod workshop;

pub use workshop::Workshop;

/// Bytes of a picture, as it comes and as it leaves: 5 MiB.
pub const MAX_BYTES: usize = 5 * 1024 * 1024;
/// Width times height.
pub const MAX_PIXELS: u64 = 20_000_000;

/// Why something is not taken. `Display` says what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    #[error("must be a PNG, JPEG, GIF or WebP picture")]
    NotAPicture,
    #[error("must be at most 5 MiB")]
    TooLarge,
    #[error("must have at most 20 million pixels")]
    TooManyPixels,
    /// It begins like a picture and cannot be decoded.
    #[error("is a broken picture")]
    Broken,
    /// This process has failed.
    #[error("could not be made anew")]
    Failed,
}

/// A picture that we wrote ourselves. Prints without its bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub content: Vec<u8>,
    /// `image/png` or `image/jpeg`.
    pub media_type: &'static str,
    /// `png` or `jpg`.
    pub extension: &'static str,
    pub width: u32,
    pub height: u32,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Picture({}, {}×{})", self.media_type, self.width, self.height)
    }
}
