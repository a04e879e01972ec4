//! Fermilab's `htgettoken` against a fake vault: its file, and its output as a token command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use scitoken_test_support::vault::{FakeVault, VAULT_TOKEN};
use scitoken_test_support::{Reply, Server, tls};
use scitoken_types::sys::Env;
use tokio::runtime::Runtime;

use crate::python::{python, runs};
use crate::support::{find, met};

const SCITOKEN: &str = env!("CARGO_BIN_EXE_scitoken");
const MAIN: &str = "import htgettoken; htgettoken.main()";

struct Desk {
    runtime: Runtime,
    vault: FakeVault,
    home: tempfile::TempDir,
}

impl Desk {
    fn met() -> Option<Self> {
        met("htgettoken", runs("import htgettoken").and_then(|()| find("script").map(drop)))?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let vault = runtime.block_on(FakeVault::start());
        let home = tempfile::tempdir().unwrap();
        fs_err::write(home.path().join("ca.pem"), tls::ca_pem()).unwrap();
        fs_err::create_dir(home.path().join("run")).unwrap();
        Some(Self { runtime, vault, home })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The options with which it finds the vault, and asks no other service.
    fn options(&self) -> Vec<String> {
        let path = |name: &str| self.path(name).display().to_string();
        let vault = self.vault.url().to_string();
        ["-a", vault.trim_end_matches('/'), "-i", "vo", "--nokerberos", "--nossh", "--web-open-command", ""]
            .map(str::to_owned)
            .into_iter()
            .chain(["--cafile".to_owned(), path("ca.pem"), "--vaulttokenfile".to_owned(), path("vt")])
            .chain(["-c".to_owned(), path("config")])
            .collect()
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", Env::process().get("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("SCITOKEN_CACERT", self.path("ca.pem"))
            .env("NO_PROXY", "*")
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs it in a terminal, without which it does not log in.
    fn htgettoken(&self, more: &[&str]) -> Output {
        let line = format!("{} {}", self.shell_line(), more.join(" "));
        self.command("script")
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .output()
            .unwrap()
    }

    fn scitoken(&self, arguments: &[&str]) -> Output {
        self.command(SCITOKEN).args(arguments).output().unwrap()
    }

    /// Its command line for a shell.
    fn shell_line(&self) -> String {
        let quoted = |text: &str| format!("'{text}'");
        let options: Vec<_> = self.options().iter().map(|option| quoted(option)).collect();
        let python = python().into_string().unwrap();
        format!("{} -c {} {}", quoted(&python), quoted(MAIN), options.join(" "))
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn the_file_that_it_writes_is_found_and_its_vault_token_is_told_from_a_bearer_token() {
    let Some(desk) = Desk::met() else { return };
    let server = desk.runtime.block_on(Server::https(|_| Reply::ok("data")));
    let got = desk.htgettoken(&[]);
    assert!(got.status.success(), "{}", said(&got));
    let token = desk.vault.issued().pop().unwrap();
    let shown = desk.scitoken(&["token", "where"]);
    assert!(shown.status.success() && said(&shown).contains("* XDG_RUNTIME_DIR"), "{}", said(&shown));
    let fetched = desk.scitoken(&["get", "-o", "-", server.url("/f").as_str()]);
    assert_eq!(fetched.stdout, b"data", "{}", said(&fetched));
    assert_eq!(server.tokens(), [token.as_str()]);

    assert_eq!(fs_err::read_to_string(desk.path("vt")).unwrap().trim(), VAULT_TOKEN);
    let mut mistaken = desk.command(SCITOKEN);
    let mistaken =
        mistaken.args(["token", "where"]).env("BEARER_TOKEN_FILE", desk.path("vt")).output().unwrap();
    assert!(said(&mistaken).contains("it is a vault token"), "{}", said(&mistaken));
    assert!(!said(&mistaken).contains(VAULT_TOKEN));
}

#[test]
fn as_a_token_command_it_gives_a_token_and_another_one_after_a_refusal() {
    let Some(desk) = Desk::met() else { return };
    let got = desk.htgettoken(&["--nobearertoken"]);
    assert!(got.status.success(), "{}", said(&got));
    // The secret is stored by the first run without that option.
    let got = desk.htgettoken(&["-o", "first"]);
    assert!(got.status.success(), "{}", said(&got));
    let first = fs_err::read_to_string(desk.path("first")).unwrap().trim().to_owned();
    let second = desk.vault.issued().len();
    let refused = std::sync::Mutex::new(None);
    let server = desk.runtime.block_on(Server::https(move |seen| {
        let sent = seen.header("authorization").unwrap_or_default().to_owned();
        let mut refused = refused.lock().unwrap();
        if refused.get_or_insert_with(|| sent.clone()) == &sent {
            return Reply::challenge("Bearer error=\"invalid_token\"");
        }
        Reply::ok("data")
    }));
    // With the vault's token of the login.
    let line = format!("{} -q --nooidc -o /dev/stdout", desk.shell_line());
    let fetched = desk.scitoken(&["get", "-o", "-", "--token-command", &line, server.url("/f").as_str()]);
    assert_eq!(fetched.stdout, b"data", "{}", said(&fetched));
    let issued = desk.vault.issued();
    assert_eq!(issued.len(), second + 2);
    assert_eq!(server.tokens(), [issued[second].as_str(), issued[second + 1].as_str()]);
    assert!(!issued[second..].contains(&first));
    assert!(!said(&fetched).contains(&bearer(&issued[second])));
}

#[test]
fn its_failure_as_a_token_command_is_told_with_its_words() {
    let Some(desk) = Desk::met() else { return };
    let line = format!("{} --nooidc -o /dev/stdout", desk.shell_line());
    let arguments =
        ["get", "-o", "-", "--attach", "required", "--token-command", &line, "https://localhost:1/f"];
    let fetched = desk.scitoken(&arguments);
    assert_eq!(fetched.status.code(), Some(7), "{}", said(&fetched));
    assert!(said(&fetched).contains("Failure getting token"), "{}", said(&fetched));
    assert!(!Path::new("bt_u0").exists());
}
