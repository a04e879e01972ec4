//! `scitoken logout` at issuers that revoke some tokens only.

use std::path::Path;
use std::process::{Command, Output};

use http::header::CONTENT_TYPE;
use scitoken_storage::{JsonTokenStorage, TokenStorage as _, TokenStorageData};
use scitoken_test_support::{Reply, Seen, Server};

/// A home with entries of these names, and an issuer.
struct Place {
    home: tempfile::TempDir,
    server: Server,
}

impl Place {
    async fn new(
        names: &[&str],
        revoke: impl Fn(&str) -> (u16, &'static str) + Send + Sync + 'static,
    ) -> Self {
        let server = Server::http(move |seen: &Seen| {
            let at = |path: &str| format!("http://{}{path}", seen.header("host").unwrap());
            match seen.target.as_str() {
                "/.well-known/openid-configuration" => Reply::ok(format!(
                    r#"{{"issuer": "{}", "token_endpoint": "{}", "revocation_endpoint": "{}"}}"#,
                    at(""),
                    at("/token"),
                    at("/revoke")
                )),
                "/revoke" => {
                    let (status, body) = revoke(&String::from_utf8_lossy(&seen.body));
                    Reply::new(status).header(CONTENT_TYPE, "application/json").body(body)
                }
                other => panic!("{other}"),
            }
        })
        .await;
        let home = tempfile::tempdir().unwrap();
        let place = Self { home, server };
        for name in names {
            let entry = TokenStorageData::new(*name, "read", format!("AT-{name}-1234567890"), 4_000_000_000);
            let entry = entry.with_refresh_token(format!("RT-{name}-1234567890"));
            place.storage().store_token_data(entry).unwrap();
        }
        place
    }

    fn storage(&self) -> JsonTokenStorage {
        JsonTokenStorage::new(self.home.path().join("its tokens"))
    }

    fn entries(&self) -> Vec<String> {
        let tokens = self.storage().get_token_data_by_resource_server().unwrap();
        tokens.iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// The tokens that the issuer was sent, as `RT-name`.
    fn revocations(&self) -> Vec<String> {
        let revoked = self.server.seen().into_iter().filter(|seen| seen.target == "/revoke");
        let token = |body: String| body.split(['=', '&']).nth(1).unwrap().replace("-1234567890", "");
        revoked.map(|seen| token(String::from_utf8(seen.body.to_vec()).unwrap())).collect()
    }

    fn log_out(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .args(["logout", "--issuer", &self.server.origin(), "--client-id", "me"])
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .current_dir(self.home.path())
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn shell(line: &str, home: &Path) {
    let line = line.replacen("scitoken", "\"$0\"", 1);
    let output = Command::new("sh")
        .args(["-c", &line, env!("CARGO_BIN_EXE_scitoken")])
        .current_dir(home)
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_that_revokes_refresh_tokens_only_ends_the_login_and_the_access_token_is_told_of() {
    for code in [r#"{"error": "unsupported_token_type"}"#, r#"{"error": "invalid_token"}"#] {
        let place = Place::new(&["a", "b"], move |form| {
            if form.contains("token_type_hint=access_token") { (400, code) } else { (200, "") }
        })
        .await;
        let output = place.log_out(&["--storage", "json:its tokens"]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(place.revocations(), ["RT-a", "AT-a", "RT-b", "AT-b"]);
        assert_eq!(place.entries(), [""; 0]);
        assert_eq!(said(&output).matches("is valid until it expires").count(), 2, "{}", said(&output));
        assert!(!said(&output).contains("-1234567890"), "{}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_cannot_be_revoked_stays_and_does_not_keep_the_others() {
    let place = Place::new(&["a", "the second", "c"], |form| {
        if form.contains("second") { (503, r#"{"error": "server_error"}"#) } else { (200, "") }
    })
    .await;
    let output = place.log_out(&["--storage", "json:its tokens"]);
    let shown = said(&output);
    assert_eq!(output.status.code(), Some(13), "{shown}");
    assert_eq!(place.entries(), ["the second"], "{shown}");
    assert!(shown.contains("the second"), "{shown}");
    // The hint does what it says.
    let (_, rest) = shown.split_once("hint: `").unwrap_or_else(|| panic!("no hint: {shown}"));
    shell(rest.split('`').next().unwrap(), place.home.path());
    assert_eq!(place.entries(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_fail_are_each_reported_and_an_unknown_name_does_not_keep_the_others() {
    let place = Place::new(&["a", "b"], |form| {
        if form.contains("RT-b") { (400, r#"{"error": "invalid_client"}"#) } else { (200, "") }
    })
    .await;
    let output = place.log_out(&["none", "b", "a", "--storage", "json:its tokens"]);
    let shown = said(&output);
    assert_eq!(place.entries(), ["b"], "{shown}");
    assert_ne!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("has no entry `none`") && shown.contains("invalid_client"), "{shown}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_is_removed_where_access_tokens_are_not_revoked_and_kept_where_the_issuer_fails() {
    for (status, body, code) in
        [(200, "", 0), (400, r#"{"error": "unsupported_token_type"}"#, 0), (503, "", 13)]
    {
        let place = Place::new(&[], move |_| (status, body)).await;
        let file = place.home.path().join("its token");
        fs_err::write(&file, "AT-file-1234567890").unwrap();
        let output = place.log_out(&["--bearer-file", "its token"]);
        let shown = said(&output);
        assert_eq!(output.status.code(), Some(code), "{shown}");
        assert_eq!(file.exists(), code != 0, "{shown}");
        assert_eq!(shown.contains("is valid until it expires"), status == 400, "{shown}");
        if code != 0 {
            let (_, rest) = shown.split_once("hint: `").unwrap_or_else(|| panic!("no hint: {shown}"));
            shell(rest.split('`').next().unwrap(), place.home.path());
            assert!(!file.exists(), "{shown}");
        }
    }
}
