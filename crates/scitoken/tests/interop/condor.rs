//! The transfer plugin against HTCondor's own parser of ClassAds.

use std::path::Path;
use std::process::Command;

use scitoken_test_support::federation::{FakeFederation, FederationServer, refuse};
use scitoken_test_support::tls;
use serde_json::json;

use crate::python::Oracle;
use crate::support::met;

/// Orders as HTCondor writes them, and results as it reads them.
#[test]
fn htcondor_reads_what_the_plugin_writes_and_the_plugin_what_htcondor_writes() {
    let Some(mut htcondor) = met("htcondor", Oracle::start("condor_classads.py", "import classad2")) else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs_err::write(directory.path().join(name), text).expect("a file");
    // No server listens there; and a name with every character that has to be quoted.
    let orders = json!([
        { "Url": "http://127.0.0.1:9/a", "LocalFileName": "one \"two\" \\three; ]" },
        { "Url": "http://127.0.0.1:9/b", "LocalFileName": "b" },
    ]);
    for form in ["new", "old"] {
        let text = htcondor.ask(&json!({ "write": orders, "form": form }));
        write("in", text.as_str().expect("ClassAds"));
        let status = plugin(directory.path(), &["-infile", "in", "-outfile", "out"]);
        assert_eq!(status, Some(11), "{form}: connections that fail are worth another try");
        let out = fs_err::read_to_string(directory.path().join("out")).expect("results");
        let results = htcondor.ask(&json!({ "read": out }));
        assert_eq!(results.as_array().map(Vec::len), Some(2), "{form}: {out}");
        assert_eq!(results[0]["TransferFileName"], "one \"two\" \\three; ]", "{form}");
        for result in results.as_array().expect("results") {
            assert_eq!(
                (&result["TransferSuccess"], &result["TransferRetryable"]),
                (&json!(false), &json!(true))
            );
            let data = &result["TransferErrorData"][0];
            assert_eq!(
                (&data["ErrorType"], &data["DeveloperData"]["PelicanErrorCode"]),
                (&json!("Contact"), &json!(3006)),
                "{form}: {result}"
            );
            assert!(
                result["TransferError"].as_str().is_some_and(|error| error.contains("failed to connect"))
            );
        }
    }
}

/// What the plugin says of objects of a federation: attempts and checksums as nested ads.
#[tokio::test(flavor = "multi_thread")]
async fn htcondor_reads_what_the_plugin_says_of_attempts_and_checksums() {
    let Some(mut htcondor) = met("htcondor", Oracle::start("condor_classads.py", "import classad2")) else {
        return;
    };
    let fake = FakeFederation::start(&[("/public/a b", b"data")]).await;
    fake.change(FederationServer::Cache(0), |_, _| refuse("503 \"Service\" Unavailable"));
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| fs_err::write(directory.path().join(name), text).expect("a file");
    write("ca.pem", tls::ca_pem());
    write(
        "in",
        "[ Url = \"osdf:///public/a b\"; LocalFileName = \"f\" ]\n[ Url = \"osdf:///none/f\"; LocalFileName = \"g\" ]",
    );
    let mut command = Command::new(env!("CARGO_BIN_EXE_scitoken"));
    command.env_clear().env("NO_PROXY", "*").current_dir(directory.path());
    command.env("SCITOKEN_CACERT", "ca.pem").env("SCITOKEN_FEDERATION", fake.host());
    let status = command.args(["condor-plugin", "-infile", "in", "-outfile", "out"]).status();
    assert_eq!(status.expect("the program runs").code(), Some(1), "one object does not exist");
    let out = fs_err::read_to_string(directory.path().join("out")).expect("results");
    let results = htcondor.ask(&json!({ "read": out }));
    let (first, second) = (&results[0], &results[1]);
    let data = &first["DeveloperData"];
    assert_eq!((&first["TransferSuccess"], &data["Attempts"]), (&json!(true), &json!(2)), "{out}");
    for (attribute, expected) in [
        ("TransferFileBytes0", json!(0)),
        ("IsRetryable0", json!(true)),
        ("TransferFileBytes1", json!(4)),
        ("DataAge1", json!(0)),
        ("CacheHit1", json!(false)),
    ] {
        assert_eq!(data[attribute], expected, "{attribute}: {out}");
    }
    assert!(data["TimeToFirstByte1"].is_f64() && data["TransferTime1"].is_f64(), "{data}");
    assert_eq!(data["ClientChecksums"], data["ServerChecksums"], "{data}");
    assert_eq!(data["ClientChecksums"].as_object().map(serde_json::Map::len), Some(1), "{data}");
    let error = &first["TransferErrorData"][0];
    assert_eq!(
        (&error["ErrorType"], &error["DeveloperData"]["PelicanErrorCode"]),
        (&json!("Transfer"), &json!(6000))
    );
    assert_eq!(second["TransferErrorData"][0]["DeveloperData"]["PelicanErrorCode"], 5011, "{out}");
}

fn plugin(directory: &Path, arguments: &[&str]) -> Option<i32> {
    let status = Command::new(env!("CARGO_BIN_EXE_scitoken"))
        .arg("condor-plugin")
        .args(arguments)
        .args(["--retry", "0", "--retry-exit-code"])
        .current_dir(directory)
        .status();
    status.expect("the program runs").code()
}
