//! Which token may go where: pure functions of the request, the options and what a redirect chain has met.

use super::attach::Attach;
use super::options::{AuthSettings, RedirectTrust};
use super::outcome::NotAttached;
use scitoken_types::AccessToken;
use scitoken_types::Origin;

/// Which tokens an origin may receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenPermission {
    Any,
    /// Only a token whose audience names the origin.
    IfAudienceNames,
    None,
}

impl TokenPermission {
    /// Returns whether the origin may receive this token.
    pub(super) fn allows(self, token: &AccessToken, origin: &Origin) -> bool {
        match self {
            Self::Any => true,
            Self::None => false,
            Self::IfAudienceNames => {
                token.claims().is_some_and(|claims| claims.audiences().iter().any(|a| a.names(origin)))
            }
        }
    }
}

impl RedirectTrust {
    /// Returns which tokens an origin may receive that a server named.
    pub(super) fn permission(&self, origin: &Origin) -> TokenPermission {
        match self {
            Self::Audience => TokenPermission::IfAudienceNames,
            Self::Hosts(patterns) if patterns.iter().any(|p| p.matches(origin)) => TokenPermission::Any,
            Self::SameOrigin | Self::Hosts(_) => TokenPermission::None,
        }
    }

    /// Returns which tokens an origin may receive to which the HTTP client below followed a redirect.
    pub(super) fn permission_below(&self, from: &Origin, to: &Origin) -> TokenPermission {
        if from.is_https() && !to.is_https() { TokenPermission::None } else { self.permission(to) }
    }
}

impl AuthSettings {
    /// Returns whether the transport to an origin protects a token: TLS, this machine, or an origin that the user
    /// allowed.
    pub(super) fn allows_transport(&self, origin: &Origin) -> bool {
        origin.is_trustworthy() || self.plain_http.iter().any(|pattern| pattern.matches(origin))
    }
}

/// What decides, before any source is asked, whether a request is sent without a token.
#[derive(Clone, Copy, Debug)]
pub(super) struct SendFacts {
    pub(super) attach: Attach,
    pub(super) has_authorization: bool,
    pub(super) has_url_credential: bool,
    pub(super) permission: TokenPermission,
    pub(super) challenge_state: ChallengeState,
}

/// Whether a request can wait for the server's challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChallengeState {
    /// The origin challenged an earlier request.
    Seen,
    /// The origin has not challenged yet, and the request can be sent again.
    CanWait,
    /// The request cannot be sent again.
    CannotWait,
}

/// Returns why a request is sent without a token, whatever the sources have.
pub(super) fn skip_reason(facts: SendFacts) -> Option<NotAttached> {
    if facts.attach == Attach::Never {
        Some(NotAttached::Never)
    } else if facts.has_authorization {
        Some(NotAttached::CallersOwn)
    } else if facts.has_url_credential {
        Some(NotAttached::InUrl)
    } else if facts.permission == TokenPermission::None {
        Some(NotAttached::UntrustedOrigin)
    } else if facts.attach == Attach::OnChallenge && facts.challenge_state == ChallengeState::CanWait {
        Some(NotAttached::WaitsForChallenge)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: SendFacts = SendFacts {
        attach: Attach::WhenFound,
        has_authorization: false,
        has_url_credential: false,
        permission: TokenPermission::Any,
        challenge_state: ChallengeState::CanWait,
    };

    #[test]
    fn a_request_is_sent_bare_for_the_first_reason_that_holds() {
        let rows = [
            (FACTS, None),
            (SendFacts { attach: Attach::Required, ..FACTS }, None),
            (SendFacts { attach: Attach::Never, has_authorization: true, ..FACTS }, Some(NotAttached::Never)),
            (
                SendFacts { has_authorization: true, has_url_credential: true, ..FACTS },
                Some(NotAttached::CallersOwn),
            ),
            (
                SendFacts { has_url_credential: true, permission: TokenPermission::None, ..FACTS },
                Some(NotAttached::InUrl),
            ),
            (SendFacts { permission: TokenPermission::None, ..FACTS }, Some(NotAttached::UntrustedOrigin)),
            (SendFacts { permission: TokenPermission::IfAudienceNames, ..FACTS }, None),
            (SendFacts { attach: Attach::OnChallenge, ..FACTS }, Some(NotAttached::WaitsForChallenge)),
            (SendFacts { attach: Attach::OnChallenge, challenge_state: ChallengeState::Seen, ..FACTS }, None),
            (
                SendFacts {
                    attach: Attach::OnChallenge,
                    challenge_state: ChallengeState::CannotWait,
                    ..FACTS
                },
                None,
            ),
        ];
        for (facts, expected) in rows {
            assert_eq!(skip_reason(facts), expected, "{facts:?}");
        }
    }

    #[test]
    fn an_audience_allows_only_the_origin_that_it_names() {
        let payload = base64::Engine::encode(
            &base64::prelude::BASE64_URL_SAFE_NO_PAD,
            r#"{"aud":"https://a.example:8443"}"#,
        );
        let token = AccessToken::new(format!("e30.{payload}.sig")).unwrap();
        let opaque = AccessToken::new("opaque").unwrap();
        let origin = |url: &str| Origin::try_from(&url.parse::<url::Url>().unwrap()).unwrap();
        let named = TokenPermission::IfAudienceNames;
        assert!(named.allows(&token, &origin("https://a.example:8443")));
        for other in ["https://a.example", "http://a.example:8443", "https://b.example:8443"] {
            assert!(!named.allows(&token, &origin(other)), "{other}");
        }
        assert!(!named.allows(&opaque, &origin("https://a.example:8443")));
        assert!(TokenPermission::Any.allows(&opaque, &origin("https://b.example")));
        assert!(!TokenPermission::None.allows(&token, &origin("https://a.example:8443")));
    }

    #[test]
    fn a_redirect_below_the_middleware_from_https_to_http_gets_no_token() {
        let origin = |url: &str| Origin::try_from(&url.parse::<url::Url>().unwrap()).unwrap();
        let trust = RedirectTrust::Hosts(vec!["http://b".parse().unwrap(), "https://b".parse().unwrap()]);
        for (from, to, expected) in [
            ("https://a", "http://b", TokenPermission::None),
            ("https://a", "https://b", TokenPermission::Any),
            ("http://a", "http://b", TokenPermission::Any),
            ("https://a", "https://c", TokenPermission::None),
        ] {
            assert_eq!(trust.permission_below(&origin(from), &origin(to)), expected, "{from} {to}");
        }
    }
}
