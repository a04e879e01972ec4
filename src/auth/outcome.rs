//! Why a request was sent without a token, and how it ended.

use std::fmt;
use std::sync::Arc;

use crate::source::SourceError;
use scitoken_types::AccessToken;
use scitoken_types::ErrorChain;

/// What a request was sent with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Credential {
    Token(AccessToken),
    None(NotAttached),
}

impl Credential {
    pub(crate) fn token(&self) -> Option<&AccessToken> {
        match self {
            Self::Token(token) => Some(token),
            Self::None(_) => None,
        }
    }
}

/// Why the library attached no token to a request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NotAttached {
    /// The caller asked for none: [`Attach::Never`](super::Attach::Never).
    Never,
    /// The caller set an `Authorization` header.
    CallersOwn,
    /// A password of `.netrc` was sent, because no source has a token for the server.
    NetrcPassword,
    /// The URL carries a credential itself (`authz=`, `access_token=`, a signature); servers refuse two.
    InUrl,
    /// The server must ask first: [`Attach::OnChallenge`](super::Attach::OnChallenge).
    WaitsForChallenge,
    /// No source has one; the reason of each place that was searched.
    NoToken(Arc<[String]>),
    /// A source failed.
    SourceFailed(SourceError),
    /// A redirect named the origin, and [`RedirectTrust`](super::RedirectTrust) does not cover it.
    UntrustedOrigin,
    /// The connection would be plain `http`.
    PlainHttp,
}

impl NotAttached {
    /// Returns the error of the source that failed.
    pub fn source_error(&self) -> Option<&SourceError> {
        match self {
            Self::SourceFailed(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for NotAttached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("none was requested"),
            Self::CallersOwn => f.write_str("the request has its own `Authorization` header"),
            Self::NetrcPassword => f.write_str("a password of `.netrc` was sent"),
            Self::InUrl => f.write_str("the URL carries a credential"),
            Self::WaitsForChallenge => f.write_str("the server had not asked for one yet"),
            Self::NoToken(reasons) => match &**reasons {
                [] => f.write_str("no token found"),
                [only] => write!(f, "no token found: {only}"),
                several => write!(f, "no token found in {} places", several.len()),
            },
            Self::SourceFailed(error) => write!(f, "the source failed: {}", ErrorChain::new(error)),
            Self::UntrustedOrigin => f.write_str("the redirect target is not trusted with it"),
            Self::PlainHttp => f.write_str("the connection has no TLS"),
        }
    }
}

/// How a request ended, as far as tokens go.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum AuthOutcome {
    /// No answer came: the connection failed, or was not tried.
    #[default]
    NoAnswer,
    /// The first answer was neither `401` nor `403`.
    Answered,
    /// The first answer was a refusal, and the answer to the replay with another token was not.
    AnsweredReplay,
    /// The answer is a `401` or `403`.
    Refused(ReplayRefusal),
}

impl fmt::Display for AuthOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("no answer"),
            Self::Answered => f.write_str("answered"),
            Self::AnsweredReplay => f.write_str("answered after a replacement of the token"),
            Self::Refused(why) => write!(f, "refused: {why}"),
        }
    }
}

/// Why a refused request was not sent again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ReplayRefusal {
    /// The replacement token was refused too.
    ReplacementRefused,
    /// A `401` without a Bearer challenge.
    NoChallenge,
    /// A `403`, which [`ForbiddenReplay`](super::ForbiddenReplay) takes for final.
    Forbidden,
    /// No other token is available; the reason, where a source gave one.
    NoOtherToken(Option<NotAttached>),
    /// There is no token to send, or none may go there.
    SentWithoutToken(NotAttached),
    /// The body was a stream that cannot be read twice.
    BodyConsumed,
    /// The HTTP client followed a redirect by itself; only `GET` and `HEAD` are sent again to the target.
    FollowedRedirect,
}

impl fmt::Display for ReplayRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReplacementRefused => f.write_str("the replacement token was refused too"),
            Self::NoChallenge => f.write_str("the server did not ask for a bearer token"),
            Self::Forbidden => f.write_str("the server forbids the request"),
            Self::NoOtherToken(None) => f.write_str("no other token is available"),
            Self::NoOtherToken(Some(why)) => write!(f, "no other token is available: {why}"),
            Self::SentWithoutToken(why) => write!(f, "sent without a token: {why}"),
            Self::BodyConsumed => f.write_str("the body cannot be sent twice"),
            Self::FollowedRedirect => f.write_str("the HTTP client followed a redirect by itself"),
        }
    }
}
