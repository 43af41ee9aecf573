//! A small certificate authority: what `souk certs` is made of.
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// What could not be made, without secrets.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error("this is not the certificate and the key of an authority: {0}")]
    Unusable(rcgen::Error),
    #[error("no certificate can be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

/// From when to when, in seconds since the epoch.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    pub from: u64,
    pub until: u64,
}

/// Who issues the certificates of an installation.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

/// A certificate and its private key, both PEM.
pub struct Issued {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    /// A new one; `name` is for people.
    pub fn new(name: &str, validity: Validity) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = params(name, &[], validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?.pem();
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// One that was kept; both PEM.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, AuthorityError> {
        let key = KeyPair::from_pem(key).map_err(AuthorityError::Unusable)?;
        let issuer =
            Issuer::from_ca_cert_pem(certificate, key).map_err(AuthorityError::Unusable)?;
        Ok(Self { issuer, certificate: certificate.to_owned() })
    }

    /// PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Of the authority itself, PEM. Whoever has it can be any service.
    pub fn key(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// A certificate for one process: `names` are its services, and the names and addresses by
    /// which others know it.
    pub fn issue(&self, names: &[String], validity: Validity) -> Result<Issued, AuthorityError> {
        let key = KeyPair::generate()?;
        let title = names.first().map(String::as_str).unwrap_or_default();
        let mut params = params(title, names, validity)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem() })
    }
}

fn params(
    title: &str,
    names: &[String],
    validity: Validity,
) -> Result<CertificateParams, AuthorityError> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |seconds: u64| epoch + std::time::Duration::from_secs(seconds);
    let mut params = CertificateParams::new(names)?;
    params.not_before = at(validity.from);
    params.not_after = at(validity.until);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, title);
    Ok(params)
}
