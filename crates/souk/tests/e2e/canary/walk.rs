//! Somebody who goes through every journey, and through requests that fail, and leaves marks.
mod account;
mod errors;
mod goods;
mod news;
mod own_data;

use serde_json::{Value, json};
use souk_testkit::shop::ADMIN_PASSWORD;
use souk_testkit::{Answer, Client, eventually};

use super::letters::Letter;
use super::marks::{Mark, Place};
use super::stage::Stage;
use crate::SOON;

/// A card number that the test provider takes. It may be nowhere at all.
const CARD: &str = "4242424242424242";

/// Letters only: names are of letters, and nothing in them is folded.
pub(super) fn word(what: &str) -> String {
    let digits = crate::unique("x").replace("x-", "");
    let letters = digits.chars().filter_map(|digit| char::from_digit(digit.to_digit(16)? + 10, 36));
    format!("{what}{}", letters.collect::<String>())
}

/// Somebody who leaves marks.
pub(super) struct Canary<'a> {
    stage: &'a Stage,
    pub(super) admin: Client,
    pub(super) anonymous: Client,
    pub(super) marks: Vec<Mark>,
    /// What was answered to requests that failed.
    pub(super) answers: Vec<Place>,
    username: String,
    email: String,
    name: String,
    phone: String,
    street: String,
    password: String,
    user: String,
    order: String,
    /// Codes in the place of a second factor, those that were used behind.
    recovery: Vec<String>,
}

impl<'a> Canary<'a> {
    pub(super) async fn new(stage: &'a Stage) -> Self {
        let shop = stage.plan.shop();
        let (admin, anonymous) = (shop.admin().await, shop.anonymous());
        let mut canary = Self {
            stage,
            admin,
            anonymous,
            marks: Vec::new(),
            answers: Vec::new(),
            username: String::new(),
            email: String::new(),
            name: String::new(),
            phone: String::new(),
            street: String::new(),
            password: String::new(),
            user: String::new(),
            order: String::new(),
            recovery: Vec::new(),
        };
        canary.mark("card number", CARD);
        canary.username = canary.mark("username", word("u"));
        canary.name = canary.mark("name", word("canary"));
        canary.email = canary.new_email();
        let digits = u64::from_str_radix(&crate::unique("x")[2..], 16).expect("digits");
        canary.phone = canary.mark("phone", format!("+49 30 {:08}", digits % 100_000_000));
        canary.street = canary.mark("street", word("street"));
        canary.password = canary.mark("password", format!("the first {}", word("phrase")));
        canary.mark("admin's password", ADMIN_PASSWORD);
        canary.note_admin();
        canary
    }

    /// From now on this is looked for.
    fn mark(&mut self, what: &'static str, text: impl Into<String>) -> String {
        self.mark_at(what, text, &[])
    }

    /// The same; it may be at these places.
    fn mark_at(
        &mut self,
        what: &'static str,
        text: impl Into<String>,
        places: &[String],
    ) -> String {
        let text = text.into();
        let mut mark = Mark::new(what, text.clone());
        places.iter().for_each(|place| mark.allow(place));
        self.marks.push(mark);
        text
    }

    /// A mark that is there already may be at this place, too.
    fn allow(&mut self, text: &str, place: &str) {
        let marks = self.marks.iter_mut().filter(|mark| mark.text == text);
        marks.for_each(|mark| mark.allow(place));
    }

    /// An address: on the envelope and in the head of its own letters. The letters may greet.
    fn new_email(&mut self) -> String {
        let email = format!("{}@people.test", word("canary"));
        let name = self.name.clone();
        self.allow(&name, &format!("letter to {email}: *: body"));
        self.mark_at("email", email.clone(), &own_places(&email))
    }

    /// The part that makes a token good.
    fn mark_token(&mut self, token: &str) {
        self.mark("access token", token.rsplit('.').next().unwrap_or_default());
    }

    fn note_admin(&mut self) {
        let token = self.admin.token().to_owned();
        self.mark_token(&token);
    }

    fn mark_field(&mut self, what: &'static str, answer: &Answer, field: &str) -> String {
        self.mark(what, answer.field(field))
    }

    /// The admin's token is good for ten minutes; the walk takes longer on a busy machine.
    pub(super) async fn calls_the_admin(&mut self) {
        self.admin = self.stage.plan.shop().admin().await;
        self.note_admin();
    }

    /// The shop was closed and is open again.
    pub(super) async fn comes_back(&mut self) -> Client {
        self.calls_the_admin().await;
        self.logs_in().await
    }

    /// With a code instead of a second factor, if there is one.
    pub(super) async fn logs_in(&mut self) -> Client {
        let mut body = json!({ "email": self.email, "password": self.password, "remember": true });
        if let Some(code) = self.recovery.pop() {
            body["second_factor_code"] = json!(code);
        }
        let entered = self.anonymous.post("/api/auth/login", &body).await;
        entered.expect(200);
        self.mark_field("refresh token", &entered, "refresh_token");
        self.mark_field("device token", &entered, "device_token");
        let token = entered.field("access_token");
        self.mark_token(&token);
        self.anonymous.with_token(&token)
    }

    /// Sends what fails, and keeps what was answered.
    async fn fails(&mut self, who: &Client, path: &str, body: &Value, status: u16) {
        let answer = who.post(path, body).await;
        answer.refused(status);
        self.keep(&answer);
    }

    fn keep(&mut self, answer: &Answer) {
        assert!(answer.status < 500, "{}: {}", answer.request, answer.text());
        let path = answer.request.split('?').next().unwrap_or_default();
        let head = format!("{:?}", answer.headers).into_bytes();
        let bytes = [head, answer.body.clone()].concat();
        self.answers.push(Place { name: format!("answer: {path}"), bytes });
    }

    /// The letter to this address with this headline, as soon as it was handed over.
    async fn letter(&self, to: &str, headline: &str) -> Letter {
        eventually(&format!("{headline:?} to {to}"), SOON * 2, || async {
            let mut letters = self.stage.letters();
            letters.retain(|letter| letter.to == to);
            let told: Vec<String> = letters.iter().map(|letter| letter.words.clone()).collect();
            let found = letters.into_iter().find(|l| l.words.trim_start().starts_with(headline));
            found.ok_or_else(|| format!("{told:#?}"))
        })
        .await
    }
}

/// Where an address may be for its own letters' sake.
fn own_places(email: &str) -> [String; 2] {
    [format!("letter to {email}: *: head"), format!("mail request to {email}: envelope")]
}

/// In the body of one letter and nowhere else.
fn in_letter(to: &str, headline: &str) -> [String; 1] {
    [format!("letter to {to}: {headline}: body")]
}
