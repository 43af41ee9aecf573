//! The few words of HTTP/1.1 that a bench needs: the head of an answer, and one request after
//! another on a kept connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// What matters of an answer's head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// Bytes of the head with its empty line.
    pub(crate) size: usize,
    /// Bytes of the body.
    pub(crate) length: usize,
}

impl Head {
    /// Reads the head at the begin of `bytes`; `None` as long as it is not complete.
    pub(crate) fn read(bytes: &[u8]) -> Result<Option<Self>> {
        let mut status = None;
        let mut length = None;
        let mut from = 0;
        while let Some(at) = bytes[from..].iter().position(|byte| *byte == b'\n') {
            let line = bytes[from..from + at].trim_ascii_end();
            from += at + 1;
            if status.is_none() {
                // "HTTP/1.1 200 OK"
                let digits = line.get(9..12).context("the answer is no HTTP")?;
                status = Some(number(digits).context("the answer is no HTTP")?);
            } else if line.is_empty() {
                let (Some(status), Some(length)) = (status, length) else {
                    bail!("an answer without content-length");
                };
                return Ok(Some(Self { status: status as u16, size: from, length }));
            } else if let Some((name, value)) = line.split_at_checked(15)
                && name.eq_ignore_ascii_case(b"content-length:")
            {
                length = Some(number(value.trim_ascii()).context("a broken content-length")?);
            }
        }
        Ok(None)
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A client that waits for each answer.
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    /// Sent as `Authorization: Bearer`.
    pub(crate) token: Option<String>,
}

/// An answer with its whole body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, token: None }
    }

    pub(crate) fn get(&mut self, path: &str) -> Result<Answer> {
        self.send("GET", path, "", b"")
    }

    /// The body of a 200.
    pub(crate) fn body(&mut self, path: &str) -> Result<Vec<u8>> {
        let answer = self.get(path)?;
        if answer.status != 200 {
            bail!("GET {path} was answered {}: {}", answer.status, answer.text());
        }
        Ok(answer.body)
    }

    pub(crate) fn json(&mut self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body(path)?)?)
    }

    pub(crate) fn post(&mut self, path: &str, kind: &str, body: &[u8]) -> Result<Answer> {
        self.send("POST", path, &format!("Content-Type: {kind}\r\n"), body)
    }

    fn send(&mut self, method: &str, path: &str, headers: &str, body: &[u8]) -> Result<Answer> {
        let address = self.address;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}");
        if let Some(token) = &self.token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        // A stream that failed halfway is not put back: the next request connects anew.
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(address)?,
        };
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let answer = read(&mut stream).with_context(|| format!("{method} {path}"))?;
        self.stream = Some(stream);
        Ok(answer)
    }
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_write_timeout(Some(Duration::from_secs(60)))?;
    Ok(stream)
}

fn read(stream: &mut TcpStream) -> Result<Answer> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(head) = Head::read(&bytes)?
            && bytes.len() >= head.size + head.length
        {
            let body = bytes.split_off(head.size);
            return Ok(Answer { status: head.status, body });
        }
        match stream.read(&mut chunk)? {
            0 => bail!("the connection was closed before the answer was there"),
            some => bytes.extend_from_slice(&chunk[..some]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_complete() {
        let answer = b"HTTP/1.1 404 Not Found\r\ncontent-type: a\r\nContent-Length: 12\r\n\r\nbody";
        let head = Head { status: 404, size: answer.len() - 4, length: 12 };
        assert_eq!(Head::read(answer).expect("a head"), Some(head));
        for end in 0..answer.len() - 4 {
            assert_eq!(Head::read(&answer[..end]).expect("no error"), None, "{end}");
        }
    }

    #[test]
    fn answers_of_unknown_length_and_other_protocols_are_refused() {
        assert!(Head::read(b"HTTP/1.1 200 OK\r\nserver: x\r\n\r\n").is_err());
        assert!(Head::read(b"SSH-2.0\r\n").is_err());
    }
}
