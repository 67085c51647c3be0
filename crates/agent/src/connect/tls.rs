//! Whom an encrypted connection trusts: the machine's own certificates, and one file more. Verification cannot be turned
//! off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

use super::ConnectError;

const CERTIFICATES_MAX: usize = 10_000;

/// Makes encrypted connections.
pub(super) struct Tls {
    connector: tokio_rustls::TlsConnector,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls")
    }
}

impl Tls {
    /// Trusts the machine's certificates and those in `extra`.
    pub(super) fn new(extra: Option<&Path>) -> Result<Self, ConnectError> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = extra {
            add_file(&mut roots, path)?;
        }
        for certificate in rustls_native_certs::load_native_certs().certs.into_iter().take(CERTIFICATES_MAX) {
            if let Err(error) = roots.add(certificate) {
                tracing::debug!(%error, "a certificate of this machine is not usable");
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| tls_error("the server", &error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self { connector: Arc::new(config).into() })
    }

    pub(super) async fn connect(
        &self,
        host: &str,
        target: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| ConnectError::Tls {
            target: target.to_owned(),
            reason: error.to_string(),
            hint: "Use the name that is in the server's certificate.",
        })?;
        self.connector.connect(name, stream).await.map_err(|error| {
            match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => tls_error(target, error),
                None => ConnectError::Tls {
                    target: target.to_owned(),
                    reason: error.to_string(),
                    hint: "Does the server speak https there? For a plain server use http:// in the address.",
                },
            }
        })
    }
}

fn tls_error(target: &str, error: &rustls::Error) -> ConnectError {
    let hint = match error {
        // A bad signature is what another certificate of the same name comes to.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            "If the certificate is self-signed or made by your own authority, give it, or that authority's, with --ca FILE."
        }
        rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "The server's certificate has to be renewed, or this machine's clock is wrong."
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "Use the name that is in the server's certificate.",
        rustls::Error::InvalidMessage(_) => {
            "The server does not seem to speak https there: use http:// in the address, or another port."
        }
        _ => "See the server's log.",
    };
    ConnectError::Tls { target: target.to_owned(), reason: error.to_string(), hint }
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), ConnectError> {
    let error = |reason: String| ConnectError::Certificates { path: path.display().to_string(), reason };
    let certificates =
        CertificateDer::pem_file_iter(PathBuf::from(path)).map_err(|reason| error(reason.to_string()))?;
    let mut count = 0;
    for certificate in certificates.take(CERTIFICATES_MAX) {
        let certificate = certificate.map_err(|reason| error(reason.to_string()))?;
        roots.add(certificate).map_err(|reason| error(reason.to_string()))?;
        count += 1;
    }
    if count == 0 { Err(error("there is no certificate in it".to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for path in [file.path(), Path::new("/nowhere/at/all.pem")] {
            let message = Tls::new(Some(path)).unwrap_err().to_string();
            assert!(message.contains(&path.display().to_string()), "{message}");
        }
    }
}
