//! Thousands of questions to Python's Enforcer and to ours; where they differ, the difference is on a list.

use base64::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

use scitoken_authz::{Access, AuthorizationError, Enforcer, OfflineVerifier};
use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey};
use scitoken_types::ResourcePath;
use serde_json::{Value, json};

use super::generate::{Case, Dice, case};
use super::{now, python};

const CASES: usize = 6_000;
const ISSUER: &str = "https://iss.example";

/// Why ours says no.
enum No {
    Rule(AuthorizationError),
    /// The path cannot be asked about.
    Path,
}

struct Ours {
    key: SigningKey,
    verifier: OfflineVerifier,
}

impl Ours {
    fn new() -> Self {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let keys = [key.verifying_key().to_jwk()].into_iter().collect();
        Self { key, verifier: OfflineVerifier::new(ISSUER.parse().unwrap(), keys) }
    }

    fn test(&self, case: &Case) -> Result<(), No> {
        let path: Option<ResourcePath> = case.path.map(str::parse).transpose().map_err(|_| No::Path)?;
        let token = self.verifier.verify(&self.sign(&case.claims)).map_err(No::Rule)?;
        let mut enforcer = Enforcer::builder(ISSUER.parse().unwrap());
        match &case.audience {
            Value::String(audience) => enforcer = enforcer.audience(audience.as_str()),
            Value::Array(audiences) => {
                for audience in audiences {
                    enforcer = enforcer.audience(audience.as_str().unwrap());
                }
            }
            _ => {}
        }
        let access = match &path {
            Some(path) => Access::to(case.authorization, path),
            None => Access::everywhere(case.authorization),
        };
        enforcer.build().test(&token, access).map_err(No::Rule)
    }

    /// Signs claims of any kind, as no builder of tokens would.
    fn sign(&self, claims: &Value) -> String {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(br#"{"alg":"ES256"}"#), encode(claims.to_string().as_bytes()));
        let signature = self.key.sign(Algorithm::Es256, signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(&signature))
    }
}

/// The name of a difference, as it stands in the list; `None` for an unexpected one.
fn name(case: &Case, ours: &Result<(), No>) -> Option<&'static str> {
    let claims = &case.claims;
    let scopes = format!("{} {}", claims["scope"], claims["scp"]);
    let ver = claims["ver"].as_str();
    let is_blank_scp =
        claims["scope"].is_null() && claims["scp"].as_str().is_some_and(|scp| scp.contains(' '));
    match ours {
        Err(No::Path) => Some("a request that climbs"),
        Err(No::Rule(refusal)) => match refusal {
            AuthorizationError::MissingClaim { .. } => Some("claims that are demanded"),
            AuthorizationError::WrongType { .. } => Some("types of claims"),
            AuthorizationError::MalformedScope { .. } => Some("one malformed scope"),
            AuthorizationError::ScopeWithoutPath { .. } => Some("scopes without their path"),
            AuthorizationError::WrongAudience { .. } if ver.is_none() => Some("ANY in SciTokens 1.0"),
            AuthorizationError::EmptyAuthorization => Some("nothing asked"),
            AuthorizationError::NotGranted if is_blank_scp => Some("scp with blanks"),
            _ => None,
        },
        Ok(()) if claims.get("wlcg.ver").is_some() && ver.is_none() => Some("WLCG tokens"),
        Ok(()) if matches!(ver, Some("scitoken:1.0" | "scitokens:1.0" | "scitokens:2.0")) => {
            Some("spellings of ver")
        }
        Ok(()) if case.path.is_none() && matches!(case.authorization, "read" | "write") => {
            Some("a question without a path")
        }
        Ok(()) if case.audience == "ANY" => Some("a server called ANY"),
        Ok(()) if scopes.contains("%c3%bc") || scopes.contains("%4A") => Some("escapes in scopes"),
        Ok(()) if is_blank_scp => Some("scp with blanks"),
        Ok(()) if scopes.contains("urn:") => Some("scopes of other systems"),
        Ok(()) => None,
    }
}

#[test]
fn every_difference_from_pythons_enforcer_is_on_the_list() {
    let Some(mut python) = python() else { return };
    let ours = Ours::new();
    let mut dice = Dice::new(20_261_125);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut allowed, mut unexplained) = (0, Vec::new());
    for _ in 0..CASES {
        let case = case(&mut dice, now());
        let theirs = python
            .ask(&json!({"do":"test","claims":case.claims,"issuer":ISSUER,"audience":case.audience,
            "authz":case.authorization,"path":case.path}));
        let outcome = ours.test(&case);
        let theirs_allows = theirs["allowed"] == true;
        allowed += usize::from(theirs_allows && outcome.is_ok());
        if theirs_allows == outcome.is_ok() {
            continue;
        }
        match name(&case, &outcome) {
            Some(name) => *seen.entry(name).or_default() += 1,
            None => unexplained.push(format!("{case:?}\npython: {theirs}")),
        }
    }
    assert!(
        unexplained.is_empty(),
        "{} cases:\n{}",
        unexplained.len(),
        unexplained[..unexplained.len().min(5)].join("\n\n")
    );
    assert!(allowed > CASES / 50, "too few good tokens to compare: {allowed}");

    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/scitokens_differences.md");
    let list = fs_err::read_to_string(list).unwrap();
    let rows = list.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let listed: Vec<&str> =
        rows.filter_map(|row| row.split(" | ").next()).filter(|name| !name.starts_with("--")).collect();
    let mut met: Vec<&str> = seen.keys().copied().collect();
    let mut expected = listed.clone();
    met.sort_unstable();
    expected.sort_unstable();
    assert_eq!(met, expected, "each listed difference was met, and no other: {seen:?}");
}
