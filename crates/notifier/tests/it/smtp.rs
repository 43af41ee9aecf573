//! Letters over SMTP, to a small server of the test's own.
use std::sync::{Arc, Mutex};

use souk_notifier::config::SenderKind;
use souk_service::Secret;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::bench::{Bench, admin, benches};

/// Takes letters, except for addresses that begin with `bad` (550), `full` (452) or `auth` (535).
#[derive(Clone, Default)]
struct Sink {
    letters: Arc<Mutex<Vec<(String, String)>>>,
}

impl Sink {
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let sink = self.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(sink.clone().talk(socket));
            }
        });
        format!("smtp://{address}")
    }

    async fn talk(self, socket: TcpStream) -> std::io::Result<()> {
        let (read, mut write) = socket.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut to = String::new();
        write.write_all(b"220 sink\r\n").await?;
        while let Some(line) = lines.next_line().await? {
            let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            let answer = match word.as_str() {
                "EHLO" | "HELO" | "NOOP" | "RSET" | "MAIL" => "250 fine",
                "RCPT" => {
                    to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    match to.get(..4) {
                        Some("bad@") => "550 no such mailbox",
                        Some("full") => "452 mailbox full",
                        Some("auth") => "535 who are you",
                        _ => "250 fine",
                    }
                }
                "DATA" => {
                    write.write_all(b"354 go on\r\n").await?;
                    let mut letter = String::new();
                    while let Some(line) = lines.next_line().await? {
                        if line == "." {
                            break;
                        }
                        letter.push_str(line.strip_prefix('.').unwrap_or(&line));
                        letter.push_str("\r\n");
                    }
                    self.letters.lock().expect("unpoisoned").push((to.clone(), letter));
                    "250 kept as 4711"
                }
                "QUIT" => "221 bye",
                _ => "500 what?",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await?;
        }
        Ok(())
    }

    fn letters(&self) -> Vec<(String, String)> {
        self.letters.lock().expect("unpoisoned").clone()
    }
}

fn use_smtp(bench: &mut Bench, url: &str) {
    bench.config.mail.sender = SenderKind::Smtp;
    bench.config.mail.smtp_url = Secret::new(url);
}

#[tokio::test]
async fn letters_leave_over_smtp_with_the_same_bytes_as_into_a_folder() {
    for mut bench in benches().await {
        let sink = Sink::default();
        use_smtp(&mut bench, &sink.start().await);
        let ann = admin("Ann");
        bench.hear(&[bench.change("Grüße")], std::slice::from_ref(&ann)).await;
        assert_eq!(bench.deliver().await, 1);
        let row = bench.ledger().await.remove(0);
        assert_eq!(row.status, "sent", "{}: {:?}", bench.store.name, row.reason);
        assert!(row.provider_id.is_some_and(|id| id.contains("4711")));
        let (to, by_smtp) = sink.letters().remove(0);
        assert_eq!(to, ann.email);

        bench.config.mail.sender = SenderKind::Folder;
        let folder = bench.store.dir.path().join("mail");
        let letter = row.letter_id.expect("a letter");
        let again = souk_notifier::store::letter::find(bench.db().write(), letter).await.unwrap();
        bench.postman().await.carry(again.expect("is there")).await;
        let by_folder = std::fs::read_to_string(folder.join(format!("{letter}.eml"))).unwrap();
        assert_eq!(by_smtp.trim_end(), by_folder.trim_end());
    }
}

#[tokio::test]
async fn answers_of_the_server_decide_about_the_letter() {
    for mut bench in benches().await {
        let sink = Sink::default();
        use_smtp(&mut bench, &sink.start().await);
        let people = [admin("Bad"), admin("Full"), admin("Ann")];
        bench.hear(&[bench.change("Mug")], &people).await;
        assert_eq!(bench.deliver().await, 3);
        assert_eq!(bench.standing(&people[0]).await, ["failed"], "{}", bench.store.name);
        assert_eq!(bench.standing(&people[1]).await, ["queued"]);
        assert_eq!(bench.standing(&people[2]).await, ["sent"]);
        // a refused login is no letter's fault: nobody loses an attempt
        let other = admin("Auth");
        bench.hear(&[bench.change("Cup")], std::slice::from_ref(&other)).await;
        assert_eq!(bench.deliver().await, 1);
        let row = bench.ledger().await.into_iter().find(|r| r.recipient == other.email);
        let row = row.expect("a row");
        assert_eq!((row.status.as_str(), row.attempts), ("queued", Some(0)));
    }
}

#[tokio::test]
async fn a_server_that_is_away_keeps_the_letter() {
    for mut bench in benches().await {
        use_smtp(&mut bench, "smtp://127.0.0.1:1");
        bench.hear(&[bench.change("Mug")], &[admin("Ann")]).await;
        assert_eq!(bench.deliver().await, 1);
        let row = bench.ledger().await.remove(0);
        assert_eq!((row.status.as_str(), row.attempts), ("queued", Some(1)));
        assert!(row.reason.is_some_and(|r| r.contains("cannot be reached")));
        let sink = Sink::default();
        use_smtp(&mut bench, &sink.start().await);
        bench.pass(5);
        assert_eq!(bench.deliver().await, 1);
        assert_eq!(sink.letters().len(), 1, "{}", bench.store.name);
    }
}
