//! Scopes and paths: nothing climbs, and the list of what is allowed says what the test says.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scitoken_authz::{Access, Enforcer, Issuer, OfflineVerifier, Profile, SciToken, TokenSigner, Vocabulary};
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_types::{Capability, ResourcePath};

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyKind::P256).expect("a key"));

fuzz_target!(|input: (&str, &str, &str)| {
    let (scope, authorization, path) = input;
    if let Ok(capability) = scope.parse::<Capability>() {
        assert_eq!(capability.to_string().parse(), Ok(capability), "what was written is read");
    }
    let Ok(path) = path.parse::<ResourcePath>() else { return };
    assert_eq!(path.to_string().parse(), Ok(path.clone()), "what was written is read");
    assert!(
        !path.components().any(|c| c.is_empty() || c == "." || c == ".." || c.contains(['/', '\\', '\0']))
    );
    assert!(path.contains(&path) && ResourcePath::root().contains(&path));

    let issuer: Issuer = "https://i".parse().expect("an issuer");
    let signer = TokenSigner::new(KEY.clone()).expect("a signer").with_key_id("k");
    let token = SciToken::new(Profile::WLCG, &issuer).subject("a").claim("scope", scope);
    let Ok(token) = token.sign(&signer) else { return };
    let keys: JwkSet = [KEY.verifying_key().to_jwk().with_key_id("k")].into_iter().collect();
    let token = OfflineVerifier::new(issuer.clone(), keys).verify(token.expose_secret()).expect("it is ours");
    for vocabulary in [Vocabulary::Native, Vocabulary::Compat] {
        let enforcer = Enforcer::builder(issuer.clone()).accept_any_audience().vocabulary(vocabulary).build();
        let acls = enforcer.acls(&token).expect("it was checked when it was made");
        let listed =
            acls.iter().any(|acl| acl.authorization() == authorization && acl.path().contains(&path));
        assert_eq!(enforcer.test(&token, Access::to(authorization, &path)).is_ok(), listed);
    }
});
