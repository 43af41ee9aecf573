//! How people are seen: one of a set, or a picture of their own that was made anew.
use std::io::Cursor;

use http::Method;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use souk_testkit::{Answer, Backend, Client, eventually, journeys};

use crate::{SOON, finish, plan};

journeys!(
    somebody_chooses_uploads_and_takes_away,
    s56_what_is_no_picture_is_refused_by_its_content,
    staff_see_and_take_away_what_nobody_should_see,
);

const MINE: &str = "/api/me/avatar";

/// A picture, with something behind it that is none.
fn photo(width: u32, height: u32) -> Vec<u8> {
    let color = |x, y| Rgb([(x % 256) as u8, (y % 256) as u8, 90]);
    let picture = DynamicImage::ImageRgb8(RgbImage::from_fn(width, height, color));
    let mut content = Vec::new();
    picture.write_to(&mut Cursor::new(&mut content), ImageFormat::Png).expect("a picture");
    content.extend_from_slice(b"<script>alert(1)</script>");
    content
}

/// As the body itself.
async fn uploads(who: &Client, media_type: &str, content: Vec<u8>) -> Answer {
    let request = who.request(Method::PUT, MINE).header("content-type", media_type);
    who.send(request.body(content)).await
}

async fn somebody_chooses_uploads_and_takes_away(backend: Backend) {
    let shop = plan(backend).open().await;
    let (user, who) = shop.person("customer").await;
    let anonymous = shop.anonymous();
    let none = who.get(MINE).await;
    let nothing = json!({ "avatar": null, "uploaded": false, "url": null, "version": 0 });
    assert_eq!((none.expect(200), none.etag()), (nothing, "\"0\""));

    let set = anonymous.get("/api/avatars").await.expect(200);
    let set = set["items"].as_array().expect("items").clone();
    assert_eq!(set.len(), 12);
    for one in &set {
        let picture = anonymous.get(one["url"].as_str().expect("a url")).await;
        assert_eq!(picture.status, 200, "{one}");
        assert_eq!(picture.header("content-type"), "image/svg+xml");
        assert!(picture.header("content-security-policy").contains("sandbox"));
        assert!(picture.header("cache-control").contains("immutable"));
    }
    let chosen = who.put(MINE, &json!({ "avatar": "fox" })).await;
    assert_eq!(chosen.expect(200)["url"], "/api/avatars/fox.svg");
    assert_eq!(chosen.etag(), "\"1\"");
    for (body, field) in [
        (json!({ "avatar": "dragon" }), "avatar"),
        (json!({ "avatar": 5 }), "avatar"),
        (json!({}), "avatar"),
        (json!({ "avatar": "owl", "url": "x" }), "url"),
    ] {
        let answer = who.put(MINE, &body).await;
        answer.refused(422);
        assert_eq!(answer.broken_fields(), [field], "{body}");
    }

    // as a form and as the body itself
    let form = Form::new().part("file", Part::bytes(photo(640, 480)).file_name("me.exe"));
    let sent = who.send(who.request(Method::PUT, MINE).multipart(form)).await;
    let first = sent.expect(200);
    assert_eq!((&first["avatar"], &first["uploaded"]), (&Value::Null, &json!(true)), "{first}");
    let url = first["url"].as_str().expect("a url").to_owned();
    let seen = anonymous.get(&url).await;
    assert_eq!((seen.status, seen.header("content-type")), (200, "image/jpeg"));
    let picture = image::load_from_memory(&seen.body).expect("a picture");
    assert_eq!((picture.width(), picture.height()), (256, 256));
    assert!(!seen.text().contains("<script>"));
    assert!(seen.header("cache-control").contains("max-age=3600"));
    let second = uploads(&who, "image/png", photo(100, 100)).await.expect(200);
    assert_eq!(second["version"], 3);
    assert_eq!(anonymous.get(&url).await.refused(404), "avatar_not_found");

    let stale = who.request(Method::PUT, MINE).header("if-match", "\"1\"");
    let stale = who.send(stale.json(&json!({ "avatar": "owl" }))).await;
    assert_eq!(stale.refused(412), "stale_version");
    assert_eq!(stale.json()["current_version"], 3);
    let gone = who.delete(MINE).await.expect(200);
    assert_eq!((&gone["url"], &gone["version"]), (&Value::Null, &json!(4)));
    anonymous.get(MINE).await.refused(401);
    anonymous.put(MINE, &json!({ "avatar": "fox" })).await.refused(401);

    // it goes with the account
    let kept = uploads(&who, "image/png", photo(100, 100)).await;
    let kept = kept.field("url");
    let admin = shop.admin().await;
    let path = format!("/api/users/{}", user["id"].as_str().expect("id"));
    admin.delete(&path).await.expect(200);
    let action = json!({ "action": "delete_inactive", "delay_s": 0 });
    let started = admin.post("/api/admin/users/actions", &action).await;
    crate::jobs::ended(&admin, &started.field("status_url")).await;
    assert_eq!(anonymous.get(&kept).await.refused(404), "avatar_not_found");
    finish(shop).await;
}

async fn s56_what_is_no_picture_is_refused_by_its_content(backend: Backend) {
    let shop = plan(backend).open().await;
    let who = shop.customer().await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>".to_vec();
    for (media_type, content, status, code) in [
        ("image/png", svg.clone(), 415, "not_a_picture"),
        ("image/svg+xml", svg, 415, "not_a_picture"),
        ("application/octet-stream", b"MZ\x90\0".to_vec(), 415, "not_a_picture"),
        ("text/plain", photo(8, 8), 415, "not_a_picture"),
        ("image/png", Vec::new(), 422, "invalid_fields"),
        ("image/png", photo(64, 64)[..50].to_vec(), 422, "invalid_fields"),
    ] {
        let answer = uploads(&who, media_type, content).await;
        assert_eq!(answer.refused(status), code, "{media_type}");
    }
    let mut large = photo(16, 16);
    large.resize(5 * 1024 * 1024 + 1, 0);
    assert_eq!(uploads(&who, "image/png", large.clone()).await.refused(413), "picture_too_large");
    large.resize(6 * 1024 * 1024, 0);
    assert_eq!(uploads(&who, "image/png", large).await.refused(413), "body_too_large");
    // 60,000 × 60,000 in a head, and nothing behind it
    let bomb = b"GIF89a\x60\xea\x60\xea\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x60\xea\x60\xea\0\x02\x02D\x01\0;";
    let bomb = uploads(&who, "image/gif", bomb.to_vec()).await;
    assert_eq!(bomb.refused(413), "picture_too_large");
    assert_eq!(who.get(MINE).await.expect(200)["version"], 0);
    finish(shop).await;
}

async fn staff_see_and_take_away_what_nobody_should_see(backend: Backend) {
    let shop = plan(backend).open().await;
    let (user, who) = shop.person("customer").await;
    let (admin, other) = (shop.admin().await, shop.customer().await);
    let path = format!("/api/users/{}/avatar", user["id"].as_str().expect("id"));
    let mine = uploads(&who, "image/png", photo(300, 300)).await.expect(200);
    assert_eq!(admin.get(&path).await.expect(200), mine);
    for (client, status) in [(&shop.anonymous(), 401), (&other, 403), (&who, 403)] {
        client.get(&path).await.refused(status);
        client.delete(&path).await.refused(status);
    }
    let left = admin.delete(&path).await.expect(200);
    assert_eq!(left["url"], Value::Null);
    assert_eq!(who.get(MINE).await.expect(200), left);
    let nobody = "/api/users/usr_01KAJ3W0F4Q6R8T9V2X5Y7Z0B1/avatar";
    assert_eq!(admin.delete(nobody).await.refused(404), "user_not_found");
    eventually("the audit tells of it", SOON, || async {
        let told = admin.lists_all("/api/admin/audit", "action=avatar.removed").await;
        if told.len() == 1 { Ok(()) } else { Err(format!("{told:#?}")) }
    })
    .await;
    finish(shop).await;
}
