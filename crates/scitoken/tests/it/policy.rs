//! Requests that a policy of this program stops before they are sent: exit code 14 in every command.

use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::server::Place;
use scitoken_test_support::{Reply as Answer, tls, write_token};

use crate::support::{run, scitoken, serve};

/// A server without TLS on another machine; nothing is sent to it.
const CLEARTEXT: &str = "http://198.51.100.7/vo/f";

#[test]
fn a_token_is_withheld_from_a_server_without_tls_by_every_command() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), "one").unwrap();
    for arguments in [
        &["get", CLEARTEXT][..],
        &["get", "--attach", "required", CLEARTEXT],
        &["get", "-r", CLEARTEXT],
        &["put", "a", CLEARTEXT],
        &["copy", CLEARTEXT, "b"],
        &["stat", CLEARTEXT],
        &["ls", CLEARTEXT],
        &["mkdir", CLEARTEXT],
        &["rm", CLEARTEXT],
        &["mv", CLEARTEXT, "http://198.51.100.7/vo/g"],
        &["checksum", CLEARTEXT],
        &["gafaelfawr", "token-info", CLEARTEXT],
        &["gafaelfawr", "user-info", CLEARTEXT],
        &["gafaelfawr", "tokens", CLEARTEXT],
    ] {
        let ended = run(scitoken(directory.path()).args(arguments));
        assert_eq!(ended.code, 14, "{arguments:?}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains("TLS") && ended.err.contains("https"), "{arguments:?}: {}", ended.err);
    }
}

#[test]
fn an_issuer_without_tls_or_that_redirects_gets_no_secret() {
    let (_runtime, server) =
        serve(|_| Reply::sized("302 Found", &[("Location", "https://198.51.100.7/")], ""));
    let directory = tempfile::tempdir().unwrap();
    write_token(&directory.path().join("token"), "b3RoZXI");
    let here = server.url("").to_string();
    for issuer in ["http://198.51.100.7/", &here] {
        for command in [&["login"][..], &["logout", "--bearer-file", "token"]] {
            let arguments = [command, &["--issuer", issuer, "--client-id", "me"]].concat();
            let ended = run(scitoken(directory.path()).args(&arguments).env("BEARER_TOKEN_FILE", "new"));
            assert_eq!(ended.code, 14, "{arguments:?}: {}", ended.err);
            assert_eq!(issuer != here, ended.err.contains("`https://`"), "{arguments:?}: {}", ended.err);
        }
    }
    let seen = server.seen();
    assert!(!seen.is_empty(), "the metadata");
    for asked in seen {
        let is_metadata = asked.method == "GET" && asked.path.contains(".well-known");
        assert!(is_metadata && asked.body.is_empty(), "{asked:?}");
        assert!(!asked.headers.contains_key("authorization"), "{asked:?}");
    }
}

#[test]
fn an_endpoint_without_tls_in_the_metadata_gets_no_secret() {
    let (_runtime, server) = serve(|asked| {
        let issuer = format!("http://{}", asked.headers["host"]);
        let document = format!(
            r#"{{"issuer": "{issuer}", "token_endpoint": "{issuer}/token",
                "device_authorization_endpoint": "http://198.51.100.7/device"}}"#
        );
        Reply::sized("200 OK", &[("Content-Type", "application/json")], document)
    });
    let directory = tempfile::tempdir().unwrap();
    let issuer = server.url("").to_string();
    let issuer = issuer.trim_end_matches('/');
    let ended = run(scitoken(directory.path()).args([
        "login",
        "--issuer",
        issuer,
        "--client-id",
        "me",
        "--bearer-file",
        "new",
    ]));
    assert_eq!(ended.code, 14, "{}", ended.err);
    assert!(
        ended.err.contains("198.51.100.7/device") && ended.err.contains("its operators"),
        "{}",
        ended.err
    );
    assert!(!directory.path().join("new").exists());
}

#[test]
fn keys_are_fetched_over_tls_only_and_with_the_authority_of_cacert() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let issuer = |keys: &'static str| {
        let place = Place::https("localhost").tls(tls::authority().http1_acceptor());
        runtime.block_on(place.start(move |seen| {
            let host = seen.header("host").unwrap().to_owned();
            match seen.target.as_str() {
                "/.well-known/openid-configuration" => Answer::ok(format!(
                    r#"{{"issuer": "https://{host}", "jwks_uri": "{}"}}"#,
                    keys.replace("HOST", &host)
                )),
                "/jwks" => Answer::ok(
                    r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k1",
                        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
                        "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#,
                ),
                _ => Answer::new(404),
            }
        }))
    };
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("ca.pem"), tls::ca_pem()).unwrap();
    let (good, cleartext) = (issuer("https://HOST/jwks"), issuer("http://198.51.100.7/jwks"));
    let refresh = |name: &str, more: &[&str]| {
        run(scitoken(directory.path()).args(["keys", "cache", "refresh", name]).args(more))
    };
    let (name, other) = (good.url_as("https", "localhost", ""), cleartext.url_as("https", "localhost", ""));
    let name = name.as_str().trim_end_matches('/');
    let untrusted = refresh(name, &[]);
    assert_eq!(untrusted.code, 4, "{}{}", untrusted.out, untrusted.err);
    assert!(good.seen().is_empty(), "the handshake failed");
    let fetched = refresh(name, &["--cacert", "ca.pem"]);
    assert_eq!(
        (fetched.code, fetched.out.trim()),
        (0, &*format!("cached 1 key of {name}")),
        "{}",
        fetched.err
    );
    assert_eq!(good.seen().len(), 2, "metadata and keys");
    let refused = refresh(other.as_str().trim_end_matches('/'), &["--cacert", "ca.pem"]);
    assert_eq!(refused.code, 14, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("is not an https URL"), "{}", refused.err);
    let missing = refresh(name, &["--cacert", "nofile"]);
    assert!(missing.code == 2 && missing.err.contains("nofile"), "{} {}", missing.code, missing.err);
}

#[test]
fn a_login_trusts_the_authority_of_cacert_of_the_variable_and_of_the_settings() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let place = Place::https("localhost").tls(tls::authority().http1_acceptor());
    let issuer = runtime.block_on(place.start(|seen| {
        let here = format!("https://{}", seen.header("host").unwrap());
        match seen.target.as_str() {
            "/.well-known/openid-configuration" => Answer::ok(format!(
                r#"{{"issuer": "{here}", "token_endpoint": "{here}/token",
                    "device_authorization_endpoint": "{here}/device"}}"#
            )),
            "/device" => Answer::ok(format!(
                r#"{{"device_code": "DC", "user_code": "USER-CODE", "verification_uri": "{here}/confirm",
                    "expires_in": 60, "interval": 1}}"#
            )),
            "/token" => {
                Answer::ok(r#"{"access_token": "AT-1234567890", "token_type": "Bearer", "expires_in": 600}"#)
            }
            _ => Answer::new(404),
        }
    }));
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("ca.pem"), tls::ca_pem()).unwrap();
    fs_err::write(directory.path().join("trusting.toml"), "[connect]\ncacert = \"ca.pem\"\n").unwrap();
    let name = issuer.url_as("https", "localhost", "");
    let log_in = |more: &[&str], variables: &[(&str, &str)]| {
        let name = name.as_str().trim_end_matches('/');
        let mut command = scitoken(directory.path());
        command.args(["login", "--issuer", name, "--client-id", "me", "--bearer-file", "new"]).args(more);
        run(command.envs(variables.iter().copied()))
    };
    let untrusted = log_in(&[], &[]);
    assert!(untrusted.code == 4 && untrusted.err.contains("--cacert"), "{}", untrusted.err);
    assert!(issuer.seen().is_empty(), "the handshake failed");
    for (arguments, variables) in [
        (&["--cacert", "ca.pem"][..], &[][..]),
        (&[], &[("SCITOKEN_CACERT", "ca.pem")]),
        (&[], &[("SCITOKEN_CONFIG", "trusting.toml")]),
    ] {
        let ended = log_in(arguments, variables);
        assert_eq!(ended.code, 0, "{arguments:?} {variables:?}: {}", ended.err);
        let stored = fs_err::read_to_string(directory.path().join("new")).unwrap();
        assert_eq!(stored.trim(), "AT-1234567890");
        fs_err::remove_file(directory.path().join("new")).unwrap();
    }
    let missing = log_in(&["--cacert", "nofile"], &[]);
    assert!(missing.code == 2 && missing.err.contains("nofile"), "{} {}", missing.code, missing.err);
}
