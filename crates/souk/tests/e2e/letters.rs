//! What came out at the other end: letters in the folder, or at the mail system.
use std::collections::BTreeMap;

use souk_testkit::letter::{code, recipient, token, words};
use souk_testkit::{Backend, Client, Shop, eventually};

use crate::SOON;

/// Letters that were really handed over to this address.
pub(crate) fn delivered(shop: &Shop, address: &str) -> usize {
    match shop.store().ses() {
        Some(ses) => {
            let to = |mail: &souk_testkit::ses::AcceptedMail| mail.destination == [address];
            ses.accepted().iter().filter(|mail| to(mail)).count()
        }
        None => folder(shop).iter().filter(|letter| recipient(letter) == address).count(),
    }
}

/// Letters that speak of this, by address: what accounts write to the same people is not meant.
pub(crate) fn delivered_about(shop: &Shop, word: &str) -> BTreeMap<String, usize> {
    let letters: Vec<String> = match shop.store().ses() {
        Some(ses) => ses.accepted().iter().map(|mail| mail.text()).collect(),
        None => folder(shop),
    };
    let mut found = BTreeMap::new();
    for letter in letters.iter().filter(|letter| words(letter).contains(word)) {
        *found.entry(recipient(letter)).or_default() += 1;
    }
    found
}

/// The words of the letter to this address that begins like this, as soon as it was handed over.
pub(crate) async fn letter(shop: &Shop, address: &str, headline: &str) -> String {
    eventually(&format!("{headline:?} to {address}"), SOON * 2, || async {
        let words: Vec<String> = letters_to(shop, address).iter().map(|raw| words(raw)).collect();
        let found = words.iter().find(|words| words.trim_start().starts_with(headline));
        found.cloned().ok_or_else(|| format!("{words:#?}"))
    })
    .await
}

/// All letters to this address as they were handed over, in no order.
pub(crate) fn letters_to(shop: &Shop, address: &str) -> Vec<String> {
    match shop.store().ses() {
        Some(ses) => {
            let to = |mail: &souk_testkit::ses::AcceptedMail| mail.destination == [address];
            ses.accepted().iter().filter(|mail| to(mail)).map(|mail| mail.text()).collect()
        }
        None => folder(shop).into_iter().filter(|letter| recipient(letter) == address).collect(),
    }
}

/// The code in a letter: it has a line of its own.
pub(crate) fn code_in(words: &str) -> String {
    code(words).unwrap_or_else(|| panic!("no code in {words}")).to_owned()
}

/// The token in the link of a letter.
pub(crate) fn token_in(words: &str) -> String {
    token(words).unwrap_or_else(|| panic!("no link in {words}")).to_owned()
}

/// SES where there are servers, else the folder.
pub(crate) fn with_mail(plan: souk_testkit::ShopPlan, backend: Backend) -> souk_testkit::ShopPlan {
    if backend == Backend::Servers { plan.with_ses() } else { plan }
}

fn folder(shop: &Shop) -> Vec<String> {
    let folder = shop.store().data_dir().join("mail");
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|end| end == "eml"))
        .map(|entry| {
            String::from_utf8_lossy(&std::fs::read(entry.path()).expect("a letter")).into_owned()
        })
        .collect()
}

/// The ledger of one product (or all, when empty), once it has `count` rows and none of them waits.
pub(crate) async fn settled(admin: &Client, query: &str, count: usize) -> Vec<serde_json::Value> {
    eventually(
        &format!("{count} rows in the ledger ({query}), none waiting"),
        SOON * 3,
        || async {
            let counts =
                admin.get(&format!("/api/admin/notifications/counts?{query}")).await.expect(200);
            let of = |status: &str| counts["by_status"][status].as_u64().unwrap_or_default();
            let waiting = of("queued") + of("sending");
            let all = waiting + of("sent") + of("failed") + of("suppressed");
            if waiting == 0 && all == count as u64 { Ok(()) } else { Err(counts.to_string()) }
        },
    )
    .await;
    admin.lists_all("/api/admin/notifications", query).await
}
