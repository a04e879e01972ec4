//! `scitoken login` into a real keyring, and what the other commands do with it.

use std::process::{Command, Stdio};

use scitoken_test_support::federation::FakeFederation;
use scitoken_test_support::issuer::FakeIssuer;
use scitoken_test_support::tls;

use crate::support::{find, met};

/// Logs in for a server and for a namespace, uses both tokens, and logs out. `$1` is the program, `$2` the issuer, `$3` a name.
const SESSION: &str = r#"
set -e
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
"$1" login --issuer "$2" --client-id public --storage keyring --resource-server rs --scope 'storage.read:/ offline_access'
"$1" store list --storage keyring
"$1" login "$3" --storage keyring
SCITOKEN_FEDERATION_STORAGE=keyring "$1" get -o fetched "$3/f"
"$1" logout --issuer "$2" --client-id public --storage keyring rs
"$1" store list --storage keyring
"#;

#[test]
fn a_login_into_the_keyring_is_listed_used_and_ended() {
    let found = find("dbus-run-session").and(find("gnome-keyring-daemon"));
    if met("gnome-keyring", found).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (issuer, federation) = runtime.block_on(async {
        (FakeIssuer::start().await, FakeFederation::start(&[("/protected/f", b"protected")]).await)
    });
    federation.set_issuer(issuer.url().as_str());
    federation.accept("*");
    let home = tempfile::tempdir().unwrap();
    fs_err::write(home.path().join("ca.pem"), tls::ca_pem()).unwrap();
    let output = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", SESSION, "sh", env!("CARGO_BIN_EXE_scitoken")])
        .args([issuer.url().as_str(), &federation.name("/protected")])
        .env("HOME", home.path())
        .env("XDG_DATA_HOME", home.path().join("data"))
        .env("XDG_RUNTIME_DIR", home.path())
        .env("SCITOKEN_CACERT", home.path().join("ca.pem"))
        .env("NO_PROXY", "*")
        .env_remove("DISPLAY")
        .current_dir(home.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{shown}");
    assert!(
        shown.contains("stored `rs` in the system keyring") || shown.contains("stored `rs` in "),
        "{shown}"
    );
    assert!(shown.contains("logged out of `rs`"), "{shown}");
    assert_eq!(fs_err::read(home.path().join("fetched")).unwrap(), b"protected");
    let (listed, after) = shown.rsplit_once("logged out of `rs`").unwrap();
    assert!(listed.lines().any(|line| line.starts_with("rs\t")), "{shown}");
    assert!(!after.lines().any(|line| line.starts_with("rs\t")), "{shown}");
    // Nothing of it is in a file but the keyring's own.
    assert!(!home.path().join(".local").exists());
    assert!(!shown.contains("-secret"), "{shown}");
    let _inside = runtime.enter();
    drop((issuer, federation));
}
