//! The keyring, with the mock store of `keyring-core`.

use std::sync::Once;

use scitoken_storage::{KeyringTokenStorage, MemoryTokenStorage, TokenStorage};

use crate::samples::small;

/// Makes the mock the keyring of this process.
pub(crate) fn use_mock() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| keyring_core::set_default_store(keyring_core::mock::Store::new().unwrap()));
}

#[test]
fn names_that_look_alike_do_not_meet() {
    use_mock();
    let storage = KeyringTokenStorage::new("look-alikes").with_namespace("a\", \"b");
    storage.store_token_data(small("c")).unwrap();
    let other = storage.with_namespace("a");
    assert_eq!(other.get_token_data("b\", \"c").unwrap(), None);
    assert!(other.get_token_data_by_resource_server().unwrap().is_empty());
}

#[test]
fn with_a_keyring_the_fallback_is_not_taken() {
    use_mock();
    let storage = KeyringTokenStorage::new("fallback")
        .or_else(|| -> Result<Box<dyn TokenStorage>, _> { Ok(Box::new(MemoryTokenStorage::new())) })
        .unwrap();
    assert!(storage.label().contains("keyring"));
}

#[test]
fn an_entry_that_is_listed_but_gone_is_passed_over() {
    use_mock();
    let storage = KeyringTokenStorage::new("killed");
    storage.store_token_data(small("rs")).unwrap();
    storage.store_token_data(small("kept")).unwrap();
    keyring_core::Entry::new("killed", "[\"DEFAULT\", \"rs\"]").unwrap().delete_credential().unwrap();
    let tokens = storage.get_token_data_by_resource_server().unwrap();
    assert_eq!(tokens.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["kept"]);
    assert!(!storage.remove_token_data("rs").unwrap());
}
