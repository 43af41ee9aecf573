//! What becomes of a picture, and what is refused.

use image::{DynamicImage, GenericImageView, ImageFormat};
use souk_pictures::{MAX_BYTES, Picture, PictureError, Workshop};

use crate::drawn::{BLUE, RED, boasting_png, glass, halves, with_exif, with_text, written};

async fn remade(content: Vec<u8>) -> Result<Picture, PictureError> {
    Workshop::default().remake(content).await
}

fn decoded(picture: &Picture) -> DynamicImage {
    image::load_from_memory(&picture.content).unwrap()
}

/// Whether the color at this place is about that one.
fn is_about(picture: &DynamicImage, x: u32, y: u32, color: [u8; 3]) -> bool {
    let found = picture.get_pixel(x, y).0;
    found.iter().zip(color).all(|(found, wanted)| found.abs_diff(wanted) < 24)
}

fn holds(content: &[u8], word: &[u8]) -> bool {
    content.windows(word.len()).any(|bytes| bytes == word)
}

#[tokio::test]
async fn s56_every_kind_is_told_by_its_bytes_and_written_anew() {
    for (format, media_type, extension) in [
        (ImageFormat::Png, "image/png", "png"),
        (ImageFormat::Jpeg, "image/jpeg", "jpg"),
        (ImageFormat::WebP, "image/jpeg", "jpg"),
        (ImageFormat::Gif, "image/png", "png"),
    ] {
        let picture = if format == ImageFormat::Gif {
            DynamicImage::ImageRgba8(halves(40, 20).to_rgba8())
        } else {
            halves(40, 20)
        };
        let sent = written(&picture, format);
        let made = remade(sent.clone()).await.unwrap();
        assert_eq!((made.media_type, made.extension), (media_type, extension), "{format:?}");
        assert_eq!((made.width, made.height), (40, 20));
        let seen = decoded(&made);
        assert!(is_about(&seen, 5, 10, RED) && is_about(&seen, 35, 10, BLUE), "{format:?}");
        // the same once more is the same again: names made of the content stay
        assert_eq!(remade(sent).await.unwrap(), made);
    }
}

#[tokio::test]
async fn s56_metadata_and_what_hangs_behind_are_gone() {
    let secret = "51.5007N 0.1246W";
    let png = with_text(&written(&halves(8, 8), ImageFormat::Png), secret);
    let jpeg = with_exif(&written(&halves(64, 32), ImageFormat::Jpeg), 1, secret);
    for sent in [png, jpeg] {
        let sent = [sent, b"<script>alert(1)</script>".to_vec()].concat();
        assert!(holds(&sent, secret.as_bytes()));
        let made = remade(sent).await.unwrap();
        assert!(!holds(&made.content, secret.as_bytes()) && !holds(&made.content, b"<script"));
        assert!(!holds(&made.content, b"Exif") && !holds(&made.content, b"tEXt"));
    }
}

#[tokio::test]
async fn a_turned_picture_is_turned_before_its_turn_is_forgotten() {
    let jpeg = written(&halves(64, 32), ImageFormat::Jpeg);
    let made = remade(with_exif(&jpeg, 6, "x")).await.unwrap();
    assert_eq!((made.width, made.height), (32, 64));
    let seen = decoded(&made);
    assert!(is_about(&seen, 16, 8, RED) && is_about(&seen, 16, 56, BLUE));
}

#[tokio::test]
async fn what_shows_through_stays_so() {
    for format in [ImageFormat::Png, ImageFormat::WebP] {
        let made = remade(written(&glass(20, 20), format)).await.unwrap();
        assert_eq!(made.media_type, "image/png", "{format:?}");
        let seen = decoded(&made);
        assert_eq!((seen.get_pixel(2, 2).0[3], seen.get_pixel(18, 2).0[3]), (255, 0));
    }
}

#[tokio::test]
async fn s56_what_is_no_picture_is_refused() {
    for content in [
        &b""[..],
        b"MZ\x90",
        b"%PDF-1.7",
        b"RIFF\0\0\0\0WAVE",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?xml version='1.0'?><svg/>",
        b"<html><img></html>",
        b"BM\x46\0\0\0",
        b"II*\0",
    ] {
        assert_eq!(remade(content.to_vec()).await, Err(PictureError::NotAPicture), "{content:?}");
    }
}

#[tokio::test]
async fn a_broken_picture_is_refused_wherever_it_breaks_off() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
        let whole = written(&halves(64, 64), format);
        for end in [8, 12, 20, whole.len() / 3] {
            let cut = whole[..end.min(whole.len())].to_vec();
            let refused = remade(cut).await;
            // half a JPEG is still half a picture
            let half = format == ImageFormat::Jpeg && end > 20;
            assert!(half || refused.is_err(), "{format:?} {end}: {refused:?}");
        }
        let mut noisy = whole.clone();
        for byte in noisy.iter_mut().skip(16).step_by(3) {
            *byte ^= 0x5a;
        }
        // whatever is answered, the process lives
        let _ = remade(noisy).await;
    }
    assert_eq!(remade(boasting_png(16, 16)).await, Err(PictureError::Broken));
}

#[tokio::test]
async fn s56_bombs_are_refused_before_they_are_decoded() {
    for (width, height) in [(5_000, 4_001), (20_001, 1), (60_000, 60_000)] {
        let bomb = boasting_png(width, height);
        assert!(bomb.len() < 100);
        assert_eq!(remade(bomb).await, Err(PictureError::TooManyPixels), "{width}×{height}");
    }
    // a GIF of 65,535 × 65,535 in a few bytes
    let gif = b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02D\x01\0;";
    assert_eq!(remade(gif.to_vec()).await, Err(PictureError::TooManyPixels));
    // the border itself is read to its end
    assert_eq!(remade(boasting_png(5_000, 4_000)).await, Err(PictureError::Broken));
}

#[tokio::test]
async fn s56_five_mebibytes_are_the_most() {
    let mut large = written(&halves(16, 16), ImageFormat::Png);
    large.resize(MAX_BYTES, 0);
    assert!(remade(large.clone()).await.is_ok());
    large.push(0);
    assert_eq!(remade(large).await, Err(PictureError::TooLarge));
}

#[tokio::test]
async fn a_square_is_the_middle_in_the_size_asked_for() {
    let workshop = Workshop::default();
    for (width, height) in [(300, 100), (100, 300), (64, 64), (20, 1), (1, 2_000)] {
        let sent = written(&halves(width, height), ImageFormat::Png);
        let made = workshop.square(sent, 64).await.unwrap();
        assert_eq!((made.width, made.height), (64, 64), "{width}×{height}");
        assert_eq!(made.media_type, "image/jpeg");
        assert!(made.content.len() < 64 * 1024);
    }
    let wide = written(&halves(300, 100), ImageFormat::Png);
    let seen = decoded(&workshop.square(wide, 64).await.unwrap());
    assert!(is_about(&seen, 4, 32, RED) && is_about(&seen, 60, 32, BLUE));
}

#[tokio::test]
async fn many_at_once_take_turns_and_all_are_made() {
    let workshop = Workshop::default();
    let sent = written(&halves(120, 80), ImageFormat::Png);
    let many: Vec<_> = (0..20)
        .map(|_| {
            let (workshop, sent) = (workshop.clone(), sent.clone());
            tokio::spawn(async move { workshop.square(sent, 32).await })
        })
        .collect();
    for made in many {
        assert_eq!(made.await.unwrap().unwrap().width, 32);
    }
}
