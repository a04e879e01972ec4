//! `scitoken login` and `logout` as a person at a terminal uses them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use super::provider::{Provider, UserChoice};
use crate::support::{find, met};

const SCITOKEN: &str = env!("CARGO_BIN_EXE_scitoken");

/// Runs a command line in a terminal of its own, and acts on the code that it shows.
fn log_in(provider: &Provider, arguments: &[&str], choice: UserChoice) -> (bool, String) {
    let quoted: Vec<_> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
    let line = format!("'{SCITOKEN}' login {}", quoted.join(" "));
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut screen = BufReader::new(terminal.stdout.take().unwrap());
    let mut seen = String::new();
    let mut code = None;
    while code.is_none() && screen.read_line(&mut seen).unwrap() > 0 {
        code = seen.lines().last().map(str::trim).filter(|line| is_code(line)).map(str::to_owned);
    }
    if let Some(code) = code {
        provider.act_as_user(&code, choice);
    }
    screen.read_to_string(&mut seen).unwrap();
    (terminal.wait().unwrap().success(), seen)
}

/// `NNLJ-VSKJ`
fn is_code(line: &str) -> bool {
    line.len() == 9 && line.as_bytes()[4] == b'-' && line.bytes().all(|b| b == b'-' || b.is_ascii_uppercase())
}

struct Setting {
    provider: Provider,
    directory: tempfile::TempDir,
}

impl Setting {
    fn met() -> Option<Self> {
        met("script", find("script"))?;
        Some(Self { provider: Provider::met(600)?, directory: tempfile::tempdir().unwrap() })
    }

    fn client(&self) -> Vec<String> {
        let ca = self.provider.ca().display().to_string();
        ["--issuer", self.provider.issuer().as_str(), "--client-id", "public", "--cacert", &ca]
            .map(str::to_owned)
            .into()
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn run(arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(SCITOKEN)
            .args(arguments)
            .env_remove("BEARER_TOKEN_FILE")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

fn all<'a>(first: &[&'a str], client: &'a [String], last: &[&'a str]) -> Vec<&'a str> {
    first.iter().copied().chain(client.iter().map(String::as_str)).chain(last.iter().copied()).collect()
}

#[test]
fn a_user_logs_in_reads_the_entry_and_logs_out() {
    let Some(setting) = Setting::met() else { return };
    let (client, storage) = (setting.client(), format!("json:{}", setting.path("tokens.json")));
    let scopes = ["--scope", "openid", "--scope", "offline_access", "--scope", "storage.read:/"];
    let place = ["--storage", &storage, "--resource-server", "storage"];
    let (success, screen) = log_in(
        &setting.provider,
        &all(&[], &client, &[&scopes[..], &place[..]].concat()),
        UserChoice::Confirm,
    );
    assert!(success && screen.contains("stored `storage`"), "{screen}");
    assert!(screen.contains(&format!("{}device", setting.provider.issuer())), "{screen}");

    let (code, shown, _) = Setting::run(&["store", "get", "storage", "--storage", &storage]);
    assert!(
        code == 0 && shown.contains("\"identity_id\":\"alice\"") && !shown.contains("access_token"),
        "{shown}"
    );
    let (_, shown, _) = Setting::run(&["store", "get", "storage", "--storage", &storage, "--show-secret"]);
    let entry: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(entry["refresh_token"].is_string() && !screen.contains(entry["access_token"].as_str().unwrap()));

    let (code, shown, errors) = Setting::run(&all(&["logout"], &client, &["--storage", &storage]));
    assert!(code == 0 && shown.contains("logged out of `storage`"), "{errors}");
    let (code, _, errors) = Setting::run(&["store", "get", "storage", "--storage", &storage]);
    assert!(code == 7 && errors.contains("has no entry `storage`"), "{errors}");
}

#[test]
fn a_token_file_is_written_for_other_programs() {
    let Some(setting) = Setting::met() else { return };
    let (client, file) = (setting.client(), setting.path("bt_u0"));
    let arguments = all(&[], &client, &["--scope", "storage.read:/", "--bearer-file", &file]);
    let (success, screen) = log_in(&setting.provider, &arguments, UserChoice::Confirm);
    assert!(success && screen.contains("wrote the token"), "{screen}");
    assert_eq!(fs_err::read_to_string(&file).unwrap().trim().split('.').count(), 3);
    let (code, _, errors) = Setting::run(&all(&["logout"], &client, &["--bearer-file", &file]));
    assert_eq!(code, 0, "{errors}");
    assert!(!std::path::Path::new(&file).exists());
    let (code, _, errors) = Setting::run(&all(&["logout"], &client, &["--bearer-file", &file]));
    assert!(code == 3 && errors.contains("does not exist"), "{code} {errors}");
}

#[test]
fn a_user_who_declines_is_not_logged_in() {
    let Some(setting) = Setting::met() else { return };
    let (client, store) = (setting.client(), setting.path("tokens.json"));
    let storage = format!("json:{store}");
    let (success, screen) =
        log_in(&setting.provider, &all(&[], &client, &["--storage", &storage]), UserChoice::Abort);
    assert!(!success && screen.contains("the user denied the login"), "{screen}");
    assert!(!std::path::Path::new(&store).exists());
}
