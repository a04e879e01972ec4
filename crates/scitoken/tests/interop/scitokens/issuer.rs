//! Issuers over TLS: one with our keys for scitokens-cpp, one with the keys of Python's tools for us.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use scitoken_authz::{Profile, Verifier};
use scitoken_jwt::keys::Algorithm;
use scitoken_types::sys::Env;

use super::{Desk, Key, cpp, python, text};
use crate::support;

/// A running issuer.
struct Served {
    child: Child,
    issuer: String,
    ca_pem: String,
}

impl Served {
    fn start(dir: &Path, jwks: &str, path: &str) -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test run");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &ca).unwrap();
        for (name, text) in [
            ("ca.pem", ca.pem()),
            ("tls.pem", certificate.pem()),
            ("tls.key", key.serialize_pem()),
            ("jwks.json", jwks.to_owned()),
        ] {
            fs_err::write(dir.join(name), text).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/python/issuer.py");
        let python = Env::process().get_non_empty("SCITOKEN_PYTHON").unwrap_or_else(|| "python3".into());
        let mut child = Command::new(python)
            .arg(script)
            .args(["tls.pem", "tls.key", "jwks.json", path])
            .current_dir(dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut issuer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut issuer).unwrap();
        Self { child, issuer: issuer.trim().to_owned(), ca_pem: ca.pem() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program in a place where the only certificate authority is that of `dir`.
fn with_authority(dir: &Path) -> Result<(), String> {
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    let probe = Command::new("unshare")
        .args(["-rm", "sh", "-c", &format!("mount --bind ca.pem {bundle}")])
        .current_dir(dir)
        .output()
        .map_err(|error| error.to_string())?;
    if probe.status.success() { Ok(()) } else { Err(text(&probe)) }
}

#[test]
fn scitokens_cpp_fetches_the_keys_that_we_publish() {
    let Some(verify) = cpp("scitokens-verify") else { return };
    for key in Key::both() {
        let desk = Desk::new(&key);
        let served = Served::start(desk.dir.path(), &key.set().to_public_json(), "/vo");
        let Some(()) = support::met("unshare with mounts", with_authority(desk.dir.path())) else { return };
        let token = key.token(&served.issuer, Profile::SciTokens2);
        let script = format!(
            "mount --bind ca.pem /etc/ssl/certs/ca-certificates.crt && exec {} \"$1\"",
            verify.display()
        );
        let arguments = ["-rm", "sh", "-c", &script, "sh", token.expose_secret()];
        let output = desk.run(Path::new("unshare"), &arguments);
        assert!(text(&output).contains("Token deserialization successful."), "{}", text(&output));
    }
}

#[test]
fn we_fetch_the_keys_that_the_tools_of_python_scitokens_publish() {
    if python().is_none() {
        return;
    }
    let python = Env::process().get_non_empty("SCITOKEN_PYTHON").unwrap_or_else(|| "python3".into());
    for (algorithm, kind) in [(Algorithm::Es256, &["--ec"][..]), (Algorithm::Rs256, &[])] {
        let desk = Desk::new(&Key::new(Algorithm::Es256));
        let tool = "from scitokens.tools import admin_create_key; admin_create_key.main()";
        let mut make = Command::new(&python);
        make.args(["-c", tool, "--create-keys"]).args(kind).current_dir(desk.dir.path());
        let pem = make.args(["--pem-private"]).output().unwrap();
        assert!(pem.status.success(), "{}", text(&pem));
        fs_err::write(desk.path("theirs.pem"), &pem.stdout).unwrap();
        let mut publish = Command::new(&python);
        publish.args(["-c", tool, "--private-keyfile", "theirs.pem"]).args(kind).current_dir(desk.dir.path());
        let jwks = publish.args(["--jwks-public"]).output().unwrap();
        assert!(jwks.status.success(), "{}", text(&jwks));
        let published: serde_json::Value = serde_json::from_slice(&jwks.stdout).unwrap();
        let kid = published["keys"][0]["kid"].as_str().unwrap().to_owned();

        let served = Served::start(desk.dir.path(), &published.to_string(), "/vo/");
        let signer = scitoken_jwt::keys::SigningKey::from_pem(&pem.stdout).unwrap();
        let key = Key { key: signer, algorithm };
        let issuer = served.issuer.parse().unwrap();
        let token = scitoken_authz::SciToken::new(Profile::SciTokens2, &issuer)
            .subject("alice")
            .scope("read:/".parse().unwrap())
            .sign(&key.signer().with_key_id(kid))
            .unwrap();
        let root = reqwest::Certificate::from_pem(served.ca_pem.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([root]).build().unwrap();
        let verifier = Verifier::builder(issuer, client).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let token = runtime.block_on(verifier.verify(token.expose_secret())).unwrap();
        assert_eq!(token.claims().subject(), Some("alice"));
    }
}
