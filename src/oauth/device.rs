//! Logging in on another screen (RFC 8628).

use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::client::{GrantRequest, OAuthClient};
use super::error::{Kind, OAuthError};
use crate::redact::{self, SafeUrl};
use crate::storage::TokenResponse;

/// What to do when the server names no interval (RFC 8628 section 3.2), and how much `slow_down` adds (3.5).
const FIVE_SECONDS: Duration = Duration::from_secs(5);
/// However much trouble the server is in, a user who has confirmed should not wait longer than the server itself wants.
const SLOWEST: Duration = Duration::from_secs(60);
/// However long the server waits, nobody sits before a code for a day.
const LONGEST: f64 = 86_400.0;

/// A login that waits for its user: where to go and what to enter.
///
/// It is used up by [`OAuthClient::wait_for_user`]: some servers revoke the tokens of a code that is asked for
/// again.
pub struct DeviceAuthorization {
    device_code: SecretString,
    user_code: String,
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    ends: Instant,
    interval: Duration,
}

#[derive(Deserialize)]
struct Wire {
    device_code: Option<String>,
    user_code: Option<String>,
    // Google's early servers wrote `verification_url`, and some still do.
    #[serde(alias = "verification_url")]
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<f64>,
    interval: Option<f64>,
}

impl DeviceAuthorization {
    fn read(answer: &str, now: Instant) -> Result<Self, Kind> {
        let wire: Wire = serde_json::from_str(answer)
            .map_err(|_| Kind::Device("it is not a JSON object of the right form"))?;
        let url = |text: &str| Url::parse(text).map_err(|_| Kind::Device("the address is no URL"));
        let seconds = |number: f64| {
            Duration::try_from_secs_f64(number.min(LONGEST)).map_err(|_| Kind::Device("a time is negative"))
        };
        Ok(Self {
            device_code: wire.device_code.ok_or(Kind::Device("`device_code` is missing"))?.into(),
            user_code: wire.user_code.ok_or(Kind::Device("`user_code` is missing"))?,
            verification_uri: url(&wire
                .verification_uri
                .ok_or(Kind::Device("`verification_uri` is missing"))?)?,
            verification_uri_complete: wire.verification_uri_complete.as_deref().map(url).transpose()?,
            ends: now + seconds(wire.expires_in.ok_or(Kind::Device("`expires_in` is missing"))?)?,
            interval: match wire.interval {
                Some(interval) => seconds(interval)?.max(Duration::from_secs(1)),
                None => FIVE_SECONDS,
            },
        })
    }

    /// The code that the user enters, fit to be shown.
    pub fn user_code(&self) -> String {
        redact::text(&self.user_code)
    }

    /// Where the user enters it.
    pub fn verification_uri(&self) -> &Url {
        &self.verification_uri
    }

    /// The same address with the code in it, to be clicked on or shown as a picture.
    pub fn verification_uri_complete(&self) -> Option<&Url> {
        self.verification_uri_complete.as_ref()
    }

    /// How much time the user has left.
    pub fn time_left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }
}

impl OAuthClient {
    /// Begins a login on another screen. Show the user where to go and what to enter, then
    /// [wait](Self::wait_for_user).
    ///
    /// # Errors
    /// Also when the server does not offer it.
    pub async fn authorize_device(&self, wanted: &GrantRequest) -> Result<DeviceAuthorization, OAuthError> {
        let endpoint = self
            .metadata()
            .device_authorization_endpoint()
            .ok_or_else(|| self.failed(Kind::NoEndpoint("device_authorization_endpoint")))?;
        let scope = wanted.scope_text();
        let mut form: Vec<_> = scope.as_deref().map(|scope| ("scope", scope)).into_iter().collect();
        wanted.add_targets(&mut form);
        let answer = self.post(endpoint, form).await?;
        DeviceAuthorization::read(&answer, Instant::now()).map_err(|kind| kind.at(SafeUrl::new(endpoint)))
    }

    /// Waits until the user has confirmed, refused, or let the code run out.
    ///
    /// It asks as often as the server wants (every 5 s when it says nothing), 5 s less often after each `slow_down`,
    /// and half as often after each answer that did not come or was the server's own fault (RFC 8628 section 3.5).
    pub async fn wait_for_user(
        &self,
        authorization: DeviceAuthorization,
    ) -> Result<TokenResponse, OAuthError> {
        let wanted = GrantRequest::new();
        let mut interval = authorization.interval;
        loop {
            if Instant::now() + interval > authorization.ends {
                return Err(self.failed(Kind::DeviceExpired));
            }
            tokio::time::sleep(interval).await;
            let form = vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("device_code", authorization.device_code.expose_secret()),
            ];
            let error = match self.grant(form, &wanted).await {
                Ok(tokens) => return Ok(tokens),
                Err(error) => error,
            };
            match error.code() {
                Some("authorization_pending") => {}
                Some("access_denied") => return Err(self.failed(Kind::Denied)),
                Some("expired_token") => return Err(self.failed(Kind::DeviceExpired)),
                Some("slow_down") => interval += FIVE_SECONDS,
                _ if error.slows_polling() => interval = (interval * 2).min(SLOWEST.max(interval)),
                _ => return Err(error),
            }
        }
    }
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorization")
            .field("verification_uri", &SafeUrl::new(&self.verification_uri))
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Reply, client};
    use super::*;

    const BEGUN: &str = r#"{"device_code": "hush", "user_code": "NNLJ-VSKJ", "verification_uri": "https://iss.example/device",
        "verification_uri_complete": "https://iss.example/device?user_code=NNLJ-VSKJ", "expires_in": 120}"#;
    const TOKENS: &str =
        r#"{"access_token": "AT", "token_type": "Bearer", "expires_in": 600, "refresh_token": "RT"}"#;

    fn error(code: &str) -> Reply {
        Reply::json(400, &format!(r#"{{"error": "{code}"}}"#))
    }

    /// How long the user was waited for, in seconds, and how it ended.
    async fn login(replies: impl IntoIterator<Item = Reply>) -> (u64, Result<TokenResponse, OAuthError>) {
        let fake = Fake::new(replies);
        let client = client(&fake);
        let wanted = GrantRequest::new().with_scope("openid".parse().unwrap());
        let authorization = client.authorize_device(&wanted).await.unwrap();
        assert_eq!(authorization.user_code(), "NNLJ-VSKJ");
        assert!(!format!("{authorization:?}").contains("hush"));
        let start = Instant::now();
        let ended = client.wait_for_user(authorization).await;
        let seen = fake.seen();
        assert_eq!(seen[0], "POST https://iss.example/device - scope=openid&client_id=me");
        let poll = "POST https://iss.example/token - \
                    grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=hush&client_id=me";
        assert!(seen[1..].iter().all(|request| request == poll), "{seen:?}");
        assert_eq!(fake.left(), 0);
        (start.elapsed().as_secs(), ended)
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_interval_it_asks_every_five_seconds() {
        let pending = || error("authorization_pending");
        let (waited, tokens) =
            login([Reply::json(200, BEGUN), pending(), pending(), Reply::json(200, TOKENS)]).await;
        assert_eq!((waited, tokens.is_ok()), (15, true));
    }

    #[tokio::test(start_paused = true)]
    async fn it_slows_down_when_told_or_when_the_server_is_in_trouble() {
        let begun = BEGUN.replace("120", "120, \"interval\": 2");
        let replies = [
            Reply::json(200, &begun),
            error("slow_down"),             // asked after 2, next after 7
            Reply::json(503, ""),           // next after 14
            Reply::NoConnection,            // next after 28
            error("authorization_pending"), // next after 28
            Reply::json(200, TOKENS),
        ];
        let (waited, tokens) = login(replies).await;
        assert_eq!((waited, tokens.is_ok()), (2 + 7 + 14 + 28 + 28, true));
    }

    #[tokio::test(start_paused = true)]
    async fn an_interval_that_the_server_wants_is_kept_however_long() {
        let begun = BEGUN.replace("120", "900, \"interval\": 90");
        let replies = [
            Reply::json(200, &begun),
            error("slow_down"),   // asked after 90, next after 95
            Reply::json(503, ""), // ours alone: not slower than that
            Reply::json(200, TOKENS),
        ];
        let (waited, tokens) = login(replies).await;
        assert_eq!((waited, tokens.is_ok()), (90 + 95 + 95, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_and_a_void_code_end_it_at_once() {
        for (code, expected) in [
            ("access_denied", "the user refused"),
            ("expired_token", "did not answer in time"),
            ("invalid_grant", "refused: invalid_grant"),
            ("invalid_client", "refused: invalid_client"),
        ] {
            let (waited, ended) = login([Reply::json(200, BEGUN), error(code)]).await;
            assert_eq!(waited, 5);
            assert!(ended.unwrap_err().to_string().contains(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_never_asks_after_the_code_has_run_out() {
        let begun = BEGUN.replace("120", "12");
        let pending = || error("authorization_pending");
        let (waited, ended) = login([Reply::json(200, &begun), pending(), pending()]).await;
        assert_eq!(waited, 10);
        assert_eq!(ended.unwrap_err().code(), Some("expired_token"));
    }

    #[tokio::test]
    async fn answers_that_cannot_be_shown_or_waited_for_are_refused() {
        for (answer, expected) in [
            ("{}", "`device_code` is missing"),
            (&BEGUN.replace("https://iss.example/device\"", "device\""), "no URL"),
            (&BEGUN.replace("120", "-1"), "negative"),
            (&BEGUN.replace("120", "\"soon\""), "not a JSON object"),
            (&BEGUN.replace("\"expires_in\"", "\"x\""), "`expires_in` is missing"),
        ] {
            let fake = Fake::new([Reply::json(200, answer)]);
            let error = client(&fake).authorize_device(&GrantRequest::new()).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
