//! A real Secret Service, and a machine without one.

use std::process::{Command, Stdio};

use scitoken_storage::{KeyringTokenStorage, MemoryTokenStorage, TokenStorage, TokenStorageData};

use crate::support::{find, met};

/// Keeps tokens in the keyring of the session that it runs in. It is the other process of the tests below.
#[test]
#[ignore = "run by the tests beside it, in a session of its own"]
fn inside_a_session() {
    let storage = KeyringTokenStorage::new("scitoken interop");
    let full =
        TokenStorageData::new("rs é", "scope", "AT", 5).with_refresh_token("RT").with_identity_id("id");
    storage.store_token_data(full.clone()).unwrap();
    storage
        .with_namespace("other")
        .store_token_data(TokenStorageData::new("rs2", "s", "x".repeat(5_000), 5))
        .unwrap();
    assert_eq!(storage.get_token_data("rs é").unwrap(), Some(full));
    assert_eq!(storage.get_token_data_by_resource_server().unwrap().len(), 1);
    assert!(storage.remove_token_data("rs é").unwrap());
    assert!(!storage.remove_token_data("rs é").unwrap());
    assert!(storage.with_namespace("other").get_token_data("rs2").unwrap().is_some());
    let kept = storage.or_else(|| panic!("there is a keyring")).unwrap();
    assert!(kept.label().contains("keyring"));
}

/// Finds no keyring.
#[test]
#[ignore = "run by the tests beside it, without a session"]
fn outside_of_a_session() {
    let storage = KeyringTokenStorage::new("scitoken interop");
    let error = storage.get_token_data("rs").unwrap_err();
    assert!(error.is_keyring_unavailable(), "{error:?}");
    assert!(error.to_string().contains("no keyring available"), "{error}");
    let fallback = || Ok(Box::new(MemoryTokenStorage::new()) as Box<dyn TokenStorage>);
    assert_eq!(storage.or_else(fallback).unwrap().label(), "token storage in memory");
}

fn this_test(name: &str) -> Vec<String> {
    let program = std::env::current_exe().unwrap().display().to_string();
    [&program, "--ignored", "--exact", name].map(str::to_owned).into()
}

#[test]
fn tokens_are_kept_in_a_real_keyring() {
    let found = find("dbus-run-session").and(find("gnome-keyring-daemon"));
    if met("gnome-keyring", found).is_none() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    // The daemon reads the password of the new keyring up to the end of its standard input.
    let script =
        "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; exec \"$@\"";
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", script, "sh"])
        .args(this_test("storage::keyring::inside_a_session"))
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_RUNTIME_DIR", home.path())
        .env_remove("DISPLAY")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_machine_without_a_keyring_says_so() {
    let test = this_test("storage::keyring::outside_of_a_session");
    let output = Command::new(&test[0])
        .args(&test[1..])
        .env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus")
        .env("XDG_RUNTIME_DIR", "/nonexistent")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
