//! TLS in front of a test's plain server, with a certificate of an authority that nobody else trusts.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{io::copy_bidirectional, net::TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};

use super::thread::Thread;

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap())
    }

    /// A server for `localhost` with a certificate of this authority.
    fn server(&self) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let parameters = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = parameters.signed_by(&key, &self.0).unwrap();
        ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .unwrap()
    }

    /// A file of certificates that ends with this authority's.
    pub(crate) fn file(&self, folder: &tempfile::TempDir) -> PathBuf {
        let (file, another) = (folder.path().join("authorities.pem"), Self::new("Another authority of our own"));
        std::fs::write(&file, another.0.pem() + &self.0.pem()).unwrap();
        file
    }
}

/// Takes TLS on a port of its own, and passes what is inside on. Dropping it stops it.
pub(crate) struct TlsFront {
    pub(crate) port: u16,
    _thread: Thread,
}

impl TlsFront {
    pub(crate) fn start(authority: &Authority, behind: SocketAddr) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(authority.server()));
        let (thread, port) = Thread::start(async move |listener: tokio::net::TcpListener| {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                // Whoever does not trust the certificate ends only its own connection.
                tokio::spawn(async move {
                    if let Ok(mut inside) = acceptor.accept(connection).await {
                        let mut plain = TcpStream::connect(behind).await.unwrap();
                        _ = copy_bidirectional(&mut inside, &mut plain).await;
                    }
                });
            }
        });
        Self { port, _thread: thread }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}
