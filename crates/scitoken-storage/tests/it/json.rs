//! The JSON file.

use scitoken_storage::{JsonTokenStorage, TokenDataMap, TokenStorage, TokenStorageData};

use crate::entries::{auth, transfer};
use crate::samples::{copy_of, sample, small};

fn text(path: &std::path::Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

#[test]
fn a_removal_makes_the_skeleton_that_the_sdk_makes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/tokens.json");
    assert!(!JsonTokenStorage::new(&path).remove_token_data("x").unwrap());
    assert_eq!(text(&path), text(&sample("v2-empty.json")));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs_err::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn looking_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(directory.path().join("new/tokens.json"));
    assert!(storage.get_token_data_by_resource_server().unwrap().is_empty());
    assert!(storage.namespaces().unwrap().is_empty());
    assert!(!directory.path().join("new").exists());
}

#[test]
fn the_bytes_are_those_of_the_sdk() {
    let directory = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(directory.path().join("tokens.json"));
    let strange = TokenStorageData::new("rsé😀", "a\t\"\\/\u{7f}\u{2028}", "AT-rsé😀", 1_700_000_000);
    let tokens: TokenDataMap = [transfer().with_refresh_token("RT"), strange].into_iter().collect();
    storage.store_token_data_by_resource_server(&tokens).unwrap();
    storage.with_namespace("foo").store_token_data(transfer()).unwrap();
    assert_eq!(text(storage.path()), text(&sample("v2.json")));
}

#[test]
fn the_file_of_the_sdk_is_read() {
    let storage = JsonTokenStorage::new(sample("v2.json"));
    let tokens = storage.get_token_data_by_resource_server().unwrap();
    assert_eq!(tokens.get("transfer.api.globus.org"), Some(&transfer().with_refresh_token("RT")));
    assert_eq!(tokens.get("rsé😀").unwrap().scope(), "a\t\"\\/\u{7f}\u{2028}");
    assert_eq!(storage.namespaces().unwrap(), ["DEFAULT", "foo"]);
}

#[test]
fn format_1_is_read_without_being_touched() {
    let directory = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(copy_of("v1.json", directory.path()));
    let tokens = storage.get_token_data_by_resource_server().unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens.get("transfer.api.globus.org").unwrap().identity_id(), None);
    assert!(storage.with_namespace("foo").get_token_data_by_resource_server().unwrap().is_empty());
    assert_eq!(text(storage.path()), text(&sample("v1.json")));
}

#[test]
fn the_first_store_into_format_1_makes_it_format_2() {
    let directory = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(copy_of("v1.json", directory.path()));
    storage.store_token_data(auth()).unwrap();
    assert_eq!(text(storage.path()), text(&sample("v1-migrated.json")));
}

#[test]
fn a_migration_rewrites_format_1_and_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let old = JsonTokenStorage::new(copy_of("v1.json", directory.path()));
    let before = old.get_token_data_by_resource_server().unwrap();
    assert!(old.migrate().unwrap());
    assert!(
        text(old.path()).starts_with("{\"data\": {\"DEFAULT\": {\"transfer.api.globus.org\": {\"scope\"")
    );
    assert_eq!(old.get_token_data_by_resource_server().unwrap(), before);
    assert!(!old.migrate().unwrap());
    let new = JsonTokenStorage::new(copy_of("v2.json", directory.path()));
    assert!(!new.migrate().unwrap());
    assert_eq!(text(new.path()), text(&sample("v2.json")));
    let absent = JsonTokenStorage::new(directory.path().join("absent.json"));
    assert!(!absent.migrate().unwrap() && !absent.path().exists());
}

#[test]
fn a_removal_does_not_sign_the_file_and_a_store_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = copy_of("v2.json", directory.path());
    fs_err::write(&path, text(&path).replace("4.9.1", "9.9.9")).unwrap();
    let storage = JsonTokenStorage::new(&path).with_namespace("foo");
    assert!(storage.remove_token_data("transfer.api.globus.org").unwrap());
    assert!(text(&path).ends_with(r#""foo": {}}, "format_version": "2.0", "globus-sdk.version": "9.9.9"}"#));
    storage.store_token_data(small("rs")).unwrap();
    assert!(text(&path).ends_with(r#""globus-sdk.version": "4.9.1"}"#));
}

#[test]
fn what_is_not_ours_survives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let theirs = r#"{"x": 1, "globus-sdk.version": "4.9.1", "data": {"DEFAULT": {"old": {"resource_server": "old", "y": [1e400, "\ud800"]}, "bad": 5}, "odd": [1]}, "format_version": "2.0"}"#;
    fs_err::write(&path, theirs).unwrap();
    let storage = JsonTokenStorage::new(&path);
    storage.store_token_data(small("new")).unwrap();
    let new = format!(", \"new\": {}}}, \"odd\"", small("new").expose_json().as_str());
    assert_eq!(text(&path), theirs.replace("}, \"odd\"", &new));
    storage.remove_token_data("new").unwrap();
    assert_eq!(text(&path), theirs);
}

#[test]
fn one_bad_entry_hides_no_good_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let good = small("good").expose_json().to_string();
    let bad = good.replace("1700000000", "\"soon\"").replace("AT-good", "hush");
    let file = format!(
        r#"{{"data": {{"DEFAULT": {{"bad": {bad}, "good": {good}}}, "odd": null}}, "format_version": "2.0", "globus-sdk.version": "1"}}"#
    );
    fs_err::write(&path, &file).unwrap();
    let storage = JsonTokenStorage::new(&path);
    assert_eq!(storage.get_token_data("good").unwrap(), Some(small("good")));
    let tokens = storage.get_token_data_by_resource_server().unwrap();
    assert_eq!((tokens.len(), tokens.unreadable().len()), (1, 1));
    assert_eq!(tokens.unreadable()[0].resource_server(), "bad");

    let error = storage.get_token_data("bad").unwrap_err();
    assert!(error.is_format() && error.unreadable_entry().is_some());
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "`expires_at_seconds` must be an int");
    assert!(!format!("{error:?} {error} {cause}").contains("hush"));

    assert!(storage.with_namespace("odd").get_token_data("x").is_err());
    assert!(storage.with_namespace("odd").store_token_data(small("x")).is_err());
    assert_eq!(text(&path), file);
    assert!(storage.remove_token_data("bad").unwrap(), "what cannot be read can be removed");
}

#[test]
fn files_that_cannot_be_understood_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let storage = JsonTokenStorage::new(&path);
    for content in [
        &b""[..],
        b"{\"data\": {\"DEFAULT\": {\"rs",
        b"\x00\xff\xfe\x80",
        b"[]",
        b"{\"format_version\": \"3.0\", \"data\": {}, \"globus-sdk.version\": \"9\"}",
        b"{\"format_version\": 2.0, \"data\": {}, \"globus-sdk.version\": \"9\"}",
        b"{\"format_version\": \"2.0\", \"data\": {}}",
        b"SQLite format 3\x00",
    ] {
        fs_err::write(&path, content).unwrap();
        let read = storage.get_token_data_by_resource_server().unwrap_err();
        let stored = storage.store_token_data(small("rs")).unwrap_err();
        let removed = storage.remove_token_data("rs").unwrap_err();
        for error in [read, stored, removed] {
            assert!(error.is_format(), "{error}");
            assert!(error.to_string().starts_with(&format!("token storage {}: ", path.display())), "{error}");
        }
        assert_eq!(fs_err::read(&path).unwrap(), content);
    }
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    #[test]
    fn loose_permissions_are_reported_and_tightened_by_the_next_store() {
        let directory = tempfile::tempdir().unwrap();
        let storage = JsonTokenStorage::new(copy_of("v2.json", directory.path()));
        fs_err::set_permissions(storage.path(), PermissionsExt::from_mode(0o644)).unwrap();
        assert_eq!(storage.loose_permissions().unwrap(), Some(0o644));
        assert_eq!(storage.get_token_data_by_resource_server().unwrap().len(), 2);
        storage.store_token_data(small("rs")).unwrap();
        assert_eq!(storage.loose_permissions().unwrap(), None);
    }

    #[test]
    fn a_symbolic_link_stays_one() {
        let directory = tempfile::tempdir().unwrap();
        let real = directory.path().join("elsewhere/real.json");
        fs_err::create_dir(real.parent().unwrap()).unwrap();
        let link = directory.path().join("tokens.json");
        symlink("elsewhere/real.json", &link).unwrap();
        JsonTokenStorage::new(&link).store_token_data(small("rs")).unwrap();
        assert!(fs_err::symlink_metadata(&link).unwrap().is_symlink());
        assert!(JsonTokenStorage::new(&real).get_token_data("rs").unwrap().is_some());
        assert!(real.with_file_name(".real.json.lock").exists());
    }

    #[test]
    fn a_pipe_and_a_directory_are_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let pipe = directory.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        for path in [pipe.as_path(), directory.path()] {
            let error = JsonTokenStorage::new(path).get_token_data("rs").unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
    }

    #[test]
    fn a_store_replaces_the_file_and_never_writes_into_it() {
        let directory = tempfile::tempdir().unwrap();
        let storage = JsonTokenStorage::new(copy_of("v2.json", directory.path()));
        let old = fs_err::File::open(storage.path()).unwrap();
        storage.store_token_data(small("rs")).unwrap();
        assert_ne!(old.metadata().unwrap().ino(), fs_err::metadata(storage.path()).unwrap().ino());
        assert_eq!(std::io::read_to_string(old).unwrap(), text(&sample("v2.json")));
    }
}
