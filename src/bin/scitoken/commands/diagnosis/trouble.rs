//! What it means that there is no answer.

use std::error::Error as StdError;
use std::io;

use reqwest_scitokens::{Error, RedirectProblem};
use rustls::CertificateError;
use serde::Serialize;

use super::story::Story;
use super::words::fit;
use crate::exit::Exit;
use crate::failure::Failure;

/// Why there is no answer.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Trouble {
    #[serde(skip)]
    pub(crate) exit: Exit,
    pub(crate) kind: Kind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// Where the way to the answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Token,
    PlainHttp,
    Redirect,
    Names,
    Connection,
    Tls,
    Timeout,
    /// The connection ended before an answer came.
    Broken,
}

impl Kind {
    fn exit(self) -> Exit {
        match self {
            Self::Token | Self::PlainHttp => Exit::NoToken,
            Self::Redirect => Exit::Redirect,
            Self::Names | Self::Connection | Self::Tls | Self::Broken => Exit::Connect,
            Self::Timeout => Exit::Timeout,
        }
    }
}

impl Trouble {
    /// Reads an error of the request beside what the story knows already.
    pub(super) fn of(error: &reqwest_middleware::Error, story: &Story) -> Self {
        let tls = find::<rustls::Error>(error);
        let http = match error {
            reqwest_middleware::Error::Reqwest(http) => Some(http),
            reqwest_middleware::Error::Middleware(other) => find::<reqwest::Error>(&**other),
        };
        let ours = Error::find(error);
        let kind = match (ours, tls, http) {
            (Some(ours), ..) if ours.is_redirect() => Kind::Redirect,
            (Some(ours), ..) if ours.is_insecure_origin() => Kind::PlainHttp,
            (Some(ours), ..) if ours.is_no_token() => Kind::Token,
            (_, Some(_), _) => Kind::Tls,
            (.., Some(http)) if http.is_timeout() => Kind::Timeout,
            _ if story.names.as_ref().is_some_and(|names| names.error.is_some()) => Kind::Names,
            (.., Some(http)) if http.is_connect() => Kind::Connection,
            _ => Kind::Broken,
        };
        let hint = match (kind, ours, tls) {
            (Kind::Redirect, Some(ours), _) => ours.redirect_problem().map(redirect_hint),
            (Kind::Tls, _, Some(tls)) => tls_hint(tls, story),
            (_, Some(ours), _) => ours.hint().map(str::to_owned),
            _ => None,
        };
        // What reqwest says first is that it was sending a request to a URL, which the report says already.
        let told = match (ours, http.and_then(StdError::source)) {
            (Some(ours), _) => Failure::from_error(kind.exit(), ours),
            (None, Some(cause)) => Failure::from_error(kind.exit(), cause),
            (None, None) => Failure::from_error(kind.exit(), error),
        };
        Self { exit: kind.exit(), kind, message: fit(told.message()), hint }
    }
}

/// Looks for a sort of error in a chain of causes; those inside of an `io::Error` count too.
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
            "ask the server's operator for `http.desthttps yes` (XRootD); or allow it with `--allow-cleartext-redirects`"
        }
        RedirectProblem::TooMany { .. } => "the server probably redirects in a circle; ask its operator",
        _ => "the server's answer is wrong; ask its operator",
    }
    .to_owned()
}

/// What to do about a handshake that failed.
fn tls_hint(error: &rustls::Error, story: &Story) -> Option<String> {
    let chain = story.tls.as_ref().map(|tls| &tls.chain[..]).unwrap_or_default();
    let rustls::Error::InvalidCertificate(problem) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) => {
                Some("this port may not speak TLS at all: look at the port, or try `http://`".to_owned())
            }
            rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_) => Some(
                "the server wants another TLS, or a certificate of the user, than this program has"
                    .to_owned(),
            ),
            _ => None,
        };
    };
    Some(match problem {
        CertificateError::UnknownIssuer => {
            let authority = chain.last().map_or("that signed the server's certificate".to_owned(), |last| {
                format!("`{}`", last.issuer)
            });
            format!(
                "the certificate authority {authority} is not trusted here: give its certificate with `--cacert FILE`, \
                 or the directory that holds it with `--capath DIR` or `X509_CERT_DIR`"
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has ended: tell its operator; or look at this machine's clock"
                .to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet: look at this machine's clock (`timedatectl status`)".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            let names = chain.first().map(|leaf| leaf.names.join("`, `")).filter(|names| !names.is_empty());
            let names = names.map_or("other names".to_owned(), |names| format!("`{names}`"));
            format!("the certificate is for {names}: use such a name in the URL")
        }
        CertificateError::Revoked => "the certificate was revoked: tell the server's operator".to_owned(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::certificate::Certificate;
    use super::super::handshake::Handshake;
    use super::super::story::examples;
    use super::*;

    fn hint(problem: CertificateError) -> String {
        let leaf = Certificate {
            subject: "CN=h".into(),
            issuer: "CN=Grid CA".into(),
            names: vec!["a.test".into(), "b.test".into()],
            begins: String::new(),
            ends: String::new(),
            ends_relative: String::new(),
            is_over: false,
        };
        let tls = Some(Handshake { chain: vec![leaf], ..Handshake::default() });
        let story = Story { tls, ..examples::silent() };
        tls_hint(&rustls::Error::InvalidCertificate(problem), &story).unwrap()
    }

    #[test]
    fn a_missing_authority_is_named_with_the_three_ways_to_trust_it() {
        let hint = hint(CertificateError::UnknownIssuer);
        for part in ["`CN=Grid CA`", "--cacert", "--capath", "X509_CERT_DIR"] {
            assert!(hint.contains(part), "{hint}");
        }
    }

    #[test]
    fn other_certificates_that_are_not_good_say_what_is_wrong() {
        assert!(hint(CertificateError::NotValidForName).contains("`a.test`, `b.test`"));
        assert!(hint(CertificateError::Expired).contains("ended"));
        assert!(hint(CertificateError::NotValidYet).contains("clock"));
    }

    #[test]
    fn a_cause_inside_of_an_io_error_is_found() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Revoked);
        let nested = io::Error::other(io::Error::other(tls));
        assert!(find::<rustls::Error>(&nested).is_some());
        assert!(find::<rustls::Error>(&io::Error::other("x")).is_none());
    }

    #[test]
    fn each_trouble_has_the_code_of_the_table() {
        assert_eq!(Kind::Token.exit(), Exit::NoToken);
        assert_eq!(Kind::Redirect.exit(), Exit::Redirect);
        assert_eq!(Kind::Timeout.exit(), Exit::Timeout);
        assert_eq!(Kind::Tls.exit(), Exit::Connect);
    }
}
