//! Certificates of an authority of one's own, as many organisations have inside: every connection by TLS trusts them
//! besides the public ones, whether to the database, a mail server, a webhook, a collector or Zoho.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};

/// The certificates of the file that the configuration names; none without one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Authorities(Option<Arc<[u8]>>);

/// Why a file of certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthoritiesError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// It holds none.
    #[error("it holds no certificate; it needs one or more that begin with -----BEGIN CERTIFICATE-----")]
    Empty,
    /// One of them is none.
    #[error("its certificate number {0} cannot be read")]
    Certificate(usize),
}

impl Authorities {
    /// Reads a file of one or more certificates in the format PEM.
    pub fn read(path: &Path) -> Result<Self, AuthoritiesError> {
        Self::parse(std::fs::read(path)?)
    }

    fn parse(pem: Vec<u8>) -> Result<Self, AuthoritiesError> {
        let mut store = RootCertStore::empty();
        for (certificate, number) in CertificateDer::pem_slice_iter(&pem).zip(1..) {
            let added = certificate.ok().and_then(|certificate| store.add(certificate).ok());
            added.ok_or(AuthoritiesError::Certificate(number))?;
        }
        if store.is_empty() { Err(AuthoritiesError::Empty) } else { Ok(Self(Some(pem.into()))) }
    }

    /// The certificates in the format PEM.
    pub fn pem(&self) -> Option<&[u8]> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Authorities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authorities({} bytes)", self.pem().map_or(0, <[u8]>::len))
    }
}

#[cfg(test)]
mod tests {
    use super::{Authorities, AuthoritiesError};

    #[test]
    fn what_is_no_certificate_is_refused() {
        assert!(matches!(Authorities::parse(b"hello".to_vec()), Err(AuthoritiesError::Empty)));
        let broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec();
        assert!(matches!(Authorities::parse(broken), Err(AuthoritiesError::Certificate(1))));
        let none = Authorities::read(std::path::Path::new("/nowhere")).unwrap_err();
        assert!(none.to_string().contains("cannot be read"), "{none}");
    }
}
