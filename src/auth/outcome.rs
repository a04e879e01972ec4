//! Why a request was sent without a token, and how it ended.

use std::fmt;
use std::sync::Arc;

use crate::error::with_causes;
use crate::source::SourceError;
use crate::token::AccessToken;

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

/// Why a request was sent without a token of ours.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NotAttached {
    /// The caller wants none: [`Attach::Never`](super::Attach::Never).
    Never,
    /// The caller has put an `Authorization` header there already.
    CallersOwn,
    /// The URL carries a credential itself (`authz=`, `access_token=`, a signature); servers refuse two.
    InUrl,
    /// The server is to be asked first: [`Attach::OnChallenge`](super::Attach::OnChallenge).
    WaitsForChallenge,
    /// No source has one; why, source by source.
    NoToken(Arc<[String]>),
    /// A source is broken.
    SourceFailed(SourceError),
    /// The server is one that a redirect named, and [`RedirectTrust`](super::RedirectTrust) does not cover it.
    Stranger,
    /// The connection would be plain `http`.
    PlainHttp,
}

impl fmt::Display for NotAttached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("none was wanted"),
            Self::CallersOwn => f.write_str("the request has an `Authorization` header of its own"),
            Self::InUrl => f.write_str("the URL carries a credential itself"),
            Self::WaitsForChallenge => f.write_str("the server had not asked for one yet"),
            Self::NoToken(reasons) if reasons.is_empty() => f.write_str("no source has one"),
            Self::NoToken(reasons) => write!(f, "no source has one ({})", reasons.join("; ")),
            Self::SourceFailed(error) => write!(f, "the source is broken: {}", with_causes(error)),
            Self::Stranger => f.write_str("a redirect leads to a server that is not trusted with it"),
            Self::PlainHttp => f.write_str("the connection has no TLS"),
        }
    }
}

/// How a request ended, as far as tokens go.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// There was no answer: the connection failed, or has not been tried.
    #[default]
    NoAnswer,
    /// The first answer was neither `401` nor `403`.
    Answered,
    /// The first answer was a refusal; the request was sent once more with another token, and that was no refusal.
    AnsweredReplay,
    /// The answer is a `401` or `403`, and there was nothing more to try.
    Refused(Refusal),
}

/// Why a refused request was not sent again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Refusal {
    /// It had been sent again already.
    Again,
    /// A `401` without a Bearer challenge.
    NoChallenge,
    /// A `403`, which [`ForbiddenReplay`](super::ForbiddenReplay) takes for final.
    Forbidden,
    /// No token but the refused one can be had; why, where a source said so.
    NoOtherToken(Option<NotAttached>),
    /// There is no token to send, or none may be sent there.
    NotSent(NotAttached),
    /// The body was a stream that cannot be read twice.
    BodyGone,
    /// The HTTP client has followed a redirect by itself, and only `GET` and `HEAD` can be aimed there again.
    Elsewhere,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again => f.write_str("refused again with the second token"),
            Self::NoChallenge => f.write_str("the server did not ask for a bearer token"),
            Self::Forbidden => f.write_str("the server forbids it"),
            Self::NoOtherToken(None) => f.write_str("no other token could be had"),
            Self::NoOtherToken(Some(why)) => write!(f, "no other token could be had: {why}"),
            Self::NotSent(why) => write!(f, "sent without a token: {why}"),
            Self::BodyGone => f.write_str("the body cannot be sent twice"),
            Self::Elsewhere => f.write_str("a redirect was followed beneath the middleware"),
        }
    }
}
