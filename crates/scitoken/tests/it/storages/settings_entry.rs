//! The entry of a token storage that the settings name for a server.

use std::path::Path;
use std::process::Output;

use scitoken_storage::{JsonTokenStorage, TokenStorage as _, TokenStorageData};
use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use tokio::runtime::Runtime;

use crate::support::{HELLO, scitoken, serve};

struct Place {
    _runtime: Runtime,
    server: ChaosServer,
    home: tempfile::TempDir,
}

impl Place {
    /// A server that requires the token `AT-1234567890`, and settings that name an entry for it.
    fn new(file: &str, entry: &str, more: &str) -> Self {
        let (runtime, server) = serve(|asked| match asked.headers.get("authorization").map(String::as_str) {
            Some("Bearer AT-1234567890") => Reply::honest(asked, HELLO, &[]),
            _ => Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], ""),
        });
        let home = tempfile::tempdir().unwrap();
        let settings = format!(
            "[host.\"http://127.0.0.1:{}\"]\njson = \"{file}\"\nresource-server = \"{entry}\"\n{more}",
            server.url("").port().unwrap()
        );
        fs_err::write(home.path().join("scitoken.toml"), settings).unwrap();
        Self { _runtime: runtime, server, home }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let url = self.server.url("f").to_string();
        let mut command = scitoken(self.home.path());
        command.env("SCITOKEN_CONFIG", self.home.path().join("scitoken.toml"));
        command.args(arguments.iter().map(|word| if *word == "URL" { url.as_str() } else { word }));
        command.output().unwrap()
    }

    fn file(&self) -> std::path::PathBuf {
        self.home.path().join("tokens.json")
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn entry() -> TokenStorageData {
    TokenStorageData::new("rs", "s", "AT-1234567890", 9_999_999_999)
}

const COMMANDS: [&[&str]; 4] = [
    &["get", "--retry", "0", "-o", "out", "URL"],
    &["token", "where", "URL"],
    &["token", "check", "URL"],
    &["explain", "URL"],
];

#[test]
fn an_entry_that_does_not_exist_is_named_with_those_that_do() {
    let place = Place::new("tokens.json", "RS", "");
    JsonTokenStorage::new(place.file()).store_token_data(entry()).unwrap();
    for command in COMMANDS {
        let output = place.run(command);
        let said = said(&output);
        assert!(said.contains("has no entry `RS`; it has `rs`"), "{command:?}: {said}");
        assert!(!output.status.success(), "{command:?}");
    }
}

#[test]
fn a_storage_that_does_not_exist_is_answered_with_the_command_that_logs_in() {
    for (more, hint) in [
        ("", "scitoken login --issuer URL --client-id ID --storage json:"),
        (
            "issuer = \"https://iam.example/\"\nclient-id = \"me\"\n",
            "scitoken login --issuer https://iam.example/ --client-id me --resource-server rs --storage json:",
        ),
    ] {
        let place = Place::new("none.json", "rs", more);
        for command in COMMANDS {
            let said = said(&place.run(command));
            assert!(said.contains("none.json` does not exist"), "{command:?}: {said}");
            assert!(command[0] == "explain" || said.contains(hint), "{command:?}: {said}");
        }
        assert!(!place.home.path().join("none.json").exists());
    }
}

fn store(path: &Path, change: impl Fn(String) -> Vec<u8>) {
    JsonTokenStorage::new(path).store_token_data(entry()).unwrap();
    let text = fs_err::read_to_string(path).unwrap();
    fs_err::write(path, change(text)).unwrap();
}

#[test]
fn what_is_wrong_with_another_field_does_not_cost_the_token() {
    for (field, other) in [
        ("\"scope\": \"s\"", "\"scope\": null"),
        ("\"scope\": \"s\"", "\"scope\": [\"s\"]"),
        ("\"scope\": \"s\", ", ""),
        ("9999999999", "\"9999999999\""),
        ("9999999999", "9999999999.5"),
        ("9999999999", "null"),
        ("9999999999", "9999999999, \"identity_id\": 5"),
        ("9999999999", "9999999999, \"token_type\": 5"),
    ] {
        let place = Place::new("tokens.json", "rs", "");
        store(&place.file(), |text| {
            assert!(text.contains(field), "{text}");
            text.replace(field, other).into_bytes()
        });
        let output = place.run(COMMANDS[0]);
        let said = said(&output);
        assert!(output.status.success() && !said.contains("-1234567890"), "{field} {other}: {said}");
        assert!(said.contains("the token is used all the same"), "{field} {other}: {said}");
    }
}

#[test]
fn a_storage_in_another_encoding_is_read() {
    let encodings: [fn(String) -> Vec<u8>; 4] = [
        |text| format!("\u{feff}{text}").into_bytes(),
        |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
        |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
        |text| format!("{text}\0\0").into_bytes(),
    ];
    for encode in encodings {
        let place = Place::new("tokens.json", "rs", "");
        store(&place.file(), encode);
        let output = place.run(COMMANDS[0]);
        assert!(output.status.success(), "{}", said(&output));
    }
}
