//! URLs that a transfer accepts.

use std::borrow::Cow;

use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use crate::object_name::invalid_url::InvalidFederationUrl;
use crate::object_name::url::FederationUrl;
use scitoken_types::{Origin, SafeUrl, names_host};

/// Refuses a URL that has no origin, or user info: that would reach logs and replace the token.
pub(crate) fn check_url(url: &Url) -> Result<(), TransferError> {
    let refuse = |what: &str, hint: TransferHint| {
        let message = format!("`{}` {what}", SafeUrl::new(url));
        Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message).with_hint(hint))
    };
    if Origin::try_from(url).is_err() {
        return refuse("is not an `http` or `https` URL", TransferHint::UseHttpUrl);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse("contains a user name or a password", TransferHint::RemoveUserInfo);
    }
    if url.fragment().is_some() {
        return refuse("contains a fragment, which is not sent", TransferHint::EncodeCharacter('#'));
    }
    Ok(())
}

/// Parses a URL or the name of an object in a federation; see [`parse_url`].
pub(crate) fn parse_location(text: &str) -> Result<Url, TransferError> {
    if !FederationUrl::has_scheme(text) {
        return parse_url(text);
    }
    let name: FederationUrl = text.parse().map_err(|error: InvalidFederationUrl| {
        let message = format!("`{}`: {error}", SafeUrl::unparsed(text));
        TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
    })?;
    if name.shared_token().is_some() {
        let message = format!("`{name}` has a token in its URL");
        return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
    }
    Ok(name.to_url())
}

/// Parses a URL, and refuses one whose parsing would drop or change characters.
pub(crate) fn parse_url(text: &str) -> Result<Url, TransferError> {
    let refuse = |what: &str, hint: Option<TransferHint>| {
        let shown = SafeUrl::unparsed(text);
        let failure =
            TransferError::new(FailureKind::Usage, RetryAction::GiveUp, format!("`{shown}` {what}"));
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    };
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(refuse("contains a control character", Some(TransferHint::EncodeCharacter(control))));
    }
    if text.split(['?', '#']).next().unwrap_or_default().contains('\\') {
        return Err(refuse("contains a backslash", Some(TransferHint::EncodeCharacter('\\'))));
    }
    if !names_host(text) {
        return Err(refuse("names no host", None));
    }
    let url = with_http_scheme(text).parse().map_err(|_| refuse("is not a URL", None))?;
    check_url(&url)?;
    Ok(url)
}

/// Writes `davs` and `dav`, the names of gfal2 and rucio, as `https` and `http`.
fn with_http_scheme(text: &str) -> Cow<'_, str> {
    match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("davs") => format!("https://{rest}").into(),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("dav") => format!("http://{rest}").into(),
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_its_parser_would_change_is_refused() {
        for text in [
            "https://h/run#2.root",
            "https://h/run.root#",
            "https://h/a\\b",
            "https://h/a\tb",
            "https://h/a\rb",
            "https://h/a\nb",
            "https://h\\@evil/f",
            "https:///h/f",
            "https:/h/f",
            "http:h/f",
            "ftp://h/f",
            "h/f",
        ] {
            assert_eq!(parse_url(text).unwrap_err().kind(), FailureKind::Usage, "{text}");
        }
        assert_eq!(parse_url("davs://h/f").unwrap().as_str(), "https://h/f");
        assert_eq!(parse_url("DAV://h:80/f").unwrap().as_str(), "http://h/f");
        for text in ["https://h/run%232.root", "https://h/a%5Cb?x=\\", "https://h/%C3%BC", "https://h/ü"] {
            assert!(parse_url(text).is_ok(), "{text}");
        }
    }
}
