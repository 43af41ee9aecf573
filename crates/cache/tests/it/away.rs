//! A Redis that is not there, hangs, or comes back.
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use souk_cache::Cache;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::{key, redis_url};

/// Stands between cache and Redis; dropping it cuts all connections.
struct Bridge(JoinHandle<()>);

impl Bridge {
    fn build(listener: TcpListener) -> Self {
        let url = redis_url();
        let redis = url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
        Self(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let redis = redis.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(redis).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }))
    }

    async fn tear_down(self) {
        self.0.abort();
        assert!(self.0.await.unwrap_err().is_cancelled());
    }
}

async fn listen(address: SocketAddr) -> TcpListener {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket.listen(64).unwrap()
}

fn anywhere() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

async fn all_fail_in_time(cache: &Cache) {
    let minute = Duration::from_secs(60);
    let began = Instant::now();
    assert!(cache.get("a").await.is_err());
    assert!(cache.put("a", b"x", minute).await.is_err());
    assert!(cache.put_new("a", b"x", minute).await.is_err());
    assert!(cache.forget("a").await.is_err());
    assert!(cache.take("a", 1, minute).await.is_err());
    assert!(cache.ping().await.is_err());
    // six times 200 ms and some for a busy machine
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn nobody_listens() {
    let listener = listen(anywhere()).await;
    let address = listener.local_addr().unwrap();
    drop(listener);
    all_fail_in_time(&Cache::open(&format!("redis://{address}")).await.unwrap()).await;
}

#[tokio::test]
async fn somebody_listens_and_never_answers() {
    let listener = listen(anywhere()).await;
    let address = listener.local_addr().unwrap();
    all_fail_in_time(&Cache::open(&format!("redis://{address}")).await.unwrap()).await;
}

#[tokio::test]
async fn only_redis_urls_are_taken() {
    for url in ["http://127.0.0.1", "redis", "redis://127.0.0.1:x"] {
        assert!(Cache::open(url).await.is_err(), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_connection_comes_back_by_itself() {
    let listener = listen(anywhere()).await;
    let address = listener.local_addr().unwrap();
    let cache = Cache::open(&format!("redis://{address}")).await.unwrap();
    let key = key("bridge");
    let minute = Duration::from_secs(60);

    let bridge = Bridge::build(listener);
    cache.put(&key, b"before", minute).await.unwrap();
    assert!(cache.take(&key, 1, minute).await.unwrap().allowed);
    bridge.tear_down().await;
    assert!(cache.get(&key).await.is_err());

    let bridge = Bridge::build(listen(address).await);
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..9_000 {
        ticks.tick().await;
        if let Ok(value) = cache.get(&key).await {
            assert_eq!(value.as_deref(), Some(&b"before"[..]));
            assert!(!cache.take(&key, 1, minute).await.unwrap().allowed);
            bridge.tear_down().await;
            return;
        }
    }
    panic!("never came back");
}
