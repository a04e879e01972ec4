//! pelicanfs, the federation's Python client, and this program at the same federation.

use std::path::PathBuf;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use scitoken_test_support::federation::{FakeFederation, TOKEN};
use scitoken_test_support::tls;
use serde_json::Value;

use crate::python::python;
use crate::support::{look_for_peers, met};

/// Names that pelicanfs reads: it splits the director's `Link` at commas and semicolons.
const OBJECTS: [(&str, &[u8]); 5] = [
    ("/public/dir/a.txt", b"Hello, World!\n"),
    ("/public/dir/a b+c", b"blank and plus"),
    ("/public/dir/empty", b""),
    ("/public/dir/sub/x", b"below"),
    ("/protected/f", b"protected"),
];

struct Peers {
    fake: FakeFederation,
    directory: tempfile::TempDir,
}

impl Peers {
    async fn new() -> Option<Self> {
        met("pelicanfs", find())?;
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("ca.pem"), tls::ca_pem()).unwrap();
        Some(Self { fake: FakeFederation::start(&OBJECTS).await, directory })
    }

    fn authority(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// Asks pelicanfs.
    fn pelicanfs(&self, operation: &str, path: &str, token: Option<&str>) -> Value {
        let output = Command::new(python())
            .env("SSL_CERT_FILE", self.authority())
            .env("NO_PROXY", "*")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/python/pelicanfs_peer.py"))
            .args([&self.fake.host(), operation, path])
            .args(token)
            .output()
            .unwrap();
        assert!(output.status.success(), "{operation} {path}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout);
        serde_json::from_str(text.lines().last().unwrap()).unwrap()
    }

    /// Runs the program with the name of an object as its last argument.
    fn scitoken(&self, arguments: &[&str], path: &str, token: Option<&str>) -> Vec<u8> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scitoken"));
        command.env_clear().env("NO_PROXY", "*").env("SCITOKEN_CACERT", self.authority());
        command.env("SCITOKEN_FEDERATION", self.fake.host()).current_dir(self.directory.path());
        if let Some(token) = token {
            command.env("BEARER_TOKEN", token);
        }
        let output = command.args(arguments).arg(format!("osdf://{path}")).output().unwrap();
        assert!(output.status.success(), "{arguments:?} {path}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

fn find() -> Result<(), String> {
    look_for_peers()?;
    let imported = Command::new(python()).args(["-c", "import pelicanfs.core"]).output();
    match imported {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_objects_are_the_same_byte_for_byte() {
    let Some(peers) = Peers::new().await else { return };
    for (path, content) in OBJECTS {
        let token = path.starts_with("/protected").then_some(TOKEN);
        let theirs = peers.pelicanfs("cat", path, token);
        let theirs = STANDARD.decode(theirs.as_str().unwrap()).unwrap();
        let ours = peers.scitoken(&["get", "-q", "-o", "-"], path, token);
        assert_eq!((theirs.as_slice(), ours.as_slice()), (content, content), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listing_is_the_same() {
    let Some(peers) = Peers::new().await else { return };
    let theirs = peers.pelicanfs("ls", "/public/dir", None);
    let ours = peers.scitoken(&["ls", "--json"], "/public/dir", None);
    let mut ours: Vec<Value> = String::from_utf8(ours)
        .unwrap()
        .lines()
        .map(|line| {
            let entry: Value = serde_json::from_str(line).unwrap();
            let name = entry["name"].as_str().unwrap().trim_end_matches('/').to_owned();
            serde_json::json!([format!("/public/dir/{name}"), entry["kind"], entry["length"]])
        })
        .collect();
    ours.sort_by_key(ToString::to_string);
    let names = |entries: &[Value]| {
        entries.iter().map(|entry| (entry[0].clone(), entry[1].clone())).collect::<Vec<_>>()
    };
    let theirs = theirs.as_array().unwrap();
    assert_eq!(theirs.len(), 4, "{theirs:?}");
    let stripped: Vec<Value> = theirs
        .iter()
        .map(|entry| {
            serde_json::json!([entry[0].as_str().unwrap().trim_end_matches('/'), entry[1], entry[2]])
        })
        .collect();
    assert_eq!(names(&stripped), names(&ours));
    let found = peers.pelicanfs("find", "/public/dir", None);
    peers.scitoken(&["get", "-q", "-r", "--create-dirs", "-P", "tree"], "/public/dir", None);
    for path in found.as_array().unwrap() {
        let below = path.as_str().unwrap().strip_prefix("/public/dir/").unwrap();
        assert!(peers.directory.path().join("tree").join(below).is_file(), "{path}");
    }
    assert_eq!(found.as_array().unwrap().len(), 4);
}
