//! Why a request got no response, told from its error and the facts of the report.

use std::error::Error as StdError;
use std::io;

use reqwest_scitokens::Error;
use reqwest_scitokens::auth::RedirectProblem;
use reqwest_scitokens::client::ProxyProblem;
use rustls::{CertificateError, OtherError};
use scitoken_transfer::plain_transport_words;
use url::Url;

use super::error::{ProbeError, ProbeErrorKind};
use super::report::Report;
use crate::failure::Failure;
use crate::hints::worded;
use crate::sanitize::excerpt;

impl ProbeError {
    /// Classifies an error of the request, given the facts of the report.
    pub(super) fn classify(error: &reqwest_middleware::Error, report: &Report) -> Self {
        let tls = find::<rustls::Error>(error);
        let http = match error {
            reqwest_middleware::Error::Reqwest(http) => Some(http),
            reqwest_middleware::Error::Middleware(other) => find::<reqwest::Error>(&**other),
        };
        let ours = Error::find(error);
        let kind = match (ours, tls, http) {
            (Some(ours), ..) if ours.is_redirect() => ProbeErrorKind::Redirect,
            (Some(ours), ..) if ours.is_insecure_origin() => ProbeErrorKind::PlainHttp,
            (Some(ours), ..) if ours.is_no_token() => ProbeErrorKind::Token,
            (Some(ours), ..) if matches!(ours.proxy_problem(), Some(ProxyProblem::Unsupported)) => {
                ProbeErrorKind::Proxy
            }
            (Some(ours), ..) if ours.proxy_problem().is_some() => ProbeErrorKind::Connection,
            (_, Some(_), _) => ProbeErrorKind::Tls,
            (.., Some(http)) if http.is_timeout() => ProbeErrorKind::Timeout,
            (.., Some(http)) if is_resolution(http) => ProbeErrorKind::NameResolution,
            _ if report.names.as_ref().is_some_and(|names| names.error.is_some()) => {
                ProbeErrorKind::NameResolution
            }
            (.., Some(http)) if http.is_connect() => ProbeErrorKind::Connection,
            _ => ProbeErrorKind::Broken,
        };
        let hint = match (kind, ours, tls) {
            (ProbeErrorKind::Redirect, Some(ours), _) => ours.redirect_problem().map(redirect_hint),
            (ProbeErrorKind::Tls, _, Some(tls)) => tls_hint(tls, report),
            (_, Some(ours), _) => ours.hint().map(|hint| worded(&hint)),
            _ => None,
        };
        // The outermost message of reqwest only repeats the URL.
        let failure = match (ours, http.and_then(StdError::source)) {
            (Some(ours), _) => Failure::from_error(kind.exit(), ours),
            (None, Some(cause)) => Failure::from_error(kind.exit(), cause),
            (None, None) => Failure::from_error(kind.exit(), error),
        };
        Self {
            exit: kind.exit(),
            kind,
            message: excerpt(&plain_transport_words(failure.message())),
            redirect_target: redirect_target(report),
            hint,
        }
    }
}

/// Returns whether the name of the host was not resolved.
fn is_resolution(error: &reqwest::Error) -> bool {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes
        .map(ToString::to_string)
        .any(|cause| cause.contains("dns error") || cause.contains("failed to lookup"))
}

/// Returns the server of the last request, which has no answer, if it is another one than that of the report.
fn redirect_target(report: &Report) -> Option<String> {
    let origin = |url: &str| Some(url.parse::<Url>().ok()?.origin());
    let last = report.attempts.last().filter(|attempt| attempt.status.is_none())?;
    let url: Url = last.url.parse().ok()?;
    let host = url.host_str().filter(|_| origin(&last.url) != origin(&report.url))?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// Finds an error type in a chain of causes, also inside an `io::Error`.
fn find<'e, T: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref)
            && let Some(found) = find(inner)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn redirect_hint(problem: &RedirectProblem) -> String {
    match problem {
        RedirectProblem::CredentialInClear { .. } => {
            "ask the operator for `http.desthttps yes` (XRootD), or pass `--allow-cleartext-redirects`"
        }
        RedirectProblem::ToCollection { .. } => {
            "to remove the directory, write its URL with a `/` at its end"
        }
        RedirectProblem::TooMany { .. } => "the server redirects in a loop; report it to the operator",
        _ => "the redirect is invalid; report it to the operator",
    }
    .to_owned()
}

/// What to do about a server whose certificate no authority signed.
const OWN_CERTIFICATE: &str = "the server signed its certificate itself: if you trust it, get the file from the operator and \
                               pass it with `--cacert FILE`; it then counts for the names in it";

/// Returns what to do about a failed handshake.
fn tls_hint(error: &rustls::Error, report: &Report) -> Option<String> {
    let chain = report.tls.as_ref().map(|tls| &tls.chain[..]).unwrap_or_default();
    let rustls::Error::InvalidCertificate(problem) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) => {
                Some("the port may not speak TLS: check the port, or use `http://`".to_owned())
            }
            rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => {
                Some("the server requires another TLS version or a client certificate".to_owned())
            }
            _ => None,
        };
    };
    let is_own = chain.len() <= 1 && chain.iter().all(|leaf| leaf.issuer == leaf.subject);
    let is_authority = |error: &OtherError| format!("{error:?}").contains("CaUsedAsEndEntity");
    Some(match problem {
        CertificateError::UnknownIssuer if is_own && !chain.is_empty() => OWN_CERTIFICATE.to_owned(),
        CertificateError::Other(error) if is_authority(error) => OWN_CERTIFICATE.to_owned(),
        CertificateError::UnknownIssuer => {
            let authority = chain.last().map_or("that signed the server's certificate".to_owned(), |last| {
                format!("`{}`", last.issuer)
            });
            format!(
                "the certificate authority {authority} is not trusted: pass its certificate with `--cacert FILE`, \
                 or its directory with `--capath DIR` or `X509_CERT_DIR`"
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired: tell the operator, or check this machine's clock"
                .to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet: check this machine's clock (`timedatectl status`)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = chain.first().map(|leaf| leaf.names.join("`, `")).filter(|names| !names.is_empty());
            let names = names.map_or("other names".to_owned(), |names| format!("`{names}`"));
            format!("the certificate is for {names}: use one of these names in the URL")
        }
        CertificateError::Revoked => "the certificate is revoked: tell the operator".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Certificate;
    use super::super::handshake::Handshake;
    use super::super::report::examples;
    use super::*;

    fn hint(problem: CertificateError) -> String {
        let leaf = Certificate {
            subject: "CN=h".into(),
            issuer: "CN=Grid CA".into(),
            names: vec!["a.test".into(), "b.test".into()],
            valid_from: String::new(),
            valid_until: String::new(),
            valid_until_relative: String::new(),
            is_expired: false,
        };
        let tls = Some(Handshake { chain: vec![leaf], ..Handshake::default() });
        let report = Report { tls, ..examples::unanswered() };
        tls_hint(&rustls::Error::InvalidCertificate(problem), &report).unwrap()
    }

    #[test]
    fn an_untrusted_authority_is_named_with_three_ways_to_trust_it() {
        let hint = hint(CertificateError::UnknownIssuer);
        for part in ["`CN=Grid CA`", "--cacert", "--capath", "X509_CERT_DIR"] {
            assert!(hint.contains(part), "{hint}");
        }
    }

    #[test]
    fn a_certificate_that_the_server_signed_itself_is_explained() {
        let leaf = |subject: &str| Certificate {
            subject: subject.into(),
            issuer: "CN=h".into(),
            names: vec!["h".into()],
            valid_from: String::new(),
            valid_until: String::new(),
            valid_until_relative: String::new(),
            is_expired: false,
        };
        for (chain, is_own) in [
            (vec![leaf("CN=h")], true),
            (vec![leaf("CN=x")], false),
            (vec![leaf("CN=x"), leaf("CN=h")], false),
        ] {
            let tls = Some(Handshake { chain, ..Handshake::default() });
            let report = Report { tls, ..examples::unanswered() };
            let error = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
            let hint = tls_hint(&error, &report).unwrap();
            assert!(
                hint.contains("--cacert") && hint.contains("signed its certificate itself") == is_own,
                "{hint}"
            );
        }
    }

    #[test]
    fn other_invalid_certificates_say_what_is_wrong() {
        assert!(hint(CertificateError::NotValidForName).contains("`a.test`, `b.test`"));
        assert!(hint(CertificateError::Expired).contains("expired"));
        assert!(hint(CertificateError::NotValidYet).contains("clock"));
    }

    #[test]
    fn a_cause_inside_an_io_error_is_found() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Revoked);
        let nested = io::Error::other(io::Error::other(tls));
        assert!(find::<rustls::Error>(&nested).is_some());
        assert!(find::<rustls::Error>(&io::Error::other("x")).is_none());
    }
}
