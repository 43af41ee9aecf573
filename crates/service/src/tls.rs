//! The certificates that the settings name.
use souk_rpc::{Tls, TlsFiles};

use crate::{Settings, TlsMode};

/// Reads them; `None` where calls between processes are not encrypted. The certificate must name
/// all `services`. A file that is no good is refused with a sentence that names its setting.
pub fn tls(settings: &Settings, services: &[&str]) -> anyhow::Result<Option<Tls>> {
    let tls = &settings.grpc.tls;
    if tls.mode == TlsMode::Off {
        return Ok(None);
    }
    let files = TlsFiles {
        mutual: tls.mode == TlsMode::Mutual,
        ca: tls.ca.clone(),
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        services: services.iter().map(|name| (*name).to_owned()).collect(),
    };
    // the error begins with the last part of the setting's name
    Tls::read(files).map(Some).map_err(|error| anyhow::anyhow!("grpc.tls.{error}"))
}
