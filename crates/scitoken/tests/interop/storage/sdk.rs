//! What one writes, the other reads, and both write the same bytes.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use scitoken_storage::{
    JsonTokenStorage, SqliteTokenStorage, StorageLocation, TokenDataMap, TokenStorage, TokenStorageData,
};
use scitoken_types::sys::Env;
use serde_json::{Value, json};

use crate::python::Oracle;
use crate::support::met;

struct Sdk(Oracle);

impl Sdk {
    fn met() -> Option<Self> {
        let check = "import globus_sdk; assert globus_sdk.__version__.startswith('4.9.')";
        met("globus-sdk 4.9", Oracle::start("storage/globus.py", check)).map(Self)
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        let answer = self.0.ask(question);
        match answer.get("error") {
            Some(error) => Err(error.as_str().unwrap().to_owned()),
            None => Ok(answer["ok"].clone()),
        }
    }

    fn store(&mut self, kind: &str, path: &Path, namespace: &str, tokens: &TokenDataMap) {
        let tokens = objects(tokens);
        let question =
            json!({"do": "store", "kind": kind, "path": path, "namespace": namespace, "tokens": tokens});
        self.ask(&question).unwrap();
    }

    fn get(&mut self, kind: &str, path: &Path, namespace: &str) -> Value {
        self.ask(&json!({"do": "get", "kind": kind, "path": path, "namespace": namespace})).unwrap()
    }
}

fn objects(tokens: &TokenDataMap) -> Value {
    tokens
        .iter()
        .map(|(name, data)| (name.to_owned(), serde_json::from_str(&data.expose_json()).unwrap()))
        .collect::<serde_json::Map<String, Value>>()
        .into()
}

/// Entries with everything in them that JSON can make difficult.
fn difficult() -> TokenDataMap {
    let plain = TokenStorageData::new("transfer.api.globus.org", "urn:x:all", "AT", 1_700_000_000);
    [
        plain.clone(),
        plain.with_identity_id("id").with_refresh_token("RT").with_token_type("Bearer"),
        TokenStorageData::new(
            "rs é 😀 \u{10ffff}",
            "a\t\"\\/\u{7f}\u{80}\u{2028}\u{feff}\r\n\u{0}",
            "AT",
            -1,
        ),
        TokenStorageData::new("", "", "", i64::MAX).with_identity_id("").with_refresh_token(""),
        TokenStorageData::new("z", "</script>'&", "x".repeat(5_000), 0),
    ]
    .into_iter()
    .enumerate()
    .map(|(n, data)| (format!("{n} {}", data.resource_server()), data))
    .collect()
}

fn text(path: &Path) -> String {
    fs_err::read_to_string(path).unwrap()
}

/// What `.dump` would show: all tables with all rows.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let read = |query: &str| {
        let mut statement = connection.prepare(query).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<Vec<String>, _>>().unwrap()
    };
    let mut lines = read("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name");
    lines.extend(read(
        "SELECT attribute || '|' || value || '|' || typeof(value) FROM sdk_storage_adapter_internal",
    ));
    lines.extend(read(
        "SELECT namespace || '|' || resource_server || '|' || token_data_json || '|' || typeof(token_data_json) \
         FROM token_storage ORDER BY namespace, resource_server",
    ));
    lines
}

#[test]
fn both_write_the_same_json_file() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (directory.path().join("ours.json"), directory.path().join("theirs.json"));
    let storage = JsonTokenStorage::new(&ours);
    // Step by step, so that the place of a rewritten entry and of an emptied namespace counts too.
    for (namespace, count) in [("DEFAULT", 5), ("foo é", 2), ("DEFAULT", 1), ("", 1)] {
        let some: TokenDataMap = difficult()
            .into_iter()
            .take(count)
            .map(|(name, data)| (name, data.with_token_type("T")))
            .collect();
        storage.with_namespace(namespace).store_token_data_by_resource_server(&some).unwrap();
        sdk.store("json", &theirs, namespace, &some);
        assert_eq!(text(&ours), text(&theirs));
    }
    for name in ["0 transfer.api.globus.org", "absent"] {
        let ours_said = storage.with_namespace("").remove_token_data(name).unwrap();
        let question =
            json!({"do": "remove", "kind": "json", "path": theirs, "namespace": "", "resource_server": name});
        assert_eq!(sdk.ask(&question).unwrap(), Value::Bool(ours_said));
        assert_eq!(text(&ours), text(&theirs));
    }
}

#[test]
fn each_reads_and_continues_the_json_file_of_the_other() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let storage = JsonTokenStorage::new(&path);
    sdk.store("json", &path, "DEFAULT", &difficult());
    assert_eq!(storage.get_token_data_by_resource_server().unwrap(), difficult());
    storage.with_namespace("foo").store_token_data_by_resource_server(&difficult()).unwrap();
    assert_eq!(sdk.get("json", &path, "foo"), objects(&difficult()));
    assert_eq!(sdk.get("json", &path, "DEFAULT"), objects(&difficult()));
}

#[test]
fn both_migrate_a_file_of_the_first_format_to_the_same_bytes() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let old = directory.path().join("v1.json");
    let tokens = json!({"rs": {"scope": "s", "access_token": "AT1", "refresh_token": null, "token_type": "Bearer",
        "expires_at_seconds": 5, "resource_server": "rs"}});
    sdk.ask(&json!({"do": "store", "kind": "v1-json", "path": old, "tokens": tokens})).unwrap();
    let copies: Vec<PathBuf> = ["ours.json", "theirs.json"].map(|name| directory.path().join(name)).into();
    for copy in &copies {
        fs_err::copy(&old, copy).unwrap();
    }
    let storage = JsonTokenStorage::new(&copies[0]);
    assert_eq!(storage.get_token_data("rs").unwrap().unwrap().expose_access_token(), "AT1");
    storage.store_token_data_by_resource_server(&difficult()).unwrap();
    sdk.store("json", &copies[1], "DEFAULT", &difficult());
    assert_eq!(text(&copies[0]), text(&copies[1]));
    // The old adapter refuses what is new, and says so.
    let refused = sdk.ask(&json!({"do": "get", "kind": "v1-json", "path": copies[0]})).unwrap_err();
    assert!(refused.contains("unknown format"), "{refused}");
}

#[test]
fn both_write_the_same_database() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let (ours, theirs) = (directory.path().join("ours.db"), directory.path().join("theirs.db"));
    let storage = SqliteTokenStorage::new(&ours).unwrap();
    for namespace in ["DEFAULT", "foo é"] {
        storage.with_namespace(namespace).store_token_data_by_resource_server(&difficult()).unwrap();
        sdk.store("sqlite", &theirs, namespace, &difficult());
    }
    storage.close().unwrap();
    assert_eq!(dump(&ours), dump(&theirs));
    let namespaces = sdk.ask(&json!({"do": "namespaces", "kind": "sqlite", "path": ours})).unwrap();
    assert_eq!(namespaces, json!(["DEFAULT", "foo é"]));
}

#[test]
fn each_reads_and_continues_the_database_of_the_other() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    sdk.store("sqlite", &path, "DEFAULT", &difficult());
    let storage = SqliteTokenStorage::new(&path).unwrap();
    let mut tokens: Vec<_> = storage.get_token_data_by_resource_server().unwrap().into_iter().collect();
    tokens.sort_by(|(a, _), (b, _)| a.cmp(b));
    assert_eq!(tokens, difficult().into_iter().collect::<Vec<_>>());
    storage.with_namespace("foo").store_token_data_by_resource_server(&difficult()).unwrap();
    assert!(storage.remove_token_data("4 z").unwrap());
    assert_eq!(sdk.get("sqlite", &path, "foo"), objects(&difficult()));
    assert_eq!(sdk.get("sqlite", &path, "DEFAULT").as_object().unwrap().len(), 4);
}

#[test]
fn a_database_of_the_first_schema_serves_both() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("v1.db");
    sdk.store("v1-sqlite", &path, "DEFAULT", &difficult());
    sdk.ask(&json!({"do": "config", "kind": "v1-sqlite", "path": path})).unwrap();
    let storage = SqliteTokenStorage::new(&path).unwrap();
    assert_eq!(storage.get_token_data_by_resource_server().unwrap().len(), 5);
    let new = TokenStorageData::new("new", "s", "AT", 7);
    storage.store_token_data(new.clone()).unwrap();
    let seen = sdk.get("v1-sqlite", &path, "DEFAULT");
    assert_eq!(seen["new"], objects(&new.into())["new"]);
    assert_eq!(
        sdk.ask(&json!({"do": "config", "kind": "v1-sqlite", "path": path})).unwrap(),
        json!({"a": 1})
    );
    // The old adapter uses a database that we made, too.
    let ours = directory.path().join("ours.db");
    SqliteTokenStorage::new(&ours).unwrap().store_token_data_by_resource_server(&difficult()).unwrap();
    assert_eq!(sdk.get("v1-sqlite", &ours, "DEFAULT"), objects(&difficult()));
}

#[test]
fn both_refuse_the_same_files() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    for (content, their_words) in [
        ("", "JSONDecodeError"),
        ("[]", "non-dict root"),
        ("{}", "unknown format"),
        (r#"{"format_version": 2.0, "data": {}, "globus-sdk.version": "x"}"#, "unknown format"),
        (r#"{"format_version": "3.0", "data": {}, "globus-sdk.version": "x"}"#, "unknown format"),
        (r#"{"format_version": "1.0"}"#, "missing 'by_rs'"),
        (r#"{"format_version": "2.0"}"#, "malformed"),
        (r#"{"format_version": "2.0", "data": {}}"#, "Missing required keys"),
        (r#"{"format_version": "2.0", "data": {}, "globus-sdk.version": 4}"#, "Invalid 'globus-sdk.version'"),
    ] {
        fs_err::write(&path, content).unwrap();
        let theirs = sdk.ask(&json!({"do": "get", "kind": "json", "path": path})).unwrap_err();
        assert!(theirs.contains(their_words), "{content}: {theirs}");
        let ours = JsonTokenStorage::new(&path).get_token_data_by_resource_server().unwrap_err();
        assert!(ours.is_format(), "{content}: {ours}");
    }
}

#[test]
fn both_look_for_an_app_in_the_same_place() {
    let Some(mut sdk) = Sdk::met() else { return };
    let env = Env::process();
    for (name, environment) in [
        ("My App 1.0", "production"),
        ("glob<>:\"/\\|?*us", "sandbox"),
        ("COM", "production"),
        ("com10", "production"),
        ("Ünïcode ÉŒ ẞ \u{200b}\u{a0}\u{2028}\u{301}x\u{e000}", "preview"),
        ("ΑΣ ǅ", "production"),
        ("nul", "production"),
        ("PRN\n", "production"),
        ("com\u{661}", "production"),
        ("", "production"),
    ] {
        let theirs = sdk.ask(
            &json!({"do": "location", "client_id": "0000-id", "app_name": name, "environment": environment}),
        );
        let ours = StorageLocation::new("0000-id", name)
            .map(|location| location.with_environment(environment).json_path(&env).unwrap());
        match (theirs, ours) {
            (Ok(theirs), Ok(ours)) => {
                assert_eq!(theirs.as_str().map(Path::new), Some(ours.as_path()), "{name:?}");
            }
            (Err(theirs), Err(_)) => assert!(theirs.contains("App name results in"), "{theirs}"),
            (theirs, ours) => panic!("{name:?}: {theirs:?} and {ours:?}"),
        }
    }
}

#[test]
fn a_program_of_each_kind_writes_the_database_at_the_same_time() {
    let Some(mut sdk) = Sdk::met() else { return };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.db");
    let storage = SqliteTokenStorage::new(&path).unwrap();
    storage.store_token_data(TokenStorageData::new("first", "s", "AT", 0)).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..50 {
                storage.store_token_data(TokenStorageData::new(format!("ours {n}"), "s", "AT", 0)).unwrap();
            }
        });
        for n in 0..50 {
            let data = TokenStorageData::new(format!("theirs {n}"), "s", "AT", 0);
            sdk.store("sqlite", &path, "DEFAULT", &data.into());
        }
    });
    assert_eq!(storage.get_token_data_by_resource_server().unwrap().len(), 101);
}
