//! The fields of a certificate that a report shows.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

use crate::sanitize::excerpt;
use crate::time;

/// The most names that are shown.
const MAX_NAMES: usize = 12;

/// The fields of a certificate, ready to be shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// The names that the certificate is for.
    pub(crate) names: Vec<String>,
    pub(crate) valid_from: String,
    pub(crate) valid_until: String,
    /// The end of validity, relative to now.
    pub(crate) valid_until_relative: String,
    #[serde(skip)]
    pub(crate) is_expired: bool,
}

impl Certificate {
    /// Parses DER; `None` if it is not a certificate.
    pub(crate) fn read(der: &[u8], now: SystemTime) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let alternatives = certificate.subject_alternative_name().ok().flatten();
        let names = alternatives.map(|found| &found.value.general_names[..]).unwrap_or_default();
        let validity = certificate.validity();
        let end = system_time(validity.not_after)?;
        Some(Self {
            subject: distinguished(&certificate.subject().to_string()),
            issuer: distinguished(&certificate.issuer().to_string()),
            names: names.iter().filter_map(name).take(MAX_NAMES).collect(),
            valid_from: time::show(system_time(validity.not_before)?),
            valid_until: time::show(end),
            valid_until_relative: time::relative(end, now),
            is_expired: end <= now,
        })
    }
}

fn distinguished(name: &str) -> String {
    if name.is_empty() { "(empty name)".to_owned() } else { excerpt(name) }
}

fn system_time(time: ASN1Time) -> Option<SystemTime> {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(excerpt(name)),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(|bytes| std::net::Ipv4Addr::from(bytes).to_string());
            let six =
                || <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::Ipv6Addr::from(bytes).to_string());
            four.or_else(|_| six()).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_shows_names_issuer_and_validity() {
        let mut parameters = rcgen::CertificateParams::new(["h.test".to_owned(), "::1".to_owned()]).unwrap();
        parameters.not_after = rcgen::date_time_ymd(2030, 1, 1);
        let certificate = parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
        let at = |text: &str| time::parse(text).unwrap();
        let read = Certificate::read(certificate.der(), at("2029-12-31T00:00:00Z")).unwrap();
        assert_eq!(read.names, ["h.test", "::1"]);
        assert_eq!(read.issuer, "CN=rcgen self signed cert");
        assert_eq!(
            (read.valid_until.as_str(), read.valid_until_relative.as_str()),
            ("2030-01-01T00:00:00Z", "in 1 d")
        );
        assert!(
            !read.is_expired
                && Certificate::read(certificate.der(), at("2031-01-01T00:00:00Z")).unwrap().is_expired
        );
    }

    #[test]
    fn random_bytes_are_not_a_certificate() {
        assert_eq!(Certificate::read(b"", SystemTime::UNIX_EPOCH), None);
        assert_eq!(Certificate::read(&[0x30; 64], SystemTime::UNIX_EPOCH), None);
    }
}
