//! The examples, run as programs.

use std::process::Output;

use reqwest_scitokens::AccessToken;
use scitoken_test_support::example::example;

use crate::science_files::{cube, table};
use crate::support::Storage;

/// Runs an example with this token, if any.
async fn run(name: &'static str, arguments: Vec<String>, token: Option<AccessToken>) -> Output {
    let run = move || {
        let mut command = example(name);
        command.args(arguments);
        if let Some(token) = token {
            command.env("BEARER_TOKEN", token.expose_secret());
        }
        command.output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn parquet_over_xrootd_reads_columns_and_says_which_there_are() {
    let storage = Storage::start().await;
    storage.write("run1/events.parquet", table());
    let arguments =
        |column: &str| vec![storage.base.clone(), "run1/events.parquet".to_owned(), column.to_owned()];
    let read =
        run("parquet_over_xrootd", arguments("energy"), Some(storage.token("storage.read:/run1"))).await;
    let text = String::from_utf8(read.stdout).unwrap();
    let rows: usize =
        text.lines().map(|line| line.split(' ').next().unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(rows, 200_000, "{text} {}", String::from_utf8_lossy(&read.stderr));
    assert!(text.lines().all(|line| line.ends_with("rows of 1 columns")), "{text}");
    for (column, token, reason) in [
        ("mass", Some(storage.token("storage.read:/run1")), "event, energy, angle, detector"),
        ("energy", Some(storage.token("storage.read:/run2")), "403"),
        ("energy", None, "401"),
    ] {
        let refused = run("parquet_over_xrootd", arguments(column), token).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains(reason), "{said}");
    }
}

#[tokio::test]
async fn zarr_over_https_reads_a_window() {
    let storage = Storage::start().await;
    cube(storage.root.path()).await;
    for name in ["/cube.zarr", "cube.zarr"] {
        let arguments = vec![storage.base.clone(), name.to_owned()];
        let read = run("zarr_over_https", arguments, Some(storage.token("storage.read:/cube.zarr"))).await;
        let text = String::from_utf8(read.stdout).unwrap();
        assert_eq!(text, "[0..10, 0..10] of [64, 48]: 100 values, the first is Some(0.0)\n", "{name}");
    }
}
