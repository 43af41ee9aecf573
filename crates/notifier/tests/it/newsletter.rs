//! Newsletters: written, sent to whoever confirmed, paced, called back.
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::TimeDelta;
use souk_auth::Permission;
use souk_jobs::{Job, JobHandler, Jobs, Status as JobStatus};
use souk_notifier::app::{App, Postman};
use souk_notifier::clients::catalog::Catalog;
use souk_notifier::clients::mail;
use souk_notifier::config::NewsletterSettings;
use souk_notifier::grpc;
use souk_notifier::jobs::newsletter::SendNewsletter;
use souk_proto::notifier::v1::letter_service_client::LetterServiceClient;
use souk_proto::notifier::v1::newsletter_service_client::NewsletterServiceClient;
use souk_proto::notifier::v1::{
    CreateNewsletterRequest, DeleteNewsletterRequest, GetLetterRequest, GetNewsletterRequest,
    ListLettersRequest, ListNewslettersRequest, ListNotificationsRequest, Newsletter,
    NewsletterFields, SendNewsletterRequest, UpdateNewsletterRequest,
};
use souk_proto::types::v1::PageRequest;
use souk_rpc::{Failure, Kind, Transport, scope};
use souk_values::{JobId, NewsletterId, Page, SubscriberId, UserId};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::{Response, Status};

use crate::bench::{Bench, admin, benches, deliver};
use crate::neighbor::Neighborhood;

mod orderer;

/// The press of one bench: who writes, who reads, who does the jobs.
struct Press<'b> {
    bench: &'b Bench,
    neighbors: Neighborhood,
    jobs: Jobs,
    app: App,
    staff: UserId,
}

impl<'b> Press<'b> {
    fn new(bench: &'b Bench, per_minute: u32) -> Self {
        let neighbors = Neighborhood::new(&bench.clock);
        let jobs = Jobs::new(bench.db().clone(), bench.clock.clone());
        let settings = NewsletterSettings { per_minute, ..NewsletterSettings::default() };
        let app = bench.app.clone().with_jobs(jobs.clone()).with_newsletters(&settings);
        let staff = UserId::new();
        neighbors.holds(staff, &[Permission::UsersWrite]);
        Self { bench, neighbors, jobs, app, staff }
    }

    fn way(&self) -> Transport {
        let routes = grpc::routes(&self.app, &self.neighbors.client(), true);
        let guarded = self.neighbors.guard("notifier", grpc::METHODS, routes);
        Transport::local("notifier", guarded, self.neighbors.identity("gateway"))
    }

    fn client(&self) -> NewsletterServiceClient<Transport> {
        NewsletterServiceClient::new(self.way())
    }

    /// So many people who confirmed, with their addresses.
    fn readers(&self, count: usize) -> Vec<(SubscriberId, String)> {
        let readers: Vec<_> =
            (0..count).map(|n| (SubscriberId::new(), format!("r{n}@shop.example"))).collect();
        let mut known = self.neighbors.accounts.subscribers.lock().expect("unpoisoned");
        known.extend(readers.iter().cloned());
        readers
    }

    fn takes_back(&self, reader: SubscriberId) {
        let mut known = self.neighbors.accounts.subscribers.lock().expect("unpoisoned");
        known.insert(reader, String::new());
    }

    async fn as_staff<T>(
        &self,
        call: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Result<T, Failure> {
        let may = [Permission::NotificationsRead, Permission::UsersWrite];
        // of now: tests move the clock
        let answer = scope(self.neighbors.call_of(self.staff, &may), call).await;
        answer.map(Response::into_inner).map_err(Failure::from)
    }

    async fn written(&self) -> Newsletter {
        let request = CreateNewsletterRequest { fields: Some(fields()) };
        let made = self.as_staff(self.client().create_newsletter(request)).await;
        made.expect("it is written")
    }

    async fn seen(&self, id: &str) -> Newsletter {
        let request = GetNewsletterRequest { id: id.to_owned() };
        self.as_staff(self.client().get_newsletter(request)).await.expect("it is there")
    }

    async fn order(&self, id: &str, delay_s: u32) -> Result<JobId, Failure> {
        let request = SendNewsletterRequest {
            id: id.to_owned(),
            delay_s: Some(delay_s),
            expected_version: None,
        };
        let ordered = self.as_staff(self.client().send_newsletter(request)).await?;
        Ok(ordered.job_id.parse().expect("an id"))
    }

    fn handler(&self) -> Arc<dyn JobHandler> {
        // there is nobody behind it: these newsletters show no products
        let nobody = self.neighbors.guard("catalog", &[], Routes::default());
        let way = Transport::local("catalog", nobody, self.neighbors.identity("notifier"));
        let accounts = self.neighbors.client();
        Arc::new(SendNewsletter::new(self.app.clone(), accounts, Catalog::new(way)))
    }

    /// A process that does the jobs.
    fn worker(&self, jobs: &Jobs) -> (JoinHandle<()>, CancellationToken) {
        let stop = CancellationToken::new();
        (tokio::spawn(jobs.clone().run(vec![self.handler()], stop.clone())), stop)
    }

    async fn postman(&self) -> Postman {
        let folder = self.bench.store.dir.path().join("mail");
        let mail = mail::open(&self.bench.config, &folder).await.expect("a way to send");
        let accounts = self.neighbors.client();
        Postman::new(self.app.clone(), accounts, mail, &self.bench.config).expect("a postman")
    }

    async fn job(&self, id: JobId) -> Job {
        self.jobs.get(id).await.expect("the database answers").expect("the job is there")
    }

    /// Lets time pass and letters leave until the job is like this.
    async fn until(&self, id: JobId, is: impl Fn(&Job) -> bool) -> Job {
        let postman = self.postman().await;
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        let mut left = 36_000;
        loop {
            ticks.tick().await;
            deliver(&postman).await;
            let job = self.job(id).await;
            if is(&job) {
                return job;
            }
            assert!(left > 0, "{job:?}");
            left -= 1;
            self.bench.clock.advance(TimeDelta::milliseconds(50));
        }
    }

    /// Sends it to the end.
    async fn sent(&self, id: &str) -> Job {
        let job = self.order(id, 0).await.expect("it is ordered");
        let (worker, stop) = self.worker(&self.jobs);
        let job = self.until(job, |job| job.status.has_ended()).await;
        stop.cancel();
        worker.await.expect("ends");
        job
    }

    /// Key, outcome and detail of each.
    async fn results(&self, id: JobId) -> Vec<(String, String, String)> {
        let page = Page::new(100, "").expect("a page");
        let (results, _) = self.jobs.results(id, &page).await.expect("the database answers");
        results.into_iter().map(|r| (r.key, r.outcome, r.detail)).collect()
    }
}

fn fields() -> NewsletterFields {
    NewsletterFields {
        subject: Some("Tea is here".into()),
        text: Some("Hello\n\nNew tea came in.".into()),
        with_products: Some(false),
    }
}

#[tokio::test]
async fn s50_everybody_who_confirmed_gets_one_letter_with_their_own_link() {
    for mut bench in benches().await {
        bench.config.ses.configuration_set = "letters".into();
        bench.config.ses.newsletter_configuration_set = "newsletters".into();
        let press = Press::new(&bench, 60_000);
        // more than one part holds
        let readers = press.readers(130);
        let newsletter = press.written().await;
        assert_eq!((newsletter.status.as_str(), newsletter.version), ("draft", 1));
        let job = press.sent(&newsletter.id).await;
        assert_eq!((job.status, job.done, job.total), (JobStatus::Succeeded, 130, 130), "{job:?}");
        assert_eq!(job.counts["sent"], 130, "{}", bench.store.name);
        let seen = press.seen(&newsletter.id).await;
        assert_eq!((seen.status.as_str(), seen.job_id), ("sent", job.id.to_string()));
        assert!(seen.sent_at_us > 0);

        let accepted = bench.ses.accepted();
        assert_eq!(accepted.len(), 130);
        for (id, email) in &readers {
            let mails: Vec<_> = accepted.iter().filter(|m| m.destination == [&**email]).collect();
            let [one] = mails[..] else { panic!("{} letters to {email}", mails.len()) };
            let raw = String::from_utf8_lossy(&one.raw).replace("\r\n ", " ");
            let link = format!("http://127.0.0.1:8080/newsletter/unsubscribe?token={id}");
            assert!(raw.contains(&format!("List-Unsubscribe: <{link}>\r\n")), "{raw}");
            let post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
            assert!(raw.contains(post) && raw.contains("Subject: [Souk] Tea is here"), "{raw}");
            assert_eq!(raw.matches("To: ").count(), 1);
            assert_eq!(one.configuration_set.as_deref(), Some("newsletters"));
        }
        let ledger = bench.ledger().await;
        assert!(ledger.iter().all(|row| row.status == "sent" && row.kind == "newsletter"));
        assert_eq!(ledger.len(), 130);
        // the link is nowhere but in the letters
        let results = press.results(job.id).await;
        assert_eq!(results.len(), 100);
        assert!(results.iter().all(|(_, outcome, _)| outcome == "sent"));
        // it is not sent again
        let again = press.order(&newsletter.id, 0).await.expect_err("refused");
        assert_eq!((again.kind, again.reason.as_str()), (Kind::Conflict, "newsletter_not_draft"));
    }
}

#[tokio::test]
async fn s50_who_takes_it_back_before_the_letter_leaves_gets_none() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        let readers = press.readers(3);
        press.takes_back(readers[1].0);
        let newsletter = press.written().await;
        let job = press.sent(&newsletter.id).await;
        assert_eq!((job.counts["sent"], job.counts["suppressed"]), (2, 1), "{}", bench.store.name);
        let results = press.results(job.id).await;
        let expected = (readers[1].0.to_string(), "suppressed".into(), "unsubscribed".into());
        assert_eq!(results[1], expected);
        assert_eq!(bench.ses.accepted().len(), 2);
        let row = bench.ledger().await.remove(1);
        assert_eq!((row.recipient.as_str(), row.reason.as_deref()), ("", Some("unsubscribed")));
    }
}

#[tokio::test]
async fn without_readers_it_is_sent_at_once() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        let newsletter = press.written().await;
        let job = press.sent(&newsletter.id).await;
        assert_eq!((job.status, job.done, job.total), (JobStatus::Succeeded, 0, 0));
        assert_eq!(press.seen(&newsletter.id).await.status, "sent");
    }
}

#[tokio::test]
async fn cancelled_in_its_delay_it_is_a_draft_again() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        press.readers(3);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 15).await.expect("it is ordered");
        assert_eq!(press.seen(&newsletter.id).await.status, "sending");
        let twice = press.order(&newsletter.id, 0).await.expect_err("refused");
        assert_eq!(twice.reason, "newsletter_not_draft");
        press.jobs.cancel(job).await.expect("cancels");
        let draft = press.seen(&newsletter.id).await;
        assert_eq!(draft.status, "draft", "{}", bench.store.name);
        assert!(bench.ledger().await.is_empty());
        // it may be changed, and sent
        let change = UpdateNewsletterRequest {
            id: newsletter.id.clone(),
            fields: Some(NewsletterFields { subject: Some("Tea".into()), ..Default::default() }),
            expected_version: Some(draft.version),
        };
        let changed = press.as_staff(press.client().update_newsletter(change)).await;
        assert_eq!(changed.expect("it is changed").status, "draft");
        let job = press.sent(&newsletter.id).await;
        assert_eq!(job.counts["sent"], 3);
    }
}

#[tokio::test]
async fn cancelled_while_it_goes_out_the_rest_is_never_sent() {
    for bench in benches().await {
        // a letter a minute
        let press = Press::new(&bench, 1);
        let readers = press.readers(3);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 0).await.expect("it is ordered");
        let (worker, stop) = press.worker(&press.jobs);
        press.until(job, |_| bench.ses.accepted().len() == 1).await;
        press.jobs.cancel(job).await.expect("cancels");
        let ended = press.until(job, |job| job.status.has_ended()).await;
        assert_eq!(ended.status, JobStatus::Cancelled, "{}", bench.store.name);
        assert_eq!((ended.counts["sent"], ended.counts["suppressed"]), (1, 2));
        let results = press.results(job).await;
        let expected = (readers[2].0.to_string(), "suppressed".into(), "cancelled".into());
        assert_eq!(results[2], expected);
        bench.pass(3_600);
        assert_eq!(deliver(&press.postman().await).await, 0);
        assert_eq!(press.seen(&newsletter.id).await.status, "cancelled");
        assert_eq!(press.order(&newsletter.id, 0).await.expect_err("refused").kind, Kind::Conflict);
        stop.cancel();
        worker.await.expect("ends");
    }
}

#[tokio::test]
async fn after_a_crash_it_goes_on_and_nobody_gets_two() {
    for bench in benches().await {
        let press = Press::new(&bench, 1);
        press.readers(5);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 0).await.expect("it is ordered");
        let (worker, _) = press.worker(&press.jobs);
        press.until(job, |_| bench.ses.accepted().len() == 1).await;
        worker.abort();
        assert!(worker.await.expect_err("it vanished").is_cancelled());
        // its lease runs out, and the letters that it wrote leave
        bench.pass(600);
        let next = Jobs::new(bench.db().clone(), bench.clock.clone());
        let (worker, stop) = press.worker(&next);
        let ended = press.until(job, |job| job.status.has_ended()).await;
        assert_eq!(ended.status, JobStatus::Succeeded, "{}", bench.store.name);
        assert_eq!((ended.done, ended.counts["sent"]), (5, 5));
        assert_eq!(bench.ses.accepted().len(), 5);
        stop.cancel();
        worker.await.expect("ends");
    }
}

#[tokio::test]
async fn other_letters_do_not_wait_behind_a_newsletter() {
    for bench in benches().await {
        let press = Press::new(&bench, 60);
        press.readers(300);
        let newsletter = press.written().await;
        press.order(&newsletter.id, 0).await.expect("it is ordered");
        let (worker, stop) = press.worker(&press.jobs);
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while bench.ledger().await.is_empty() {
            ticks.tick().await;
        }
        // a part is written, and of it one letter is due a second
        assert_eq!(bench.ledger().await.len(), 100, "{}", bench.store.name);
        let ann = admin("Ann");
        bench.hear(&[bench.change("Mug")], std::slice::from_ref(&ann)).await;
        let postman = press.postman().await;
        assert_eq!(deliver(&postman).await, 2);
        assert_eq!(bench.sent_to(&ann), 1);
        bench.pass(10);
        assert_eq!(deliver(&postman).await, 10);
        stop.cancel();
        worker.await.expect("ends");
    }
}

#[tokio::test]
async fn while_accounts_is_away_its_letters_wait() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        press.readers(2);
        let newsletter = press.written().await;
        let job = press.order(&newsletter.id, 0).await.expect("it is ordered");
        let (worker, stop) = press.worker(&press.jobs);
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        while bench.ledger().await.is_empty() {
            ticks.tick().await;
        }
        press.neighbors.accounts.away.store(true, Ordering::SeqCst);
        bench.pass(1);
        assert_eq!(deliver(&press.postman().await).await, 2, "{}", bench.store.name);
        let waiting = bench.ledger().await;
        assert!(waiting.iter().all(|row| row.status == "queued" && row.attempts == Some(0)));
        press.neighbors.accounts.away.store(false, Ordering::SeqCst);
        let ended = press.until(job, |job| job.status.has_ended()).await;
        assert_eq!(ended.counts["sent"], 2);
        stop.cancel();
        worker.await.expect("ends");
    }
}

#[tokio::test]
async fn the_link_of_a_reader_is_shown_in_the_mailbox_only() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        press.readers(1);
        let newsletter = press.written().await;
        press.sent(&newsletter.id).await;
        let mut letters = LetterServiceClient::new(press.way());
        let listed = letters.list_letters(ListLettersRequest::default()).await.expect("answers");
        let line = listed.into_inner().items.remove(0);
        assert_eq!(line.subject, "[Souk] Tea is here", "{}", bench.store.name);
        let get = || GetLetterRequest { id: line.id.clone() };
        let mailbox = letters.get_letter(get()).await.expect("answers").into_inner();
        assert!(mailbox.text.contains("/newsletter/unsubscribe?token=sub_"), "{}", mailbox.text);
        let desk = press.as_staff(letters.get_letter(get())).await.expect("answers");
        assert!(desk.text.contains("New tea came in.") && !desk.text.contains("token="));
        assert!(!desk.html.contains("token="));
        let ledger = letters.list_notifications(ListNotificationsRequest::default());
        let ledger = press.as_staff(ledger).await.expect("answers").items;
        // a subscriber is no user
        assert_eq!((ledger[0].user_id.as_str(), ledger[0].kind.as_str()), ("", "newsletter"));
        let event: NewsletterId = newsletter.id.parse().expect("an id");
        assert_eq!(ledger[0].event_id, event.uuid().to_string());
    }
}

#[tokio::test]
async fn drafts_are_written_changed_listed_and_thrown_away() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        let broken = CreateNewsletterRequest { fields: None };
        let broken = press.as_staff(press.client().create_newsletter(broken)).await;
        let broken = broken.expect_err("refused");
        let named: Vec<&str> = broken.violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!((broken.kind, named), (Kind::Invalid, vec!["subject", "text"]));
        let (one, two) = (press.written().await, press.written().await);
        let page = |cursor: &str| ListNewslettersRequest {
            page: Some(PageRequest { limit: 1, cursor: cursor.to_owned() }),
        };
        let first =
            press.as_staff(press.client().list_newsletters(page(""))).await.expect("a page");
        assert_eq!(first.items, std::slice::from_ref(&two));
        let next = page(&first.next_cursor);
        let next = press.as_staff(press.client().list_newsletters(next)).await.expect("a page");
        assert_eq!((next.items, next.next_cursor.as_str()), (vec![one.clone()], ""));

        let change = |subject: &str, expected_version| UpdateNewsletterRequest {
            id: one.id.clone(),
            fields: Some(NewsletterFields { subject: Some(subject.into()), ..Default::default() }),
            expected_version,
        };
        let mut client = press.client();
        let changed = press.as_staff(client.update_newsletter(change("Mugs", Some(1)))).await;
        let changed = changed.expect("it is changed");
        assert_eq!((changed.subject.as_str(), changed.version), ("Mugs", 2));
        assert_eq!(changed.text, one.text);
        // the same again is no change
        let same = press.as_staff(client.update_newsletter(change(" Mugs ", Some(2)))).await;
        assert_eq!(same.expect("it is as it was").version, 2);
        let stale = press.as_staff(client.update_newsletter(change("Cups", Some(1)))).await;
        assert_eq!(stale.expect_err("stale").kind, Kind::Stale);
        let gone = DeleteNewsletterRequest { id: one.id.clone(), expected_version: Some(2) };
        press.as_staff(press.client().delete_newsletter(gone.clone())).await.expect("it is gone");
        let twice = press.as_staff(press.client().delete_newsletter(gone)).await;
        assert_eq!(twice.expect_err("gone").reason, "newsletter_not_found");
        // what is sent stays as it is
        press.sent(&two.id).await;
        let late = UpdateNewsletterRequest { id: two.id.clone(), ..change("Late", None) };
        let late = press.as_staff(press.client().update_newsletter(late)).await;
        assert_eq!(late.expect_err("sent").reason, "newsletter_not_draft", "{}", bench.store.name);
        let late = DeleteNewsletterRequest { id: two.id.clone(), expected_version: None };
        let late = press.as_staff(press.client().delete_newsletter(late)).await;
        assert_eq!(late.expect_err("sent").reason, "newsletter_not_draft");
    }
}

#[tokio::test]
async fn who_may_write_and_send() {
    for bench in benches().await {
        let press = Press::new(&bench, 60_000);
        let newsletter = press.written().await;
        let reader = press.neighbors.call_of(UserId::new(), &[Permission::NotificationsRead]);
        let customer = press.neighbors.call_of(UserId::new(), &[]);
        let send = || SendNewsletterRequest { id: newsletter.id.clone(), ..Default::default() };
        let get = || GetNewsletterRequest { id: newsletter.id.clone() };
        let mut client = press.client();
        for (call, may_read) in [(reader, true), (customer, false)] {
            let read = scope(call.clone(), client.get_newsletter(get())).await;
            assert_eq!(read.is_ok(), may_read, "{}", bench.store.name);
            let sent = scope(call.clone(), client.send_newsletter(send())).await;
            assert_eq!(Failure::from(sent.expect_err("refused")).kind, Kind::Forbidden);
            let create = CreateNewsletterRequest { fields: Some(fields()) };
            let made = scope(call, client.create_newsletter(create)).await;
            assert_eq!(Failure::from(made.expect_err("refused")).kind, Kind::Forbidden);
        }
        let long = SendNewsletterRequest { delay_s: Some(86_401), ..send() };
        let long = press.as_staff(client.send_newsletter(long)).await.expect_err("refused");
        assert_eq!(long.violations[0].field, "delay_s");
        assert_eq!(press.seen(&newsletter.id).await.status, "draft");
    }
}
