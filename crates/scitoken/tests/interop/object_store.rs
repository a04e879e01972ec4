//! `object_store`'s own tests of a store, against real servers, and what each server cannot do.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use object_store::integration;
use scitoken_object_store::ScitokenStore;

use crate::client::session;
use crate::lab::{self, APACHE, Lab, NGINX, Server, XROOTD};
use crate::python::python;
use crate::support::met;

/// A test of `object_store`'s, for a store of its own.
type Test = fn(ScitokenStore) -> BoxFuture<'static, ()>;

const TESTS: [(&str, Test); 10] = [
    ("put_get_delete_list", |store| async move { integration::put_get_delete_list(&store).await }.boxed()),
    ("get_opts", |store| async move { integration::get_opts(&store).await }.boxed()),
    ("put_opts", |store| async move { integration::put_opts(&store, true).await }.boxed()),
    ("stream_get", |store| async move { integration::stream_get(&store).await }.boxed()),
    ("list_uses_directories_correctly", |store| {
        async move { integration::list_uses_directories_correctly(&store).await }.boxed()
    }),
    ("list_with_delimiter", |store| async move { integration::list_with_delimiter(&store).await }.boxed()),
    ("list_with_offset_exclusivity", |store| {
        async move { integration::list_with_offset_exclusivity(&store).await }.boxed()
    }),
    ("rename_and_copy", |store| async move { integration::rename_and_copy(&store).await }.boxed()),
    ("copy_if_not_exists", |store| async move { integration::copy_if_not_exists(&store).await }.boxed()),
    ("copy_rename_nonexistent_object", |store| {
        async move { integration::copy_rename_nonexistent_object(&store).await }.boxed()
    }),
];

/// The beginning of the reason of a test that is not run: it depends on the time, or the server does not survive it.
const NOT_RUN: &str = "not run:";

/// Tests that a server does not pass, and why.
type Cannot<'a> = &'a [(&'a str, &'a str)];

/// Runs every test in a directory of its own. Those that the server `cannot` pass must fail, so that the list stays true.
async fn run(open: impl Fn(&str) -> ScitokenStore, cannot: Cannot<'_>) {
    let mut wrong = Vec::new();
    for (name, test) in TESTS {
        if cannot.iter().any(|(listed, reason)| *listed == name && reason.starts_with(NOT_RUN)) {
            continue;
        }
        let reason = cannot.iter().find(|(listed, _)| *listed == name).map(|(_, reason)| reason);
        let outcome = tokio::spawn(test(open(name))).await;
        match (outcome, reason) {
            (Ok(()), None) | (Err(_), Some(_)) => {}
            (Ok(()), Some(reason)) => wrong.push(format!("`{name}` passes, and the list says: {reason}")),
            (Err(error), None) => wrong.push(format!("`{name}` fails: {error}")),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

pub(crate) fn store(lab: &Lab, base: &str) -> ScitokenStore {
    let token = lab.keys().token().scope("storage.read:/ storage.modify:/").sign();
    let session = session(lab, &lab.token_file("object_store", &token)).build().unwrap();
    ScitokenStore::open(&session, base).unwrap()
}

#[test]
fn apache_passes_object_stores_own_tests_but_for_what_it_cannot() {
    lab::inside(&[Server::Web], async |lab| {
        let cannot = [
            ("get_opts", "not run: in the first second its entity tags are weak, and match no `If-Match`"),
            ("put_opts", "not run: in the first second its entity tags are weak, and match no `If-Match`"),
        ];
        run(|name| store(&lab, &format!("{APACHE}/dav/{name}")), &cannot).await;
    });
}

#[test]
fn nginx_passes_object_stores_own_tests_but_for_what_it_cannot() {
    lab::inside(&[Server::Web], async |lab| {
        let cannot = [
            ("get_opts", "its `PROPFIND` tells no entity tags"),
            ("put_opts", "its `PROPFIND` tells no entity tags"),
        ];
        run(|name| store(&lab, &format!("{NGINX}/dav/{name}")), &cannot).await;
    });
}

#[test]
fn xrootd_passes_object_stores_own_tests_but_for_what_it_cannot() {
    lab::inside(&[Server::XRootD], async |lab| {
        let cannot = [
            ("put_get_delete_list", "it does not list a name with an encoded delimiter as it was written"),
            ("stream_get", "not run: a `PUT` without a length stops the server"),
            (
                "get_opts",
                "its answers to `GET` have neither dates nor entity tags, so no condition can be tested",
            ),
            ("put_opts", "its objects have no entity tags"),
        ];
        run(|name| store(&lab, &format!("{XROOTD}/vo/{name}")), &cannot).await;
    });
}

#[test]
fn wsgidav_passes_object_stores_own_tests_but_for_what_it_cannot() {
    lab::inside(&[], async |lab| {
        let Some(_server) = met("wsgidav", WsgiDav::start(&lab)) else { return };
        let open = |name: &str| {
            let session = session(&lab, std::path::Path::new("/nonexistent")).build().unwrap();
            ScitokenStore::open(&session, &format!("http://127.0.0.1:{PORT}/{name}")).unwrap()
        };
        let cannot = [("put_opts", "its entity tags are the second of the change and the length")];
        run(open, &cannot).await;
    });
}

const PORT: u16 = 8479;

/// `WsgiDAV`, which has no tokens; it ends when it is dropped.
struct WsgiDav(Child);

impl WsgiDav {
    fn start(lab: &Lab) -> Result<Self, String> {
        crate::support::look_for_peers()?;
        let python = python();
        let check =
            Command::new(&python).args(["-c", "import wsgidav, cheroot"]).stderr(Stdio::null()).status();
        if !check.is_ok_and(|status| status.success()) {
            return Err(format!("`{}` has no wsgidav", python.display()));
        }
        let child = Command::new(python)
            .args([
                "-m",
                "wsgidav.server.server_cli",
                "--host",
                "127.0.0.1",
                "--auth",
                "anonymous",
                "--quiet",
            ])
            .arg("--port")
            .arg(PORT.to_string())
            .arg("--root")
            .arg(lab.empty_directory())
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let server = Self(child);
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", PORT)).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("nothing listens at port {PORT}"))
    }
}

impl Drop for WsgiDav {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
