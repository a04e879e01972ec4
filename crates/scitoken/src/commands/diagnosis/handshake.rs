//! A TLS handshake that records which certificates a server shows, trusted or not, and sends no data.
//!
//! The client that sends the request verifies certificates as always. This connection carries no request and is closed
//! after the handshake, so skipping the verification here reveals nothing.

use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
use scitoken_transfer::plain_transport_words;
use serde::Serialize;
use tokio::time::Instant;

use super::certificate::Certificate;
use crate::sanitize::excerpt;

/// What a server shows in a handshake.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Handshake {
    pub(crate) version: Option<String>,
    pub(crate) cipher: Option<String>,
    /// The protocol that the server chose by ALPN, if it supports ALPN.
    pub(crate) protocol: Option<String>,
    /// The certificates, the server's own first.
    pub(crate) chain: Vec<Certificate>,
    pub(crate) error: Option<String>,
}

/// Performs a handshake with a server, for at most `limit`.
pub(super) async fn perform(address: SocketAddr, host: &str, now: SystemTime, limit: Duration) -> Handshake {
    let host = host.to_owned();
    let failed = |error: String| Handshake { error: Some(error), ..Handshake::default() };
    let name = match ServerName::try_from(host) {
        Ok(name) => name,
        Err(error) => return failed(excerpt(&error.to_string())),
    };
    let handshake_result = tokio::task::spawn_blocking(move || handshake(address, name, now, limit)).await;
    handshake_result.unwrap_or_else(|error| failed(excerpt(&error.to_string())))
}

fn handshake(address: SocketAddr, name: ServerName<'static>, now: SystemTime, limit: Duration) -> Handshake {
    let recorder = Arc::new(CertificateRecorder::default());
    let mut seen = match connect(address, name, &recorder, limit) {
        Ok(connection) => Handshake {
            version: connection.protocol_version().map(|version| version_name(&format!("{version:?}"))),
            cipher: connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite())),
            protocol: connection.alpn_protocol().map(|name| excerpt(&String::from_utf8_lossy(name))),
            ..Handshake::default()
        },
        Err(error) => Handshake { error: Some(described(&*error)), ..Handshake::default() },
    };
    let chain = recorder.chain.lock().unwrap_or_else(PoisonError::into_inner);
    seen.chain = chain.iter().filter_map(|der| Certificate::read(der, now)).collect();
    seen
}

/// Writes `TLSv1_3` as `TLS 1.3`.
fn version_name(version: &str) -> String {
    version.replace("TLSv", "TLS ").replace('_', ".")
}

fn connect(
    address: SocketAddr,
    name: ServerName<'static>,
    recorder: &Arc<CertificateRecorder>,
    limit: Duration,
) -> Result<ClientConnection, Box<dyn std::error::Error + Send + Sync>> {
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&recorder.provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::<CertificateRecorder>::clone(recorder))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut connection = ClientConnection::new(Arc::new(config), name)?;
    let end = Instant::now() + limit;
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    while connection.is_handshaking() {
        if Instant::now() > end {
            return Err(format!("no handshake within {} s", limit.as_secs_f64()).into());
        }
        while connection.wants_write() {
            connection.write_tls(&mut stream)?;
        }
        if !connection.is_handshaking() {
            break;
        }
        if connection.read_tls(&mut stream)? == 0 {
            return Err("the server closed the connection in the handshake".into());
        }
        connection.process_new_packets()?;
    }
    connection.send_close_notify();
    while connection.wants_write() {
        connection.write_tls(&mut stream)?;
    }
    stream.flush()?;
    Ok(connection)
}

/// Records the certificates that it is shown and accepts all of them.
#[derive(Debug)]
struct CertificateRecorder {
    provider: Arc<CryptoProvider>,
    chain: Mutex<Vec<CertificateDer<'static>>>,
}

impl Default for CertificateRecorder {
    fn default() -> Self {
        Self { provider: Arc::new(aws_lc_rs::default_provider()), chain: Mutex::default() }
    }
}

impl ServerCertVerifier for CertificateRecorder {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let all = std::iter::once(leaf).chain(others).map(|der| der.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = all;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Describes an error of a socket; a time limit is reported by the system as a call that would block.
fn described(error: &(dyn std::error::Error + 'static)) -> String {
    match error.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
        Some(ErrorKind::WouldBlock | ErrorKind::TimedOut) => "no answer in time".to_owned(),
        _ => excerpt(&plain_transport_words(&error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_written_with_a_dot() {
        assert_eq!(version_name("TLSv1_3"), "TLS 1.3");
    }

    #[tokio::test]
    async fn a_server_without_tls_is_reported_as_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serve = tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        });
        let seen = perform(address, "h.test", SystemTime::UNIX_EPOCH, Duration::from_secs(3)).await;
        serve.await.unwrap();
        assert!(seen.error.is_some() && seen.chain.is_empty() && seen.version.is_none(), "{seen:?}");
    }
}
