//! How a command reaches the data: through the server that owns them, or, if none runs, by itself.
use std::sync::Arc;

use anyhow::Context;
use souk_auth::ServiceTokens;
use souk_rpc::{Identity, Transport};
use souk_service::{DataLock, GrpcSettings, House, Loaded, LockError};
use souk_values::Clock;

use crate::Place;
use crate::serve::keepers;

/// A way to the services.
pub(crate) enum Connection {
    /// A server runs on this data directory: its operator socket.
    Server(Box<Loaded>),
    /// The services, in this process.
    Own(Box<House>),
}

impl Connection {
    pub(crate) async fn open(place: &Place) -> anyhow::Result<Self> {
        let mut sources = place.sources(Vec::new());
        // commands speak to their caller, not to the log
        sources.flags.push(("log.level".to_owned(), "warn".to_owned()));
        let mut loaded = sources.load()?;
        if !loaded.settings.is_networked() {
            match DataLock::take(&loaded.settings.data_dir) {
                Ok(free) => drop(free),
                Err(LockError::Held(_)) => return Ok(Self::Server(Box::new(loaded))),
                Err(error) => return Err(error.into()),
            }
        }
        // what a command starts answers nobody, so it needs neither a port nor a certificate
        loaded.settings.grpc = GrpcSettings::default();
        let house = House::start(&loaded, &keepers(), Clock::system()).await?;
        Ok(Self::Own(Box::new(house)))
    }

    pub(crate) fn transport(&self, to: &'static str) -> anyhow::Result<Transport> {
        match self {
            Self::Own(house) => house.transport(to).with_context(|| format!("{to} is not here")),
            Self::Server(loaded) => {
                let socket = std::path::absolute(loaded.settings.data_dir.join("souk.sock"))?;
                // the socket's file mode is the proof; the token is not looked at
                let tokens = Arc::new(ServiceTokens::new(b"operator socket", Clock::system()));
                let identity = Identity { name: "operator".into(), tokens };
                let url = format!("unix://{}", socket.display());
                Transport::remote(to, &url, identity)
                    .with_context(|| format!("cannot reach the server at {}", socket.display()))
            }
        }
    }

    /// Ends what was started; events that were made are published first.
    pub(crate) async fn close(self) {
        if let Self::Own(house) = self {
            house.stop().await;
        }
    }
}
