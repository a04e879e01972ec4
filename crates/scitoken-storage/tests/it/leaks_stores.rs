//! Storages and Gafaelfawr's models show no secret that is in them.

use std::time::SystemTime;

use scitoken_gafaelfawr::{GafaelfawrToken, TokenData};
use scitoken_storage::StoredSource;
use scitoken_storage::oauth::TokenResponse;
use scitoken_storage::{
    JsonTokenStorage, MemoryTokenStorage, TokenDataMap, TokenStorage, TokenStorageData,
    ValidatingTokenStorage,
};
use serde_json::json;

use scitoken_test_support::chain;
use scitoken_test_support::secrecy::{OPAQUE, assert_silent};

const REFRESH: &str = "Agrefresh-Zm9v/YmFy+c2VjcmV0secretsecret";

fn entry() -> TokenStorageData {
    TokenStorageData::new("data.test", "read", OPAQUE, 2_000_000_000)
        .with_refresh_token(REFRESH)
        .with_identity_id("me")
}

#[track_caller]
fn assert_all_silent(shown: &str) {
    for secret in [OPAQUE, REFRESH] {
        assert_silent(shown, secret);
    }
}

fn use_of(storage: &impl TokenStorage) {
    storage.store_token_data(entry()).unwrap();
    let all = storage.get_token_data_by_resource_server().unwrap();
    let one = storage.get_token_data("data.test").unwrap();
    assert_eq!(one.as_ref().map(TokenStorageData::expose_access_token), Some(OPAQUE));
    assert_all_silent(&format!("{storage:?} {storage:#?} {all:?} {one:?} {}", storage.label()));
}

#[test]
fn no_storage_tells_what_it_keeps() {
    let directory = tempfile::tempdir().unwrap();
    use_of(&MemoryTokenStorage::new());
    use_of(&JsonTokenStorage::new(directory.path().join("tokens.json")));
    use_of(&ValidatingTokenStorage::new(MemoryTokenStorage::new()).unwrap());
    #[cfg(feature = "sqlite")]
    use_of(&scitoken_storage::SqliteTokenStorage::new(directory.path().join("tokens.db")).unwrap());
    let storage = MemoryTokenStorage::new();
    storage.store_token_data(entry()).unwrap();
    assert_all_silent(&format!("{:?}", StoredSource::new(storage, "data.test")));
    let map = TokenDataMap::from(entry());
    assert_all_silent(&format!("{map:?} {map:#?} {:?} {:?}", entry(), entry().extra().collect::<Vec<_>>()));
}

#[test]
fn no_error_of_a_storage_tells_what_it_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    for broken in [
        format!("{{\"data\": \"{OPAQUE}"),
        format!("\"{OPAQUE}\""),
        json!({"format_version": "2.0", "data": {"DEFAULT": {"data.test": OPAQUE}}}).to_string(),
        json!({"format_version": "2.0", "data": {"DEFAULT": {"data.test": {"access_token": [OPAQUE]}}}})
            .to_string(),
    ] {
        fs_err::write(&path, &broken).unwrap();
        let storage = JsonTokenStorage::new(&path);
        match storage.get_token_data_by_resource_server() {
            Err(error) => assert_all_silent(&chain(&error)),
            Ok(map) => assert_all_silent(&format!("{map:?} {:?}", map.unreadable())),
        }
        if let Err(error) = storage.get_token_data("data.test") {
            assert_all_silent(&chain(&error));
        }
        if let Err(error) = TokenStorageData::from_json(&broken) {
            assert_all_silent(&chain(&error));
        }
    }
}

#[test]
fn no_answer_of_a_token_endpoint_tells_its_tokens() {
    let answer = json!({
        "access_token": OPAQUE, "refresh_token": REFRESH, "id_token": REFRESH, "token_type": "Bearer",
        "resource_server": "data.test", "scope": "read", "expires_in": 3600, "other_tokens": [],
    });
    let response = TokenResponse::from_json(&answer.to_string(), SystemTime::UNIX_EPOCH).unwrap();
    assert_all_silent(&format!("{response:?} {response:#?} {:?}", response.token_data().unwrap()));
    for field in ["access_token", "token_type", "scope", "expires_in", "other_tokens"] {
        let mut broken = answer.clone();
        broken[field] = json!({ "unexpected": OPAQUE });
        if let Err(error) = TokenResponse::from_json(&broken.to_string(), SystemTime::UNIX_EPOCH) {
            assert_all_silent(&chain(&error));
        }
    }
}

#[test]
fn no_model_of_gafaelfawr_tells_its_token() {
    const KEY: &str = "MLF5MB3Peg79wEC0BY8U8Q";
    const SECRET: &str = "ChbkqEyp3EIJ2e_1Sqff3w";
    let token = GafaelfawrToken::from_parts(KEY, SECRET).unwrap();
    let data = TokenData::from_redis_json(
        &json!({
            "username": "u", "name": null, "email": null, "uid": 123, "gid": null, "groups": null,
            "token_type": "session", "service": null, "scopes": ["read:all"], "created": 1_614_986_130,
            "expires": null, "token": {"key": KEY, "secret": SECRET},
        })
        .to_string(),
    )
    .unwrap();
    assert_eq!(data.token().expose_secret(), format!("gt-{KEY}.{SECRET}"));
    assert_silent(&format!("{token:?} {token:#?} {data:?} {data:#?}"), SECRET);
    for text in [format!("gt-{KEY}.{SECRET}x"), format!("gs-{KEY}.{SECRET}"), format!("{KEY}.{SECRET}")] {
        let error = text.parse::<GafaelfawrToken>().unwrap_err();
        assert_silent(&chain(&error), SECRET);
    }
    let broken = json!({"username": SECRET, "token": {"key": SECRET, "secret": [SECRET]}});
    let error = TokenData::from_redis_json(&broken.to_string()).unwrap_err();
    assert!(!chain(&error).contains(&format!("secret\":[\"{SECRET}")), "{}", chain(&error));
}
