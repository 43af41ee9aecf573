//! Pictures of products.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use souk_proto::catalog::v1::{AddImageRequest, GetImageRequest, Image, Product};
use souk_rpc::{Failure, Kind};

use crate::shop::{Shop, answer, broken_fields, refusal};

crate::on_both! {
    a_picture_is_stored_and_stands_behind_the_others
    s56_every_known_type_is_told_by_its_bytes_and_made_anew
    s56_what_is_no_picture_or_too_large_is_refused
    the_same_picture_twice_is_one
    a_picture_for_an_old_version_or_an_unknown_product_is_refused
    only_stored_names_are_read
}

/// A picture of this color.
fn drawn(color: u8, format: ImageFormat) -> Vec<u8> {
    let picture = RgbImage::from_pixel(30, 20, Rgb([color, 90, 90]));
    let picture = match format {
        ImageFormat::Gif => DynamicImage::ImageRgba8(DynamicImage::ImageRgb8(picture).to_rgba8()),
        _ => DynamicImage::ImageRgb8(picture),
    };
    let mut content = Vec::new();
    picture.write_to(&mut Cursor::new(&mut content), format).unwrap();
    content
}

fn png() -> Vec<u8> {
    drawn(10, ImageFormat::Png)
}

async fn add(shop: &Shop, content: &[u8], expected: Option<u64>) -> Result<Product, Failure> {
    let request = AddImageRequest {
        key: "A".into(),
        content_type: "text/html".into(),
        content: content.to_vec(),
        expected_version: expected,
    };
    answer(shop.products().add_image(request)).await
}

async fn read(shop: &Shop, name: &str) -> Result<Image, Failure> {
    let name = name.trim_start_matches("/api/images/").to_owned();
    answer(shop.products().get_image(GetImageRequest { name })).await
}

async fn a_picture_is_stored_and_stands_behind_the_others(shop: &Shop) {
    shop.product("A", "1").await;
    let one = add(shop, &png(), Some(1)).await.unwrap();
    let two = add(shop, &drawn(200, ImageFormat::Jpeg), None).await.unwrap();
    assert_eq!((one.images.len(), one.version), (1, 2));
    assert_eq!((two.images.len(), two.version), (2, 3));
    assert_eq!(two.images[0], one.images[0]);
    assert!(one.images[0].starts_with("/api/images/") && one.images[0].ends_with(".png"));
    let image = read(shop, &one.images[0]).await.unwrap();
    assert_eq!(image.content_type, "image/png");
    let seen = image::load_from_memory(&image.content).unwrap();
    assert_eq!((seen.width(), seen.height()), (30, 20));
    let (_, told) = shop.events().await.pop().unwrap();
    assert_eq!(told.changes[0].field, "images");
}

async fn s56_every_known_type_is_told_by_its_bytes_and_made_anew(shop: &Shop) {
    shop.product("A", "1").await;
    for (color, format, media_type) in [
        (20, ImageFormat::Png, "image/png"),
        (60, ImageFormat::Jpeg, "image/jpeg"),
        (100, ImageFormat::Gif, "image/png"),
        (140, ImageFormat::WebP, "image/jpeg"),
    ] {
        let sent = [drawn(color, format), b"<script>1</script>".to_vec()].concat();
        let product = add(shop, &sent, None).await.unwrap();
        let image = read(shop, product.images.last().unwrap()).await.unwrap();
        assert_eq!(image.content_type, media_type, "{format:?}");
        assert!(!image.content.windows(7).any(|bytes| bytes == b"<script"));
        let seen = image::load_from_memory(&image.content).unwrap().to_rgb8();
        assert!(seen.get_pixel(5, 5).0[0].abs_diff(color) < 8, "{format:?}");
    }
}

async fn s56_what_is_no_picture_or_too_large_is_refused(shop: &Shop) {
    shop.product("A", "1").await;
    for content in [
        &b""[..],
        b"MZ\x90",
        b"<html><svg/></html>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        b"RIFF\0\0\0\0WAVE",
        b"\x89PNG\r\n\x1a\nand so on",
        // 60,000 × 60,000 in a head, and nothing behind it
        b"GIF89a\x60\xea\x60\xea\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x60\xea\x60\xea\0\x02\x02D\x01\0;",
    ] {
        assert_eq!(broken_fields(add(shop, content, None).await), ["file"]);
    }
    let mut large = png();
    large.resize(5 * 1024 * 1024, 0);
    assert_eq!(add(shop, &large, None).await.unwrap().images.len(), 1);
    large.push(0);
    assert_eq!(broken_fields(add(shop, &large, None).await), ["file"]);
    assert_eq!(shop.get("A").await.unwrap().version, 2);
}

async fn the_same_picture_twice_is_one(shop: &Shop) {
    shop.product("A", "1").await;
    let once = add(shop, &png(), None).await.unwrap();
    assert_eq!(add(shop, &png(), None).await.unwrap(), once);
    assert_eq!(shop.events().await.len(), 2);
}

async fn a_picture_for_an_old_version_or_an_unknown_product_is_refused(shop: &Shop) {
    assert_eq!(refusal(add(shop, &png(), None).await).1, "product_not_found");
    shop.product("A", "1").await;
    add(shop, &png(), None).await.unwrap();
    let stale = add(shop, &drawn(99, ImageFormat::Png), Some(1)).await;
    assert_eq!(refusal(stale), (Kind::Stale, "stale_version".to_owned()));
}

async fn only_stored_names_are_read(shop: &Shop) {
    let hash = "0".repeat(64);
    for name in [
        "",
        "x.png",
        "../../secrets/signing_key",
        &hash,
        &format!("{hash}.png"),
        &format!("{hash}.exe"),
        &format!("../{hash}.png"),
        &format!("{hash}.png/../x.png"),
    ] {
        let unknown = (Kind::NotFound, "image_not_found".to_owned());
        assert_eq!(refusal(read(shop, name).await), unknown, "{name}");
    }
}
