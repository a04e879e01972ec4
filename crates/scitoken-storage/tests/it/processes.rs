//! Several processes on one storage, some of them killed.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use scitoken_storage::{JsonTokenStorage, TokenStorage};
use scitoken_types::sys::Env;

use crate::samples::small;

fn storage(path: &Path) -> Box<dyn TokenStorage> {
    #[cfg(feature = "sqlite")]
    if path.extension().is_some_and(|extension| extension == "db") {
        return Box::new(scitoken_storage::SqliteTokenStorage::new(path).unwrap());
    }
    Box::new(JsonTokenStorage::new(path))
}

fn paths(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut paths = vec![directory.join("tokens.json")];
    if cfg!(feature = "sqlite") {
        paths.push(directory.join("tokens.db"));
    }
    paths
}

/// Stores entry after entry, and says so after each. It is the other process of the tests below.
#[test]
#[ignore = "run by the tests beside it"]
fn writer() {
    let env = Env::process();
    let variable = |name: &str| env.get(name).expect("set by the test").into_string().unwrap();
    let storage = storage(Path::new(&variable("WRITER_PATH")));
    let (name, count) = (variable("WRITER_NAME"), variable("WRITER_COUNT").parse::<u32>().unwrap());
    let mut out = std::io::stdout().lock();
    for n in 0..count {
        let resource_server = format!("{name}-{n}");
        storage.store_token_data(small(&resource_server)).unwrap();
        writeln!(out, "stored {resource_server}").unwrap();
        out.flush().unwrap();
    }
}

fn start(path: &Path, name: &str, count: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "processes::writer"])
        .env("WRITER_PATH", path)
        .env("WRITER_NAME", name)
        .env("WRITER_COUNT", count.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

#[test]
fn eight_processes_lose_nothing_not_even_when_they_make_the_storage() {
    let directory = tempfile::tempdir().unwrap();
    for path in paths(directory.path()) {
        let writers: Vec<_> = (0..8).map(|n| start(&path, &format!("w{n}"), 25)).collect();
        for mut writer in writers {
            // Read to the end, so that no writer waits for us.
            let lines = BufReader::new(writer.stdout.take().unwrap()).lines().count();
            assert!(writer.wait().unwrap().success() && lines >= 25);
        }
        assert_eq!(
            storage(&path).get_token_data_by_resource_server().unwrap().len(),
            200,
            "{}",
            path.display()
        );
    }
}

#[test]
fn killed_writers_leave_every_entry_that_they_said_was_stored() {
    let directory = tempfile::tempdir().unwrap();
    for path in paths(directory.path()) {
        let mut promised = Vec::new();
        for round in 0..12_u64 {
            let mut writer = start(&path, &format!("r{round}"), 100_000);
            let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
            // Let it come to work, then kill it at another point each time.
            let mut stored = Vec::new();
            while stored.is_empty() {
                let line = lines.next().unwrap().unwrap();
                stored.extend(line.split_once("stored ").map(|(_, name)| name.to_owned()));
            }
            std::thread::sleep(Duration::from_micros(round * 1_937 % 9_000));
            writer.kill().unwrap();
            writer.wait().unwrap();
            stored.extend(
                lines.map_while(Result::ok).filter_map(|line| Some(line.split_once("stored ")?.1.to_owned())),
            );
            promised.extend(stored);
            let tokens = storage(&path).get_token_data_by_resource_server().unwrap();
            assert!(tokens.unreadable().is_empty());
            for name in &promised {
                assert!(tokens.get(name).is_some(), "{name} is lost in {}", path.display());
            }
        }
        // Nor do they keep the next one out.
        storage(&path).store_token_data(small("after")).unwrap();
    }
    let left = fs_err::read_dir(directory.path())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".new"))
        .count();
    assert_eq!(left, 0, "what a killed writer left is taken away");
}
