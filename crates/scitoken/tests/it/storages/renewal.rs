//! Tokens that are renewed on the way: a rotated refresh token outlives the transfer that needed it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scitoken_storage::{JsonTokenStorage, TokenStorage as _, TokenStorageData};
use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use tokio::runtime::Runtime;

use crate::support::{HELLO, serve};

/// An issuer that rotates refresh tokens, and a data server. The issuer says when it was asked for a token, and answers when it
/// is told.
struct Site {
    _runtime: Runtime,
    server: ChaosServer,
    home: tempfile::TempDir,
    asked: Receiver<()>,
    answer: Sender<()>,
}

impl Site {
    fn start() -> Self {
        let (asking, asked) = channel();
        let (answer, answers) = channel();
        let (asking, answers) = (Mutex::new(asking), Arc::new(Mutex::new(answers)));
        let (runtime, server) = serve(move |seen| {
            let base = format!("http://{}", seen.headers["host"]);
            match seen.path.as_str() {
                "/.well-known/openid-configuration" => Reply::sized(
                    "200 OK",
                    &[],
                    format!(r#"{{"issuer": "{base}/", "token_endpoint": "{base}/token"}}"#),
                ),
                "/token" => {
                    asking.lock().unwrap().send(()).unwrap();
                    answers.lock().unwrap().recv().unwrap();
                    Reply::sized(
                        "200 OK",
                        &[],
                        r#"{"access_token": "AT2-1234567890", "refresh_token": "RT2-1234567890", "expires_in": 600}"#,
                    )
                }
                _ => Reply::honest(seen, HELLO, &[]),
            }
        });
        let home = tempfile::tempdir().unwrap();
        fs_err::create_dir(home.path().join("run")).unwrap();
        fs_err::create_dir(home.path().join("place")).unwrap();
        let storage = JsonTokenStorage::new(home.path().join("place/tokens.json"));
        let old =
            TokenStorageData::new("rs", "s", "AT1-1234567890", 1_000).with_refresh_token("RT1-1234567890");
        storage.store_token_data(old).unwrap();
        let settings = format!(
            "[host.\"http://127.0.0.1:{}\"]\njson = \"place/tokens.json\"\nresource-server = \"rs\"\n\
             issuer = \"{}\"\nclient-id = \"me\"\n",
            server.url("").port().unwrap(),
            server.url("")
        );
        fs_err::write(home.path().join("scitoken.toml"), settings).unwrap();
        Self { _runtime: runtime, server, home, asked, answer }
    }

    fn get(&self, arguments: &[&str]) -> std::process::Child {
        self.run(&[&["get", "--retry", "0", "URL"], arguments].concat())
    }

    /// Starts the program; the URL of a file takes the place of `URL`.
    fn run(&self, arguments: &[&str]) -> std::process::Child {
        let url = self.server.url("f").to_string();
        Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .args(arguments.iter().map(|word| if *word == "URL" { url.as_str() } else { word }))
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.home.path().join("run"))
            .env("SCITOKEN_CONFIG", self.home.path().join("scitoken.toml"))
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn refresh_token(file: &Path) -> String {
        let data = JsonTokenStorage::new(file).get_token_data("rs").unwrap().unwrap();
        data.expose_refresh_token().unwrap().to_owned()
    }
}

#[test]
fn a_transfer_that_ends_during_a_renewal_stores_the_rotated_token() {
    for (end, arguments) in [("-INT", &[][..]), ("-TERM", &[]), ("", &["--max-time", "1"])] {
        let site = Site::start();
        let child = site.get(arguments);
        site.asked.recv_timeout(Duration::from_secs(60)).unwrap();
        if !end.is_empty() {
            assert!(Command::new("kill").args([end, &child.id().to_string()]).status().unwrap().success());
        }
        // The transfer has ended by now, or ends later: the token is kept in either case.
        std::thread::sleep(Duration::from_millis(if end.is_empty() { 1_500 } else { 300 }));
        site.answer.send(()).unwrap();
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(!shown.contains("-1234567890"), "{shown}");
        let stored = site.home.path().join("place/tokens.json");
        assert_eq!(Site::refresh_token(&stored), "RT2-1234567890", "{end} {arguments:?}: {shown}");
    }
}

/// Sends signals to a command whose token is renewed, answers the renewal, and returns how the command ended.
#[cfg(unix)]
fn signalled(site: &Site, arguments: &[&str], signals: &[&str]) -> std::process::ExitStatus {
    let child = site.run(arguments);
    site.asked.recv_timeout(Duration::from_secs(60)).unwrap();
    for &signal in signals {
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        std::thread::sleep(Duration::from_millis(200));
    }
    site.answer.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(!shown.contains("-1234567890"), "{shown}");
    let stored = site.home.path().join("place/tokens.json");
    assert_eq!(Site::refresh_token(&stored), "RT2-1234567890", "{signals:?} {arguments:?}: {shown}");
    output.status
}

#[cfg(unix)]
#[test]
fn a_signal_during_a_renewal_ends_every_command_after_the_rotated_token_is_stored() {
    use std::os::unix::process::ExitStatusExt as _;
    let commands: [&[&str]; 8] = [
        &["ls", "URL"],
        &["stat", "URL"],
        &["checksum", "URL"],
        &["rm", "URL"],
        &["explain", "URL"],
        &["token", "check", "URL"],
        &["token", "where", "URL"],
        &["token", "show", "URL"],
    ];
    for (number, command) in commands.into_iter().enumerate() {
        let (signal, expected) =
            [("-INT", (None, Some(2))), ("-TERM", (Some(11), None)), ("-HUP", (Some(11), None))][number % 3];
        let status = signalled(&Site::start(), command, &[signal]);
        assert_eq!((status.code(), status.signal()), expected, "{command:?} {signal}");
    }
}

#[cfg(unix)]
#[test]
fn a_second_signal_waits_for_a_rotated_token_too() {
    use std::os::unix::process::ExitStatusExt as _;
    for (command, signals, expected) in [
        (&["get", "--retry", "0", "URL"][..], &["-INT", "-INT"][..], (None, Some(2))),
        (&["get", "--retry", "0", "URL"], &["-TERM", "-TERM"], (Some(11), None)),
        (&["get", "--retry", "0", "URL"], &["-HUP"], (Some(11), None)),
        (&["stat", "URL"], &["-INT", "-INT", "-INT"], (None, Some(2))),
    ] {
        let status = signalled(&Site::start(), command, signals);
        assert_eq!((status.code(), status.signal()), expected, "{command:?} {signals:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn below_nohup_a_closed_terminal_ends_nothing() {
    let site = Site::start();
    let url = site.server.url("f");
    let child = Command::new("sh")
        .args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_scitoken"), "stat", url.as_str()])
        .env_clear()
        .env("SCITOKEN_CONFIG", site.home.path().join("scitoken.toml"))
        .current_dir(site.home.path())
        .stdout(Stdio::null())
        .spawn();
    let mut child = child.unwrap();
    site.asked.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    site.answer.send(()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_renewed_token_whose_storage_fails_is_kept_in_a_private_file_that_is_named() {
    let site = Site::start();
    let child = site.get(&[]);
    site.asked.recv_timeout(Duration::from_secs(60)).unwrap();
    // The directory of the storage goes away, and a file takes its place.
    fs_err::rename(site.home.path().join("place"), site.home.path().join("moved")).unwrap();
    fs_err::write(site.home.path().join("place"), "").unwrap();
    site.answer.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(!shown.contains("-1234567890"), "{shown}");
    let (_, rest) = shown.split_once("the tokens are in `").unwrap_or_else(|| panic!("{shown}"));
    let kept = Path::new(rest.split('`').next().unwrap());
    assert_eq!(Site::refresh_token(kept), "RT2-1234567890");
    assert_eq!(Site::refresh_token(&site.home.path().join("moved/tokens.json")), "RT1-1234567890");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs_err::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // The hint does what it says, once the storage can be written.
    let place = site.home.path().join("place");
    fs_err::remove_file(&place).unwrap();
    fs_err::rename(site.home.path().join("moved"), &place).unwrap();
    let command = shown.split('`').find(|part| part.starts_with("scitoken store import ")).unwrap();
    assert!(!command.contains("STORAGE"), "{command}");
    let command = command.replacen("scitoken", env!("CARGO_BIN_EXE_scitoken"), 1);
    let import = Command::new("sh").args(["-c", &command]).current_dir(site.home.path()).output().unwrap();
    assert!(import.status.success(), "{}", String::from_utf8_lossy(&import.stderr));
    assert_eq!(Site::refresh_token(&place.join("tokens.json")), "RT2-1234567890");
}
