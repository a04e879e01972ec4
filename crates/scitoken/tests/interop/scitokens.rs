//! Tokens of this crate and of its peers, verified by each other: scitokens 1.9.7 and PyJWT for Python, and the programs
//! of scitokens-cpp.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod differential;
mod generate;
mod issuer;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use scitoken_authz::{
    Access, CacheTimes, CachedKeys, Enforcer, Issuer, KeyCache, OfflineVerifier, Profile, SciToken,
    TokenSigner, VerifiedToken, Vocabulary,
};
use scitoken_jwt::keys::{Algorithm, JwkSet, KeyKind, SigningKey};
use scitoken_types::AccessToken;
use scitoken_types::sys::SharedClock;
use serde_json::{Value, json};

use crate::python::Oracle;
use crate::support;

const ISSUER: &str = "https://issuer.example";
const KEY_ID: &str = "key-1";

/// The Python libraries.
fn python() -> Option<Oracle> {
    let check = "import jwt, scitokens, importlib.metadata as m; assert m.version('scitokens') == '1.9.7'";
    support::met("scitokens 1.9.7 for Python", Oracle::start("python/scitokens_peer.py", check))
}

/// A program of scitokens-cpp.
fn cpp(name: &str) -> Option<PathBuf> {
    support::met(name, support::find(name))
}

/// An issuer's key.
struct Key {
    key: SigningKey,
    algorithm: Algorithm,
}

impl Key {
    fn new(algorithm: Algorithm) -> Self {
        let kind = if algorithm == Algorithm::Rs256 { KeyKind::Rsa } else { KeyKind::P256 };
        Self { key: SigningKey::generate(kind).unwrap(), algorithm }
    }

    fn both() -> [Self; 2] {
        [Self::new(Algorithm::Rs256), Self::new(Algorithm::Es256)]
    }

    fn signer(&self) -> TokenSigner {
        TokenSigner::new(self.key.clone()).unwrap().with_key_id(KEY_ID)
    }

    fn private_pem(&self) -> String {
        self.key.expose_pem().unwrap()
    }

    fn public_pem(&self) -> String {
        self.key.verifying_key().to_pem().unwrap()
    }

    fn set(&self) -> JwkSet {
        let jwk = self.key.verifying_key().to_jwk().with_key_id(KEY_ID).for_signatures();
        [jwk.with_algorithm(self.algorithm).unwrap()].into_iter().collect()
    }

    fn verify(&self, issuer: &str, token: &str) -> VerifiedToken {
        OfflineVerifier::new(issuer.parse().unwrap(), self.set()).verify(token).unwrap()
    }

    /// A token of ours.
    fn token(&self, issuer: &str, profile: Profile) -> AccessToken {
        let issuer: Issuer = issuer.parse().unwrap();
        let mut token = SciToken::new(profile, &issuer)
            .subject("alice")
            .audience("https://data.example")
            .scope("read:/data/a%20b".parse().unwrap())
            .lifetime(Duration::from_secs(600));
        if profile == Profile::AccessToken {
            token = token.claim("client_id", "c");
        }
        token.sign(&self.signer()).unwrap()
    }
}

const PROFILES: [Profile; 5] = [
    Profile::SciTokens1,
    Profile::SciTokens2,
    Profile::WLCG,
    Profile::Wlcg { minor: 3 },
    Profile::AccessToken,
];

/// What tells a profile in the claims.
fn marker(profile: Profile) -> Value {
    match profile {
        Profile::SciTokens1 => json!({}),
        Profile::SciTokens2 => json!({"ver": "scitoken:2.0"}),
        Profile::Wlcg { minor } => json!({"wlcg.ver": format!("1.{minor}")}),
        Profile::AccessToken => json!({"client_id": "c"}),
    }
}

fn now() -> u64 {
    SharedClock::default().now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn tokens_of_python_scitokens_are_good_here() {
    let Some(mut python) = python() else { return };
    for key in Key::both() {
        for profile in [Profile::SciTokens1, Profile::SciTokens2, Profile::WLCG] {
            let mut claims = json!({"sub": "alice", "aud": "https://data.example", "scope": "read:/data"});
            claims.as_object_mut().unwrap().extend(marker(profile).as_object().unwrap().clone());
            let question =
                json!({"do":"create","key":key.private_pem(),"kid":KEY_ID,"issuer":ISSUER,"claims":claims});
            let answer = python.ask(&question);
            let token = answer["token"].as_str().unwrap_or_else(|| panic!("{answer}"));
            let token = key.verify(ISSUER, token);
            assert_eq!(token.profile(), profile);
            let enforcer =
                Enforcer::builder(ISSUER.parse().unwrap()).audience("https://data.example").build();
            let path = "/data/file".parse().unwrap();
            assert_eq!(enforcer.test(&token, Access::to("read", &path)), Ok(()));
        }
    }
}

#[test]
fn our_tokens_are_good_in_python_scitokens() {
    let Some(mut python) = python() else { return };
    for key in Key::both() {
        for profile in PROFILES {
            let token = key.token(ISSUER, profile);
            let answer = python
                .ask(&json!({"do":"deserialize","token":token.expose_secret(),"public":key.public_pem()}));
            assert_eq!(answer["claims"]["sub"], "alice", "{profile}: {answer}");
            if matches!(profile, Profile::SciTokens1 | Profile::SciTokens2) {
                let question = json!({"do":"test","claims":answer["claims"],"issuer":ISSUER,
                    "audience":"https://data.example","authz":"read","path":"/data/a b/file"});
                std::thread::sleep(Duration::from_millis(1_100)); // there, `iat` must lie before now
                assert_eq!(python.ask(&question)["allowed"], true);
            }
        }
        let mut changed = key.token(ISSUER, Profile::SciTokens2).expose_secret().to_owned();
        changed.replace_range(changed.len() - 8.., "AAAAAAAA");
        let answer = python.ask(&json!({"do":"deserialize","token":changed,"public":key.public_pem()}));
        assert!(answer["error"].is_string(), "{answer}");
    }
}

#[test]
fn tokens_go_to_and_fro_between_pyjwt_and_us() {
    let Some(mut python) = python() else { return };
    for key in Key::both() {
        for profile in PROFILES {
            let mut claims = json!({"iss":ISSUER,"sub":"alice","aud":["x","https://data.example"],
                "scope":"read:/data","exp":now() + 600,"iat":now(),"nbf":now(),"jti":"1"});
            claims.as_object_mut().unwrap().extend(marker(profile).as_object().unwrap().clone());
            let headers = if profile == Profile::AccessToken { json!({"typ":"at+jwt"}) } else { json!({}) };
            let theirs = python
                .ask(&json!({"do":"encode","claims":claims,"key":key.private_pem(),"kid":KEY_ID,
                "algorithm":key.algorithm.name(),"headers":headers}));
            let theirs = key.verify(ISSUER, theirs["token"].as_str().unwrap_or_else(|| panic!("{theirs}")));
            assert_eq!(theirs.profile(), profile);
            let ours = key.token(ISSUER, profile);
            let read = python
                .ask(&json!({"do":"decode","token":ours.expose_secret(),"public":key.public_pem(),
                "algorithm":key.algorithm.name()}));
            assert_eq!(read["claims"]["iss"], ISSUER, "{read}");
        }
    }
}

/// A place for the keys and the key cache of scitokens-cpp.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new(key: &Key) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("private.pem"), key.private_pem()).unwrap();
        fs_err::write(dir.path().join("public.pem"), key.public_pem()).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The file in which scitokens-cpp keeps keys.
    fn cache(&self) -> PathBuf {
        self.path("scitokens/scitokens_cpp.sqllite")
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Output {
        Command::new(program)
            .args(arguments)
            .env("XDG_CACHE_HOME", self.dir.path())
            .current_dir(self.dir.path())
            .output()
            .unwrap()
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn tokens_of_scitokens_cpp_are_good_here() {
    let Some(create) = cpp("scitokens-create") else { return };
    let key = Key::new(Algorithm::Es256);
    let desk = Desk::new(&key);
    for (name, profile) in [
        ("", Profile::SciTokens1),
        ("scitokens1", Profile::SciTokens1),
        ("scitokens2", Profile::SciTokens2),
        ("wlcg", Profile::WLCG),
        ("atjwt", Profile::AccessToken),
    ] {
        let mut arguments =
            vec!["--cred", "public.pem", "--key", "private.pem", "--keyid", KEY_ID, "--issuer", ISSUER];
        arguments.extend(["--claim", "sub=alice", "--claim", "scope=read:/data"]);
        if profile == Profile::AccessToken {
            arguments.extend(["--claim", "client_id=c", "--claim", "aud=https://data.example"]);
        }
        if !name.is_empty() {
            arguments.extend(["--profile", name]);
        }
        let output = desk.run(&create, &arguments);
        assert!(output.status.success(), "{}", text(&output));
        let token = key.verify(ISSUER, String::from_utf8(output.stdout).unwrap().trim());
        assert_eq!(token.profile(), profile);
        let enforcer = Enforcer::builder(ISSUER.parse().unwrap())
            .audience("https://data.example")
            .vocabulary(Vocabulary::Compat)
            .build();
        let path = "/data".parse().unwrap();
        assert_eq!(enforcer.test(&token, Access::to("read", &path)), Ok(()), "{name}");
    }
}

#[test]
fn our_tokens_are_good_in_scitokens_cpp_with_keys_from_our_cache() {
    let (Some(verify), Some(list)) = (cpp("scitokens-verify"), cpp("scitokens-list-access")) else { return };
    for key in Key::both() {
        let desk = Desk::new(&key);
        let cache = KeyCache::sqlite(desk.cache());
        let keys = CachedKeys::from_set(&key.set(), CacheTimes::default(), SharedClock::default().now());
        cache.put(&ISSUER.parse().unwrap(), keys).unwrap();
        for profile in PROFILES {
            let token = key.token(ISSUER, profile);
            let output = desk.run(&verify, &[token.expose_secret()]);
            let is_newer_wlcg = profile == Profile::Wlcg { minor: 3 };
            assert_eq!(
                text(&output).contains("Token deserialization successful."),
                // That library knows 1.0 only, though the profile says to accept what is newer.
                !is_newer_wlcg,
                "{profile}: {}",
                text(&output)
            );
        }
        let token = key.token(ISSUER, Profile::SciTokens2);
        let output = desk.run(&list, &[token.expose_secret(), ISSUER, "https://data.example"]);
        // 0.7 shows the path as it stands in the token, 1.4 decoded.
        let shown = text(&output).replace("%20", " ");
        assert!(shown.contains("ACL: read:/data/a b"), "{shown}");
    }
}

#[test]
fn keys_that_scitokens_cpp_keeps_are_found_here() {
    let Some(verify) = cpp("scitokens-verify") else { return };
    let key = Key::new(Algorithm::Es256);
    let desk = Desk::new(&key);
    let token = key.token(ISSUER, Profile::SciTokens2);
    let arguments = ["--cred", "public.pem", "--issuer", ISSUER, "--keyid", KEY_ID, token.expose_secret()];
    let output = desk.run(&verify, &arguments);
    assert!(text(&output).contains("Token deserialization successful."), "{}", text(&output));
    let kept = KeyCache::sqlite(desk.cache()).list().unwrap();
    assert_eq!(kept[0].0, ISSUER);
    let keys = JwkSet::parse(kept[0].1.jwks()).unwrap();
    let verifier = OfflineVerifier::new(ISSUER.parse().unwrap(), keys);
    assert!(verifier.verify(token.expose_secret()).is_ok());
}
