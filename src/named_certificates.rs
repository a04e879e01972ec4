//! Servers that show a certificate which the user named: trusted as it is, as curl does.
//!
//! A server's own certificate (`openssl req -x509`) is no authority's: `webpki` refuses one with `CA:TRUE` as a server's, and
//! knows no names but those of `subjectAltName`.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

/// Returns the certificates that a server may show as its own: those that name a host.
pub(crate) fn of_servers<'c>(certificates: impl Iterator<Item = &'c [u8]>) -> Vec<CertificateDer<'static>> {
    certificates.filter(|der| names_host(der)).map(|der| CertificateDer::from(der.to_vec())).collect()
}

/// Returns a TLS configuration that also trusts servers with one of the `named` certificates; `system` says whether to trust
/// the system's authorities beside `roots`.
///
/// It offers HTTP/1.1 only: what the caller configured in the HTTP client is not known here.
pub(crate) fn config(
    roots: Vec<CertificateDer<'static>>,
    named: Vec<CertificateDer<'static>>,
    system: bool,
) -> Result<ClientConfig, Error> {
    let provider =
        CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let others: Arc<dyn ServerCertVerifier> = if system {
        let provider = Arc::clone(&provider);
        // Without roots of its own the verifier is the platform's, as in the HTTP client: on Windows that is another one.
        let verifier = if roots.is_empty() {
            Verifier::new(provider)
        } else {
            Verifier::new_with_extra_roots(roots, provider)
        };
        Arc::new(verifier?)
    } else {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots);
        WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider))
            .build()
            .map_err(|error| Error::General(error.to_string()))?
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(NamedCertificateVerifier { named, others }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Accepts a server whose certificate is byte for byte a named one, if it is valid now and has the server's name; leaves all
/// other servers to another verifier.
#[derive(Debug)]
struct NamedCertificateVerifier {
    named: Vec<CertificateDer<'static>>,
    others: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for NamedCertificateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.named.iter().any(|named| named == end_entity) {
            return verify_named(end_entity, server_name, now);
        }
        self.others.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.others.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.others.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.others.root_hint_subjects()
    }
}

fn verify_named(
    der: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, Error> {
    let bad = |error: CertificateError| Err(Error::InvalidCertificate(error));
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return bad(CertificateError::BadEncoding);
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = certificate.validity();
    if ASN1Time::from_timestamp(now).is_ok_and(|now| now < validity.not_before) {
        return bad(CertificateError::NotValidYet);
    }
    if now > validity.not_after.timestamp() {
        return bad(CertificateError::Expired);
    }
    match common_name(&certificate) {
        Some(common_name) if common_name.eq_ignore_ascii_case(&name.to_str()) => {}
        Some(_) => return bad(CertificateError::NotValidForName),
        None => verify_server_name(&ParsedCertificate::try_from(der)?, name)?,
    }
    Ok(ServerCertVerified::assertion())
}

/// Returns the common name of a certificate that has no other names (RFC 6125 section 6.4.4).
fn common_name(certificate: &X509Certificate<'_>) -> Option<String> {
    if !matches!(certificate.subject_alternative_name(), Ok(None)) {
        return None;
    }
    let mut names = certificate.subject().iter_common_name();
    names.next().and_then(|name| name.as_str().ok()).map(str::to_owned)
}

fn names_host(der: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else { return false };
    match common_name(&certificate) {
        Some(name) => ServerName::try_from(name).is_ok(),
        None => matches!(certificate.subject_alternative_name(), Ok(Some(_))),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(names: &[&str], common_name: &str, is_ca: bool) -> CertificateDer<'static> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        parameters.not_before = date_time_ymd(2020, 1, 1);
        parameters.not_after = date_time_ymd(2030, 1, 1);
        if is_ca {
            parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    fn verify(
        named: &CertificateDer<'static>,
        shown: &CertificateDer<'static>,
        name: &str,
        year: u64,
    ) -> Result<(), Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&[], "another authority", true)).unwrap();
        let others = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let verifier = NamedCertificateVerifier { named: of_servers([&**named].into_iter()), others };
        let now =
            UnixTime::since_unix_epoch(std::time::Duration::from_secs((year - 1970) * 31_556_952 + 86_400));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        verifier.verify_server_cert(shown, &[], &name, &[], now).map(drop)
    }

    #[test]
    fn a_named_certificate_is_trusted_for_its_names() {
        for (names, common, is_ca, server, expected) in [
            (&["h.test"][..], "x", true, "h.test", true),
            (&["h.test"], "x", false, "h.test", true),
            (&["127.0.0.1"], "x", true, "127.0.0.1", true),
            (&["*.site.test"], "x", true, "h.site.test", true),
            (&[], "h.test", true, "h.test", true),
            (&[], "H.Test", true, "h.test", true),
            (&[], "127.0.0.1", true, "127.0.0.1", true),
            (&["h.test"], "x", true, "other.test", false),
            (&["h.test"], "other.test", true, "other.test", false),
            (&[], "h.test", true, "x.h.test", false),
            (&["127.0.0.1"], "x", true, "127.0.0.2", false),
        ] {
            let shown = certificate(names, common, is_ca);
            assert_eq!(verify(&shown, &shown, server, 2025).is_ok(), expected, "{names:?} {common} {server}");
        }
    }

    #[test]
    fn another_certificate_of_the_same_names_is_not_trusted() {
        let (named, shown) = (certificate(&["h.test"], "x", true), certificate(&["h.test"], "x", true));
        assert!(verify(&named, &shown, "h.test", 2025).is_err());
    }

    #[test]
    fn a_named_certificate_is_trusted_while_it_is_valid() {
        let shown = certificate(&["h.test"], "x", true);
        for (year, expected) in [
            (2019, Some(CertificateError::NotValidYet)),
            (2021, None),
            (2029, None),
            (2031, Some(CertificateError::Expired)),
        ] {
            let result = verify(&shown, &shown, "h.test", year);
            assert_eq!(result.err(), expected.map(Error::InvalidCertificate), "{year}");
        }
    }

    #[test]
    fn an_authority_without_a_host_name_is_no_server() {
        for (names, common, expected) in
            [(&[][..], "Site Root Authority 7", 0), (&[], "ca.example.org", 1), (&["h.test"], "Site Root", 1)]
        {
            let der = certificate(names, common, true);
            assert_eq!(of_servers([&*der].into_iter()).len(), expected, "{common}");
        }
        assert!(of_servers([&b"none"[..]].into_iter()).is_empty());
    }
}
