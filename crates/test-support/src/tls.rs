//! A certificate authority that lives as long as the test run.

use std::sync::{Arc, LazyLock};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// Every name that a server of the tests has. The names under `test` reach their server through a client's
/// `resolve()`.
pub const NAMES: [&str; 13] = [
    "localhost",
    "a.localhost",
    "b.a.localhost",
    "127.0.0.1",
    "127.0.0.2",
    "127.0.0.3",
    "::1",
    "site.test",
    "data.site.test",
    "deep.data.site.test",
    "other.site.test",
    "untrusted.test",
    "storage.example.test",
];

/// A certificate authority, and the certificate that it gave to all servers.
pub struct Authority {
    /// The authority's own certificate, for clients to trust.
    pub ca_pem: String,
    acceptor: TlsAcceptor,
    http1_acceptor: TlsAcceptor,
}

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
static UNKNOWN: LazyLock<Authority> = LazyLock::new(Authority::new);

/// The authority that the clients of the tests trust.
pub fn authority() -> &'static Authority {
    &AUTHORITY
}

/// Another authority, which no client trusts.
pub fn unknown_authority() -> &'static Authority {
    &UNKNOWN
}

/// The certificate of the authority that the clients of the tests trust.
pub fn ca_pem() -> &'static str {
    &AUTHORITY.ca_pem
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test run");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();

        let key = KeyPair::generate().unwrap();
        let names = NAMES.map(str::to_owned).to_vec();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let with_alpn = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
            TlsAcceptor::from(Arc::new(config))
        };
        Self {
            ca_pem: issuer.pem(),
            acceptor: with_alpn(&[b"h2", b"http/1.1"]),
            http1_acceptor: with_alpn(&[]),
        }
    }

    /// Offers HTTP/2 and HTTP/1.1.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    /// Offers no ALPN, as XRootD does.
    pub fn http1_acceptor(&self) -> TlsAcceptor {
        self.http1_acceptor.clone()
    }
}
