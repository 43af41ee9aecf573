//! Who ordered a newsletter, asked for again when it begins and as long as it goes out.
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use souk_audit::{Audit, Filter};

use super::*;

const WHY: &str = "whoever ordered it may not send newsletters any more";

impl Press<'_> {
    /// Staff may look only from now on.
    fn demoted(&self) {
        self.neighbors.holds(self.staff, &[Permission::NotificationsRead]);
    }

    /// Somebody else is staff, and their letters leave at once.
    fn relieved(&mut self) {
        let settings = NewsletterSettings { per_minute: 60_000, ..NewsletterSettings::default() };
        self.app = self.app.clone().with_newsletters(&settings);
        self.staff = UserId::new();
        self.neighbors.holds(self.staff, &[Permission::UsersWrite]);
    }

    /// Actor, way, target and reason of what was refused.
    async fn refusals(&self) -> Vec<[String; 4]> {
        let audit = Audit::new("notifier", self.bench.db().clone(), self.bench.clock.clone());
        let filter = Filter { action: "newsletter.sent".to_owned(), ..Filter::default() };
        let page = Page::new(100, "").expect("a page");
        let (entries, _) = audit.list(&filter, &page).await.expect("the database answers");
        assert!(entries.iter().all(|entry| entry.outcome == "refused"));
        entries.into_iter().map(|e| [e.actor, e.via, e.target, e.reason]).collect()
    }

    fn refused(&self, newsletter: &Newsletter) -> [String; 4] {
        let target = format!("newsletter/{}", newsletter.id);
        let (via, reason) = ("notifier".to_owned(), "beyond_own_permissions".to_owned());
        [self.staff.to_string(), via, target, reason]
    }

    /// The job at its end, while no letter leaves.
    async fn ended(&self, id: JobId) -> Job {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let mut left = 36_000;
        loop {
            ticks.tick().await;
            let job = self.job(id).await;
            if job.status.has_ended() {
                return job;
            }
            assert!(left > 0, "{job:?}");
            left -= 1;
        }
    }
}

/// Whoever stole the session of staff has the delay at most.
#[tokio::test]
async fn who_lost_their_power_before_it_begins_sends_nothing() {
    for bench in benches().await {
        let mut press = Press::new(&bench, 60_000);
        press.readers(3);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 60).await.expect("it is ordered");
        press.demoted();
        let (worker, stop) = press.worker(&press.jobs);
        bench.pass(60);
        let ended = press.until(job, |job| job.status.has_ended()).await;
        stop.cancel();
        worker.await.expect("ends");
        let told = (ended.status, ended.message.as_str(), ended.attempts, ended.done);
        assert_eq!(told, (JobStatus::Failed, WHY, 1, 0), "{}", bench.store.name);
        assert!(bench.ledger().await.is_empty() && bench.ses.accepted().is_empty());
        assert_eq!(press.refusals().await, [press.refused(&newsletter)]);
        // nobody got it: it may be changed, and sent by somebody who may
        let draft = press.seen(&newsletter.id).await;
        assert_eq!((draft.status.as_str(), draft.job_id), ("draft", job.to_string()));
        press.relieved();
        assert_eq!(press.sent(&newsletter.id).await.counts["sent"], 3);
        assert_eq!(bench.ses.accepted().len(), 3);
    }
}

#[tokio::test]
async fn who_loses_their_power_while_it_goes_out_sends_no_more() {
    for bench in benches().await {
        // a letter a minute
        let mut press = Press::new(&bench, 1);
        let readers = press.readers(5);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 0).await.expect("it is ordered");
        let (worker, stop) = press.worker(&press.jobs);
        press.until(job, |_| bench.ses.accepted().len() == 1).await;
        press.demoted();
        bench.pass(55);
        let ended = press.until(job, |job| job.status.has_ended()).await;
        stop.cancel();
        worker.await.expect("ends");
        let told = (ended.status, ended.message.as_str());
        assert_eq!(told, (JobStatus::Failed, WHY), "{}", bench.store.name);
        // the second one may have left in the same minute
        let sent = bench.ses.accepted().len();
        assert!((1..=2).contains(&sent), "{sent}");
        assert_eq!((ended.counts["sent"], ended.counts["refused"]), (sent as u64, 5 - sent as u64));
        let last = (readers[4].0.to_string(), "refused".to_owned(), String::new());
        assert_eq!(press.results(job).await[4], last);
        bench.pass(3_600);
        assert_eq!(deliver(&press.postman().await).await, 0);
        assert_eq!(press.refusals().await, [press.refused(&newsletter)]);
        assert_eq!(press.seen(&newsletter.id).await.status, "failed");
        // sent on by somebody who may, everybody has one
        press.relieved();
        assert_eq!(press.sent(&newsletter.id).await.status, JobStatus::Succeeded);
        let accepted = bench.ses.accepted();
        let got: BTreeSet<_> = accepted.iter().flat_map(|mail| &mail.destination).collect();
        assert_eq!((accepted.len(), got.len()), (5, 5));
        assert_eq!(press.seen(&newsletter.id).await.status, "sent");
    }
}

#[tokio::test]
async fn who_lost_their_power_during_an_outage_sends_no_more_after_it() {
    for bench in benches().await {
        let press = Press::new(&bench, 1);
        press.readers(5);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 0).await.expect("it is ordered");
        let (worker, _) = press.worker(&press.jobs);
        press.until(job, |_| bench.ses.accepted().len() == 1).await;
        worker.abort();
        assert!(worker.await.expect_err("it vanished").is_cancelled());
        press.demoted();
        // its lease runs out
        bench.pass(600);
        let next = Jobs::new(bench.db().clone(), bench.clock.clone());
        let (worker, stop) = press.worker(&next);
        let ended = press.ended(job).await;
        stop.cancel();
        worker.await.expect("ends");
        let told = (ended.status, ended.message.as_str());
        assert_eq!(told, (JobStatus::Failed, WHY), "{}", bench.store.name);
        assert_eq!((ended.counts["sent"], ended.counts["refused"]), (1, 4));
        assert_eq!(deliver(&press.postman().await).await, 0);
        assert_eq!(bench.ledger().await.len(), 1);
    }
}

#[tokio::test]
async fn while_accounts_is_away_it_is_put_off() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        press.readers(2);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 0).await.expect("it is ordered");
        press.neighbors.accounts.away.store(true, Ordering::SeqCst);
        let (worker, stop) = press.worker(&press.jobs);
        // more often than anything is retried that fails
        for attempt in 1..=6 {
            let waits = |job: &Job| job.attempts == attempt && job.status == JobStatus::Waiting;
            let seen = press.until(job, waits).await;
            assert_eq!(seen.message, "the accounts cannot be asked", "{}", bench.store.name);
            bench.pass(60);
        }
        assert_eq!(press.seen(&newsletter.id).await.status, "sending");
        assert!(bench.ledger().await.is_empty() && press.refusals().await.is_empty());
        press.neighbors.accounts.away.store(false, Ordering::SeqCst);
        bench.pass(60);
        let ended = press.until(job, |job| job.status.has_ended()).await;
        assert_eq!((ended.status, ended.counts["sent"]), (JobStatus::Succeeded, 2));
        stop.cancel();
        worker.await.expect("ends");
    }
}

#[tokio::test]
async fn the_operator_is_no_person_and_not_asked_for() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        press.readers(2);
        let newsletter = press.written().await;
        press.demoted();
        let routes = grpc::routes(&press.app, &press.neighbors.client(), true);
        let guarded = press.neighbors.guard("notifier", grpc::METHODS, routes);
        let way = Transport::local("notifier", guarded, press.neighbors.identity("operator"));
        let request = SendNewsletterRequest {
            id: newsletter.id.clone(),
            delay_s: Some(0),
            expected_version: None,
        };
        let ordered = NewsletterServiceClient::new(way).send_newsletter(request).await;
        let job: JobId =
            ordered.expect("it is ordered").into_inner().job_id.parse().expect("an id");
        let (worker, stop) = press.worker(&press.jobs);
        let ended = press.until(job, |job| job.status.has_ended()).await;
        stop.cancel();
        worker.await.expect("ends");
        let told = (ended.created_by.as_str(), ended.status, ended.counts["sent"]);
        assert_eq!(told, ("operator", JobStatus::Succeeded, 2), "{}", bench.store.name);
    }
}
