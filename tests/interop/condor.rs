//! The transfer plugin against HTCondor's own parser of ClassAds.

use std::path::Path;
use std::process::Command;

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
    // Nobody listens there; and a name with everything in it that has to be quoted.
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
            assert!(result["TransferError"].as_str().is_some_and(|error| error.contains("cannot connect")));
        }
    }
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
