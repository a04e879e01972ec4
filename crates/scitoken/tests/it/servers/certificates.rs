//! Servers with a certificate that they signed themselves.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use scitoken_test_support::server::Place;
use scitoken_test_support::{Reply, Server};

use crate::support::{HELLO, run, scitoken};

/// What `openssl req -x509` makes.
async fn own(names: &[&str], common_name: &str) -> (Server, String) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let place = Place::https("localhost").tls(Arc::new(config).into());
    (place.start(|_| Reply::ok(HELLO)).await, certificate.pem())
}

#[test]
fn a_certificate_given_by_cacert_is_trusted_for_its_names_and_the_doctor_explains_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (names, common_name, host, expected) in [
        (&["localhost"][..], "x", "localhost", 0),
        (&["127.0.0.1"], "x", "127.0.0.1", 0),
        (&[], "localhost", "localhost", 0),
        (&["other.test"], "x", "localhost", 4),
    ] {
        let (server, pem) = runtime.block_on(own(names, common_name));
        fs_err::write(directory.path().join("server.pem"), pem).unwrap();
        let url = server.url_as("https", host, "/f").to_string();
        for command in [&["get", "-o", "f"][..], &["stat"], &["explain"], &["doctor"]] {
            let with = run(scitoken(directory.path()).args(command).args(["--cacert", "server.pem", &url]));
            assert_eq!(with.code, expected, "{names:?} {command:?}: {} {}", with.out, with.err);
        }
        if expected != 0 {
            let other =
                run(scitoken(directory.path()).args(["get", "-o", "g", "--cacert", "server.pem", &url]));
            assert!(
                other.err.contains("for another name") && !other.err.contains("--cacert"),
                "{}",
                other.err
            );
        }
        let without = run(scitoken(directory.path()).args(["get", "-o", "g", &url]));
        let lines = without.err.lines().filter(|line| !line.starts_with("hint: ")).count();
        assert!(lines == 1 && without.err.contains("the server signed it itself"), "{}", without.err);
        assert!(without.code == 4 && without.err.contains("--cacert"), "{}", without.err);
        let doctor = run(scitoken(directory.path()).args(["doctor", &url]));
        let explained = "signed its certificate itself";
        assert!(doctor.code == 4 && doctor.out.contains(explained), "{}", doctor.out);
    }
}
