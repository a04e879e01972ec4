//! Which token is chosen among the same files and variables: igwn-auth-utils and this library.
//!
//! Both take a token for the server with the scope. They differ, each for a reason:
//!
//! | case | igwn-auth-utils | this library | reason |
//! |---|---|---|---|
//! | `BEARER_TOKEN` beside other places | last | first | WLCG Bearer Token Discovery puts it first |
//! | a variable has a token that does not fit | passes over it | sends it, and the server decides | the user named it; a refusal then says why |
//! | `aud` is a bare host, or has a port | refuses it | fits | sites of Rucio and XRootD use both |
//! | less than 60 s are left | refuses it | the last resort | the server accepts it still |
//! | several `.use` files fit | the first of the directory | the one whose scopes cover the path | the others are refused by the server |

use std::time::Duration;

use scitoken_authz::{Issuer, Profile, SciToken, TokenSigner};
use scitoken_jwt::keys::{KeyKind, SigningKey};
use scitoken_types::sys::{Clock as _, Env, ManualClock, SystemClock};
use serde_json::{Value, json};

use reqwest_scitokens::{Discovery, TokenRequest};

use crate::python::Oracle;
use crate::support::met;

const URL: &str = "https://data.example/vo/f";

struct Desk {
    oracle: Oracle,
    signer: TokenSigner,
    public: String,
    issuer: Issuer,
    directory: tempfile::TempDir,
}

impl Desk {
    fn met() -> Option<Self> {
        let oracle = Oracle::start("tokens/choice.py", "import igwn_auth_utils.scitokens");
        let oracle = met("igwn-auth-utils", oracle)?;
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let public = key.verifying_key().to_pem().unwrap();
        let signer = TokenSigner::new(key).unwrap().with_key_id("k1");
        let issuer = "https://issuer.example".parse().unwrap();
        Some(Self { oracle, signer, public, issuer, directory: tempfile::tempdir().unwrap() })
    }

    /// Signs a token that was issued a while ago and expires in `left` seconds.
    fn token(&self, audience: &str, scope: &str, left: i64) -> String {
        const AGE: u64 = 1_000;
        let issued = scitoken_types::sys::epoch_seconds(SystemClock.now()) - AGE;
        let lifetime = AGE.checked_add_signed(left).unwrap();
        let token = SciToken::new(Profile::SciTokens2, &self.issuer)
            .subject("alice")
            .audience(audience)
            .scope(scope.parse().unwrap())
            .clock(ManualClock::at_epoch_seconds(issued))
            .lifetime(Duration::from_secs(lifetime));
        token.sign(&self.signer).unwrap().expose_secret().to_owned()
    }

    /// Returns the choices of both, for a read of [`URL`].
    fn ask(&mut self, env: &[(&str, String)]) -> (Option<String>, Option<String>) {
        let variables: serde_json::Map<String, Value> =
            env.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let question = json!({ "env": variables, "url": URL, "scope": "read:/vo/f", "key": self.public });
        let theirs = self.oracle.ask(&question)["token"].as_str().map(str::to_owned);
        let url = URL.parse().unwrap();
        let request =
            TokenRequest::new(&url).unwrap().at(SystemClock.now()).with_method(&reqwest::Method::GET);
        let report = Discovery::new().with_env(Env::given(env.iter().cloned())).report(&request);
        let ours = report.answer().ok().flatten().map(|token| token.expose_secret().to_owned());
        (theirs, ours)
    }

    /// Writes `.use` files and returns the directory.
    fn creds(&self, number: usize, tokens: &[&String]) -> String {
        let directory = self.directory.path().join(format!("creds{number}"));
        fs_err::create_dir(&directory).unwrap();
        for (n, token) in tokens.iter().enumerate() {
            scitoken_test_support::write_token(&directory.join(format!("t{n}.use")), token);
        }
        directory.display().to_string()
    }
}

#[test]
fn a_token_that_fits_is_chosen_by_both_from_each_place() {
    let Some(mut desk) = Desk::met() else { return };
    let fits = desk.token("https://data.example", "read:/vo", 600);
    let file = desk.directory.path().join("token");
    scitoken_test_support::write_token(&file, &fits);
    let file = file.display().to_string();
    let creds = desk.creds(0, &[&fits]);
    for (place, value) in [
        ("BEARER_TOKEN", fits.clone()),
        ("BEARER_TOKEN_FILE", file.clone()),
        ("SCITOKEN", fits.clone()),
        ("SCITOKEN_FILE", file),
        ("_CONDOR_CREDS", creds),
    ] {
        let (theirs, ours) = desk.ask(&[(place, value)]);
        assert_eq!((theirs.as_ref(), ours.as_ref()), (Some(&fits), Some(&fits)), "{place}");
    }
}

#[test]
fn among_files_both_choose_one_that_fits_unless_the_audience_is_a_bare_host() {
    let Some(mut desk) = Desk::met() else { return };
    let fits = desk.token("https://data.example", "read:/vo", 600);
    let any = desk.token("ANY", "read:/", 600);
    let foreign = desk.token("https://other.example", "read:/vo", 600);
    let elsewhere = desk.token("https://data.example", "read:/other", 600);
    let expired = desk.token("https://data.example", "read:/vo", -10);
    let bare = desk.token("data.example", "read:/vo", 600);
    for (number, (tokens, expected)) in [
        (vec![&foreign, &fits], Some(&fits)),
        (vec![&expired, &elsewhere, &fits], Some(&fits)),
        (vec![&any, &foreign, &expired], Some(&any)),
        (vec![&elsewhere, &any], Some(&any)),
        (vec![&elsewhere, &fits, &foreign], Some(&fits)),
    ]
    .into_iter()
    .enumerate()
    {
        let creds = desk.creds(number, &tokens);
        let (theirs, ours) = desk.ask(&[("_CONDOR_CREDS", creds)]);
        assert_eq!((theirs.as_ref(), ours.as_ref()), (expected, expected), "{number}");
    }
    let creds = desk.creds(9, &[&foreign, &bare]);
    assert_eq!(desk.ask(&[("_CONDOR_CREDS", creds)]), (None, Some(bare)));
}

#[test]
fn the_differences_are_those_that_are_listed() {
    let Some(mut desk) = Desk::met() else { return };
    let fits = desk.token("https://data.example", "read:/vo", 600);
    let other = desk.token("https://data.example", "read:/vo", 700);
    let foreign = desk.token("https://other.example", "read:/vo", 600);
    let expired = desk.token("https://data.example", "read:/vo", -10);
    let short = desk.token("https://data.example", "read:/vo", 30);
    for (env, theirs, ours) in [
        (vec![("BEARER_TOKEN", &fits), ("SCITOKEN", &other)], Some(&other), Some(&fits)),
        (vec![("BEARER_TOKEN", &foreign)], None, Some(&foreign)),
        (vec![("BEARER_TOKEN", &expired), ("SCITOKEN", &fits)], Some(&fits), Some(&fits)),
        (vec![("SCITOKEN", &expired)], None, None),
        (vec![("SCITOKEN", &short)], None, Some(&short)),
    ] {
        let env: Vec<_> = env.into_iter().map(|(name, token)| (name, token.clone())).collect();
        let (found_theirs, found_ours) = desk.ask(&env);
        assert_eq!((found_theirs.as_ref(), found_ours.as_ref()), (theirs, ours));
    }
}
