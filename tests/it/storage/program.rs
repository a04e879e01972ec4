//! `scitoken store`.

use std::path::Path;

use assert_cmd::Command;

use super::{copy_of, sample, small};

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

fn each_place(test: impl Fn(&[&str])) {
    let directory = tempfile::tempdir().unwrap();
    for (option, file) in [("--json", "tokens.json"), ("--sqlite", "tokens.db")] {
        let path = directory.path().join(file).display().to_string();
        test(&[option, &path]);
    }
}

fn with<'a>(first: &[&'a str], place: &[&'a str]) -> Vec<&'a str> {
    [first, place].concat()
}

#[test]
fn what_is_put_is_got_and_the_secrets_only_on_demand() {
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
        // What is printed without the secrets is no entry: nobody stores a mask for a token.
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
            "a\t2023-11-14T22:13:20Z (ended)\trefresh token\tid\tscope\n\
             b [2J\t2023-11-14T22:13:20Z (ended)\t-\t-\tscope\n"
        );
        let (code, shown, _) = store(&with(&["list", "--namespace", "other"], place), "");
        assert_eq!((code, shown.as_str()), (0, ""));
    });
}

#[test]
fn what_is_not_there_cannot_be_got_or_removed() {
    each_place(|place| {
        for what in ["get", "remove"] {
            let (code, _, said) = store(&with(&[what, "rs"], place), "");
            assert!(code == 7 && said.contains("has no entry `rs`") && said.contains("is empty"), "{said}");
        }
        store(&with(&["put"], place), &small("rs").expose_json());
        let (_, _, said) = store(&with(&["get", "sr"], place), "");
        assert!(said.contains("hint: the namespace `DEFAULT` has `rs`"), "{said}");
        assert_eq!(store(&with(&["remove", "rs"], place), "").0, 0);
        assert_eq!(store(&with(&["remove", "rs"], place), "").0, 7);
    });
}

#[test]
fn bad_input_is_refused_without_being_shown() {
    each_place(|place| {
        for input in
            ["", "hush", "[\"hush\"]", r#"{"resource_server": "rs", "access_token": 5, "scope": "hush"}"#]
        {
            let (code, out, said) = store(&with(&["put"], place), input);
            assert!(code == 2 && said.contains("standard input holds no token data"), "{said}");
            assert!(!format!("{out}{said}").contains("hush"));
        }
        assert!(!Path::new(place[1]).exists());
    });
}

#[test]
fn one_bad_entry_is_told_and_the_others_are_listed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json").display().to_string();
    let file = format!(
        r#"{{"data": {{"DEFAULT": {{"bad": {{"resource_server": "bad", "access_token": 5}}, "good": {}}}}}, "format_version": "2.0", "globus-sdk.version": "1"}}"#,
        small("good").expose_json().as_str()
    );
    fs_err::write(&path, &file).unwrap();
    let (code, shown, said) = store(&["list", "--json", &path], "");
    assert_eq!(code, 3);
    assert!(
        shown.starts_with("good\t") && said.contains("the entry `bad` cannot be used: `scope` must be"),
        "{said}"
    );
    assert_eq!(store(&["get", "bad", "--json", &path], "").0, 3);
    assert_eq!(store(&["get", "good", "--json", &path], "").0, 0);
    fs_err::write(&path, "{").unwrap();
    let (code, _, said) = store(&["list", "--json", &path], "");
    assert!(code == 3 && said.contains("not JSON"), "{said}");
}

#[test]
fn entries_move_between_storages_and_formats() {
    let directory = tempfile::tempdir().unwrap();
    let old = copy_of("v1.json", directory.path()).display().to_string();
    let database = directory.path().join("tokens.db").display().to_string();
    let new = sample("v2.json").display().to_string();
    let import = |arguments: &[&str]| store(&with(&["import"], arguments), "");

    assert_eq!(import(&["--from-json", &new, "--sqlite", &database]).1, "imported 2\n");
    let foo = ["--from-namespace", "foo", "--namespace", "bar"];
    assert_eq!(import(&with(&["--from-json", &new, "--sqlite", &database], &foo)).1, "imported 1\n");
    assert_eq!(import(&["--from-sqlite", &database, "--json", &old]).1, "imported 2\n");
    let (_, listed, _) = store(&["list", "--json", &old], "");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let missing = import(&["--from-json", "/nowhere/tokens.json", "--sqlite", &database]);
    assert!(missing.0 == 3 && missing.2.contains("does not exist"), "{}", missing.2);

    let old = copy_of("v1.json", directory.path()).display().to_string();
    let migrate = |place: &[&str]| store(&with(&["migrate"], place), "").1;
    assert_eq!(migrate(&["--json", &old]), "migrated from format 1.0 to 2.0\n");
    assert_eq!(migrate(&["--json", &old]), "nothing to migrate\n");
    assert_eq!(
        migrate(&["--sqlite", &copy_of("v1.db", directory.path()).display().to_string()]),
        "nothing to migrate\n"
    );
}

#[cfg(unix)]
#[test]
fn a_file_that_others_can_read_is_told_and_tightened() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = copy_of("v2.json", directory.path());
    fs_err::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
    let place = path.display().to_string();
    let (code, _, said) = store(&["list", "--json", &place], "");
    assert!(code == 0 && said.contains("(mode 640)") && said.contains("chmod 600"), "{said}");
    store(&["put", "--json", &place], &small("rs").expose_json());
    let (_, _, said) = store(&["list", "--json", &place], "");
    assert_eq!(said, "");
}

#[test]
fn exactly_one_place_must_be_named() {
    for arguments in
        [&["list"][..], &["list", "--json", "a", "--sqlite", "b"], &["list", "--json", "a", "--keyring"]]
    {
        assert_eq!(store(arguments, "").0, 2);
    }
    let (code, _, said) = store(&["list", "--sqlite", ":memory:"], "");
    assert!(code == 3 && said.contains(":memory:"), "{said}");
}
