//! A laboratory of real servers, made for one run of the tests and gone with it.
//!
//! [`inside`] is the door. The test process makes a [`namespace`] with nothing but loopback, a certificate authority
//! ([`pki`]) and an issuer ([`tokens`]), starts the [`servers`] that a test asks for, once, and runs the test in a
//! process of its own inside the namespace. Nothing of it needs root; where root runs it, the servers run as `nobody`.

mod bench;
mod namespace;
mod pki;
mod servers;
mod tokens;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scitoken_types::sys::Env;

pub(crate) use self::pki::Pki;
pub(crate) use self::servers::Server;
pub(crate) use self::servers::files::{FILES, LARGE, MEDIUM, content};
pub(crate) use self::tokens::Keys;

/// The issuer of all tokens; nginx serves its metadata and keys.
pub(crate) const ISSUER: &str = "https://localhost:9443/vo";
/// XRootD, alone, with tokens for `/vo` and `/public` readable without.
pub(crate) const XROOTD: &str = "https://localhost:8443";
/// Another XRootD, with tokens of its own, that [`XROOTD`] copies from and to.
pub(crate) const PARTNER: &str = "https://localhost:8444";
/// A manager as XRootD configures it by default: it redirects to plain http, with the token in the URL.
pub(crate) const MANAGER: &str = "https://localhost:8445";
/// The data server behind [`MANAGER`], as the manager names it.
pub(crate) const DATA_SERVER: &str = "http://127.0.0.1:8446";
/// A manager with `http.desthttps yes` and `strip-on-redirect`.
pub(crate) const HTTPS_MANAGER: &str = "https://localhost:8455";
/// The data server behind [`HTTPS_MANAGER`].
pub(crate) const HTTPS_DATA_SERVER: &str = "https://127.0.0.1:8456";
/// A manager without a data server.
pub(crate) const LONELY_MANAGER: &str = "https://localhost:8465";
/// Apache with `mod_auth_openidc`, `mod_oauth2` and some challenges made by hand.
pub(crate) const APACHE: &str = "https://localhost:8450";
/// nginx with `auth_request`, over HTTP/1.1 and HTTP/2.
pub(crate) const NGINX: &str = "https://localhost:8460";

/// Apache with `mod_dav`: no token is needed to write.
pub(crate) const APACHE_DAV: &str = "http://127.0.0.1:8470";
/// nginx with dav-ext: no token is needed to write.
pub(crate) const NGINX_DAV: &str = "http://127.0.0.1:8471";
/// wsgidav: no token is needed to write.
pub(crate) const WSGIDAV: &str = "http://127.0.0.1:8472";

/// Names the lab's directory to the processes inside; where it is set, the test is inside.
const DIRECTORY: &str = "SCITOKEN_LAB";

/// The lab, seen from inside.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    directory: PathBuf,
}

impl Lab {
    /// The certificate authority of all servers.
    pub(crate) fn pki(&self) -> Pki {
        Pki::at(&self.directory)
    }

    /// The keys of [`ISSUER`].
    pub(crate) fn keys(&self) -> Keys {
        Keys::at(&self.directory)
    }

    /// A client as one would build it by hand for these servers: it trusts the lab's authority, writes header
    /// names as XRootD 5.5 wants them, follows no redirect, and knows nothing of tokens.
    pub(crate) fn plain(&self) -> reqwest::Client {
        self.builder().http1_title_case_headers().build().expect("a client can be built")
    }

    /// The beginning of a client: the lab's authority, no redirects, no proxy.
    pub(crate) fn builder(&self) -> reqwest::ClientBuilder {
        let authority = fs_err::read(self.pki().authority()).expect("the lab has an authority");
        let authority = reqwest::Certificate::from_pem(&authority).expect("the authority is a certificate");
        reqwest::Client::builder()
            .tls_certs_only([authority])
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(60))
    }

    /// The requests with this mark in their query that Apache or nginx saw, at least `count` of them: a server writes its
    /// log after its answer.
    pub(crate) async fn seen(&self, server: WebServer, mark: &str, count: usize) -> Vec<String> {
        let log = log_file(&self.directory, server.log());
        let mark = format!("?{mark} ");
        let mut seen = Vec::new();
        for _ in 0..200 {
            let log = fs_err::read_to_string(&log).unwrap_or_default();
            seen = log.lines().filter(|line| line.contains(&mark)).map(str::to_owned).collect();
            if seen.len() >= count {
                // one that is too many would come now
                tokio::time::sleep(Duration::from_millis(50)).await;
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{server:?} saw no {count} requests with `{mark}`, but {seen:?}")
    }

    /// Where the standalone XRootD keeps the file `path`.
    pub(crate) fn stored(&self, path: &str) -> PathBuf {
        self.directory.join("xrootd/data").join(path)
    }

    /// Where [`PARTNER`] keeps the file `path`.
    pub(crate) fn stored_at_partner(&self, path: &str) -> PathBuf {
        self.directory.join("partner/data").join(path)
    }

    /// Where the data server behind [`HTTPS_MANAGER`] keeps the file `path`.
    pub(crate) fn stored_in_cluster(&self, path: &str) -> PathBuf {
        self.directory.join("secure-data/data").join(path)
    }

    /// A directory with nothing in it.
    pub(crate) fn empty_directory(&self) -> PathBuf {
        let directory = self.directory.join("empty");
        fs_err::create_dir_all(&directory).expect("the lab's directory is ours");
        directory
    }

    /// A token file as a batch system writes it: whole at once, and for its owner only. It goes with the lab.
    pub(crate) fn token_file(&self, name: &str, token: &str) -> PathBuf {
        let directory = self.directory.join("tokens");
        fs_err::create_dir_all(&directory).expect("the lab's directory is ours");
        let path = directory.join(name);
        let file = tempfile::NamedTempFile::new_in(directory).expect("a file can be made");
        fs_err::write(file.path(), token).expect("a file can be written");
        file.persist(&path).expect("a file can be moved");
        path
    }
}

/// A server of [`Server::Web`], which logs who came with a token and on which connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum WebServer {
    Apache,
    Nginx,
}

impl WebServer {
    fn log(self) -> &'static str {
        match self {
            Self::Apache => "apache-seen",
            Self::Nginx => "nginx-seen",
        }
    }
}

/// Runs a test inside the lab, with these servers at work; it is over, as a skip or as a failure, where the machine
/// does not have them.
///
/// The closure has to stand in the test function itself, whose name is read from the closure's.
pub(crate) fn inside<F: AsyncFnOnce(Lab)>(servers: &[Server], test: F) {
    inside_with(servers, |_| [], test);
}

/// The same, in a process with these variables in its environment.
pub(crate) fn inside_with<F: AsyncFnOnce(Lab), const N: usize>(
    servers: &[Server],
    environment: impl FnOnce(&Lab) -> [(&'static str, OsString); N],
    test: F,
) {
    if let Some(directory) = Env::process().get_non_empty(DIRECTORY) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be built").block_on(test(Lab { directory: directory.into() }));
    } else {
        bench::run(servers, &test_name::<F>(), environment);
    }
}

/// `interop::facts::some_test::{{closure}}`, as the test harness calls it: `facts::some_test`.
fn test_name<F>() -> String {
    let name = std::any::type_name::<F>();
    let name = name.split_once("::").map_or(name, |(_crate, path)| path);
    name.split_once("::{{").map_or(name, |(path, _closure)| path).to_owned()
}

fn log_file(lab: &Path, name: &str) -> PathBuf {
    lab.join("log").join(name).with_extension("log")
}
