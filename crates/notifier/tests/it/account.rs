//! Who closes, or loses the role, gets no letters any more.
use std::sync::atomic::Ordering;

use souk_events::Envelope;
use souk_notifier::app::Recipient;
use souk_notifier::events::account::AccountHandler;
use souk_proto::events::v1::UserChanged;

use crate::bench::{Bench, admin, benches, envelope, handle};
use crate::neighbor::Neighborhood;

struct News<'a> {
    who: &'a Recipient,
    version: u64,
    kind: &'a str,
    active: bool,
    fields: &'a [&'a str],
}

impl Bench {
    fn news(&self, news: &News<'_>) -> Envelope {
        let id = news.who.user_id.to_string();
        let message = UserChanged {
            user_id: id.clone(),
            version: news.version,
            kind: news.kind.to_owned(),
            actor_id: "usr_boss".to_owned(),
            role: "customer".to_owned(),
            active: news.active,
            fields: news.fields.iter().map(ToString::to_string).collect(),
        };
        envelope("souk.accounts.user.changed.v1", id, &message, self.clock.now())
    }

    async fn told(&self, neighbors: &Neighborhood, news: &News<'_>) {
        let handler = AccountHandler::new(self.app.clone(), neighbors.client());
        handle(self.db(), &handler, &[self.news(news)]).await;
    }
}

fn deleted(who: &Recipient, version: u64) -> News<'_> {
    News { who, version, kind: "deleted", active: false, fields: &["active"] }
}

#[tokio::test]
async fn letters_of_a_deleted_administrator_are_suppressed() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        bench.hear(&[bench.change("Mug")], &[ann.clone(), bob.clone()]).await;
        bench.told(&neighbors, &deleted(&ann, 3)).await;
        assert_eq!(bench.deliver().await, 1);
        assert_eq!(bench.standing(&ann).await, ["suppressed"], "{}", bench.store.name);
        assert_eq!(bench.standing(&bob).await, ["sent"]);
        assert_eq!(bench.ledger().await[0].reason.as_deref(), Some("inactive"));
        assert_eq!(bench.sent_to(&ann), 0);
        assert_eq!(neighbors.accounts.asked.load(Ordering::SeqCst), 0, "no role changed");
    }
}

#[tokio::test]
async fn a_letter_on_its_way_is_not_tried_again_after_its_account_closed() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        bench.ses.fail_next(1, 500);
        bench.hear(&[bench.change("Mug")], std::slice::from_ref(&ann)).await;
        let postman = bench.postman().await;
        let letter = postman.claim(8).await.expect("claims").remove(0);
        bench.told(&neighbors, &deleted(&ann, 3)).await;
        postman.carry(letter).await;
        bench.pass(5);
        assert_eq!(crate::bench::deliver(&postman).await, 0);
        assert_eq!(bench.standing(&ann).await, ["suppressed"], "{}", bench.store.name);
        assert_eq!(bench.ses.requests(), 1);
    }
}

#[tokio::test]
async fn an_account_that_opened_again_gets_letters_again() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        bench.told(&neighbors, &deleted(&ann, 3)).await;
        bench.pass(60);
        // accounts says she gets notices; its own event is late
        bench.hear(&[bench.change("Mug")], std::slice::from_ref(&ann)).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["sent"], "{}", bench.store.name);
    }
}

#[tokio::test]
async fn old_news_never_overwrite_newer_ones() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let ann = admin("Ann");
        let open = News { active: true, kind: "changed", ..deleted(&ann, 5) };
        bench.told(&neighbors, &open).await;
        bench.hear(&[bench.change("Mug")], std::slice::from_ref(&ann)).await;
        bench.told(&neighbors, &deleted(&ann, 4)).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["sent"], "{}", bench.store.name);
    }
}

#[tokio::test]
async fn who_lost_the_role_is_asked_of_accounts() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        neighbors.knows(std::slice::from_ref(&bob));
        bench.hear(&[bench.change("Mug")], &[ann.clone(), bob.clone()]).await;
        for who in [&ann, &bob] {
            let news = News { who, version: 2, kind: "changed", active: true, fields: &["role"] };
            bench.told(&neighbors, &news).await;
        }
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["suppressed"], "{}", bench.store.name);
        assert_eq!(bench.standing(&bob).await, ["sent"], "another role that gets notices");
        assert_eq!(neighbors.accounts.asked.load(Ordering::SeqCst), 2);
    }
}
