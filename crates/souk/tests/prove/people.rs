//! People and trust: what is revoked is refused, what is secret is used once, what is guessed is
//! bounded, and nobody learns who has an account (P33 to P40).
use std::fmt;

use serde_json::{Value, json};

use crate::client::Client;
use crate::house::PASSWORD;

mod devices;
mod grace;
mod guessing;
mod idle;
mod letters;
mod links;
mod revoked;
mod search;
mod stage;
mod statistics;
mod told_apart;
mod usage;

/// What became of it, with columns of its own for each promise.
pub(crate) struct Table {
    head: &'static [&'static str],
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &'static [&'static str]) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// One line: words first, then figures.
    pub(crate) fn row(&mut self, what: &str, figures: &[&dyn fmt::Display]) {
        let mut row = vec![what.to_owned()];
        row.extend(figures.iter().map(ToString::to_string));
        assert_eq!(row.len(), self.head.len(), "{what}");
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| {} |", self.head.join(" | "))?;
        writeln!(f, "| --- |{}", " --: |".repeat(self.head.len().saturating_sub(1)))?;
        for row in &self.rows {
            writeln!(f, "| {} |", row.join(" | "))?;
        }
        Ok(())
    }
}

/// Somebody who has an account.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: String,
}

/// What a login gave.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) session: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// A name that nobody has.
pub(crate) fn new_name() -> String {
    format!("u{}", &uuid::Uuid::new_v4().simple().to_string()[..14])
}

impl Person {
    /// A new account with the password of the house.
    pub(crate) async fn new(desk: &Client, role: &str) -> Self {
        let name = new_name();
        let email = format!("{name}@people.example");
        let body = json!({
            "username": name, "email": email, "full_name": "Pat Proof", "password": PASSWORD,
            "role": role,
        });
        let (status, user) = desk.order("POST", "/api/users", Some(body)).await;
        assert_eq!(status, 201, "{user}");
        Self { id: text(&user["id"]), email }
    }

    pub(crate) async fn logs_in(&self, door: &Client) -> Login {
        self.logs_in_with(door, PASSWORD).await
    }

    pub(crate) async fn logs_in_with(&self, door: &Client, password: &str) -> Login {
        let (status, answer) = self.tries(door, password).await;
        assert_eq!(status, 200, "{answer}");
        Login::of(&answer)
    }

    /// Tries to log in; one that was told to come again comes again.
    pub(crate) async fn tries(&self, door: &Client, password: &str) -> (u16, Value) {
        let body = json!({ "email": self.email, "password": password });
        patient(door, None, "/api/auth/login", &body).await
    }

    /// Asks for a link to a new password.
    pub(crate) async fn forgets(&self, door: &Client) {
        let body = json!({ "email": self.email });
        let (status, answer) = patient(door, None, "/api/auth/password/forgot", &body).await;
        assert_eq!(status, 202, "{answer}");
    }
}

impl Login {
    pub(crate) fn of(answer: &Value) -> Self {
        Self {
            session: answer["session_id"].as_str().unwrap_or_default().to_owned(),
            access: text(&answer["access_token"]),
            refresh: text(&answer["refresh_token"]),
        }
    }
}

/// A POST that is sent again while the answer is 503: nothing was accepted then.
pub(crate) async fn patient(
    door: &Client,
    token: Option<&str>,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    for _ in 0..100 {
        match door.ask(token, "POST", path, Some(body)).await {
            Some((503, _)) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            Some(answer) => return answer,
            None => panic!("POST {path}: no answer"),
        }
    }
    panic!("POST {path}: 503 a hundred times")
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
