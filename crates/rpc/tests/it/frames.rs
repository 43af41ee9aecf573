//! HTTP/2 by hand: what no client of ours would send.
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::house::House;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const ACK: u8 = 1;

pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

/// Much longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Frame {
    pub(crate) kind: u8,
    flags: u8,
    pub(crate) stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// The reason of a reset, or of the end of the connection.
    pub(crate) fn reason(&self) -> u32 {
        let from = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[from..from + 4].try_into().unwrap())
    }

    /// Settings by their numbers.
    pub(crate) fn settings(&self) -> Vec<(u16, u32)> {
        let pairs = self.payload.chunks(6);
        pairs
            .map(|pair| {
                let (name, value) = pair.split_at(2);
                let name = u16::from_be_bytes(name.try_into().unwrap());
                (name, u32::from_be_bytes(value.try_into().unwrap()))
            })
            .collect()
    }
}

/// The bytes of a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [head.as_slice(), payload].concat()
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes())
}

fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    match text.len() {
        short @ 0..127 => bytes.push(u8::try_from(short).unwrap()),
        long => {
            bytes.push(127);
            let mut rest = long - 127;
            while rest > 127 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}

/// A header as HPACK writes it without its tables.
pub(crate) fn header(name: &str, value: &str) -> Vec<u8> {
    [vec![0], text(name), text(value)].concat()
}

/// The headers of a call of the gateway's that has an hour.
pub(crate) fn call(house: &House, path: &str) -> Vec<u8> {
    let token = house.stack.tokens.issue("gateway", "catalog");
    // POST and http, by their numbers
    let pseudo = [vec![0x83, 0x86, 0x04], text(path), vec![0x01], text("catalog")].concat();
    let rest = [
        header("content-type", "application/grpc"),
        header("te", "trailers"),
        header("grpc-timeout", "1H"),
        header("souk-service-token", &token),
    ];
    [pseudo, rest.concat()].concat()
}

/// A small message as gRPC frames it, here `CreateCategoryRequest { path }`.
pub(crate) fn message(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    let message = [&[0x0a, length], path.as_bytes()].concat();
    [&[0, 0, 0, 0, length + 2], message.as_slice()].concat()
}

/// A connection on which anything can be said.
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    /// With the hello, and nothing more.
    pub(crate) async fn open(house: &House) -> Self {
        let mut raw = Self { stream: TcpStream::connect(house.address).await.unwrap() };
        let hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        assert!(raw.say(&[hello, frame(SETTINGS, 0, 0, &[])].concat()).await);
        raw
    }

    /// Whether all of it could be written.
    pub(crate) async fn say(&mut self, bytes: &[u8]) -> bool {
        let written = timeout(PATIENCE, self.stream.write_all(bytes)).await;
        written.expect("nobody reads").is_ok()
    }

    /// The next frame; `None`: the connection was ended.
    pub(crate) async fn next(&mut self) -> Option<Frame> {
        let read = async {
            let mut head = [0; 9];
            self.stream.read_exact(&mut head).await.ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length.try_into().unwrap()];
            self.stream.read_exact(&mut payload).await.ok()?;
            let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
            Some(Frame { kind: head[3], flags: head[4], stream, payload })
        };
        timeout(PATIENCE, read).await.expect("neither a word nor an end")
    }

    /// The next frame of that kind; fails when the connection is ended before.
    pub(crate) async fn next_of(&mut self, kind: u8) -> Frame {
        loop {
            let frame = self.next().await.expect("the connection lives");
            if frame.kind == kind {
                return frame;
            }
        }
    }

    /// Whether the other end is still there, and the frames that it said meanwhile.
    pub(crate) async fn lives(&mut self) -> (bool, Vec<Frame>) {
        // it may be ended while this is said
        self.say(&frame(PING, 0, 0, b"are you?")).await;
        let mut said = Vec::new();
        while let Some(frame) = self.next().await {
            if frame.kind == PING && frame.flags & ACK != 0 {
                return (true, said);
            }
            said.push(frame);
        }
        (false, said)
    }
}
