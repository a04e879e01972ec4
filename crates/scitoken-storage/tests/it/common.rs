//! What every storage does.

use std::time::SystemTime;

use scitoken_storage::oauth::TokenResponse;
use scitoken_storage::{JsonTokenStorage, MemoryTokenStorage, TokenDataMap, TokenStorage, TokenStorageData};

use crate::samples::small;

/// Runs a test on every storage, with another namespace of the same storage beside it.
fn on_every_storage(test: impl Fn(&dyn TokenStorage, &dyn TokenStorage)) {
    let directory = tempfile::tempdir().unwrap();
    let json = JsonTokenStorage::new(directory.path().join("tokens.json"));
    test(&json, &json.with_namespace("other"));
    let memory = MemoryTokenStorage::new();
    test(&memory, &memory.with_namespace("other"));
    #[cfg(feature = "sqlite")]
    {
        use scitoken_storage::SqliteTokenStorage;
        let sqlite = SqliteTokenStorage::new(directory.path().join("tokens.db")).unwrap();
        test(&sqlite, &sqlite.with_namespace("other"));
    }
    #[cfg(feature = "keyring")]
    {
        use scitoken_storage::KeyringTokenStorage;
        super::keyring::use_mock();
        let keyring = KeyringTokenStorage::new(format!("test {}", directory.path().display()));
        test(&keyring, &keyring.with_namespace("other"));
    }
}

#[test]
fn what_is_stored_comes_back_from_its_namespace_only() {
    on_every_storage(|storage, other| {
        assert!(storage.get_token_data_by_resource_server().unwrap().is_empty());
        let full = small("rs é😀").with_identity_id("id").with_refresh_token("RT").with_token_type("Bearer");
        let both: TokenDataMap = [full.clone(), small("rs2")].into_iter().collect();
        storage.store_token_data_by_resource_server(&both).unwrap();
        assert_eq!(storage.get_token_data("rs é😀").unwrap(), Some(full));
        assert_eq!(storage.get_token_data_by_resource_server().unwrap(), both, "{storage:?}");
        assert!(other.get_token_data_by_resource_server().unwrap().is_empty());
        assert_eq!(other.get_token_data("rs2").unwrap(), None);
        assert_eq!((storage.namespace(), other.namespace()), ("DEFAULT", "other"));
    });
}

#[test]
fn a_removal_removes_once_and_only_here() {
    on_every_storage(|storage, other| {
        assert!(!storage.remove_token_data("rs").unwrap());
        for storage in [storage, other] {
            storage.store_token_data(small("rs")).unwrap();
            storage.store_token_data(small("rs2")).unwrap();
        }
        assert!(storage.remove_token_data("rs").unwrap());
        assert!(!storage.remove_token_data("rs").unwrap());
        assert_eq!(storage.get_token_data("rs").unwrap(), None);
        assert!(storage.get_token_data("rs2").unwrap().is_some());
        assert!(other.get_token_data("rs").unwrap().is_some());
    });
}

#[test]
fn a_later_entry_takes_the_place_of_the_earlier_one() {
    on_every_storage(|storage, _| {
        storage.store_token_data(small("rs").with_refresh_token("RT")).unwrap();
        storage.store_token_data(small("rs")).unwrap();
        assert_eq!(storage.get_token_data("rs").unwrap(), Some(small("rs")));
        assert_eq!(storage.get_token_data_by_resource_server().unwrap().len(), 1);
    });
}

#[test]
fn an_entry_may_stand_under_another_name_than_its_own() {
    on_every_storage(|storage, _| {
        let tokens: TokenDataMap = [("alias".to_owned(), small("rs"))].into_iter().collect();
        storage.store_token_data_by_resource_server(&tokens).unwrap();
        assert_eq!(storage.get_token_data("alias").unwrap().unwrap().resource_server(), "rs");
        assert_eq!(storage.get_token_data("rs").unwrap(), None);
        assert!(!storage.remove_token_data("rs").unwrap());
        assert!(storage.remove_token_data("alias").unwrap());
    });
}

#[test]
fn unknown_fields_of_an_entry_are_dropped_when_it_is_stored() {
    on_every_storage(|storage, _| {
        let json = small("rs").expose_json().replace('}', ", \"x\": 1}");
        storage.store_token_data(TokenStorageData::from_json(&json).unwrap()).unwrap();
        assert_eq!(storage.get_token_data("rs").unwrap().unwrap().extra().count(), 0);
    });
}

#[test]
fn a_refresh_keeps_what_its_answer_leaves_out_and_a_new_grant_does_not() {
    on_every_storage(|storage, _| {
        storage.store_token_data(small("rs").with_refresh_token("rt1").with_identity_id("A")).unwrap();
        let answer = r#"{"access_token": "AT2", "expires_in": 5, "resource_server": "rs"}"#;
        let response = TokenResponse::from_json(answer, SystemTime::UNIX_EPOCH).unwrap();

        storage.store_token_response(&response.clone().for_refresh()).unwrap();
        let renewed = storage.get_token_data("rs").unwrap().unwrap();
        assert_eq!(renewed.expose_access_token(), "AT2");
        assert_eq!(renewed.expose_refresh_token(), Some("rt1"));
        assert_eq!((renewed.identity_id(), renewed.scope()), (Some("A"), "scope"));

        storage.store_token_response(&response).unwrap();
        let new = storage.get_token_data("rs").unwrap().unwrap();
        assert_eq!((new.expose_refresh_token(), new.identity_id(), new.scope()), (None, None, ""));
    });
}

#[test]
fn one_at_a_time_may_renew() {
    on_every_storage(|storage, other| {
        let held = storage.try_lock_for_renewal().unwrap();
        assert!(held.is_some());
        assert!(other.try_lock_for_renewal().unwrap().is_none(), "{storage:?}");
        drop(held);
        assert!(other.try_lock_for_renewal().unwrap().is_some());
    });
}
