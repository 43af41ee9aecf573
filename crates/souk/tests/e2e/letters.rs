//! What came out at the other end: letters in the folder, or at the mail system.
use souk_testkit::{Backend, Client, Shop, eventually};

use crate::SOON;

/// Letters that were really handed over to this address.
pub(crate) fn delivered(shop: &Shop, address: &str) -> usize {
    match shop.store().ses() {
        Some(ses) => {
            let to = |mail: &souk_testkit::ses::AcceptedMail| mail.destination == [address];
            ses.accepted().iter().filter(|mail| to(mail)).count()
        }
        None => folder(shop).iter().filter(|letter| is_to(letter, address)).count(),
    }
}

/// All letters that were handed over, whoever got them.
pub(crate) fn all_delivered(shop: &Shop) -> usize {
    shop.store().ses().map_or_else(|| folder(shop).len(), |ses| ses.accepted().len())
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

fn is_to(letter: &str, address: &str) -> bool {
    let head = letter.split("\r\n\r\n").next().unwrap_or_default();
    head.lines().any(|line| line.starts_with("To:") && line.contains(address))
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
