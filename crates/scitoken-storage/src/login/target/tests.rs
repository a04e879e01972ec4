//! Targets that fail, before the login and after it.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::storage::faults::Faults;
use crate::{JsonTokenStorage, MemoryTokenStorage, TokenStorageData};
use scitoken_types::AccessToken;

fn tokens(access: &str) -> TokenDataMap {
    TokenStorageData::new("rs", "s", access, 4_000_000_000).with_refresh_token("RT-hush").into()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs_err::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn every_kind_of_target_keeps_what_it_had_until_the_tokens_come() {
    let directory = tempfile::tempdir().unwrap();
    let json = JsonTokenStorage::new(directory.path().join("tokens.json"));
    let mut storages: Vec<Arc<dyn TokenStorage>> = vec![Arc::new(json), Arc::new(MemoryTokenStorage::new())];
    #[cfg(feature = "sqlite")]
    storages.push(Arc::new(crate::SqliteTokenStorage::new(directory.path().join("tokens.db")).unwrap()));
    for storage in storages {
        storage.store_token_data_by_resource_server(&tokens("old")).unwrap();
        let target = LoginTarget::storage(Arc::clone(&storage)).prepare().unwrap();
        assert_eq!(storage.get_token_data_by_resource_server().unwrap(), tokens("old"));
        assert!(storage.try_lock_for_renewal().unwrap().is_some(), "renewals go on during a login");
        target.store(tokens("new")).unwrap();
        assert_eq!(storage.get_token_data_by_resource_server().unwrap(), tokens("new"), "{storage:?}");
    }
    let file = BearerTokenFile::new(directory.path().join("bt_u1"));
    file.write(&AccessToken::new("old").unwrap()).unwrap();
    let target = LoginTarget::bearer_file(file.clone()).prepare().unwrap();
    assert_eq!(file.read().unwrap().unwrap().expose_secret(), "old");
    assert!(!target.stores_refresh_tokens());
    target.store(tokens("new")).unwrap();
    assert_eq!(file.read().unwrap().unwrap().expose_secret(), "new");
}

#[test]
fn a_target_that_cannot_be_written_is_refused_before_the_login() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs_err::write(&file, "[]").unwrap();
    for path in [file.join("tokens.json"), file.clone(), directory.path().to_owned(), "/dev/null".into()] {
        assert!(LoginTarget::storage(JsonTokenStorage::new(&path)).prepare().is_err(), "{}", path.display());
        #[cfg(feature = "sqlite")]
        {
            let storage = crate::SqliteTokenStorage::new(&path).unwrap();
            assert!(LoginTarget::storage(storage).prepare().is_err(), "{}", path.display());
        }
    }
    let inside = BearerTokenFile::new(file.join("bt_u1"));
    assert!(LoginTarget::bearer_file(inside).prepare().is_err());
    assert_eq!(fs_err::read_to_string(&file).unwrap(), "[]");
    assert_eq!(names(directory.path()), ["file"]);
}

#[test]
fn tokens_whose_place_fails_after_the_login_are_handed_back_and_kept_in_a_file_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("place");
    let targets: [(LoginTarget, std::path::PathBuf); 2] = [
        (LoginTarget::storage(JsonTokenStorage::new(place.join("tokens.json"))), place.join("tokens.json")),
        (LoginTarget::bearer_file(BearerTokenFile::new(place.join("bt_u1"))), place.join("bt_u1")),
    ];
    for (target, path) in targets {
        let target = target.prepare().unwrap();
        // Another program takes the place during the login.
        fs_err::create_dir(&path).unwrap();
        let unsaved = target.store(tokens("AT-hush")).unwrap_err();
        assert!(!format!("{unsaved} {unsaved:?}").contains("hush"), "{unsaved:?}");
        let kept = unsaved.rescue_in(["/nonexistent".into(), directory.path().to_owned()]).unwrap();
        assert_eq!(
            JsonTokenStorage::new(&kept).get_token_data_by_resource_server().unwrap(),
            tokens("AT-hush")
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs_err::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(unsaved.rescue_in(["/nonexistent".into()]).is_err());
    }
}

#[test]
fn a_token_that_no_header_can_hold_is_handed_back_too() {
    let directory = tempfile::tempdir().unwrap();
    let file = BearerTokenFile::new(directory.path().join("bt_u1"));
    let target = LoginTarget::bearer_file(file).prepare().unwrap();
    let unsaved = target.store(tokens("AT hush\u{7f}")).unwrap_err();
    assert_eq!(unsaved.tokens(), &tokens("AT hush\u{7f}"));
    assert!(target.store(TokenDataMap::new()).is_err());
}

#[test]
fn no_login_loses_a_token_in_a_thousand_runs_with_faults() {
    let (mut stored, mut handed_back, mut refused) = (0, 0, 0);
    let directory = crate::storage::faults::memory_directory();
    for seed in 0..1_000_u64 {
        let path = directory.path().join(format!("{seed}.json"));
        JsonTokenStorage::new(&path).store_token_data_by_resource_server(&tokens("old")).unwrap();
        let faults = Arc::new(Faults::seeded(seed, 6));
        let storage = JsonTokenStorage::new(&path).with_faults(faults);
        let now = || JsonTokenStorage::new(&path).get_token_data_by_resource_server().unwrap();
        let Ok(target) = LoginTarget::storage(storage).prepare() else {
            refused += 1;
            assert_eq!(now(), tokens("old"), "{seed}");
            continue;
        };
        assert_eq!(now(), tokens("old"), "{seed}");
        match target.store(tokens("new")) {
            Ok(()) => {
                stored += 1;
                assert_eq!(now(), tokens("new"), "{seed}");
            }
            Err(unsaved) => {
                handed_back += 1;
                assert_eq!((unsaved.tokens(), now()), (&tokens("new"), tokens("old")), "{seed}");
            }
        }
    }
    assert!(stored > 100 && handed_back > 100 && refused > 100, "{stored} {handed_back} {refused}");
}
