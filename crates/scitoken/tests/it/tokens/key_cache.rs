//! The user's key cache under several processes, users and clocks.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::token::{Desk, ISSUER};

const CACHE: &str = ".cache/scitokens/keys.sqlite3";

/// A test issuer on this machine that publishes one key set; its name.
fn issuer(jwks: &Path) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let name = format!("http://{}", listener.local_addr().unwrap());
    let metadata = format!(r#"{{"issuer":"{name}","jwks_uri":"{name}/jwks"}}"#);
    let keys = fs_err::read_to_string(jwks).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let first = lines.next().unwrap_or_default();
            lines.find(String::is_empty);
            let (status, body) = match first.split(' ').nth(1) {
                Some("/jwks") => ("200 OK", &keys),
                Some("/.well-known/openid-configuration") => ("200 OK", &metadata),
                _ => ("404 Not Found", &metadata),
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    name
}

#[test]
fn verifying_at_another_time_leaves_the_cached_keys_unchanged() {
    let desk = Desk::new();
    let name = issuer(&desk.path("jwks.json"));
    let create =
        ["token", "create", "--key", "key.pem", "--kid", "k1", "--issuer", &name, "--claim", "sub=a"];
    let more = ["--scope", "read:/a", "--insecure-test-issuer", "--lifetime", "100000"];
    let token = desk.run(&[&create[..], &more].concat(), "").out;
    let at = jiff::Timestamp::now().as_second() + 50_000;
    let at = at.to_string();
    let now = ["token", "verify", "-", "--insecure-test-issuer"];
    let later = [&now[..], &["--at", &at]].concat();
    let verify = |question: &[&str]| {
        let answer = desk.run(question, &token);
        assert_eq!(answer.code, 0, "{}", answer.err);
    };
    verify(&later);
    assert!(!desk.path(CACHE).exists(), "what is fetched at a made-up time is not kept");
    verify(&now);
    let kept = fs_err::read(desk.path(CACHE)).unwrap();
    verify(&later);
    assert_eq!(fs_err::read(desk.path(CACHE)).unwrap(), kept);
}

#[test]
fn many_processes_may_make_the_cache_at_once() {
    let desk = Desk::new();
    for _ in 0..3 {
        let started: Vec<_> = (0..8)
            .map(|n| {
                let mut command = desk.command();
                command.args(["keys", "cache", "add", &format!("{ISSUER}/{n}"), "--jwks", "jwks.json"]);
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        for process in started {
            let output = process.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let listed = desk.run(&["keys", "cache", "list"], "");
        assert_eq!((listed.code, listed.out.lines().count()), (0, 8), "{}", listed.err);
        fs_err::remove_dir_all(desk.path(".cache")).unwrap();
    }
}

/// A cache that the administrator keeps and that users may only read.
#[cfg(unix)]
mod read_only {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt as _;

    use super::*;

    const UNPRIVILEGED: u32 = 65_534;

    fn chmod(path: &Path, mode: u32) {
        fs_err::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    /// A desk whose files no other user can change, with the program where every user can run it.
    struct Library {
        desk: Desk,
        bin: std::path::PathBuf,
    }

    impl Library {
        fn new() -> Self {
            let desk = Desk::new();
            let bin = desk.path("scitoken");
            fs_err::copy(assert_cmd::cargo::cargo_bin("scitoken"), &bin).unwrap();
            Self { desk, bin }
        }

        fn close(&self) {
            for (name, mode) in [(CACHE, 0o444), (".cache/scitokens", 0o555), (".cache", 0o555), ("", 0o555)]
            {
                chmod(&self.desk.path(name), mode);
            }
        }

        /// Runs as a plain user, also where the tests are root's, which no mode stops.
        fn run(&self, arguments: &[&str], input: &str) -> Output {
            let mut command = Command::new(&self.bin);
            command.env_clear().env("HOME", self.desk.path("")).current_dir("/").args(arguments);
            command.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
            if rustix::process::geteuid().is_root() {
                command.uid(UNPRIVILEGED).gid(UNPRIVILEGED);
            }
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut process = command.spawn().unwrap();
            process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            process.wait_with_output().unwrap()
        }
    }

    impl Drop for Library {
        fn drop(&mut self) {
            for name in ["", ".cache", ".cache/scitokens"] {
                let _ = fs_err::set_permissions(self.desk.path(name), PermissionsExt::from_mode(0o755));
            }
        }
    }

    #[test]
    fn a_cache_that_may_only_be_read_is_read_and_costs_nothing_else() {
        let library = Library::new();
        let desk = &library.desk;
        let name = issuer(&desk.path("jwks.json"));
        let token = desk.token(&["--scope", "read:/data"]);
        assert_eq!(desk.run(&["keys", "cache", "add", ISSUER, "--jwks", "jwks.json"], "").code, 0);
        let create = ["token", "create", "--key", "key.pem", "--kid", "k1", "--issuer", &name];
        let more = ["--claim", "sub=a", "--scope", "read:/a", "--insecure-test-issuer"];
        let of_another = desk.run(&[&create[..], &more].concat(), "").out;
        library.close();

        let kept = library.run(&["token", "verify", "-"], &token);
        assert!(kept.status.success(), "{kept:?}");
        let fetched = library.run(&["token", "verify", "-", "--insecure-test-issuer"], &of_another);
        assert!(fetched.status.success(), "{fetched:?}");
        let listed = library.run(&["keys", "cache", "list"], "");
        assert!(listed.status.success(), "{listed:?}");
        assert_eq!(String::from_utf8(listed.stdout).unwrap().lines().count(), 1);
        for change in [&["remove", ISSUER][..], &["refresh", ISSUER]] {
            let refused = library.run(&[&["keys", "cache"][..], change].concat(), "");
            assert!(!refused.status.success(), "{refused:?}");
        }
        let removed = library.run(&["keys", "cache", "remove", ISSUER], "");
        assert_eq!(removed.status.code(), Some(3));
        let told = String::from_utf8(removed.stderr).unwrap();
        assert!(told.contains("failed to use the key cache `"), "{told}");
        assert!(library.run(&["token", "verify", "-"], &token).status.success(), "as it was");
    }
}

#[cfg(unix)]
#[test]
fn a_cache_that_others_can_replace_is_refused_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt as _;
    for mode in [0o777, 0o1777, 0o757] {
        let desk = Desk::new();
        let directory = desk.path("shared");
        fs_err::create_dir(&directory).unwrap();
        fs_err::set_permissions(&directory, std::fs::Permissions::from_mode(mode)).unwrap();
        let cache = directory.join("keys.sqlite3");
        fs_err::write(&cache, "").unwrap();
        let answer = desk.run(&["keys", "cache", "list", "--key-cache", cache.to_str().unwrap()], "");
        assert_eq!(answer.code, 3, "{mode:o}: {}", answer.err);
        let hint = format!("hint: run `chmod go-w {}`", directory.display());
        assert!(answer.err.contains(&hint), "{mode:o}: {}", answer.err);
    }
}

#[test]
fn the_keys_of_a_test_issuer_are_left_out_of_a_refresh_by_name_and_removed_by_name() {
    let desk = Desk::new();
    let name = issuer(&desk.path("jwks.json"));
    let create =
        ["token", "create", "--key", "key.pem", "--kid", "k1", "--issuer", &name, "--claim", "sub=a"];
    let token = desk.run(&[&create[..], &["--scope", "read:/a", "--insecure-test-issuer"]].concat(), "").out;
    assert_eq!(desk.run(&["token", "verify", "-", "--insecure-test-issuer"], &token).code, 0);
    let listed = desk.run(&["keys", "cache", "list"], "");
    assert!(listed.out.contains(&name), "{}", listed.out);
    let all = desk.run(&["keys", "cache", "refresh"], "");
    assert_eq!(all.code, 0, "{}", all.err);
    assert!(all.err.contains(&name) && all.err.contains("is not https"), "{}", all.err);
    assert!(!all.out.contains("is empty"), "{}", all.out);
    let json = desk.run(&["keys", "cache", "refresh", "--json"], "");
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["issuers"][0]["issuer"], name.as_str());
    let named = desk.run(&["keys", "cache", "refresh", &name], "");
    assert_eq!(named.code, 2, "{}", named.err);
    // The hint does what it says.
    let command = named.err.split('`').find(|part| part.starts_with("scitoken ")).unwrap();
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    let removed = desk.run(&words, "");
    assert_eq!(removed.code, 0, "{command}: {}", removed.err);
    assert!(!desk.run(&["keys", "cache", "list"], "").out.contains(&name));
    assert_eq!(desk.run(&words, "").code, 9);
}
