//! `scitoken login` without a terminal, into each kind of place.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scitoken_storage::{JsonTokenStorage, SqliteTokenStorage, TokenStorage as _, TokenStorageData};
use scitoken_test_support::{Reply, Server};
use tokio::runtime::Runtime;

const TOKENS: &str = r#"{"access_token": "AT-1234567890", "refresh_token": "RT-1234567890", "token_type": "Bearer",
    "expires_in": 600, "scope": ["openid"], "id_token": 5}"#;

/// An issuer whose user confirms when told.
struct Issuer {
    runtime: Runtime,
    server: Option<Server>,
    confirmed: Arc<AtomicBool>,
}

impl Issuer {
    fn start() -> Self {
        Self::start_with(|| ())
    }

    /// Starts it; `before_tokens` runs before it answers with tokens.
    fn start_with(before_tokens: impl Fn() + Send + Sync + 'static) -> Self {
        Self::answering(TOKENS, before_tokens)
    }

    /// Starts it; its token endpoint answers with `tokens`.
    fn answering(tokens: &'static str, before_tokens: impl Fn() + Send + Sync + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let confirmed = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&confirmed);
        let server = runtime.block_on(Server::http(move |seen| {
            let at = |path: &str| format!("http://{}{path}", seen.header("host").unwrap());
            match seen.target.as_str() {
                "/.well-known/openid-configuration" => Reply::ok(format!(
                    r#"{{"issuer": "{}", "token_endpoint": "{}", "device_authorization_endpoint": "{}"}}"#,
                    at(""),
                    at("/token"),
                    at("/device")
                )),
                "/device" => Reply::ok(format!(
                    r#"{{"device_code": "DC", "user_code": "USER-CODE", "verification_uri": "{}",
                        "verification_url": "{0}", "verification_uri_complete": "", "expires_in": "60",
                        "interval": "1"}}"#,
                    at("/confirm")
                )),
                "/token" if shared.load(Ordering::SeqCst) => {
                    before_tokens();
                    Reply::ok(tokens)
                }
                "/token" => Reply::ok(r#"{"error": "authorization_pending"}"#),
                other => panic!("{other}"),
            }
        }));
        Self { runtime, server: Some(server), confirmed }
    }

    fn url(&self) -> String {
        self.server.as_ref().unwrap().origin()
    }

    fn requests(&self) -> usize {
        self.server.as_ref().unwrap().seen().len()
    }

    /// Logs in; calls `meanwhile` when the code was shown, and confirms.
    fn log_in(&self, home: &Path, arguments: &[&str], meanwhile: impl FnOnce()) -> (i32, String, String) {
        let mut child = self.command(home, arguments).spawn().unwrap();
        let mut screen = BufReader::new(child.stderr.take().unwrap());
        let mut shown = String::new();
        while !shown.contains("USER-CODE") {
            if screen.read_line(&mut shown).unwrap() == 0 {
                return (child.wait().unwrap().code().unwrap(), String::new(), shown);
            }
        }
        meanwhile();
        self.confirmed.store(true, Ordering::SeqCst);
        screen.read_to_string(&mut shown).unwrap();
        let mut out = String::new();
        child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        (child.wait().unwrap().code().unwrap(), out, shown)
    }

    fn command(&self, home: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scitoken"));
        command
            .args(["login", "--issuer", &self.url(), "--client-id", "me"])
            .args(arguments)
            .env_clear()
            .env("HOME", home)
            .env("XDG_RUNTIME_DIR", home.join("run"))
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _inside = self.runtime.enter();
        drop(self.server.take());
    }
}

fn entry(name: &str) -> TokenStorageData {
    TokenStorageData::new(name, "old", "OLD", 1_000).with_refresh_token("OLD-RT")
}

#[test]
fn login_without_a_terminal_prints_the_code_and_stores_the_tokens_in_each_kind_of_storage() {
    for kind in ["json", "sqlite"] {
        let issuer = Issuer::start();
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new/tokens");
        let storage = format!("{kind}:{}", path.display());
        let (code, out, shown) =
            issuer.log_in(home.path(), &["--storage", &storage, "--resource-server", "rs"], || ());
        assert_eq!(code, 0, "{shown}");
        assert!(shown.contains("/confirm") && out.contains("stored `rs`"), "{shown} {out}");
        assert!(!format!("{shown}{out}").contains("-1234567890"), "{shown} {out}");
        let data = match kind {
            "json" => JsonTokenStorage::new(&path).get_token_data("rs").unwrap(),
            _ => SqliteTokenStorage::new(&path).unwrap().get_token_data("rs").unwrap(),
        };
        let data = data.unwrap();
        assert_eq!((data.expose_refresh_token(), data.scope()), (Some("RT-1234567890"), "openid"));
    }
}

#[test]
fn login_writes_the_token_file_that_discovery_reads() {
    let issuer = Issuer::start();
    let home = tempfile::tempdir().unwrap();
    fs_err::create_dir(home.path().join("run")).unwrap();
    let (code, out, shown) = issuer.log_in(home.path(), &["--scope", "offline_access"], || ());
    assert_eq!(code, 0, "{shown}");
    assert!(shown.contains("refresh token will not be stored"), "{shown}");
    let path = out.trim_end().rsplit(' ').next().unwrap();
    assert!(path.starts_with(home.path().join("run").to_str().unwrap()), "{out}");
    assert_eq!(fs_err::read_to_string(path).unwrap(), "AT-1234567890\n");
}

#[test]
fn a_target_that_cannot_be_written_fails_before_the_first_request() {
    let issuer = Issuer::start();
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("file"), "[]").unwrap();
    for arguments in [
        ["--storage", "json:file"],
        ["--storage", "json:file/tokens.json"],
        ["--storage", "sqlite:file/tokens.db"],
        ["--storage", "json:."],
        ["--bearer-file", "file/token"],
    ] {
        let (code, _, shown) = issuer.log_in(home.path(), &arguments, || panic!("asked the issuer"));
        assert_eq!(code, 3, "{arguments:?}: {shown}");
    }
    assert_eq!(issuer.requests(), 0);
    assert_eq!(fs_err::read_to_string(home.path().join("file")).unwrap(), "[]");
}

#[cfg(unix)]
#[test]
fn a_token_file_that_is_no_regular_file_is_refused_before_the_first_request_and_stays() {
    use std::os::unix::fs::symlink;

    let issuer = Issuer::start();
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    fs_err::create_dir(at("directory")).unwrap();
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    symlink("/dev/null", at("null")).unwrap();
    symlink("/proc/self/fd/1", at("stdout")).unwrap();
    for name in ["directory", "fifo", "socket", "null", "stdout"] {
        let before = fs_err::symlink_metadata(at(name)).unwrap().file_type();
        let (code, out, shown) = issuer.log_in(home.path(), &["--bearer-file", name], || panic!("asked"));
        assert_eq!((code, out.as_str()), (3, ""), "{name}: {shown}");
        assert!(shown.contains(name) && shown.contains("not a regular file"), "{name}: {shown}");
        assert!(shown.contains("--bearer-file FILE"), "{name}: {shown}");
        let variable = issuer.command(home.path(), &[]).env("BEARER_TOKEN_FILE", name).output().unwrap();
        assert_eq!(variable.status.code(), Some(3), "{name}");
        assert_eq!(fs_err::symlink_metadata(at(name)).unwrap().file_type(), before, "{name}");
    }
    assert_eq!(issuer.requests(), 0);
}

/// Runs the first command of a hint, and returns its standard output.
fn follow(shown: &str, home: &Path) -> String {
    let (_, rest) = shown.split_once("`scitoken ").unwrap_or_else(|| panic!("no command: {shown}"));
    let line = rest.split('`').next().unwrap();
    let output = Command::new("sh")
        .args(["-c", &format!("\"$0\" {line}"), env!("CARGO_BIN_EXE_scitoken")])
        .env("HOME", home)
        .current_dir(home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn tokens_whose_place_is_lost_during_the_login_are_kept_in_a_private_file_that_is_named() {
    for arguments in [["--storage", "json:place"], ["--bearer-file", "place"], ["--storage", "json:d/place"]]
    {
        let issuer = Issuer::start();
        let home = tempfile::tempdir().unwrap();
        let place = home.path().join(arguments[1].trim_start_matches("json:"));
        let (code, out, shown) =
            issuer.log_in(home.path(), &arguments, || fs_err::create_dir_all(&place).unwrap());
        assert_eq!((code, out.as_str()), (3, ""), "{shown}");
        let (_, rest) = shown.split_once("the tokens are in `").unwrap_or_else(|| panic!("{shown}"));
        let kept = rest.split('`').next().unwrap();
        let tokens = JsonTokenStorage::new(kept).get_token_data_by_resource_server().unwrap();
        assert_eq!(tokens.len(), 1);
        assert_eq!(tokens.iter().next().unwrap().1.expose_refresh_token(), Some("RT-1234567890"));
        assert!(!shown.contains("-1234567890"), "{shown}");
        // The hint does what it says.
        fs_err::remove_dir(&place).unwrap();
        let printed = follow(&shown, home.path());
        if arguments[0] == "--bearer-file" {
            assert!(printed.contains("AT-1234567890"), "{printed}");
        } else {
            let stored = JsonTokenStorage::new(&place).get_token_data_by_resource_server().unwrap();
            assert_eq!(stored, tokens);
        }
    }
}

#[test]
fn a_refresh_token_without_an_access_token_is_kept_and_the_login_says_what_is_missing() {
    for (answer, missing) in [
        (r#"{"refresh_token": "RT-1234567890", "token_type": "Bearer"}"#, "`access_token` is missing"),
        (r#"{"access_token": null, "refresh_token": "RT-1234567890"}"#, "`access_token` is missing"),
        (r#"{"access_token": ["x"], "refresh_token": "RT-1234567890"}"#, "`access_token` is not a string"),
        (
            r#"{"access_token": "AT-1234567890", "token_type": "DPoP", "refresh_token": "RT-1234567890"}"#,
            "token type is `DPoP`",
        ),
        ("refresh_token=RT-1234567890&expires_in=600", "`access_token` is missing"),
    ] {
        for (arguments, kept) in [
            (["--storage", "json:tokens"], "the refresh token is in token storage tokens"),
            (["--storage", "sqlite:tokens"], "the refresh token is in token storage tokens"),
            (["--bearer-file", "token"], "the tokens are in `"),
        ] {
            let issuer = Issuer::answering(answer, || ());
            let home = tempfile::tempdir().unwrap();
            let (code, out, shown) = issuer.log_in(home.path(), &arguments, || ());
            assert_eq!((code, out.as_str()), (13, ""), "{answer}: {shown}");
            assert!(shown.contains(missing) && shown.contains(kept), "{answer}: {shown}");
            assert!(!shown.contains("-1234567890"), "{shown}");
            let path = home.path().join("tokens");
            let tokens = match arguments[1] {
                "json:tokens" => JsonTokenStorage::new(path).get_token_data_by_resource_server(),
                "sqlite:tokens" => SqliteTokenStorage::new(path).unwrap().get_token_data_by_resource_server(),
                _ => {
                    assert!(!home.path().join("token").exists());
                    let (_, rest) = shown.split_once("the tokens are in `").unwrap();
                    JsonTokenStorage::new(rest.split('`').next().unwrap()).get_token_data_by_resource_server()
                }
            };
            let tokens = tokens.unwrap();
            assert_eq!(tokens.len(), 1, "{answer}");
            assert_eq!(tokens.iter().next().unwrap().1.expose_refresh_token(), Some("RT-1234567890"));
        }
    }
}

#[test]
fn a_name_for_the_token_is_kept_when_the_answer_has_others_beside_it() {
    let issuer = Issuer::answering(
        r#"{"access_token": "AT-1234567890", "resource_server": "zzz.example", "other_tokens":
            [{"access_token": "BT-1234567890", "resource_server": "other.example"}]}"#,
        || (),
    );
    let home = tempfile::tempdir().unwrap();
    let arguments = ["--storage", "json:tokens", "--resource-server", "mine"];
    let (code, _, shown) = issuer.log_in(home.path(), &arguments, || ());
    assert_eq!(code, 0, "{shown}");
    let stored = JsonTokenStorage::new(home.path().join("tokens")).get_token_data_by_resource_server();
    let stored = stored.unwrap();
    assert_eq!(stored.len(), 2);
    assert_eq!(stored.get("mine").unwrap().expose_access_token(), "AT-1234567890");
    assert_eq!(stored.get("other.example").unwrap().expose_access_token(), "BT-1234567890");
}

#[test]
fn what_a_token_file_cannot_hold_is_named() {
    let issuer = Issuer::answering(
        r#"{"access_token": "AT-1234567890", "refresh_token": "RT-1234567890", "other_tokens":
            [{"access_token": "BT-1234567890", "resource_server": "other.example"}]}"#,
        || (),
    );
    let home = tempfile::tempdir().unwrap();
    let (code, _, shown) = issuer.log_in(home.path(), &["--bearer-file", "token"], || ());
    assert_eq!(code, 0, "{shown}");
    for dropped in ["The refresh token was not stored", "The token for `other.example` was not stored"] {
        assert!(shown.contains(dropped), "{shown}");
    }
    assert!(!shown.contains("-1234567890"), "{shown}");
}

#[test]
fn a_login_that_is_killed_leaves_the_old_state_or_the_new_one() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("tokens.json");
    let storage = JsonTokenStorage::new(&path);
    let (mut old, mut new) = (0, 0);
    for round in 0..24_u64 {
        let issuer = Issuer::start();
        storage.store_token_data(entry("rs")).unwrap();
        issuer.confirmed.store(round % 4 != 0, Ordering::SeqCst);
        let mut child = issuer
            .command(home.path(), &["--storage", "json:tokens.json", "--resource-server", "rs"])
            .spawn()
            .unwrap();
        // Killed when the issuer has seen so many requests, and then a little later each time.
        let requests = usize::try_from(round % 4).unwrap();
        while issuer.requests() < requests && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        std::thread::sleep(std::time::Duration::from_micros(round * 400));
        child.kill().unwrap();
        child.wait().unwrap();
        let data = storage.get_token_data("rs").unwrap().unwrap();
        match data.expose_refresh_token() {
            Some("OLD-RT") => old += 1,
            Some("RT-1234567890") => new += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(old + new, 24);
    assert!(old > 0, "{old} {new}");
}

/// Sends a signal to the program when it waits, and returns its exit code, the signal that ended it, and what it said.
#[cfg(unix)]
fn log_in_and_signal(
    issuer: &Issuer,
    home: &Path,
    signal: &str,
    arguments: &[&str],
) -> (Option<i32>, Option<i32>, String) {
    use std::os::unix::process::ExitStatusExt as _;
    let mut child = issuer.command(home, arguments).spawn().unwrap();
    let mut screen = BufReader::new(child.stderr.take().unwrap());
    let mut shown = String::new();
    while !shown.contains("Waiting for") {
        assert_ne!(screen.read_line(&mut shown).unwrap(), 0, "{shown}");
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    screen.read_to_string(&mut shown).unwrap();
    let status = child.wait().unwrap();
    (status.code(), status.signal(), shown)
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_login_that_waits_and_nothing_is_stored() {
    let home = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(home.path().join("tokens.json"));
    storage.store_token_data(entry("rs")).unwrap();
    for (signal, expected) in
        [("-INT", (None, Some(2))), ("-TERM", (Some(11), None)), ("-HUP", (Some(11), None))]
    {
        let issuer = Issuer::start();
        let arguments = ["--storage", "json:tokens.json", "--resource-server", "rs"];
        let (code, by, shown) = log_in_and_signal(&issuer, home.path(), signal, &arguments);
        assert_eq!((code, by), expected, "{shown}");
        assert!(shown.contains("interrupted before it was confirmed; nothing was stored"), "{shown}");
        let data = storage.get_token_data("rs").unwrap().unwrap();
        assert_eq!(data.expose_refresh_token(), Some("OLD-RT"));
    }
}

#[cfg(unix)]
#[test]
fn a_token_that_is_on_its_way_when_a_signal_comes_is_stored() {
    for (signal, expected) in
        [("-INT", (None, Some(2))), ("-TERM", (Some(0), None)), ("-HUP", (Some(0), None))]
    {
        let home = tempfile::tempdir().unwrap();
        let (is_asked, asked) = std::sync::mpsc::channel::<()>();
        let (is_signalled, signalled) = std::sync::mpsc::channel::<()>();
        let gate = std::sync::Mutex::new((is_asked, signalled));
        let issuer = Issuer::start_with(move || {
            let gate = gate.lock().unwrap();
            gate.0.send(()).unwrap();
            gate.1.recv().unwrap();
        });
        issuer.confirmed.store(true, Ordering::SeqCst);
        let mut child = issuer.command(home.path(), &["--storage", "json:tokens.json"]).spawn().unwrap();
        asked.recv().unwrap();
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        // The program has the signal before it has the answer.
        let pending = format!("/proc/{}/status", child.id());
        while cfg!(target_os = "linux") && is_pending(&fs_err::read_to_string(&pending).unwrap()) {
            std::thread::yield_now();
        }
        is_signalled.send(()).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), std::os::unix::process::ExitStatusExt::signal(&status)), expected);
        let stored = JsonTokenStorage::new(home.path().join("tokens.json"));
        let tokens = stored.get_token_data_by_resource_server().unwrap();
        assert_eq!(tokens.iter().next().unwrap().1.expose_refresh_token(), Some("RT-1234567890"));
    }
}

/// Returns whether a process has a signal that it has not taken yet.
#[cfg(unix)]
fn is_pending(status: &str) -> bool {
    let pending = |line: &str| {
        let bits = line.strip_prefix("ShdPnd:").or_else(|| line.strip_prefix("SigPnd:"));
        bits.is_some_and(|bits| u64::from_str_radix(bits.trim(), 16) != Ok(0))
    };
    status.lines().any(pending)
}
