//! `scitoken store`.

use std::path::Path;

use assert_cmd::Command;

use super::samples::{copy_of, sample, small};

/// Exit code, standard output, standard error.
fn store(arguments: &[&str], input: &str) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_scitoken"))
        .arg("store")
        .args(arguments)
        .write_stdin(input)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// The storage of a JSON file.
fn json(path: &str) -> String {
    format!("json:{path}")
}

/// The storage of an SQLite database.
fn sqlite(path: &str) -> String {
    format!("sqlite:{path}")
}

fn each_place(test: impl Fn(&[&str])) {
    let directory = tempfile::tempdir().unwrap();
    for (kind, file) in [("json", "tokens.json"), ("sqlite", "tokens.db")] {
        let storage = format!("{kind}:{}", directory.path().join(file).display());
        test(&["--storage", &storage]);
    }
}

fn with<'a>(first: &[&'a str], place: &[&'a str]) -> Vec<&'a str> {
    [first, place].concat()
}

#[test]
fn get_prints_the_stored_entry_and_its_secrets_only_on_demand() {
    each_place(|place| {
        let json = small("rs é").with_refresh_token("RT").expose_json().to_string();
        assert_eq!(store(&with(&["put"], place), &json), (0, String::new(), String::new()));
        let (code, shown, _) = store(&with(&["get", "rs é"], place), "");
        assert_eq!(code, 0);
        assert_eq!(
            shown,
            "{\"resource_server\":\"rs é\",\"scope\":\"scope\",\"expires_at_seconds\":1700000000}\n"
        );
        let (code, shown, _) = store(&with(&["get", "--show-secret", "rs é"], place), "");
        assert_eq!((code, shown), (0, format!("{json}\n")));
        // What is printed without the secrets is no entry: a mask would be stored as a token.
        let (_, shown, _) = store(&with(&["get", "rs é"], place), "");
        assert_eq!(store(&with(&["put"], place), &shown).0, 2);
    });
}

#[test]
fn the_list_shows_no_secret() {
    each_place(|place| {
        for data in [small("a").with_refresh_token("RT").with_identity_id("id"), small("b\u{1b}[2J")] {
            store(&with(&["put"], place), &data.expose_json());
        }
        let (code, shown, _) = store(&with(&["list"], place), "");
        assert_eq!(code, 0);
        assert_eq!(
            shown,
            "a\t2023-11-14T22:13:20Z (expired)\trefresh token\tid\tscope\n\
             b [2J\t2023-11-14T22:13:20Z (expired)\t-\t-\tscope\n"
        );
        let (code, shown, _) = store(&with(&["list", "--namespace", "other"], place), "");
        assert_eq!((code, shown.as_str()), (0, ""));
    });
}

#[test]
fn a_missing_entry_cannot_be_read_or_removed() {
    each_place(|place| {
        for what in [&["get", "rs"][..], &["remove", "rs"], &["list"]] {
            let (code, _, said) = store(&with(what, place), "");
            assert!(code == 3 && said.contains("does not exist"), "{what:?}: {said}");
        }
        store(&with(&["put"], place), &small("rs").expose_json());
        let (_, _, said) = store(&with(&["get", "sr"], place), "");
        assert!(said.contains("hint: the namespace `DEFAULT` has `rs`"), "{said}");
        assert_eq!(store(&with(&["remove", "rs"], place), "").0, 0);
        let (code, _, said) = store(&with(&["remove", "rs"], place), "");
        assert!(code == 7 && said.contains("has no entry `rs`") && said.contains("is empty"), "{said}");
        let (code, out, said) = store(&with(&["list"], place), "");
        assert!(code == 0 && out.is_empty() && said.contains("the namespace `DEFAULT`"), "{said}");
    });
}

#[test]
fn bad_input_is_refused_without_being_shown() {
    each_place(|place| {
        for input in
            ["", "hush", "[\"hush\"]", r#"{"resource_server": "rs", "access_token": 5, "scope": "hush"}"#]
        {
            let (code, out, said) = store(&with(&["put"], place), input);
            assert!(code == 2 && said.contains("standard input is not a token entry"), "{said}");
            assert!(!format!("{out}{said}").contains("hush"));
        }
        assert!(!Path::new(place[1].split_once(':').unwrap().1).exists());
    });
}

#[test]
fn an_unreadable_entry_is_reported_and_the_others_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json").display().to_string();
    let file = format!(
        r#"{{"data": {{"DEFAULT": {{"bad": {{"resource_server": "bad", "access_token": 5}}, "good": {}}}}}, "format_version": "2.0", "globus-sdk.version": "1"}}"#,
        small("good").expose_json().as_str()
    );
    fs_err::write(&path, &file).unwrap();
    let (code, shown, said) = store(&["list", "--storage", &json(&path)], "");
    assert_eq!(code, 3);
    assert!(
        shown.starts_with("good\t") && said.contains("failed to read the entry `bad`: `scope` must be"),
        "{said}"
    );
    assert_eq!(store(&["get", "bad", "--storage", &json(&path)], "").0, 3);
    assert_eq!(store(&["get", "good", "--storage", &json(&path)], "").0, 0);
    fs_err::write(&path, "{").unwrap();
    let (code, _, said) = store(&["list", "--storage", &json(&path)], "");
    assert!(code == 3 && said.contains("not JSON"), "{said}");
}

#[test]
fn entries_move_between_storages_and_formats() {
    let directory = tempfile::tempdir().unwrap();
    let old = copy_of("v1.json", directory.path()).display().to_string();
    let database = directory.path().join("tokens.db").display().to_string();
    let new = sample("v2.json").display().to_string();
    let import = |arguments: &[&str]| store(&with(&["import"], arguments), "");

    assert_eq!(import(&["--from", &json(&new), "--storage", &sqlite(&database)]).1, "imported 2\n");
    let foo = ["--from-namespace", "foo", "--namespace", "bar"];
    assert_eq!(
        import(&with(&["--from", &json(&new), "--storage", &sqlite(&database)], &foo)).1,
        "imported 1\n"
    );
    assert_eq!(import(&["--from", &sqlite(&database), "--storage", &json(&old)]).1, "imported 2\n");
    let (_, listed, _) = store(&["list", "--storage", &json(&old)], "");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let missing = import(&["--from", "json:/nowhere/tokens.json", "--storage", &sqlite(&database)]);
    assert!(missing.0 == 3 && missing.2.contains("does not exist"), "{}", missing.2);

    let old = copy_of("v1.json", directory.path()).display().to_string();
    let migrate = |place: &[&str]| store(&with(&["migrate"], place), "").1;
    assert_eq!(migrate(&["--storage", &json(&old)]), "migrated from format 1.0 to 2.0\n");
    assert_eq!(migrate(&["--storage", &json(&old)]), "nothing to migrate\n");
    assert_eq!(
        migrate(&["--storage", &sqlite(&copy_of("v1.db", directory.path()).display().to_string())]),
        "nothing to migrate\n"
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_other_users_can_read_is_reported_and_tightened() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = copy_of("v2.json", directory.path());
    fs_err::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let place = path.display().to_string();
    let (code, _, said) = store(&["list", "--storage", &json(&place)], "");
    assert!(code == 0 && said.contains("mode 0640") && said.contains("chmod 600"), "{said}");
    store(&["put", "--storage", &json(&place)], &small("rs").expose_json());
    let (_, _, said) = store(&["list", "--storage", &json(&place)], "");
    assert_eq!(said, "");
}

#[test]
fn the_storage_must_be_named_with_its_kind() {
    for arguments in [
        &["list"][..],
        &["list", "--storage", "a.json"],
        &["list", "--storage", "json:"],
        &["list", "--storage", "keyring:x"],
    ] {
        assert_eq!(store(arguments, "").0, 2);
    }
    let (code, _, said) = store(&["list", "--storage", "sqlite::memory:"], "");
    assert!(code == 3 && said.contains(":memory:"), "{said}");
}

#[test]
fn a_change_waits_for_a_running_renewal() {
    use scitoken_storage::{JsonTokenStorage, TokenStorage as _};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let storage = JsonTokenStorage::new(&path);
    storage.store_token_data(small("rs")).unwrap();
    let other = directory.path().join("other.json");
    JsonTokenStorage::new(&other).store_token_data(small("other")).unwrap();
    let other = other.display().to_string();
    for change in [&["put"][..], &["import", "--from", &json(&other)], &["remove", "rs"]] {
        let lock = storage.try_lock_for_renewal().unwrap().expect("the lock is free");
        let mut child = Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .arg("store")
            .args(change)
            .arg("--storage")
            .arg(json(&path.display().to_string()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), small("put").expose_json().as_bytes())
            .unwrap();
        for _ in 0..20 {
            assert_eq!(child.try_wait().unwrap(), None, "{change:?} did not wait");
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(lock);
        assert!(child.wait().unwrap().success(), "{change:?}");
    }
    let tokens = storage.get_token_data_by_resource_server().unwrap();
    assert_eq!(tokens.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["put", "other"]);
}

#[test]
fn a_mistyped_storage_is_an_error_for_every_reader_and_remover() {
    let directory = tempfile::tempdir().unwrap();
    for kind in ["json", "sqlite"] {
        let missing = format!("{kind}:{}", directory.path().join("missing").display());
        for arguments in [
            &["list", "--storage", &missing][..],
            &["list", "--storage", &missing, "--json"],
            &["get", "rs", "--storage", &missing],
            &["remove", "rs", "--storage", &missing],
            &["remove", "rs", "--storage", &missing, "--json"],
            &["migrate", "--storage", &missing],
            &["import", "--from", &missing, "--storage", &missing],
        ] {
            let (code, out, said) = store(arguments, "");
            assert_eq!(code, 3, "{arguments:?}: {out}{said}");
            assert!(format!("{out}{said}").contains("does not exist"), "{arguments:?}: {out}{said}");
        }
    }
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0, "nothing is created");
}

#[test]
fn a_removal_writes_what_the_sdk_writes_also_without_such_an_entry() {
    const SKELETON: &str = r#"{"data": {}, "format_version": "2.0", "globus-sdk.version": "4.9.1"}"#;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let storage = json(path.to_str().unwrap());
    for (before, after) in [
        (
            r#"{"format_version": "1.0", "by_rs": {}}"#,
            r#"{"data": {"DEFAULT": {}}, "format_version": "2.0", "globus-sdk.version": "4.9.1"}"#,
        ),
        (
            r#"{"format_version": "1.0", "by_rs": {"x": 1}, "globus-sdk.version": "3.0.0"}"#,
            r#"{"data": {"DEFAULT": {"x": 1}}, "format_version": "2.0", "globus-sdk.version": "3.0.0"}"#,
        ),
        (SKELETON, SKELETON),
    ] {
        fs_err::write(&path, before).unwrap();
        let (code, _, said) = store(&["remove", "rs", "--storage", &storage], "");
        assert!(code == 7 && said.contains("has no entry `rs`"), "{said}");
        assert_eq!(fs_err::read_to_string(&path).unwrap(), after);
    }
}

#[cfg(unix)]
#[test]
fn a_storage_that_others_can_write_to_is_refused_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let set = |path: &Path, mode| {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let entry = small("rs").with_refresh_token("RT").expose_json().to_string();
    for (kind, file) in [("json", "its tokens.json"), ("sqlite", "its tokens.db")] {
        let path = directory.path().join(file);
        let storage = format!("{kind}:{}", path.display());
        assert_eq!(store(&["put", "--storage", &storage], &entry).0, 0);
        for (changed, mode, usual) in [(path.as_path(), 0o666, 0o600), (directory.path(), 0o777, 0o700)] {
            set(changed, mode);
            for arguments in [&["list"][..], &["get", "rs"], &["remove", "rs"]] {
                let (code, _, shown) = store(&with(arguments, &["--storage", &storage]), "");
                assert_eq!(code, 3, "{arguments:?}: {shown}");
                let (_, rest) = shown.split_once("run `").unwrap_or_else(|| panic!("no hint: {shown}"));
                let command = rest.split('`').next().unwrap();
                assert!(std::process::Command::new("sh").args(["-c", command]).status().unwrap().success());
                let left = fs_err::metadata(changed).unwrap().permissions().mode() & 0o022;
                assert_eq!(left, 0, "{command}");
                let (code, _, shown) = store(&["list", "--storage", &storage], "");
                assert_eq!(code, 0, "{command}: {shown}");
                set(changed, mode);
            }
            set(changed, usual);
        }
    }
}

#[cfg(unix)]
#[test]
fn a_storage_that_others_can_read_is_warned_of_once_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt as _;

    each_place(|place| {
        let entry = small("rs").with_refresh_token("RT").expose_json().to_string();
        assert_eq!(store(&with(&["put"], place), &entry).0, 0);
        let path = Path::new(place[1].split_once(':').unwrap().1);
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let (code, _, shown) = store(&with(&["list"], place), "");
        assert_eq!(code, 0, "{shown}");
        assert_eq!(shown.lines().count(), 1, "{shown}");
        let command = format!("`chmod 600 {}`", path.display());
        assert!(shown.contains("(mode 0644)") && shown.contains(&command), "{shown}");
    });
}
