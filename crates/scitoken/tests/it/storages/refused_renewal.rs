//! What a command does when a stored token cannot be renewed, or an agent that the settings name has none.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use scitoken_storage::{JsonTokenStorage, TokenStorage as _, TokenStorageData};
use scitoken_test_support::{Reply, Seen, Server};

const TOKENS: &str =
    r#"{"access_token": "AT2-1234567890", "refresh_token": "RT2-1234567890", "expires_in": 600}"#;

/// A server of files that wants a token, and is the issuer as well.
struct Place {
    home: tempfile::TempDir,
    server: Server,
    renewals: Arc<AtomicUsize>,
}

fn json(status: u16, body: &'static str) -> Reply {
    Reply::new(status).header(CONTENT_TYPE, "application/json").body(body)
}

impl Place {
    /// Starts it; the n-th refresh, from zero, is answered by `renew`.
    async fn new(renew: impl Fn(usize) -> Reply + Send + Sync + 'static) -> Self {
        let renewals = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&renewals);
        let server = Server::http(move |seen: &Seen| {
            let base = format!("http://{}", seen.header("host").unwrap());
            match seen.target.as_str() {
                "/.well-known/openid-configuration" => Reply::ok(format!(
                    r#"{{"issuer": "{base}/", "token_endpoint": "{base}/token", "device_authorization_endpoint":
                        "{base}/device"}}"#
                )),
                "/token" if String::from_utf8_lossy(&seen.body).contains("device_code") => json(200, TOKENS),
                "/token" => renew(count.fetch_add(1, Ordering::SeqCst)),
                "/device" => Reply::ok(format!(
                    r#"{{"device_code": "DC", "user_code": "UC", "verification_uri": "{base}/x", "expires_in": 60,
                        "interval": 0}}"#
                )),
                _ => Reply::protected(seen, "AT2-1234567890"),
            }
        })
        .await;
        let place = Self { home: tempfile::tempdir().unwrap(), server, renewals };
        let old = TokenStorageData::new("its rs", "openid storage.read:/", "AT1-1234567890", 1_000);
        place.storage().store_token_data(old.with_refresh_token("RT1-1234567890")).unwrap();
        place.settings(&format!(
            "json = \"its tokens\"\nresource-server = \"its rs\"\nissuer = \"{}/\"\nclient-id = \"me\"\n",
            place.server.origin()
        ));
        place
    }

    fn storage(&self) -> JsonTokenStorage {
        JsonTokenStorage::new(self.home.path().join("its tokens"))
    }

    fn settings(&self, host: &str) {
        let text = format!("[host.\"{}\"]\n{host}", self.server.origin());
        fs_err::write(self.home.path().join("scitoken.toml"), text).unwrap();
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .env("SCITOKEN_CONFIG", self.home.path().join("scitoken.toml"))
            .current_dir(self.home.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_scitoken")).args(arguments).output().unwrap()
    }

    fn get(&self, arguments: &[&str]) -> Output {
        let url = format!("{}/f", self.server.origin());
        self.run(&[&["get", "-o", "-", &url], arguments].concat())
    }

    fn renewals(&self) -> usize {
        self.renewals.load(Ordering::SeqCst)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn hint(output: &Output) -> String {
    let shown = said(output);
    let (_, hint) = shown.split_once("\nhint: ").unwrap_or_else(|| panic!("no hint: {shown}"));
    hint.lines().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_fails_for_now_is_a_failure_that_may_pass() {
    for (status, body, words) in [
        (503, "", "503 Service Unavailable"),
        (503, r#"{"error": "temporarily_unavailable"}"#, "temporarily_unavailable"),
        (429, r#"{"error": "slow_down"}"#, "slow_down"),
    ] {
        let place = Place::new(move |_| json(status, body).header(RETRY_AFTER, "1")).await;
        let output = place.get(&["--retry", "0", "--retry-exit-code"]);
        assert_eq!(output.status.code(), Some(11), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
        assert!(hint(&output).contains("try again later"), "{}", said(&output));
        let url = format!("{}/f", place.server.origin());
        let input = format!("[ Url = \"{url}\"; LocalFileName = \"f\" ]");
        fs_err::write(place.home.path().join("in"), input).unwrap();
        let mut plugin = place.command(env!("CARGO_BIN_EXE_scitoken"));
        plugin.env("SCITOKEN_RETRY", "0").args(["condor-plugin", "-infile", "in", "-outfile", "out"]);
        assert!(!plugin.output().unwrap().status.success());
        let result = fs_err::read_to_string(place.home.path().join("out")).unwrap();
        assert!(result.contains("TransferRetryable = true"), "{result}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_fails_once_is_repeated_within_the_retries_of_the_transfer() {
    let place = Place::new(|number| match number {
        0 => Reply::hang_up(),
        _ => json(200, TOKENS),
    })
    .await;
    let output = place.get(&["--retry", "9"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(output.stdout, b"data");
    assert_eq!(place.renewals(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_is_down_is_waited_for_as_a_token_is() {
    let place = Place::new(|number| match number {
        0..=2 => json(503, ""),
        _ => json(200, TOKENS),
    })
    .await;
    let output = place.get(&["--retry", "0", "--token-wait", "20"]);
    assert_eq!(output.stdout, b"data", "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_is_no_longer_valid_is_answered_with_the_command_for_a_new_login() {
    let place = Place::new(|_| json(400, r#"{"error": "invalid_grant"}"#)).await;
    let output = place.get(&["--retry-exit-code"]);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    let hint = hint(&output);
    let command = hint.split('`').nth(1).unwrap_or_else(|| panic!("no command: {hint}"));
    let line = command.replacen("scitoken", "\"$0\"", 1);
    let mut shell = place.command("sh");
    let login = shell.args(["-c", &line, env!("CARGO_BIN_EXE_scitoken")]).output().unwrap();
    assert!(login.status.success(), "{command}: {}", said(&login));
    let device = place.server.seen().into_iter().find(|seen| seen.target == "/device").unwrap();
    let form = String::from_utf8(device.body.to_vec()).unwrap();
    assert!(form.contains("scope=openid+storage.read%3A%2F"), "{form}");
    let stored = place.storage().get_token_data("its rs").unwrap().unwrap();
    assert_eq!(stored.expose_refresh_token(), Some("RT2-1234567890"));
    assert_eq!(place.get(&[]).stdout, b"data");
}

#[tokio::test(flavor = "multi_thread")]
async fn hints_about_a_renewal_blame_no_searched_place() {
    let location = || Reply::new(302).header(HeaderName::from_static("location"), "https://other.example/");
    for (words, status, kind, body) in [
        ("client's id and secret", 401, "application/json", r#"{"error": "invalid_client"}"#),
        ("login page or a proxy", 200, "text/html", "<html>log in</html>"),
    ] {
        let place = Place::new(move |_| Reply::new(status).header(CONTENT_TYPE, kind).body(body)).await;
        let output = place.get(&["--retry", "0"]);
        assert_eq!(output.status.code(), Some(7), "{}", said(&output));
        assert!(hint(&output).contains(words), "{}", said(&output));
    }
    let place = Place::new(move |_| location()).await;
    let output = place.get(&["--retry", "0"]);
    assert!(hint(&output).contains("`scitoken token where URL`"), "{}", said(&output));
    let shown = place.run(&["token", "where", &format!("{}/f", place.server.origin())]);
    assert!(said(&shown).contains("redirect"), "{}", said(&shown));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_the_settings_name_is_named_when_it_has_no_token() {
    let place = Place::new(|_| json(500, "")).await;
    place.settings("oidc-agent = \"its lab\"\n");
    let asked = |variable: Option<&Path>| {
        let mut command = place.command(env!("CARGO_BIN_EXE_scitoken"));
        if let Some(socket) = variable {
            command.env("OIDC_SOCK", socket);
        }
        command.args(["get", "-o", "-", &format!("{}/f", place.server.origin())]).output().unwrap()
    };
    let output = asked(None);
    assert_eq!(output.status.code(), Some(7), "{}", said(&output));
    assert!(said(&output).contains("`OIDC_SOCK` is not set"), "{}", said(&output));
    assert!(hint(&output).contains("`oidc-add 'its lab'`"), "{}", said(&output));
    let shown = place.run(&["token", "where", &format!("{}/f", place.server.origin())]);
    assert!(said(&shown).contains("`OIDC_SOCK` is not set"), "{}", said(&shown));
    let output = asked(Some(Path::new("/nowhere/agent.sock")));
    assert!(hint(&output).contains("eval `oidc-agent`"), "{}", said(&output));
}
