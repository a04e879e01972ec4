//! The certificate of a server.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reads a certificate chain and its key from PEM files.
pub(crate) fn acceptor(certificates: &Path, key: &Path) -> anyhow::Result<TlsAcceptor> {
    let read = |file: &Path| fs_err::read(file).map_err(anyhow::Error::from);
    let chain = CertificateDer::pem_slice_iter(&read(certificates)?).collect::<Result<Vec<_>, _>>();
    let chain =
        chain.with_context(|| format!("failed to read certificates in `{}`", certificates.display()))?;
    let private_key = PrivateKeyDer::from_pem_slice(&read(key)?);
    let private_key = private_key.with_context(|| format!("failed to read a key in `{}`", key.display()))?;
    let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private_key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
