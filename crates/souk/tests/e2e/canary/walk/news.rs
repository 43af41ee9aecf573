//! The newsletter: asked for, confirmed, sent, ended; by somebody with an account and by somebody
//! without.
use http::Method;
use serde_json::json;
use souk_testkit::Client;

use super::{Canary, in_letter, own_places, word};
use crate::jobs::ended;
use crate::letters::token_in;

const ASK: &str = "/api/newsletter";
const CONFIRM: &str = "/api/newsletter/confirm";
const END: &str = "/api/newsletter/unsubscribe";
const QUESTION: &str = "Do you want our newsletter?";

impl Canary<'_> {
    pub(in super::super) async fn subscribes(&mut self, client: &Client) {
        let anonymous = self.anonymous.clone();
        let guest = format!("{}@people.test", word("guest"));
        let guest = self.mark_at("subscriber's email", guest.clone(), &own_places(&guest));
        let odd = self.mark("wrong field", word("version"));
        let body = json!({ "email": guest, "text_version": odd });
        self.fails(&anonymous, ASK, &body, 422).await;
        self.anonymous.post(ASK, &json!({ "email": guest })).await.expect(202);
        client.put("/api/me/newsletter", &json!({ "subscribed": true })).await.expect(200);
        let wrong = self.mark("made-up token", word("token"));
        for path in [CONFIRM, END] {
            self.fails(&anonymous, path, &json!({ "token": wrong }), 404).await;
        }
        let link = self.question(&guest).await;
        // a mail program looks, its reader presses the button
        let page = format!("/newsletter/confirm?token={link}");
        assert_eq!(self.anonymous.get(&page).await.status, 200);
        assert_eq!(self.presses(&page).await, 200);
        assert_eq!(self.presses(&format!("/newsletter/confirm?token={wrong}")).await, 404);
        let email = self.email.clone();
        let link = self.question(&email).await;
        self.anonymous.post(CONFIRM, &json!({ "token": link })).await.expect(204);

        let subject = word("Tea");
        let body = json!({ "subject": subject, "text": "Hello" });
        let made = self.admin.post("/api/admin/newsletters", &body).await;
        made.expect(201);
        let path = format!("{}/send", made.header("location"));
        let ordered = self.admin.post(&path, &json!({ "delay_s": 0 })).await;
        let job = ended(&self.admin, &ordered.field("status_url")).await;
        assert_eq!(job["status"], "succeeded", "{job}");
        for email in [&email, &guest] {
            let link = self.way_out(email, &subject).await;
            let page = format!("/newsletter/unsubscribe?token={link}");
            assert_eq!(self.anonymous.get(&page).await.status, 200);
            if email == &guest {
                assert_eq!(self.presses(&page).await, 200);
                self.anonymous.post(END, &json!({ "token": link })).await.status_in(&[204]);
            }
        }
        assert_eq!(self.presses(&format!("/newsletter/unsubscribe?token={wrong}")).await, 404);
    }

    /// The link in the letter that asks.
    async fn question(&mut self, email: &str) -> String {
        let letter = self.letter(email, QUESTION).await;
        self.mark_at("newsletter link", token_in(&letter.words), &in_letter(email, QUESTION))
    }

    /// The link that ends it: in the head for programs, in the text for people.
    async fn way_out(&mut self, email: &str, subject: &str) -> String {
        let letter = self.letter(email, subject).await;
        let line = letter.head.lines().find(|line| line.starts_with("List-Unsubscribe: <"));
        let token = line.and_then(|line| line.split_once("?token=")).expect("a link").1;
        let token = token.trim_end_matches('>').to_owned();
        let parts = ["head", "body"].map(|part| format!("letter to {email}: {subject}: {part}"));
        self.mark_at("unsubscribe link", token, &parts)
    }

    /// As a mail program presses the button, or a form.
    async fn presses(&self, path: &str) -> u16 {
        let form = "application/x-www-form-urlencoded";
        let request = self.anonymous.request(Method::POST, path).header("content-type", form);
        let request = request.header("sec-fetch-site", "same-origin");
        self.anonymous.send(request.body("List-Unsubscribe=One-Click")).await.status
    }
}
