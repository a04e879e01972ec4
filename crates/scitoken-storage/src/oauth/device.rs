//! The device authorization grant: login with a browser on another device (RFC 8628).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;

use super::client::{GrantRequest, OAuthClient};
use super::error::{Kind, OAuthError};
use super::response::TokenResponse;
use scitoken_types::redact::{self, Redactor};
use scitoken_types::{LenientObject, Origin, SafeUrl, Seconds};

/// The default interval (RFC 8628 section 3.2), and what `slow_down` adds to it (3.5).
const FIVE_SECONDS: Duration = Duration::from_secs(5);
/// How long a code is taken to be valid if the server does not say: the server ends it with `expired_token`.
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// The longest interval after errors, unless the server asks for a longer one.
const SLOWEST: Duration = Duration::from_secs(60);
/// How long before a code expires the last poll comes.
const BEFORE_EXPIRY: Duration = Duration::from_secs(1);
/// The longest time in seconds that is waited for a user.
const LONGEST: f64 = 86_400.0;

/// A login that the user has to confirm: the address to open and the code to enter.
///
/// [`OAuthClient::wait_for_authorization`] consumes it: some servers revoke the tokens of a code that is used again.
/// Dropping it ends the login.
pub struct DeviceAuthorization {
    device_code: SecretString,
    user_code: String,
    verification_uri: Url,
    verification_uri_complete: Option<Url>,
    ends: Instant,
    interval: Duration,
}

impl DeviceAuthorization {
    /// Reads an answer; members that a login can do without are ignored if they cannot be read.
    fn read(answer: &LenientObject, endpoint: &Url, now: Instant) -> Result<Self, Kind> {
        let text = |name| answer.text(name).ok().flatten();
        let url = |name| text(name).and_then(|text| address(&text, endpoint));
        let seconds = |number: f64| Seconds::try_from(number.min(LONGEST)).ok().map(Seconds::duration);
        let device_code = text("device_code").ok_or(Kind::Device("`device_code` is missing"))?;
        let user_code = text("user_code").ok_or(Kind::Device("`user_code` is missing"))?;
        // Google's early servers wrote `verification_url`, and some send both.
        let [uri, old_uri] = ["verification_uri", "verification_url"];
        // The device code is for this program only, so an address with it in it is not shown.
        let complete = url("verification_uri_complete");
        let secrets = Redactor::new();
        secrets.add(&device_code);
        let is_public = |url: &Url| matches!(secrets.redact(url.as_str()), Cow::Borrowed(_));
        let complete = complete.filter(is_public);
        // Without its query, such an address still leads to the page.
        let without_secret = |mut url: Url| {
            if !is_public(&url) {
                url.set_query(None);
                url.set_fragment(None);
            }
            Some(url).filter(is_public)
        };
        let stated = url(uri).or_else(|| url(old_uri)).and_then(without_secret);
        let verification_uri = match stated.or_else(|| complete.clone()) {
            Some(url) => url,
            None if answer.has(uri) || answer.has(old_uri) => {
                return Err(Kind::Device("`verification_uri` is not a URL, or has the device code in it"));
            }
            None => return Err(Kind::Device("`verification_uri` is missing")),
        };
        let lifetime = answer.seconds("expires_in").ok().flatten().and_then(seconds);
        let interval = answer.seconds("interval").ok().flatten().and_then(seconds);
        Ok(Self {
            device_code: device_code.into(),
            user_code,
            verification_uri,
            verification_uri_complete: complete,
            ends: now + lifetime.filter(|lifetime| !lifetime.is_zero()).unwrap_or(TEN_MINUTES),
            interval: interval.map_or(FIVE_SECONDS, |interval| interval.max(Duration::from_secs(1))),
        })
    }

    /// Returns the code that the user enters, safe to show on a terminal.
    pub fn user_code(&self) -> String {
        redact::text(&self.user_code)
    }

    /// Returns the address at which the user enters the code.
    pub fn verification_uri(&self) -> &Url {
        &self.verification_uri
    }

    /// Returns the same address with the code in it, for a link or a QR code.
    pub fn verification_uri_complete(&self) -> Option<&Url> {
        self.verification_uri_complete.as_ref()
    }

    /// Returns the time until the code expires.
    pub fn time_left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }
}

/// Reads the address of a web page: a URL, the path of one at the server, or one without its scheme.
fn address(text: &str, endpoint: &Url) -> Option<Url> {
    let url = match Url::parse(text) {
        Ok(url) if url.has_host() => url,
        _ if text.starts_with('/') => endpoint.join(text).ok()?,
        _ if text.split(['/', '?']).next()?.contains('.') => Url::parse(&format!("https://{text}")).ok()?,
        _ => return None,
    };
    matches!(url.scheme(), "https" | "http").then_some(url)
}

/// When to poll next.
#[derive(Debug)]
struct PollingPace {
    /// The shortest time between two polls.
    interval: Duration,
    /// The time until the next poll, which is longer after failures.
    wait: Duration,
    has_polled: bool,
}

impl PollingPace {
    fn new(interval: Duration) -> Self {
        Self { interval, wait: interval, has_polled: false }
    }

    /// Returns how long to wait for the next poll; `None` when the code expires before. The first poll comes in any case, and
    /// failures do not use up the end of a code's lifetime.
    fn next(&mut self, left: Duration) -> Option<Duration> {
        let last = left.saturating_sub(BEFORE_EXPIRY);
        let shortest = if self.has_polled { self.interval } else { Duration::ZERO };
        let wait = self.wait.min(last);
        let is_in_time = wait >= shortest && !(left.is_zero() && self.has_polled);
        self.has_polled = true;
        is_in_time.then_some(wait)
    }

    /// The server asks for 5 s more between all further polls (RFC 8628 section 3.5).
    fn slow_down(&mut self) {
        self.interval += FIVE_SECONDS;
        self.wait = self.wait.max(self.interval);
    }

    fn failed(&mut self) {
        self.wait = (self.wait * 2).min(SLOWEST.max(self.wait));
    }
}

impl OAuthClient {
    /// Requests a device code. Show the user the address and the code, then
    /// [wait](Self::wait_for_authorization).
    ///
    /// # Errors
    /// When the request fails, or the server has no device authorization endpoint.
    pub async fn authorize_device(&self, request: &GrantRequest) -> Result<DeviceAuthorization, OAuthError> {
        let endpoint = self
            .metadata()
            .device_authorization_endpoint()
            .ok_or_else(|| self.failed(Kind::NoEndpoint("device_authorization_endpoint")))?;
        // The user is not asked to confirm what the token endpoint cannot finish.
        let token_endpoint = self.metadata().token_endpoint();
        if !Origin::try_from(token_endpoint).is_ok_and(|origin| origin.is_trustworthy()) {
            return Err(Kind::Untrusted.at(SafeUrl::new(token_endpoint)));
        }
        let scope = request.scope_text();
        let mut form: Vec<_> = scope.as_deref().map(|scope| ("scope", scope)).into_iter().collect();
        request.add_targets(&mut form);
        let answer = self.post(endpoint, form).await?;
        answer
            .into_object()
            .and_then(|object| DeviceAuthorization::read(&object, endpoint, Instant::now()))
            .map_err(|kind| kind.at(SafeUrl::new(endpoint)))
    }

    /// Waits until the user has confirmed or denied the login, or the code has expired.
    ///
    /// Polls at the interval that the server names (5 s by default), 5 s longer after each `slow_down`, and twice as
    /// long after each timeout, connection failure or server error (RFC 8628 section 3.5).
    pub async fn wait_for_authorization(
        &self,
        authorization: DeviceAuthorization,
    ) -> Result<TokenResponse, OAuthError> {
        let tokens = self.wait_for_authorization_or(authorization, std::future::pending()).await?;
        tokens.ok_or_else(|| self.failed(Kind::DeviceExpired))
    }

    /// As [`wait_for_authorization`](Self::wait_for_authorization), until `stop` resolves: then it returns `None`.
    ///
    /// It stops between two requests and awaits one that is running, because its answer may have a token.
    pub async fn wait_for_authorization_or(
        &self,
        authorization: DeviceAuthorization,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<TokenResponse>, OAuthError> {
        let mut stop = std::pin::pin!(stop);
        let request = GrantRequest::new();
        let mut pace = PollingPace::new(authorization.interval);
        // Why the last poll had no answer about the login.
        let mut unanswered = None;
        loop {
            let Some(wait) = pace.next(authorization.ends.saturating_duration_since(Instant::now())) else {
                return Err(unanswered.unwrap_or_else(|| self.failed(Kind::DeviceExpired)));
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = &mut stop => return Ok(None),
            }
            let form = vec![
                ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
                ("device_code", authorization.device_code.expose_secret()),
            ];
            let error = match self.grant(form, &request).await {
                Ok(tokens) => return Ok(Some(tokens)),
                Err(error) => error,
            };
            unanswered = None;
            match error.code() {
                Some("authorization_pending") => {}
                Some("access_denied") => return Err(self.failed(Kind::Denied)),
                Some("expired_token") => return Err(self.failed(Kind::DeviceExpired)),
                Some("slow_down") => pace.slow_down(),
                _ if error.is_transient() => {
                    pace.failed();
                    unanswered = Some(error);
                }
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
    use super::super::metadata::ProviderMetadata;
    use super::*;

    const BEGUN: &str = r#"{"device_code": "hush", "user_code": "NNLJ-VSKJ", "verification_uri": "https://iss.example/device",
        "verification_uri_complete": "https://iss.example/device?user_code=NNLJ-VSKJ", "expires_in": 120}"#;
    const TOKENS: &str =
        r#"{"access_token": "AT", "token_type": "Bearer", "expires_in": 600, "refresh_token": "RT"}"#;

    fn error(code: &str) -> Reply {
        Reply::json(400, &format!(r#"{{"error": "{code}"}}"#))
    }

    /// Returns the seconds waited and the result.
    async fn login(replies: impl IntoIterator<Item = Reply>) -> (u64, Result<TokenResponse, OAuthError>) {
        let fake = Fake::new(replies);
        let client = client(&fake);
        let request = GrantRequest::new().with_scope("openid".parse().unwrap());
        let authorization = client.authorize_device(&request).await.unwrap();
        assert_eq!(authorization.user_code(), "NNLJ-VSKJ");
        assert!(!format!("{authorization:?}").contains("hush"));
        let start = Instant::now();
        let ended = client.wait_for_authorization(authorization).await;
        let seen = fake.seen();
        assert_eq!(seen[0], "POST https://iss.example/device - scope=openid&client_id=me");
        let poll = "POST https://iss.example/token - \
                    grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=hush&client_id=me";
        assert!(seen[1..].iter().all(|request| request == poll), "{seen:?}");
        assert_eq!(fake.left(), 0);
        (start.elapsed().as_secs(), ended)
    }

    #[tokio::test]
    async fn a_token_endpoint_without_tls_is_refused_before_the_user_is_asked() {
        let fake = Fake::new([Reply::json(200, BEGUN)]);
        let metadata =
            ProviderMetadata::new("https://iss.example", "http://iss.example/token".parse().unwrap())
                .with_device_authorization_endpoint("https://iss.example/device".parse().unwrap());
        let client = OAuthClient::new(fake.client(), metadata, "me");
        let error = client.authorize_device(&GrantRequest::new()).await.unwrap_err();
        assert!(error.is_refused_by_policy() && fake.seen().is_empty(), "{error}");
    }

    #[tokio::test]
    async fn the_device_code_stands_in_no_address_that_is_shown() {
        let address = "https://iss.example/device";
        for (stated, shown) in [
            (address.to_owned(), Some(address)),
            (format!("{address}?device_code=hush-0123"), Some(address)),
            (format!("{address}#hush-0123"), Some(address)),
            (format!("{address}/hush-0123"), None),
        ] {
            for member in ["verification_uri", "verification_url"] {
                let begun =
                    format!(r#"{{"device_code": "hush-0123", "user_code": "U", "{member}": "{stated}"}}"#);
                let fake = Fake::new([Reply::json(200, &begun)]);
                let begun = client(&fake).authorize_device(&GrantRequest::new()).await;
                let uri = begun.as_ref().ok().map(|begun| begun.verification_uri().as_str());
                assert_eq!(uri, shown, "{stated}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_interval_it_polls_every_five_seconds() {
        let pending = || error("authorization_pending");
        let (waited, tokens) =
            login([Reply::json(200, BEGUN), pending(), pending(), Reply::json(200, TOKENS)]).await;
        assert_eq!((waited, tokens.is_ok()), (15, true));
    }

    #[tokio::test(start_paused = true)]
    async fn the_interval_grows_after_slow_down_and_after_server_errors() {
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
    async fn a_long_interval_of_the_server_is_kept() {
        let begun = BEGUN.replace("120", "900, \"interval\": 90");
        let replies = [
            Reply::json(200, &begun),
            error("slow_down"),   // asked after 90, next after 95
            Reply::json(503, ""), // does not exceed the server's own interval
            Reply::json(200, TOKENS),
        ];
        let (waited, tokens) = login(replies).await;
        assert_eq!((waited, tokens.is_ok()), (90 + 95 + 95, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_denial_and_an_invalid_code_end_the_login() {
        for (code, expected) in [
            ("access_denied", "the user denied the login"),
            ("expired_token", "expired before the user confirmed"),
            ("invalid_grant", "refused: invalid_grant"),
            ("invalid_client", "refused: invalid_client"),
        ] {
            let (waited, ended) = login([Reply::json(200, BEGUN), error(code)]).await;
            assert_eq!(waited, 5);
            assert!(ended.unwrap_err().to_string().contains(expected));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_code_that_expires_within_the_interval_is_asked_for_once() {
        for (lifetime, waited) in [("4", 3), ("5", 4), ("600, \"interval\": 5000", 599)] {
            let begun = BEGUN.replace("120", lifetime);
            let (begun, tokens) = (Reply::json(200, &begun), Reply::json(200, TOKENS));
            let (seconds, ended) = login([begun, tokens]).await;
            assert!(seconds == waited && ended.is_ok(), "{lifetime}: {seconds} {ended:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_issuer_that_is_down_is_asked_until_the_end_and_is_the_reason() {
        let begun = Reply::json(200, &BEGUN.replace("120", "30"));
        let down = || Reply::json(503, "");
        let (waited, ended) = login([begun, down(), down(), down()]).await;
        assert_eq!(waited, 29, "polls after 5, 15 and 29 seconds");
        let error = ended.unwrap_err();
        assert!(error.to_string().contains("answered 503") && error.is_transient(), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_error_with_a_code_does_not_end_the_login() {
        for (status, body) in [
            (503, r#"{"error": "temporarily_unavailable"}"#),
            (
                503,
                r#"{"timestamp": "2026-11-30", "status": 503, "error": "Service Unavailable", "path": "/token"}"#,
            ),
            (500, r#"{"error": "server_error"}"#),
            (429, r#"{"error": "too_many_requests"}"#),
        ] {
            let replies = [Reply::json(200, BEGUN), Reply::json(status, body), Reply::json(200, TOKENS)];
            let (waited, ended) = login(replies).await;
            assert!(waited == 5 + 10 && ended.is_ok(), "{status} {body}: {waited} {ended:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_without_an_error_code_is_told_in_the_servers_words() {
        for (body, said) in [
            (r#"{"message": "Invalid scope requested: x"}"#, "400 Bad Request: Invalid scope requested: x"),
            (r#"{"detail": "scope is\nbad"}"#, "400 Bad Request: scope is bad"),
            (r#"{"error_description": "no such client"}"#, "400 Bad Request: no such client"),
            (r#"{"errors": [{"code": "X", "detail": "unknown scope"}]}"#, "400 Bad Request: unknown scope"),
            (r#"{"errors": ["unknown scope"]}"#, "400 Bad Request: unknown scope"),
            ("Invalid scope", "400 Bad Request: Invalid scope"),
            ("code hush is bad", "400 Bad Request: code \u{2026} is bad"),
            ("{}", "400 Bad Request without a reason"),
        ] {
            let (_, ended) = login([Reply::json(200, BEGUN), Reply::json(400, body)]).await;
            let told = ended.unwrap_err().to_string();
            assert!(told.ends_with(said), "{body}: {told}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_does_not_poll_after_the_code_has_expired() {
        let begun = BEGUN.replace("120", "12");
        let pending = || error("authorization_pending");
        let (waited, ended) = login([Reply::json(200, &begun), pending(), pending()]).await;
        assert_eq!(waited, 10);
        assert_eq!(ended.unwrap_err().code(), Some("expired_token"));
    }

    #[tokio::test]
    async fn answers_without_what_a_login_needs_are_refused() {
        for (answer, expected) in [
            ("{}", "`device_code` is missing"),
            (r#"{"device_code": "hush"}"#, "`user_code` is missing"),
            (r#"{"device_code": "hush", "user_code": "C"}"#, "`verification_uri` is missing"),
            (
                r#"{"device_code": "hush", "user_code": "C", "verification_uri": "javascript:alert(1)"}"#,
                "`verification_uri` is not a URL",
            ),
            (
                r#"{"device_code": "hush", "user_code": "C", "verification_url": "device"}"#,
                "`verification_uri` is not a URL",
            ),
            ("<html>", "with HTML or XML instead of JSON"),
            ("", "with an empty document instead of JSON"),
        ] {
            let fake = Fake::new([Reply::json(200, answer)]);
            let error = client(&fake).authorize_device(&GrantRequest::new()).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[tokio::test]
    async fn what_a_login_can_do_without_is_ignored() {
        let with =
            |members: &str| BEGUN.replace("\"expires_in\": 120", &format!("\"expires_in\": 120, {members}"));
        for (answer, interval) in [
            (with(r#""verification_url": "https://iss.example/old""#), 5),
            (with(r#""verification_url": 5, "x": {}, "expires_in": "120""#), 5),
            (with(r#""interval": "1""#), 1),
            (with(r#""interval": "2.5""#), 2),
            (with(r#""interval": "soon""#), 5),
            (with(r#""interval": -3"#), 5),
            (with(r#""interval": {"a": 1}"#), 5),
            (with(r#""verification_uri_complete": """#), 5),
            (with(r#""verification_uri_complete": "no url""#), 5),
            (BEGUN.replace("verification_uri\"", "verification_url\""), 5),
            (BEGUN.replace("\"NNLJ-VSKJ\",", "12345678,"), 5),
            (BEGUN.replace("120", "-1"), 5),
            (BEGUN.replace("120", "0"), 5),
            (BEGUN.replace("120", "\"soon\""), 5),
            (BEGUN.replace("\"expires_in\": 120", "\"expires_in\": NaN"), 5),
            (BEGUN.replace("\"expires_in\"", "\"x\""), 5),
            (BEGUN.replace("https://iss.example/device\"", "/device\""), 5),
            (BEGUN.replace("https://iss.example/device\"", "iss.example/device\""), 5),
            (BEGUN.replace("https://iss.example/device\"", "//iss.example/device\""), 5),
        ] {
            let fake = Fake::new([Reply::json(200, &answer)]);
            let authorization = client(&fake).authorize_device(&GrantRequest::new()).await.unwrap();
            assert_eq!(authorization.verification_uri().as_str(), "https://iss.example/device", "{answer}");
            assert_eq!(authorization.interval.as_secs(), interval, "{answer}");
            let complete = authorization.verification_uri_complete().map(Url::as_str);
            assert!(complete.is_none_or(|url| url.starts_with("https://iss.example/device?")), "{answer}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_between_two_requests_and_awaits_one_that_is_running() {
        let pending = || Reply::json(400, r#"{"error": "authorization_pending"}"#);
        for (stops_after, expected) in [(0, None), (4, None), (6, Some("AT")), (7, Some("AT"))] {
            // Asked after 5 s; the answer takes 3 s.
            let late = Reply::Late(Duration::from_secs(3), Box::new(Reply::json(200, TOKENS)));
            let first = if expected.is_some() { late } else { pending() };
            let fake = Fake::new([Reply::json(200, BEGUN), first]);
            let client = client(&fake);
            let authorization = client.authorize_device(&GrantRequest::new()).await.unwrap();
            let stop = tokio::time::sleep(Duration::from_secs(stops_after));
            let waited = client.wait_for_authorization_or(authorization, stop).await.unwrap();
            let token = waited.map(|tokens| tokens.for_resource_server("rs").token_data().unwrap());
            let token = token.map(|data| data.get("rs").unwrap().expose_access_token().to_owned());
            assert_eq!(token.as_deref(), expected, "{stops_after}");
        }
    }

    #[tokio::test]
    async fn without_a_lifetime_of_the_code_ten_minutes_are_assumed() {
        for answer in [BEGUN.replace("120", "\"soon\""), BEGUN.replace("\"expires_in\"", "\"x\"")] {
            let fake = Fake::new([Reply::json(200, &answer)]);
            let authorization = client(&fake).authorize_device(&GrantRequest::new()).await.unwrap();
            assert_eq!(authorization.time_left().as_secs().div_ceil(60), 10, "{answer}");
        }
    }

    #[tokio::test]
    async fn an_address_with_the_code_in_it_is_enough() {
        let answer = BEGUN.replace("\"verification_uri\"", "\"x\"");
        let fake = Fake::new([Reply::json(200, &answer)]);
        let authorization = client(&fake).authorize_device(&GrantRequest::new()).await.unwrap();
        assert_eq!(authorization.verification_uri().query(), Some("user_code=NNLJ-VSKJ"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_one_as_a_form_and_as_an_object_too() {
        let pending = [
            Reply::html(200, "error=authorization_pending&error_description=not+yet"),
            Reply::json(400, r#"{"error": {"code": "authorization_pending", "message": "not yet"}}"#),
            Reply::json(428, "error_description=x&error=authorization_pending\r\n"),
        ];
        let replies = [Reply::json(200, BEGUN)].into_iter().chain(pending).chain([Reply::json(200, TOKENS)]);
        let (waited, tokens) = login(replies).await;
        assert_eq!((waited, tokens.is_ok()), (20, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_goes_on_after_a_pending_answer_with_status_200() {
        let pending = || Reply::json(200, r#"{"error": "authorization_pending"}"#);
        let slow = Reply::json(200, r#"{"error": "slow_down", "access_token": ""}"#);
        let replies = [Reply::json(200, BEGUN), pending(), slow, pending(), Reply::json(200, TOKENS)];
        let (waited, tokens) = login(replies).await;
        assert_eq!((waited, tokens.is_ok()), (5 + 5 + 10 + 10, true));
    }
}
