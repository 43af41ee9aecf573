//! Calls to the services' own port, as somebody would make them who got into the network: any path,
//! any bytes, any headers.
use std::collections::BTreeMap;

use bytes::{Buf, BufMut};
use prost::Message;
use prost_types::FileDescriptorSet;
use souk_auth::ServiceTokens;
use souk_rpc::Failure;
use souk_testkit::Shop;
use souk_values::Clock;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::{Ascii, MetadataKey};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

/// Messages as the bytes that they are.
#[derive(Clone, Copy, Default)]
pub(crate) struct Bare;

impl Codec for Bare {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bare {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bare {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length).to_vec()))
    }
}

/// The port of a shop whose `grpc.listen` is set.
pub(crate) struct Port {
    channel: Channel,
    secret: String,
}

/// What is said of who calls: headers by name.
pub(crate) type Says = BTreeMap<&'static str, String>;

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Code,
    /// The machine's word for a refusal; empty without one.
    pub(crate) reason: String,
    /// The first message of the answer.
    pub(crate) message: Vec<u8>,
}

impl Port {
    pub(crate) fn of(shop: &Shop) -> Self {
        let address = shop.house("accounts").address("grpc").expect("grpc.listen is set");
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("an address");
        let secret = match shop.store().setting("secrets.service_token") {
            Some(secret) => secret.to_owned(),
            None => {
                let file = shop.store().data_dir().join("secrets/service_token");
                std::fs::read_to_string(file).expect("the secret").trim().to_owned()
            }
        };
        Self { channel: endpoint.connect_lazy(), secret }
    }

    /// The proof by which `to` knows `from`.
    pub(crate) fn token(&self, from: &str, to: &str) -> String {
        self.token_at(from, to, Clock::system())
    }

    /// The same, made at another time.
    pub(crate) fn token_at(&self, from: &str, to: &str, clock: Clock) -> String {
        ServiceTokens::new(self.secret.as_bytes(), clock).issue(from, to)
    }

    /// Says to be `from`, with proof, for whom the token says.
    pub(crate) fn says(&self, from: Option<&str>, to: &str, user: Option<&str>) -> Says {
        let mut says = Says::from([("souk-target", to.to_owned())]);
        if let Some(from) = from {
            says.insert("souk-service-token", self.token(from, to));
        }
        if let Some(user) = user {
            says.insert("authorization", format!("Bearer {user}"));
        }
        says
    }

    /// Calls `/package.Service/Method` with one message.
    pub(crate) async fn call(&self, path: &str, says: &Says, message: Vec<u8>) -> Said {
        let mut request = Request::new(one(message));
        for (name, value) in says {
            let name = MetadataKey::<Ascii>::from_bytes(name.as_bytes()).expect("a name");
            request.metadata_mut().insert(name, value.parse().expect("a value"));
        }
        request.set_timeout(std::time::Duration::from_secs(30));
        match self.begin(path, request).await {
            Ok(message) => Said { code: Code::Ok, reason: String::new(), message },
            Err(status) => {
                let code = status.code();
                Said { code, reason: Failure::from(status).reason, message: Vec::new() }
            }
        }
    }

    async fn begin<S>(&self, path: &str, request: Request<S>) -> Result<Vec<u8>, Status>
    where
        S: futures::Stream<Item = Vec<u8>> + Send + 'static,
    {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = path.parse().expect("a path");
        let mut answers = client.streaming(request, path, Bare).await?.into_inner();
        Ok(answers.message().await?.unwrap_or_default())
    }
}

fn one(message: Vec<u8>) -> impl futures::Stream<Item = Vec<u8>> {
    futures::stream::iter([message])
}

/// Every method of every contract: the service whose package it is, and its path.
pub(crate) fn methods() -> Vec<(String, String)> {
    let set = FileDescriptorSet::decode(souk_proto::DESCRIPTORS).expect("the contracts");
    let mut found = Vec::new();
    for file in &set.file {
        let package = file.package();
        let owner = package.split('.').nth(1).unwrap_or_default();
        for service in &file.service {
            for method in &service.method {
                let path = format!("/{package}.{}/{}", service.name(), method.name());
                found.push((owner.to_owned(), path));
            }
        }
    }
    found.sort();
    found
}
