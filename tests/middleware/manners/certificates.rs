//! Servers with a certificate of their own, named by the user.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use reqwest_scitokens::client::{ProxyRules, SystemAuthorities};
use reqwest_scitokens::{Attach, Session};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use scitoken_types::sys::Env;

use scitoken_test_support::server::Place;
use scitoken_test_support::{Reply, Server, tls};

/// What `openssl req -x509` makes: signed by itself, of an authority.
async fn own(names: &[&str], common_name: &str, is_ca: bool) -> (Server, String) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.distinguished_name.push(DnType::CommonName, common_name);
    if is_ca {
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    let key = KeyPair::generate().unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let place = Place::https("localhost").tls(Arc::new(config).into());
    (place.start(|_| Reply::ok("data")).await, certificate.pem())
}

fn session(pem: &str, system: SystemAuthorities) -> Session {
    let nothing: [(&str, &str); 0] = [];
    let builder = Session::builder().env(Env::given(nothing)).attach(Attach::Never).ca_certificates(pem);
    builder.system_authorities(system).proxies(ProxyRules::default()).build().unwrap()
}

#[tokio::test]
async fn a_certificate_that_the_user_named_is_trusted_for_its_names() {
    for (names, common_name, is_ca, host, expected) in [
        (&["localhost"][..], "x", true, "localhost", true),
        (&["localhost"], "x", false, "localhost", true),
        (&["127.0.0.1"], "x", true, "127.0.0.1", true),
        (&[], "localhost", true, "localhost", true),
        (&[], "127.0.0.1", true, "127.0.0.1", true),
        (&["other.test"], "localhost", true, "localhost", false),
        (&["localhost"], "x", true, "127.0.0.1", false),
    ] {
        let (server, pem) = own(names, common_name, is_ca).await;
        for system in [SystemAuthorities::Trusted, SystemAuthorities::Ignored] {
            let answer = session(&pem, system).get(server.url_as("https", host, "/f")).send().await;
            assert_eq!(answer.is_ok(), expected, "{names:?} {common_name} {host} {system:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_named_certificate_makes_no_other_server_trusted_and_authorities_still_count() {
    let (_, pem) = own(&["localhost"], "x", true).await;
    let (other, _) = own(&["localhost"], "x", true).await;
    let known = Server::https(|_| Reply::ok("data")).await;
    let named = session(&pem, SystemAuthorities::Ignored);
    assert!(named.get(other.url("/f")).send().await.is_err());
    assert!(named.get(known.url("/f")).send().await.is_err());
    let both = session(&format!("{pem}{}", tls::ca_pem()), SystemAuthorities::Ignored);
    assert!(both.get(known.url("/f")).send().await.is_ok());
    assert!(both.get(other.url("/f")).send().await.is_err());
}
