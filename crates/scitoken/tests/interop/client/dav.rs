//! Trees, names and directories against every WebDAV server of the lab, by the program.

use std::path::Path;
use std::process::Command;

use crate::lab::{self, APACHE_DAV, Lab, NGINX_DAV, Server, WSGIDAV, XROOTD};

/// What one server does and the others do not.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Peculiarity {
    None,
    /// XRootD 5.5.3: `MKCOL` of a directory that exists succeeds.
    XRootD,
    /// `PUT` of nothing is answered with `500` (nginx 1.22).
    TakesNoEmptyFile,
}

/// The program against one server.
struct Client<'l> {
    lab: &'l Lab,
    /// A directory that the server lets the client write to.
    base: String,
    peculiarity: Peculiarity,
    directory: tempfile::TempDir,
}

impl<'l> Client<'l> {
    fn new(lab: &'l Lab, base: String, peculiarity: Peculiarity) -> Self {
        Self { lab, base, peculiarity, directory: tempfile::tempdir().expect("a directory") }
    }

    /// Runs the program; arguments that begin with `@` are paths at the server.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let token = self.lab.keys().token().scope("read:/ write:/").sign();
        let output = Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .env_clear()
            .env("HOME", self.directory.path())
            .env("BEARER_TOKEN_FILE", self.lab.token_file("dav", &token))
            .env("X509_CERT_DIR", self.lab.pki().hashed())
            .current_dir(self.directory.path())
            .args(arguments.iter().map(|argument| match argument.strip_prefix('@') {
                Some(path) => format!("{}{path}", self.base),
                None => (*argument).to_owned(),
            }))
            .output()
            .expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(&output.stdout), text(&output.stderr))
    }

    fn succeeds(&self, arguments: &[&str]) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, 0, "{} {arguments:?}: {out} {err}", self.base);
        out
    }

    fn fails(&self, arguments: &[&str], expected: i32) -> String {
        let (code, out, err) = self.run(arguments);
        assert_eq!(code, expected, "{} {arguments:?}: {out} {err}", self.base);
        err
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.directory.path().join(path);
        fs_err::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs_err::write(path, content).expect("a file");
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs_err::read(self.directory.path().join(path)).expect("a file")
    }

    fn has(&self, path: &str) -> bool {
        Path::new(self.directory.path()).join(path).exists()
    }
}

/// Files and directories there and back, moved and removed.
fn go_through(client: &Client<'_>) {
    // XRootD 5.5.3 decodes names twice and ends them at a question mark.
    let odd = match client.peculiarity {
        Peculiarity::XRootD => "sub dir/ü/we ird#na+me.txt",
        _ => "sub dir/ü/we ird#na+me%20?.txt",
    };
    let large: Vec<u8> = (0..1_500_000_u32).map(|n| (n % 251) as u8).collect();
    client.write("tree/a.bin", &large);
    client.write(&format!("tree/{odd}"), b"odd");
    let little: &[u8] = if client.peculiarity == Peculiarity::TakesNoEmptyFile { b"x" } else { b"" };
    client.write("tree/none.bin", little);
    fs_err::create_dir_all(client.directory.path().join("tree/empty/inner")).expect("a directory");

    client.succeeds(&["mkdir", "@one"]);
    if client.peculiarity != Peculiarity::XRootD {
        client.fails(&["mkdir", "@one"], 15);
    }
    client.succeeds(&["mkdir", "-p", "@one/two/three/"]);
    client.succeeds(&["mkdir", "-p", "@one/two/three/"]);
    client.succeeds(&["put", "tree/a.bin", "@one/"]);
    client.fails(&["put", "--no-clobber", "tree/a.bin", "@one/a.bin"], 15);
    client.succeeds(&["get", "-o", "back.bin", "@one/a.bin"]);
    assert_eq!(client.read("back.bin"), large, "{}", client.base);
    assert!(client.succeeds(&["stat", "@one/a.bin"]).contains("1500000 bytes"), "{}", client.base);

    client.succeeds(&["put", "-r", "tree", "@one/tree"]);
    client.succeeds(&["put", "-r", "tree", "@one/tree"]);
    let mut listed: Vec<_> = client.succeeds(&["ls", "-r", "@one/"]).lines().map(str::to_owned).collect();
    listed.sort_unstable();
    let odd_in_tree = format!("tree/{odd}");
    let expected = [
        "a.bin",
        "tree/",
        "tree/a.bin",
        "tree/empty/",
        "tree/empty/inner/",
        "tree/none.bin",
        "tree/sub dir/",
        "tree/sub dir/ü/",
        &*odd_in_tree,
        "two/",
        "two/three/",
    ];
    assert_eq!(listed, expected, "{}", client.base);
    client.succeeds(&["get", "-r", "@one/tree/", "-P", "back", "--create-dirs"]);
    assert_eq!(client.read("back/a.bin"), large, "{}", client.base);
    assert_eq!(client.read(&format!("back/{odd}")), b"odd", "{}", client.base);
    assert!(client.has("back/empty/inner") && client.read("back/none.bin") == little, "{}", client.base);

    client.fails(&["mv", "@one/a.bin", "@one/tree/a.bin"], 15);
    client.succeeds(&["mv", "@one/a.bin", "@one/b.bin"]);
    client.succeeds(&["mv", "@one/b.bin", "@one/two/"]);
    client.succeeds(&["mv", "--force", "@one/two/b.bin", "@one/tree/none.bin"]);
    client.succeeds(&["mv", "@one/tree", "@one/moved"]);
    client.fails(&["stat", "@one/tree"], 9);
    assert!(client.succeeds(&["stat", "@one/moved/none.bin"]).contains("1500000 bytes"), "{}", client.base);

    client.fails(&["rm", "@one/moved"], 2);
    client.succeeds(&["rm", "@one/moved/none.bin"]);
    client.fails(&["rm", "@one/moved/none.bin"], 9);
    client.succeeds(&["rm", "-r", "@one"]);
    client.fails(&["ls", "@one"], 9);
}

#[test]
fn trees_go_there_and_back_with_apache_and_nginx() {
    lab::inside(&[Server::Dav], async |lab| {
        let servers = [(APACHE_DAV, Peculiarity::None), (NGINX_DAV, Peculiarity::TakesNoEmptyFile)];
        for (server, peculiarity) in servers {
            go_through(&Client::new(&lab, format!("{server}/"), peculiarity));
        }
    });
}

#[test]
fn trees_go_there_and_back_with_wsgidav() {
    lab::inside(&[Server::WsgiDav], async |lab| {
        go_through(&Client::new(&lab, format!("{WSGIDAV}/"), Peculiarity::None));
    });
}

#[test]
fn trees_go_there_and_back_with_xrootd() {
    lab::inside(&[Server::XRootD], async |lab| {
        go_through(&Client::new(&lab, format!("{XROOTD}/vo/upload/dav-"), Peculiarity::XRootD));
    });
}
