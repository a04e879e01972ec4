//! Whether a stored token will do: the decision, without any of the work.

use std::time::{Duration, SystemTime};

use super::super::TokenRequest;
use crate::storage::TokenStorageData;
use crate::token::AccessToken;

/// What a request needs of a stored token.
#[derive(Clone, Debug)]
pub(super) struct Need {
    min_validity: Duration,
    rejected: Option<AccessToken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There is no entry.
    Absent,
    /// It can be sent.
    Good,
    /// It ends soon, has ended, or was refused.
    Renew,
}

impl Need {
    pub(super) fn of(request: &TokenRequest<'_>) -> Self {
        Self { min_validity: request.min_validity(), rejected: request.rejected().cloned() }
    }

    /// Judges an entry at `now`; `usual_lifetime` is what tokens of this kind live, if known.
    ///
    /// The margin is the SDK's: with 60 s, a token that ends in exactly 60 s is good. Tokens that live shorter than
    /// four margins get a smaller one, a quarter of their life: a token of a few seconds would never be good else.
    pub(super) fn judge(
        &self,
        entry: Option<&TokenStorageData>,
        now: SystemTime,
        usual_lifetime: Option<Duration>,
    ) -> Verdict {
        let Some(entry) = entry else { return Verdict::Absent };
        if self.refuses(entry) {
            return Verdict::Renew;
        }
        let lifetime = own_lifetime(entry).or(usual_lifetime);
        let margin = lifetime.map_or(self.min_validity, |lifetime| self.min_validity.min(lifetime / 4));
        match now.checked_add(margin) {
            Some(then) if then <= entry.expires_at() => Verdict::Good,
            _ => Verdict::Renew,
        }
    }

    /// Whether a server has refused this very token.
    pub(super) fn refuses(&self, entry: &TokenStorageData) -> bool {
        self.rejected.as_ref().is_some_and(|rejected| rejected.expose_secret() == entry.expose_access_token())
    }
}

/// The refresh token of an entry; an empty one is none.
#[cfg(feature = "oauth")]
pub(super) fn refresh_token(entry: &TokenStorageData) -> Option<&str> {
    entry.expose_refresh_token().filter(|token| !token.is_empty())
}

/// How long the token lives by its own account.
fn own_lifetime(entry: &TokenStorageData) -> Option<Duration> {
    let token = entry.access_token().ok()?;
    let claims = token.claims()?;
    claims.expires_at()?.duration_since(claims.issued_at()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn need(rejected: Option<&str>) -> Need {
        Need {
            min_validity: Duration::from_secs(60),
            rejected: rejected.map(|token| AccessToken::new(token).unwrap()),
        }
    }

    fn entry(token: &str, end: i64) -> TokenStorageData {
        TokenStorageData::new("rs", "s", token, end)
    }

    #[test]
    fn the_margin_is_the_sdk_s() {
        let judge = |end| need(None).judge(Some(&entry("AT", end)), at(1_000), None);
        assert_eq!(judge(1_060), Verdict::Good);
        assert_eq!(judge(1_059), Verdict::Renew);
        assert_eq!(judge(i64::MAX), Verdict::Good);
        assert_eq!(judge(i64::MIN), Verdict::Renew);
        assert_eq!(need(None).judge(None, at(1_000), None), Verdict::Absent);
    }

    #[test]
    fn a_refused_token_is_renewed_and_another_one_is_not() {
        let judge = |rejected| need(Some(rejected)).judge(Some(&entry("AT", 9_000)), at(1_000), None);
        assert_eq!(judge("AT"), Verdict::Renew);
        assert_eq!(judge("AT0"), Verdict::Good);
    }

    #[test]
    fn short_lives_have_small_margins() {
        let five = Some(Duration::from_secs(5));
        assert_eq!(need(None).judge(Some(&entry("AT", 1_002)), at(1_000), five), Verdict::Good);
        assert_eq!(need(None).judge(Some(&entry("AT", 1_001)), at(1_000), five), Verdict::Renew);
        let claims = base64_simd::URL_SAFE_NO_PAD.encode_to_string(r#"{"iat": 997, "exp": 1002}"#);
        let jwt = entry(&format!("e30.{claims}.sig"), 1_002);
        assert_eq!(need(None).judge(Some(&jwt), at(1_000), None), Verdict::Good);
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(need(None).judge(Some(&entry("AT", 1_059)), at(1_000), hour), Verdict::Renew);
    }
}
