//! From bytes to pixels within bounds, and back.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType as PngFilter, PngEncoder};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{MAX_BYTES, MAX_PIXELS, Picture, PictureError};

/// Pixels a side.
const MAX_SIDE: u32 = 20_000;
/// What decoding may take: 20 million pixels of 8 bytes, and room beside them.
const MAX_MEMORY: u64 = 256 * 1024 * 1024;
/// Of a JPEG; the second one where the first is too large.
const QUALITIES: [u8; 2] = [85, 60];

/// What it is by its first bytes, whatever the sender called it.
pub(crate) fn kind(content: &[u8]) -> Result<ImageFormat, PictureError> {
    let webp = content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WEBP");
    match content {
        c if c.starts_with(b"\x89PNG\r\n\x1a\n") => Ok(ImageFormat::Png),
        c if c.starts_with(b"\xff\xd8\xff") => Ok(ImageFormat::Jpeg),
        c if c.starts_with(b"GIF87a") || c.starts_with(b"GIF89a") => Ok(ImageFormat::Gif),
        _ if webp => Ok(ImageFormat::WebP),
        _ => Err(PictureError::NotAPicture),
    }
}

pub(crate) fn remake(content: &[u8]) -> Result<Picture, PictureError> {
    let format = kind(content)?;
    let lossless = matches!(format, ImageFormat::Png | ImageFormat::Gif);
    write(&read(content, format)?, lossless)
}

pub(crate) fn square(content: &[u8], side: u32) -> Result<Picture, PictureError> {
    let picture = read(content, kind(content)?)?;
    let (width, height) = (picture.width(), picture.height());
    // cut before it is scaled: a line of 20,000 pixels would grow to a wall
    let edge = width.min(height);
    let cut = picture.crop_imm((width - edge) / 2, (height - edge) / 2, edge, edge);
    write(&cut.resize_exact(side, side, FilterType::Triangle), false)
}

/// The pixels, turned as the file asks for. Nothing is decoded before its size is known.
fn read(content: &[u8], format: ImageFormat) -> Result<DynamicImage, PictureError> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(content), format);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(why)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS || decoder.total_bytes() > MAX_MEMORY {
        return Err(PictureError::TooManyPixels);
    }
    if pixels == 0 {
        return Err(PictureError::Broken);
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut picture = DynamicImage::from_decoder(decoder).map_err(why)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

fn why(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(_) => PictureError::TooManyPixels,
        _ => PictureError::Broken,
    }
}

/// Eight bits a channel, no metadata. What shows through and what was lossless is PNG.
fn write(picture: &DynamicImage, lossless: bool) -> Result<Picture, PictureError> {
    let shows_through = picture.color().has_alpha();
    if shows_through || lossless {
        let plain = if shows_through {
            DynamicImage::ImageRgba8(picture.to_rgba8())
        } else {
            DynamicImage::ImageRgb8(picture.to_rgb8())
        };
        let mut content = Vec::new();
        let encoder = PngEncoder::new_with_quality(
            &mut content,
            CompressionType::Default,
            PngFilter::Adaptive,
        );
        plain.write_with_encoder(encoder).map_err(|_| PictureError::Failed)?;
        if content.len() <= MAX_BYTES {
            return Ok(made(picture, content, "image/png", "png"));
        }
        if shows_through {
            return Err(PictureError::TooLarge);
        }
    }
    let plain = DynamicImage::ImageRgb8(picture.to_rgb8());
    for quality in QUALITIES {
        let mut content = Vec::new();
        let encoder = JpegEncoder::new_with_quality(&mut content, quality);
        plain.write_with_encoder(encoder).map_err(|_| PictureError::Failed)?;
        if content.len() <= MAX_BYTES {
            return Ok(made(picture, content, "image/jpeg", "jpg"));
        }
    }
    Err(PictureError::TooLarge)
}

fn made(
    picture: &DynamicImage,
    content: Vec<u8>,
    media_type: &'static str,
    extension: &'static str,
) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    Picture { content, media_type, extension, width, height }
}
