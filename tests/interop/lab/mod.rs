//! A laboratory of real servers, made for one run of the tests and gone with it.
//!
//! [`inside`] is the door. The test process makes a [`namespace`] with nothing but loopback, a certificate authority
//! ([`pki`]) and an issuer ([`tokens`]), starts the [`servers`] that a test asks for, once, and runs the test in a
//! process of its own inside the namespace. Nothing of it needs root; where root runs it, the servers run as nobody.

mod bench;
mod namespace;
mod pki;
mod servers;
mod tokens;

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest_scitokens::sys::Env;

pub(crate) use self::pki::Pki;
pub(crate) use self::servers::Server;
pub(crate) use self::tokens::Keys;

/// The issuer of all tokens; nginx serves its metadata and keys.
pub(crate) const ISSUER: &str = "https://localhost:9443/vo";
/// XRootD, alone, with tokens for `/vo` and everybody reading `/public`.
pub(crate) const XROOTD: &str = "https://localhost:8443";
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

    /// What a server writes to its log and its standard streams.
    pub(crate) fn log(&self, name: &str) -> String {
        fs_err::read_to_string(log_file(&self.directory, name)).unwrap_or_default()
    }

    /// Where the standalone XRootD keeps the file `path`.
    pub(crate) fn stored(&self, path: &str) -> PathBuf {
        self.directory.join("xrootd/data").join(path.trim_start_matches('/'))
    }
}

/// Runs a test inside the lab, with these servers at work; it is over, as a skip or as a failure, where the machine
/// does not have them.
///
/// The closure has to stand in the test function itself, whose name is read from the closure's.
pub(crate) fn inside<F: AsyncFnOnce(Lab)>(servers: &[Server], test: F) {
    if let Some(directory) = Env::process().get_non_empty(DIRECTORY) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime can be built").block_on(test(Lab { directory: directory.into() }));
    } else {
        bench::run(servers, &test_name::<F>());
    }
}

/// `interop::xrootd::some_test::{{closure}}`, as the test harness calls it: `xrootd::some_test`.
fn test_name<F>() -> String {
    let name = std::any::type_name::<F>();
    let name = name.split_once("::").map_or(name, |(_crate, path)| path);
    name.split_once("::{{").map_or(name, |(path, _closure)| path).to_owned()
}

fn log_file(lab: &Path, name: &str) -> PathBuf {
    lab.join("log").join(name).with_extension("log")
}
