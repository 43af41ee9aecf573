//! Group actions that wait, are cancelled or crash.

use super::*;

crate::on_both! {
    an_action_waits_for_its_time_as_the_settings_say
    an_action_cancelled_before_its_time_leaves_everything_as_it_was
    an_action_cancelled_while_it_runs_stops_between_its_parts
    a_crash_repeats_and_forgets_nothing
}

async fn an_action_waits_for_its_time_as_the_settings_say(house: &House) {
    let ann = house.person("ann").await;
    for (action, usual) in [
        ("activate", 0),
        ("send_test_mail", 0),
        ("deactivate", 10),
        ("block", 10),
        ("delete", 60),
        ("delete_inactive", 60),
    ] {
        let users: &[&User] = if action == "delete_inactive" { &[] } else { &[&ann] };
        for (asked, waits) in [(None, usual), (Some(0), 0), (Some(86_400), 86_400)] {
            let request = StartGroupActionRequest { delay_s: asked, ..order(action, users) };
            let started = house.order(request).await.unwrap();
            assert_eq!(started.run_at_us - house.clock.now_us(), waits * 1_000_000, "{action}");
            let job = house.job(started.job_id.parse().unwrap()).await;
            assert_eq!(job.run_at.timestamp_micros(), started.run_at_us);
            house.jobs().cancel(job.id).await.unwrap().unwrap();
        }
    }
    let slow = house.configured(|config| config.group_actions.delay_s.block = 300);
    let request = StartGroupActionRequest { delay_s: None, ..order("block", &[&ann]) };
    let id = house.order_at(&slow, request).await;
    assert_eq!(house.job(id).await.run_at, house.clock.now() + TimeDelta::seconds(300));

    // until its time nothing happens, though the process looks
    let worker = Worker::begin(house);
    let other: JobId =
        house.order(order("activate", &[&ann])).await.unwrap().job_id.parse().unwrap();
    house.until(other, |job| job.status == Status::Succeeded).await;
    house.clock.advance(TimeDelta::seconds(299));
    let other: JobId =
        house.order(order("activate", &[&ann])).await.unwrap().job_id.parse().unwrap();
    house.until(other, |job| job.status == Status::Succeeded).await;
    assert_eq!(house.job(id).await.status, Status::Waiting);
    assert!(house.list_blocks(false).await.is_empty());
    house.clock.advance(TimeDelta::seconds(1));
    house.until(id, |job| job.status == Status::Succeeded).await;
    assert_eq!(house.list_blocks(false).await.len(), 1);
    worker.end().await;
}

async fn an_action_cancelled_before_its_time_leaves_everything_as_it_was(house: &House) {
    let ann = house.person("ann").await;
    let request = StartGroupActionRequest { delay_s: None, ..order("delete", &[&ann]) };
    let id: JobId = house.order(request).await.unwrap().job_id.parse().unwrap();
    house.clock.advance(TimeDelta::seconds(59));
    let cancelled = house.jobs().cancel(id).await.unwrap().unwrap();
    assert_eq!(cancelled.status, Status::Cancelled);
    house.clock.advance(TimeDelta::days(1));
    let (_, results) = house.act(order("activate", &[&ann])).await;
    assert_eq!(results, outcomes(&[(&ann, "skipped")]), "others run, and ann is as she was");
    let job = house.job(id).await;
    assert_eq!((job.attempts, job.started_at, job.done), (0, None, 0));
    assert_eq!(house.get(&ann.id).await.unwrap(), ann);
    // cancelled once more it leaves the history
    assert!(house.jobs().cancel(id).await.unwrap().is_some());
    assert!(house.jobs().get(id).await.unwrap().is_none());
    assert!(house.jobs().cancel(id).await.unwrap().is_none());
}

/// Some accounts, each between many ids that nobody has, so that an action takes many parts.
async fn scattered(house: &House, people: usize) -> (Vec<User>, Vec<String>) {
    let (mut users, mut ids) = (Vec::new(), Vec::new());
    for n in 0..people {
        users.push(house.person(&format!("person{n}")).await);
        ids.push(users[n].id.clone());
        ids.extend((0..120).map(|_| UserId::new().to_string()));
    }
    (users, ids)
}

async fn an_action_cancelled_while_it_runs_stops_between_its_parts(house: &House) {
    let (users, user_ids) = scattered(house, 40).await;
    let total = user_ids.len() as u64;
    let request = StartGroupActionRequest { user_ids, ..order("send_test_mail", &[]) };
    let id: JobId = house.order(request).await.unwrap().job_id.parse().unwrap();
    let jobs = house.jobs();
    let worker = Worker::with(house, jobs.clone());
    house.until(id, |job| job.done > 0).await;
    jobs.cancel(id).await.unwrap().unwrap();
    let job = house.until(id, |job| job.status.has_ended()).await;
    worker.end().await;
    assert_eq!(job.status, Status::Cancelled);
    assert!(job.done > 0 && job.done < total && job.done % 20 == 0, "{}", job.done);
    // what was done is told, what was not was not begun
    let results = house.results(id).await;
    assert_eq!(results.len() as u64, job.done);
    let done = users.iter().filter(|user| results.get(&user.id).is_some_and(|r| r == "done"));
    assert_eq!(done.count(), house.letters("test").await.len());
}

async fn a_crash_repeats_and_forgets_nothing(house: &House) {
    let (users, user_ids) = scattered(house, 24).await;
    let total = user_ids.len() as u64;
    for (action, word) in [("send_test_mail", None), ("deactivate", Some("changed"))] {
        let request = StartGroupActionRequest { user_ids: user_ids.clone(), ..order(action, &[]) };
        let id: JobId = house.order(request).await.unwrap().job_id.parse().unwrap();
        let mut crashes = 0;
        // wherever it is in its work
        for _ in 0..3 {
            let before = house.job(id).await.done;
            let worker = Worker::begin(house);
            house.until(id, |job| job.done > before || job.status.has_ended()).await;
            worker.crash().await;
            house.clock.advance(TimeDelta::seconds(31));
            crashes += u32::from(!house.job(id).await.status.has_ended());
        }
        let worker = Worker::begin(house);
        let job = house.until(id, |job| job.status.has_ended()).await;
        worker.end().await;
        assert!(crashes > 0, "it ended before it could crash");
        assert_eq!((job.status, job.done, job.total), (Status::Succeeded, total, total));
        assert_eq!(job.attempts, crashes + 1);
        let counts = [("done".to_owned(), 24), ("unknown".to_owned(), total - 24)];
        assert_eq!(job.counts, BTreeMap::from(counts));
        let results = house.results(id).await;
        assert_eq!(results.len() as u64, total);
        for user in &users {
            assert_eq!(results[&user.id], "done");
            if let Some(word) = word {
                assert_eq!(house.told_of(&user.id).await, ["created", word]);
            }
        }
    }
    let mut letters: Vec<String> =
        house.letters("test").await.into_iter().map(|letter| letter.user_id).collect();
    letters.sort();
    let mut everybody: Vec<String> = users.iter().map(|user| user.id.clone()).collect();
    everybody.sort();
    assert_eq!(letters, everybody, "one letter for each");
}
