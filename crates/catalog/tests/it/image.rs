//! Pictures of products.

use souk_proto::catalog::v1::{AddImageRequest, GetImageRequest, Image, Product};
use souk_rpc::{Failure, Kind};

use crate::shop::{Shop, answer, broken_fields, refusal};

crate::on_both! {
    a_picture_is_stored_and_stands_behind_the_others
    every_known_type_is_told_by_its_bytes
    what_is_no_picture_or_too_large_is_refused
    the_same_picture_twice_is_one
    a_picture_for_an_old_version_or_an_unknown_product_is_refused
    only_stored_names_are_read
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand so on";

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
    let one = add(shop, PNG, Some(1)).await.unwrap();
    let two = add(shop, b"GIF89a...", None).await.unwrap();
    assert_eq!((one.images.len(), one.version), (1, 2));
    assert_eq!((two.images.len(), two.version), (2, 3));
    assert_eq!(two.images[0], one.images[0]);
    assert!(one.images[0].starts_with("/api/images/") && one.images[0].ends_with(".png"));
    let image = read(shop, &one.images[0]).await.unwrap();
    assert_eq!((image.content.as_slice(), image.content_type.as_str()), (PNG, "image/png"));
    let (_, told) = shop.events().await.pop().unwrap();
    assert_eq!(told.changes[0].field, "images");
}

async fn every_known_type_is_told_by_its_bytes(shop: &Shop) {
    shop.product("A", "1").await;
    for (content, media_type) in [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0 jpeg", "image/jpeg"),
        (b"GIF87a...", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "image/svg+xml"),
    ] {
        let product = add(shop, content, None).await.unwrap();
        let image = read(shop, product.images.last().unwrap()).await.unwrap();
        assert_eq!((image.content.as_slice(), image.content_type.as_str()), (content, media_type));
    }
}

async fn what_is_no_picture_or_too_large_is_refused(shop: &Shop) {
    shop.product("A", "1").await;
    for content in [&b""[..], b"MZ\x90", b"<html><svg/></html>", b"%PDF-1.7", b"RIFF\0\0\0\0WAVE"] {
        assert_eq!(broken_fields(add(shop, content, None).await), ["file"]);
    }
    let mut large = PNG.to_vec();
    large.resize(5 * 1024 * 1024, 0);
    assert_eq!(add(shop, &large, None).await.unwrap().images.len(), 1);
    large.push(0);
    assert_eq!(broken_fields(add(shop, &large, None).await), ["file"]);
    assert_eq!(shop.get("A").await.unwrap().version, 2);
}

async fn the_same_picture_twice_is_one(shop: &Shop) {
    shop.product("A", "1").await;
    let once = add(shop, PNG, None).await.unwrap();
    assert_eq!(add(shop, PNG, None).await.unwrap(), once);
    assert_eq!(shop.events().await.len(), 2);
}

async fn a_picture_for_an_old_version_or_an_unknown_product_is_refused(shop: &Shop) {
    assert_eq!(refusal(add(shop, PNG, None).await).1, "product_not_found");
    shop.product("A", "1").await;
    add(shop, PNG, None).await.unwrap();
    let stale = add(shop, b"GIF89a...", Some(1)).await;
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
