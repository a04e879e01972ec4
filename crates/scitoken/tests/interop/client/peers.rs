//! The same files from the same servers by scitoken and by the programs that others use, compared byte for byte.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Output};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::TempDir;

use crate::lab::{self, APACHE, FILES, LARGE, Lab, MEDIUM, NGINX, Server, XROOTD, content};
use crate::storage::disk::Disk;
use crate::support::{find, met};

/// Everything that a URL's path must not have, but dots.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.');

fn address(directory: &str, name: &str) -> String {
    format!("{directory}/{}", utf8_percent_encode(name, PATH))
}

/// A program that fetches one URL to one file.
struct Peer {
    program: &'static str,
    command: fn(&Lab, &str, &str, &Path) -> Command,
}

fn command(program: &str, arguments: &[&dyn AsRef<OsStr>]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

fn option(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}

/// Each as its users type it; the token goes where each takes one.
const PEERS: [Peer; 5] = [
    Peer {
        program: "curl",
        command: |lab, token, url, target| {
            let header = format!("Authorization: Bearer {token}");
            command(
                "curl",
                &[&"-sSf", &"--cacert", &lab.pki().authority(), &"-H", &header, &"-o", &target, &url],
            )
        },
    },
    Peer {
        program: "wget",
        command: |lab, token, url, target| {
            let header = format!("--header=Authorization: Bearer {token}");
            let authority = option("--ca-certificate=", lab.pki().authority());
            command("wget", &[&"-q", &authority, &header, &"-O", &target, &url])
        },
    },
    Peer {
        program: "aria2c",
        command: |lab, token, url, target| {
            let header = format!("--header=Authorization: Bearer {token}");
            let authority = option("--ca-certificate=", lab.pki().authority());
            let (directory, name) =
                (target.parent().expect("a directory"), target.file_name().expect("a name"));
            command(
                "aria2c",
                &[
                    &"-q",
                    // there is no resolver in the lab
                    &"--async-dns=false",
                    // its own `Want-Digest` makes XRootD 5.5.3 fail
                    &"--header=Want-Digest: adler32",
                    &header,
                    &authority,
                    &"-d",
                    &directory,
                    &"-o",
                    &name,
                    &url,
                ],
            )
        },
    },
    Peer {
        program: "davix-get",
        command: |lab, token, url, target| {
            let header = format!("Authorization: Bearer {token}");
            command("davix-get", &[&"--capath", &lab.pki().hashed(), &"-H", &header, &url, &target])
        },
    },
    Peer {
        program: "gfal-copy",
        command: |lab, token, url, target| {
            let mut command = command("gfal-copy", &[&"-f", &url, &option("file://", target)]);
            // another Python in front of the system's does not have its modules
            command.env("GFAL_PYTHONBIN", "/usr/bin/python3").env("BEARER_TOKEN", token);
            command.env("X509_CERT_DIR", lab.pki().hashed());
            command
        },
    },
];

fn scitoken(lab: &Lab, token: &Path, arguments: &[&dyn AsRef<OsStr>]) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_scitoken"), arguments);
    command.env("BEARER_TOKEN_FILE", token).env("X509_CERT_DIR", lab.pki().hashed());
    command.output().expect("the program runs")
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Fetches all files below `directory` by scitoken and by every peer.
fn compare(lab: &Lab, directory: &str) {
    let token = lab.keys().token().scope("storage.read:/").sign();
    let token_file = lab.token_file("peers", &token);
    for (name, length) in FILES {
        // aria2c writes over no file.
        let place = tempfile::tempdir().expect("a directory");
        let url = address(directory, name);
        let ours = place.path().join("scitoken");
        let output = scitoken(lab, &token_file, &[&"get", &"-o", &ours, &url]);
        assert!(output.status.success(), "{url}: {}", told(&output));
        let ours = fs_err::read(ours).expect("the file");
        assert!(ours == content(length), "{url}: scitoken has other bytes than the server");
        for peer in &PEERS {
            let theirs = place.path().join(peer.program);
            let output = (peer.command)(lab, &token, &url, &theirs).output().expect("the program runs");
            assert!(output.status.success(), "{} {url}: {}", peer.program, told(&output));
            let theirs = fs_err::read(theirs).expect("the file");
            assert!(theirs == ours, "{} and scitoken have different bytes of {url}", peer.program);
        }
    }
}

/// Returns whether all peers are there; a skip or a failure otherwise.
fn all_are_there() -> bool {
    PEERS.iter().all(|peer| met(peer.program, find(peer.program)).is_some())
}

#[test]
fn xrootd_gives_scitoken_and_the_programs_of_others_the_same_bytes() {
    if all_are_there() {
        lab::inside(&[Server::XRootD], async |lab| compare(&lab, &format!("{XROOTD}/vo/files")));
    }
}

#[test]
fn nginx_and_apache_give_scitoken_and_the_programs_of_others_the_same_bytes() {
    if all_are_there() {
        lab::inside(&[Server::Web], async |lab| {
            compare(&lab, &format!("{NGINX}/files"));
            compare(&lab, &format!("{APACHE}/files"));
        });
    }
}

/// A part as curl leaves it is none of ours, so an unfinished file is made by telling scitoken to give up early.
fn interrupted(lab: &Lab, place: &TempDir, url: &str) {
    let none = lab.empty_directory().join("none");
    let target = place.path().join("large.bin");
    // Too early nothing is there, too late everything; what lies between depends on the machine, and is looked for.
    let (mut early, mut late) = (0.005, 2.0);
    for _ in 0..60 {
        let limit = f64::midpoint(early, late);
        let limit_text = format!("{limit:.4}");
        let output = scitoken(
            lab,
            &none,
            &[&"get", &"--no-auth", &"--retry", &"0", &"--max-time", &limit_text, &"-o", &target, &url],
        );
        if output.status.success() {
            late = limit;
            fs_err::remove_file(&target).expect("it is there");
        } else if place.path().join("large.bin.part.json").exists() {
            return;
        } else {
            early = limit;
        }
        if late - early < 0.001 {
            (early, late) = (early / 2.0, late * 2.0);
        }
    }
    panic!("no run was ended in the middle");
}

#[test]
fn apache_and_nginx_give_the_rest_of_an_unfinished_file_by_its_etag() {
    lab::inside(&[Server::Web], async |lab| {
        let none = lab.empty_directory().join("none");
        for directory in
            [format!("{NGINX}/files"), format!("{APACHE}/files"), format!("{APACHE}/files/packed")]
        {
            let place = tempfile::tempdir().expect("a directory");
            let url = address(&directory, "large.bin");
            interrupted(&lab, &place, &url);
            let target = place.path().join("large.bin");
            let output = scitoken(&lab, &none, &[&"get", &"--no-auth", &"--json", &"-o", &target, &url]);
            assert!(output.status.success(), "{url}: {}", told(&output));
            assert!(fs_err::read(&target).expect("the file") == content(LARGE.1), "{url}");
            assert!(told(&output).contains("resumed"), "{url}: {}", told(&output));
        }
    });
}

#[test]
fn several_streams_from_apache_and_nginx_are_one_file() {
    lab::inside(&[Server::Web], async |lab| {
        let none = lab.empty_directory().join("none");
        for directory in [format!("{NGINX}/files"), format!("{APACHE}/files")] {
            let place = tempfile::tempdir().expect("a directory");
            let target = place.path().join("large.bin");
            let url = address(&directory, "large.bin");
            let output = scitoken(&lab, &none, &[&"get", &"--no-auth", &"-x", &"4", &"-o", &target, &url]);
            assert!(output.status.success(), "{url}: {}", told(&output));
            assert!(fs_err::read(&target).expect("the file") == content(LARGE.1), "{url}");
        }
    });
}

#[test]
fn the_page_of_a_directory_is_no_file() {
    lab::inside(&[Server::Web], async |lab| {
        let none = lab.empty_directory().join("none");
        let place = tempfile::tempdir().expect("a directory");
        for url in [format!("{APACHE}/files/"), format!("{APACHE}/files"), format!("{NGINX}/files/")] {
            let target = place.path().join("f");
            let output = scitoken(&lab, &none, &[&"get", &"--no-auth", &"-o", &target, &url]);
            assert_eq!(output.status.code(), Some(8), "{url}: {}", told(&output));
            assert!(!target.exists());
        }
    });
}

#[test]
fn a_full_disk_has_no_file_and_is_named() {
    lab::inside(&[Server::Web], async |lab| {
        let Some(disk) = Disk::met() else { return };
        let none = lab.empty_directory().join("none");
        // The first is found out before anything is fetched, the second while it is written.
        for (name, _) in [LARGE, MEDIUM] {
            for streams in ["1", "4"] {
                let target = disk.path().join(name);
                let url = address(&format!("{NGINX}/files"), name);
                let output =
                    scitoken(&lab, &none, &[&"get", &"--no-auth", &"-x", &streams, &"-o", &target, &url]);
                let told = told(&output);
                assert_eq!(output.status.code(), Some(3), "{name} -x {streams}: {told}");
                assert!(told.contains("No space left on device"), "{told}");
                assert!(told.contains(disk.path().to_str().expect("UTF-8")), "{told}");
                assert!(told.contains("hint: free some space on that disk"), "{told}");
                assert!(!target.exists(), "{told}");
                for left in fs_err::read_dir(disk.path()).expect("the disk").flatten() {
                    fs_err::remove_file(left.path()).expect("it can be removed");
                }
            }
        }
    });
}
