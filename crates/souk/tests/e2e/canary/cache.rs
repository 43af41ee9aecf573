//! What is said to Redis: every command with its keys and values, as Redis itself tells it.
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Hears what is said in one of the numbered databases.
pub(super) struct Monitor {
    url: String,
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Monitor {
    /// `redis://HOST:PORT/NUMBER`.
    pub(super) async fn start(url: &str) -> Self {
        let (mut stream, number) = connect(url).await;
        stream.write_all(b"MONITOR\r\n").await.expect("Redis listens");
        let mut lines = BufReader::new(stream).split(b'\n');
        assert_eq!(lines.next_segment().await.expect("an answer"), Some(b"+OK\r".to_vec()));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let kept = heard.clone();
        let ours = format!("[{number} ");
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_segment().await {
                if String::from_utf8_lossy(&line).contains(&ours) {
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    kept.extend(line);
                    kept.push(b'\n');
                }
            }
        });
        Self { url: url.to_owned(), heard }
    }

    pub(super) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says something itself, as the shop would.
    pub(super) async fn say(&self, command: &str) {
        let (mut stream, number) = connect(&self.url).await;
        let words = format!("SELECT {number}\r\n{command}\r\nQUIT\r\n");
        stream.write_all(words.as_bytes()).await.expect("Redis listens");
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.expect("answers");
        assert!(!answers.contains("-ERR"), "{answers}");
    }
}

async fn connect(url: &str) -> (TcpStream, String) {
    let place = url.strip_prefix("redis://").expect("a Redis of the tests");
    let (address, number) = place.split_once('/').expect("a number");
    (TcpStream::connect(address).await.expect("Redis answers"), number.to_owned())
}
