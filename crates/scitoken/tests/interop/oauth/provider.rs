//! The provider, and the person with the browser.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::{Attach, Session};
use scitoken_storage::oauth::TokenResponse;
use scitoken_storage::oauth::{GrantRequest, OAuthClient, ProviderMetadata};
use scitoken_types::sys::Env;
use tempfile::TempDir;
use url::Url;

use crate::python::python;
use crate::support::met;

/// A running provider; it ends with the value.
pub(crate) struct Provider {
    child: Child,
    issuer: Url,
    directory: TempDir,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct Stats {
    pub(crate) granted: u32,
    pub(crate) refused: u32,
    pub(crate) served: u32,
    pub(crate) turned_away: u32,
}

#[derive(Clone, Copy)]
pub(crate) enum UserChoice {
    Confirm,
    Abort,
}

impl Provider {
    /// A provider whose access tokens live this many seconds.
    pub(crate) fn met(lifetime: u32) -> Option<Self> {
        met("oidc-provider", Self::start(lifetime))
    }

    fn start(lifetime: u32) -> Result<Self, String> {
        let modules = Env::process()
            .get_non_empty("SCITOKEN_NODE_MODULES")
            .map(PathBuf::from)
            .ok_or("`SCITOKEN_NODE_MODULES` is not set")?;
        if !modules.join("oidc-provider").is_dir() {
            return Err(format!("there is no `oidc-provider` in `{}`", modules.display()));
        }
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        certificates(directory.path());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/oauth/provider.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .env("MODULES", modules)
            .env("TLS_KEY", directory.path().join("host.key"))
            .env("TLS_CERT", directory.path().join("host.pem"))
            .env("AT_TTL", lifetime.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("`node`: {error}"))?;
        // It warns about its development pages; the port is a line of its own.
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let port = lines
            .find_map(|line| line.trim().parse::<u16>().ok())
            .ok_or("`node` ended before the provider was ready")?;
        // It goes on warning, and would end if the pipe were closed.
        std::thread::spawn(move || lines.for_each(drop));
        let issuer = format!("https://localhost:{port}").parse().expect("a URL");
        Ok(Self { child, issuer, directory })
    }

    pub(crate) fn issuer(&self) -> &Url {
        &self.issuer
    }

    /// The certificate authority's file.
    pub(crate) fn ca(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub(crate) fn http(&self) -> ClientWithMiddleware {
        let session = Session::builder().attach(Attach::Never).ca_file(self.ca());
        session.build().unwrap().client().clone()
    }

    pub(crate) async fn client(&self, client_id: &str) -> OAuthClient {
        let http = self.http();
        let metadata = ProviderMetadata::discover(&http, &self.issuer).await.unwrap();
        OAuthClient::new(http, metadata, client_id)
    }

    /// Logs alice in; a refresh token comes with it.
    pub(crate) async fn log_in(&self, client: &OAuthClient) -> TokenResponse {
        let wanted = login_scopes();
        let authorization = client.authorize_device(&wanted).await.unwrap();
        self.act_as_user(&authorization.user_code(), UserChoice::Confirm);
        client.wait_for_authorization(authorization).await.unwrap()
    }

    /// Enters the code on the page, as the user would, and confirms or aborts.
    pub(crate) fn act_as_user(&self, user_code: &str, choice: UserChoice) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/oauth/person.py");
        let issuer = self.issuer.as_str().trim_end_matches('/');
        let choice = match choice {
            UserChoice::Confirm => "confirm",
            UserChoice::Abort => "abort",
        };
        let status = Command::new(python())
            .arg(script)
            .arg(self.ca())
            .args([issuer, user_code, choice])
            .status()
            .unwrap();
        assert!(status.success());
    }

    pub(crate) async fn stats(&self) -> Stats {
        let url = self.issuer.join("stats").unwrap();
        self.http().get(url).send().await.unwrap().json().await.unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn login_scopes() -> GrantRequest {
    ["openid", "offline_access", "storage.read:/"]
        .into_iter()
        .fold(GrantRequest::new(), |wanted, scope| wanted.with_scope(scope.parse().unwrap()))
}

/// A certificate authority, and a certificate of it for this machine.
fn certificates(directory: &Path) {
    let mut ca = CertificateParams::new([]).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "an authority for tests");
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let host = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let host = host.signed_by(&key, &ca).unwrap();
    fs_err::write(directory.join("ca.pem"), ca.pem()).unwrap();
    fs_err::write(directory.join("host.pem"), host.pem()).unwrap();
    fs_err::write(directory.join("host.key"), key.serialize_pem()).unwrap();
}
