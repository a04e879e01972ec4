//! `scitoken login NAME`: a token from the issuer of a federation's namespace.

use std::process::Output;

use assert_cmd::Command;
use scitoken_storage::{JsonTokenStorage, SqliteTokenStorage, TokenStorage};
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::federation::FakeFederation;
use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::issuer::{FakeIssuer, json_reply};
use scitoken_test_support::tls;
use serde_json::json;

const OBJECTS: [(&str, &[u8]); 2] = [("/protected/dir/f", b"protected"), ("/public/x", b"public")];

struct Place {
    fake: FakeFederation,
    issuer: FakeIssuer,
    home: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        fs_err::write(home.path().join("ca.pem"), tls::ca_pem()).unwrap();
        let place =
            Self { fake: FakeFederation::start(&OBJECTS).await, issuer: FakeIssuer::start().await, home };
        place.fake.set_issuer(place.issuer.url().as_str());
        place
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.run_with(arguments, &[])
    }

    fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::cargo_bin("scitoken").unwrap();
        command.env_clear().env("NO_PROXY", "*").env("HOME", self.home.path()).current_dir(self.home.path());
        command.env("SCITOKEN_CACERT", self.home.path().join("ca.pem"));
        command.env("SCITOKEN_FEDERATION", self.fake.host());
        command.envs(variables.iter().copied()).args(arguments).output().unwrap()
    }

    /// Runs a command that must succeed.
    fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let shown = said(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {shown}");
        shown
    }

    fn tokens(&self) -> JsonTokenStorage {
        JsonTokenStorage::new(self.home.path().join(".local/share/scitoken/federation.json"))
    }

    /// Lets the servers accept the newest token.
    fn accept_newest(&self) {
        self.fake.accept(self.issuer.access_tokens().last().unwrap());
    }

    fn requested_scopes(&self) -> String {
        let seen = self.issuer.seen();
        let asked = seen.iter().rev().find(|asked| asked.path == "/device").unwrap();
        let form = url::form_urlencoded::parse(&asked.body).find(|(name, _)| name == "scope");
        form.unwrap().1.into_owned()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_for_a_namespace_registers_a_client_and_get_uses_the_token() {
    let place = Place::new().await;
    assert_eq!(place.run(&["get", "osdf:///protected/dir/f"]).status.code(), Some(7));
    let name = place.fake.name("/protected");
    let shown = place.must(&["login", &name]);
    assert!(shown.contains("USER-CODE") && shown.contains("federation.json"), "{shown}");
    assert!(!shown.contains("-secret"), "{shown}");
    assert_eq!(place.requested_scopes(), "wlcg offline_access storage.read:/");
    assert_eq!(place.issuer.paths(), ["/.well-known/openid-configuration", "/register", "/device", "/token"]);
    place.accept_newest();
    place.must(&["get", "osdf:///protected/dir/f"]);
    assert_eq!(fs_err::read(place.home.path().join("f")).unwrap(), b"protected");
    let mut seen = place.fake.seen(Director);
    seen.extend(place.fake.seen(Cache(0)));
    let check = place.must(&["token", "check", "osdf:///protected/dir/f"]);
    assert!(check.contains("every check passed"), "{check}");
    let with_token = seen.iter().filter(|asked| asked.headers.contains_key("authorization")).count();
    assert_eq!(with_token, 1, "the cache gets the token, the director does not");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_login_is_refreshed_with_the_registered_client_and_every_rotated_one_is_kept() {
    let place = Place::new().await;
    place.issuer.set_lifetime(1);
    place.must(&["login", "osdf:///protected/dir"]);
    assert_eq!(place.requested_scopes(), "wlcg offline_access storage.read:/dir");
    place.issuer.set_lifetime(3600);
    place.fake.accept("*");
    place.must(&["get", "osdf:///protected/dir/f"]);
    assert_eq!(place.issuer.access_tokens().len(), 2);
    let tokens = place.tokens().get_token_data_by_resource_server().unwrap();
    let (name, entry) = tokens.iter().next().unwrap();
    assert_eq!(name, format!("{}#/dir", place.issuer.url().as_str().trim_end_matches('/')));
    assert!(place.issuer.knows(entry.expose_refresh_token().unwrap()));
    place.must(&["get", "-o", "again", "osdf:///protected/dir/f"]);
    assert_eq!(place.issuer.access_tokens().len(), 2, "a valid token is not refreshed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_is_registered_once_and_again_when_the_issuer_has_forgotten_it() {
    let place = Place::new().await;
    let registrations = || place.issuer.paths().iter().filter(|path| path.as_str() == "/register").count();
    place.must(&["login", "osdf:///protected"]);
    place.must(&["login", "osdf:///protected/dir"]);
    assert_eq!(registrations(), 1);
    place.issuer.forget_clients();
    place.must(&["login", "osdf:///protected"]);
    assert_eq!(registrations(), 2);
    assert_eq!(place.tokens().get_token_data_by_resource_server().unwrap().len(), 2, "one for each path");
    place.must(&["login", "osdf:///protected", "--client-id", "public"]);
    assert_eq!(registrations(), 2, "a client that is named needs no registration");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_for_writing_permits_to_put_and_remove() {
    let place = Place::new().await;
    place.must(&["login", "osdf:///protected/dir", "--op", "write"]);
    assert_eq!(
        place.requested_scopes(),
        "wlcg offline_access storage.read:/dir storage.create:/dir storage.modify:/dir"
    );
    place.accept_newest();
    fs_err::write(place.home.path().join("new"), "content").unwrap();
    place.must(&["put", "new", "osdf:///protected/dir/new"]);
    assert_eq!(place.fake.object("/protected/dir/new").unwrap(), b"content");
    place.must(&["rm", "osdf:///protected/dir/new"]);
    assert!(place.fake.object("/protected/dir/new").is_none());
    assert_eq!(
        place.fake.seen(Origin).len(),
        place.fake.seen(Origin).iter().filter(|asked| asked.headers.contains_key("authorization")).count()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_issuer_or_an_expired_one_does_not_stand_in_the_way_of_the_login() {
    let place = Place::new().await;
    place.must(&["login", "osdf:///protected"]);
    place.accept_newest();
    for found in [
        scitoken_test_support::tokens::for_audience("https://elsewhere.example"),
        scitoken_test_support::tokens::expired("https://wlcg.cern.ch/jwt/v1/any"),
    ] {
        let output =
            place.run_with(&["get", "-o", "-", "osdf:///protected/dir/f"], &[("BEARER_TOKEN", &found)]);
        assert_eq!(output.stdout, b"protected", "{}", said(&output));
    }
    let sent = place.fake.seen(Cache(0));
    let newest = place.issuer.access_tokens().pop().unwrap();
    assert!(sent.iter().all(|asked| asked.headers["authorization"] == format!("Bearer {newest}")));
    assert_eq!(sent.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_a_login_goes_to_no_other_server_than_those_of_the_namespace() {
    let place = Place::new().await;
    place.must(&["login", "osdf:///protected"]);
    place.accept_newest();
    place.must(&["get", "osdf:///public/x"]);
    let url = place.fake.server_url(Cache(1)).join("protected/dir/f").unwrap();
    assert_ne!(place.run(&["get", "-o", "y", url.as_str()]).status.code(), Some(0));
    for server in [Cache(0), Cache(1), Origin, Director] {
        assert!(place.fake.seen(server).iter().all(|asked| !asked.headers.contains_key("authorization")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_storages_are_used_when_the_settings_name_them() {
    let place = Place::new().await;
    let shown = place.must(&["login", "osdf:///protected", "--storage", "sqlite:tokens.db"]);
    let line = shown.lines().find(|line| line.starts_with("storage = ")).unwrap_or_else(|| panic!("{shown}"));
    assert!(shown.contains("[federation]") && line.contains("tokens.db"), "{shown}");
    let stored = SqliteTokenStorage::new(place.home.path().join("tokens.db")).unwrap();
    assert_eq!(stored.get_token_data_by_resource_server().unwrap().len(), 1);
    assert_eq!(place.run(&["get", "osdf:///protected/dir/f"]).status.code(), Some(7));
    place.accept_newest();
    let config = place.home.path().join(".config/scitoken");
    fs_err::create_dir_all(&config).unwrap();
    fs_err::write(config.join("scitoken.toml"), format!("[federation]\n{line}\n")).unwrap();
    place.must(&["get", "osdf:///protected/dir/f"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_work_is_said_before_the_issuer_is_asked_for_a_login() {
    let place = Place::new().await;
    let issuer = place.issuer.url();
    for (facts, arguments, code, words) in [
        (issuer.as_str(), &["osdf:///public/x"][..], 2, "can be read without a token"),
        (issuer.as_str(), &["osdf:///nowhere"], 9, "No sources"),
        (issuer.as_str(), &["osdf:///readonly/x", "--op", "write"], 13, "No origins allow"),
        (
            issuer.as_str(),
            &["osdf:///protected", "--issuer", "https://other.example"],
            2,
            "is not an issuer of the namespace",
        ),
        (issuer.as_str(), &["https://h.example/x"], 2, "is not a name of a federation"),
        (issuer.as_str(), &["osdf:///protected", "--storage", "json:ca.pem/x"], 3, "ca.pem"),
        (
            issuer.as_str(),
            &["osdf:///protected", "--op", "list", "--resource-server", "x"],
            2,
            "exclude each other",
        ),
        ("nonsense", &["osdf:///protected"], 13, "names no issuer"),
        ("http://issuer.example", &["osdf:///protected"], 14, "plain http"),
        ("https://issuer.invalid", &["osdf:///protected"], 4, "issuer.invalid"),
        (&format!("{issuer}, strategy=Vault"), &["osdf:///protected"], 2, "come from a vault"),
        (
            &format!("{issuer}, base-path=/protected/deep"),
            &["osdf:///protected/dir"],
            2,
            "for paths below `/protected/deep`",
        ),
    ] {
        place.fake.set_issuer(facts);
        let output = place.run(&[&["login"], arguments].concat());
        let shown = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {shown}");
        assert!(shown.contains(words), "{arguments:?}: {shown}");
        assert_eq!(place.issuer.paths(), [""; 0], "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_lacks_what_a_login_needs_is_asked_for_its_metadata_only() {
    for (member, words) in [
        ("registration_endpoint", "offers no registration of clients (RFC 7591)"),
        ("device_authorization_endpoint", "offers no logins by device code (RFC 8628)"),
    ] {
        let place = Place::new().await;
        place.issuer.change(move |asked, honest| {
            let mut document: serde_json::Value = serde_json::from_slice(&honest.body).unwrap();
            assert_eq!(asked.path, "/.well-known/openid-configuration");
            document.as_object_mut().unwrap().remove(member);
            json_reply("200 OK", &document)
        });
        let output = place.run(&["login", "osdf:///protected"]);
        let shown = said(&output);
        assert_eq!(output.status.code(), Some(13), "{shown}");
        assert!(shown.contains(words), "{shown}");
        assert_eq!(place.issuer.paths().len(), 1);
        assert!(!place.home.path().join(".local/share/scitoken/federation.json").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_is_refused_is_told_with_the_servers_reason() {
    let place = Place::new().await;
    place.issuer.change(|asked, honest| match asked.path.as_str() {
        "/register" => json_reply(
            "403 Forbidden",
            &json!({"error": "invalid_client_metadata", "error_description": "closed to the public"}),
        ),
        _ => honest,
    });
    let output = place.run(&["login", "osdf:///protected"]);
    let shown = said(&output);
    assert_eq!(output.status.code(), Some(8), "{shown}");
    assert!(shown.contains("closed to the public") && shown.contains("--client-id"), "{shown}");
    assert_eq!(place.issuer.paths(), ["/.well-known/openid-configuration", "/register"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_that_the_issuer_does_not_list_are_not_asked_for() {
    let place = Place::new().await;
    place.issuer.change(|asked, honest: Reply| {
        if asked.path != "/.well-known/openid-configuration" {
            return honest;
        }
        let mut document: serde_json::Value = serde_json::from_slice(&honest.body).unwrap();
        document["scopes_supported"] = json!(["openid", "storage.read:/"]);
        json_reply("200 OK", &document)
    });
    let shown = place.must(&["login", "osdf:///protected"]);
    assert_eq!(place.requested_scopes(), "storage.read:/");
    assert!(shown.contains("gives no refresh tokens"), "{shown}");
    place.must(&["login", "osdf:///protected", "--scope", "storage.read:/dir openid"]);
    assert_eq!(place.requested_scopes(), "storage.read:/dir openid", "the flag replaces the scopes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_gives_a_refresh_token_only_is_finished_by_the_next_command() {
    let place = Place::new().await;
    place.issuer.change(|asked, honest: Reply| {
        let is_login = String::from_utf8_lossy(&asked.body).contains("device_code");
        if asked.path != "/token" || !is_login {
            return honest;
        }
        let mut document: serde_json::Value = serde_json::from_slice(&honest.body).unwrap();
        document.as_object_mut().unwrap().remove("access_token");
        json_reply("200 OK", &document)
    });
    let output = place.run(&["login", "osdf:///protected"]);
    let shown = said(&output);
    assert_eq!(output.status.code(), Some(13), "{shown}");
    assert!(shown.contains("`access_token` is missing") && shown.contains("federation.json"), "{shown}");
    place.fake.accept("*");
    let seen = place.issuer.seen().len();
    place.must(&["get", "osdf:///protected/dir/f"]);
    let after: Vec<_> = place.issuer.paths().split_off(seen);
    assert_eq!(after, ["/.well-known/openid-configuration", "/token"], "it is refreshed once");
    let sent = place.fake.seen(Cache(0));
    let newest = place.issuer.access_tokens().pop().unwrap();
    assert_eq!(sent.last().unwrap().headers["authorization"], format!("Bearer {newest}"));
}

impl Place {
    fn revocations(&self) -> Vec<String> {
        let seen = self.issuer.seen();
        let revoked = seen.iter().filter(|asked| asked.path == "/revoke");
        let kind = |form: &[u8]| {
            let mut pairs = url::form_urlencoded::parse(form);
            pairs.find(|(name, _)| name == "token_type_hint").unwrap().1.into_owned()
        };
        revoked.map(|asked| kind(&asked.body)).collect()
    }

    fn entries(&self) -> Vec<String> {
        let tokens = self.tokens().get_token_data_by_resource_server().unwrap();
        let names = tokens.iter().map(|(name, _)| name.split_once('#').unwrap().1.to_owned());
        names.collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_by_name_revokes_the_tokens_for_the_path_and_all_below_with_the_client_of_the_login() {
    let place = Place::new().await;
    for name in
        ["osdf:///protected", "osdf:///protected/dir", "osdf:///protected/dir/sub", "osdf:///protected/other"]
    {
        place.must(&["login", name]);
    }
    assert_eq!(place.entries(), ["/", "/dir", "/dir/sub", "/other"]);
    let refresh_tokens: Vec<String> = {
        let tokens = place.tokens().get_token_data_by_resource_server().unwrap();
        tokens.iter().map(|(_, data)| data.expose_refresh_token().unwrap().to_owned()).collect()
    };
    let shown = place.must(&["logout", &place.fake.name("/protected/dir")]);
    assert_eq!(shown.matches("logged out of").count(), 2, "{shown}");
    assert_eq!(place.entries(), ["/", "/other"]);
    assert_eq!(place.revocations(), ["refresh_token", "access_token", "refresh_token", "access_token"]);
    let known: Vec<_> = refresh_tokens.iter().map(|token| place.issuer.knows(token)).collect();
    assert_eq!(known, [true, false, false, true]);
    let revoked = place.issuer.seen().into_iter().filter(|asked| asked.path == "/revoke");
    assert!(
        revoked.clone().count() == 4
            && revoked.clone().all(|asked| asked.headers.contains_key("authorization"))
    );

    let again = place.run(&["logout", "osdf:///protected/dir"]);
    assert_eq!(again.status.code(), Some(7), "{}", said(&again));
    assert!(said(&again).contains("not logged in for"), "{}", said(&again));
    let shown = place.must(&["logout", "osdf:///protected", "--json"]);
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert_eq!(place.entries(), [""; 0]);
    assert_eq!(place.revocations().len(), 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_by_name_that_cannot_work_says_why_and_removes_nothing() {
    let place = Place::new().await;
    let none = place.run(&["logout", "osdf:///protected"]);
    assert_eq!(none.status.code(), Some(7), "{}", said(&none));
    place.must(&["login", "osdf:///protected"]);
    for (arguments, code, words) in [
        (&["osdf:///nowhere"][..], 9, "No sources"),
        (&["osdf:///protected", "rs"], 2, "are mixed"),
        (&["rs"], 2, "neither a name of a federation nor an entry"),
        (
            &["osdf:///protected", "--issuer", "https://other.example"],
            7,
            "no issuer `https://other.example/`",
        ),
        (&["osdf:///protected", "--storage", "json:absent"], 7, "json:absent does not exist"),
        (&["osdf:///protected", "--bearer-file", "absent"], 3, "`absent` does not exist"),
        (&["osdf:///protected/dir"], 7, "not logged in for"),
        (&[], 2, "--issuer <URL> --client-id <ID>"),
    ] {
        let output = place.run(&[&["logout"], arguments].concat());
        let shown = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {shown}");
        assert!(shown.contains(words), "{arguments:?}: {shown}");
    }
    assert_eq!((place.entries(), place.revocations().len()), (vec!["/".to_owned()], 0));
    place.issuer.change(|asked, honest| match asked.path.as_str() {
        "/revoke" => json_reply("503 Service Unavailable", &json!({})),
        _ => honest,
    });
    let refused = place.run(&["logout", "osdf:///protected"]);
    assert_eq!(refused.status.code(), Some(13), "{}", said(&refused));
    assert_eq!(place.entries(), ["/"], "what is not revoked stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_by_name_revokes_the_token_of_a_file_and_of_other_storages() {
    let place = Place::new().await;
    place.must(&["login", "osdf:///protected", "--bearer-file", "token"]);
    place.must(&["logout", "osdf:///protected", "--bearer-file", "token"]);
    assert!(!place.home.path().join("token").exists());
    assert_eq!(place.revocations(), ["access_token"]);
    place.must(&["login", "osdf:///protected", "--storage", "sqlite:tokens.db"]);
    place.must(&["logout", "osdf:///protected", "--storage", "sqlite:tokens.db"]);
    let stored = SqliteTokenStorage::new(place.home.path().join("tokens.db")).unwrap();
    assert!(stored.get_token_data_by_resource_server().unwrap().is_empty());
    assert_eq!(place.revocations().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn token_where_shows_which_token_goes_to_an_object_as_get_sends_it() {
    let place = Place::new().await;
    let name = place.fake.name("/protected/dir/f");
    let none = place.run(&["token", "where", &name]);
    assert_eq!(none.status.code(), Some(7), "{}", said(&none));
    assert!(said(&none).contains("no token is sent"), "{}", said(&none));
    place.must(&["login", "osdf:///protected/dir"]);
    place.must(&["login", "osdf:///protected/other"]);
    place.accept_newest();
    let foreign = scitoken_test_support::tokens::for_audience("https://elsewhere.example");
    for found in [None, Some(foreign.as_str())] {
        let variables: Vec<_> = found.map(|token| ("BEARER_TOKEN", token)).into_iter().collect();
        let output = place.run_with(&["token", "where", "osdf:///protected/dir/f"], &variables);
        let shown = said(&output);
        assert_eq!(output.status.code(), Some(0), "{shown}");
        let issuer = place.issuer.url();
        for line in [
            format!("accepts    tokens of `{issuer}` with `storage.read:/dir/f` or `read:/dir/f`"),
            format!("`{issuer}#/dir`: sent; expires in"),
            format!("`{issuer}#/other`: not sent: it does not allow what is asked for"),
        ] {
            let line = line.replace("/#", "#");
            assert!(shown.contains(&line), "{line}: {shown}");
        }
        assert!(shown.lines().last().unwrap().ends_with("is sent"), "{shown}");
        let output = place.run_with(&["token", "where", "osdf:///protected/dir/f", "--json"], &variables);
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let sent: Vec<_> = answer["ranking"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|token| token["sent"] == true)
            .map(|token| token["place"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!((sent.len(), sent[0].ends_with("#/dir")), (1, true), "{answer}");
    }
    let write = place.run(&["token", "where", "osdf:///protected/dir/f", "--op", "write"]);
    assert_eq!(write.status.code(), Some(7), "{}", said(&write));
    let public = place.run(&["token", "where", "osdf:///public/x"]);
    assert_eq!(public.status.code(), Some(7), "{}", said(&public));
    assert!(said(&public).contains("the namespace is public: no token is sent"), "{}", said(&public));
    for server in [Cache(0), Cache(1), Origin] {
        assert_eq!(place.fake.seen(server).len(), 0, "no server of the object is asked");
    }
}
