//! The few words of HTTP that a tool needs: one request to a server on this machine.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// The status of a GET, or an error if nothing answers in two seconds.
pub(crate) fn status(address: &str, path: &str) -> Result<u16> {
    let patience = Some(Duration::from_secs(2));
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(patience)?;
    stream.set_write_timeout(patience)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    // "HTTP/1.1 200": the rest of the answer is of no interest.
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    std::str::from_utf8(&head[9..])
        .ok()
        .and_then(|digits| digits.parse().ok())
        .context("the answer is no HTTP")
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    #[test]
    fn the_status_of_an_answer_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("port");
        let address = listener.local_addr().expect("address").to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("connection");
            let lines = BufReader::new(stream.try_clone().expect("reader")).lines();
            let head = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
            let head: Vec<String> = head.collect();
            stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect("answer");
            head
        });

        assert_eq!(super::status(&address, "/readyz").expect("status"), 503);
        assert_eq!(server.join().expect("server")[0], "GET /readyz HTTP/1.1");
    }
}
