//! What one's own data are: a picture, the file with everything, the end of everything.
use std::io::Cursor;

use http::Method;
use image::{DynamicImage, ImageFormat, RgbImage};
use reqwest::multipart::{Form, Part};
use serde_json::json;
use souk_testkit::Client;

use super::super::marks::{EXPORT, Place};
use super::{Canary, word};
use crate::buying::becomes;

const AVATAR: &str = "/api/me/avatar";

impl Canary<'_> {
    /// Chooses a picture, and uploads one that tells more than it shows.
    pub(in super::super) async fn shows_a_face(&mut self, client: &Client) {
        client.put(AVATAR, &json!({ "avatar": "fox" })).await.expect(200);
        let wrong = self.mark("wrong field", word("avatar"));
        let refused = client.put(AVATAR, &json!({ "avatar": wrong })).await;
        refused.refused(422);
        self.keep(&refused);
        let comment = self.mark("picture's comment", word("comment"));
        let name = self.mark("file name", word("file"));
        let photo = photo(&comment);
        let upload = |bytes: Vec<u8>| {
            let file = Part::bytes(bytes).file_name(format!("{name}.jpg"));
            client
                .send(client.request(Method::PUT, AVATAR).multipart(Form::new().part("file", file)))
        };
        let set = upload(photo.clone()).await.expect(200);
        let url = set["url"].as_str().expect("a url").to_owned();
        // what everybody sees
        let seen = self.anonymous.get(&url).await;
        assert_eq!(seen.status, 200, "{url}");
        self.keep(&seen);
        // its beginning, and none at all
        for bytes in [photo[..60].to_vec(), format!("<svg>{comment}</svg>").into()] {
            let refused = upload(bytes).await;
            refused.status_in(&[415, 422]);
            self.keep(&refused);
        }
    }

    /// The file with everything that is kept: the person's own, and none of their secrets.
    pub(in super::super) async fn takes_everything(&mut self, client: &Client) -> Place {
        let wrong = self.mark("wrong field", word("export"));
        let odd = client.get(&format!("/api/me/export/none?token={wrong}")).await;
        odd.refused(404);
        client.send(client.request(Method::POST, "/api/me/export")).await.expect(202);
        becomes(client, "/api/me/export", "status", json!("ready")).await;
        let email = self.email.clone();
        self.letter(&email, "Your data is ready").await;
        let file = client.get("/api/me/export/file").await;
        file.expect(200);
        let refused = self.admin.get("/api/me/export/file").await;
        refused.refused(404);
        self.keep(&refused);
        Place { name: EXPORT.to_owned(), bytes: file.body }
    }

    /// The end of everything that names them.
    pub(in super::super) async fn goes(&mut self, client: &Client) {
        let path = "/api/me/erasure";
        let wrong = self.mark("wrong password", format!("guessed {}", word("phrase")));
        self.fails(client, path, &json!({ "current_password": wrong }), 422).await;
        let body = json!({ "current_password": self.password });
        client.post(path, &body).await.expect(202);
        let path = format!("/api/users/{}/erasure", self.user);
        becomes(&self.admin, &path, "status", json!("done")).await;
        let login = json!({ "email": self.email, "password": self.password });
        let anonymous = self.anonymous.clone();
        self.fails(&anonymous, "/api/auth/login", &login, 401).await;
        let order = self.admin.get(&format!("/api/admin/orders/{}", self.order)).await.expect(200);
        assert!(order["total"].is_string(), "figures stay: {order}");
    }
}

/// A JPEG with a comment inside and more behind its end.
fn photo(comment: &str) -> Vec<u8> {
    let picture = DynamicImage::ImageRgb8(RgbImage::new(320, 240));
    let mut plain = Vec::new();
    picture.write_to(&mut Cursor::new(&mut plain), ImageFormat::Jpeg).expect("a picture");
    let length = u16::try_from(comment.len() + 2).expect("a short comment").to_be_bytes();
    let (start, rest) = plain.split_at(2);
    [start, &[0xff, 0xfe], &length, comment.as_bytes(), rest, comment.as_bytes()].concat()
}
