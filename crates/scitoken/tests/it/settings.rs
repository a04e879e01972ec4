//! `scitoken config show`, and settings that cannot be used.

use serde_json::Value;

use crate::support::{run, scitoken};

const WRONG: &str = "\
# settings
[transfer]
jobs = \"many\"
retry = 3
stall-time = -1
limit-rate = \"fast\"
job = 1

[connect]
attach = \"sometimes\"
trust-redirect = [\"a.test\", \"*\"]
audience = [\"a\", \"b\"]

[federations]
host = \"x\"

[host.\"h.test\"]
token = \"x\"
";

/// What `config show` has to say about it: line, key, and a part of the problem.
const PROBLEMS: [(Option<u64>, &str, &str); 9] = [
    (Some(3), "transfer.jobs", "not a whole number"),
    (Some(5), "transfer.stall-time", ""),
    (Some(6), "transfer.limit-rate", "500K"),
    (Some(7), "transfer.job", "`jobs`"),
    (Some(10), "connect.attach", "sometimes"),
    (Some(11), "connect.trust-redirect", "origin pattern"),
    (Some(12), "connect.audience", "one value"),
    (Some(14), "federations", "`federation`"),
    (Some(17), "host.h.test", "needs one of"),
];

#[test]
fn config_show_lists_every_invalid_setting_with_its_line_and_fails() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("scitoken.toml");
    fs_err::write(&config, WRONG).unwrap();
    let show = |more: &[&str]| {
        let mut command = scitoken(directory.path());
        command.env("SCITOKEN_CONFIG", &config).env("SCITOKEN_STREAMS", "0");
        run(command.args(["config", "show"]).args(more))
    };
    let text = show(&[]);
    assert_eq!(text.code, 2, "{}", text.err);
    let lines: Vec<&str> = text.err.lines().collect();
    assert_eq!(lines.len(), PROBLEMS.len() + 1, "{}", text.err);
    for (line, key, part) in PROBLEMS {
        let place = format!("line {}: ", line.unwrap());
        let found = lines
            .iter()
            .find(|said| said.contains(&place))
            .unwrap_or_else(|| panic!("{place}: {}", text.err));
        let name = key.rsplit_once("host.").map_or(key, |(_, pattern)| pattern);
        assert!(found.starts_with("scitoken: ") && found.contains(name) && found.contains(part), "{found}");
    }
    assert!(text.err.contains("environment `SCITOKEN_STREAMS`: invalid `transfer.streams`"), "{}", text.err);
    assert!(text.out.contains("transfer.retry             = 3"), "the others are shown: {}", text.out);
    let json = show(&["--json"]);
    assert_eq!((json.code, json.err.as_str()), (2, ""));
    let object: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((&object["ok"], &object["exit"]), (&Value::from(false), &Value::from(2)));
    let problems = object["problems"].as_array().unwrap();
    assert_eq!(problems.len(), PROBLEMS.len() + 1, "{problems:?}");
    for (line, key, _) in PROBLEMS {
        assert!(
            problems.iter().any(|problem| problem["key"] == key && problem["line"] == line.unwrap()),
            "{key}"
        );
    }
    assert_eq!(object["settings"]["transfer.retry"]["value"], "3");
}

#[test]
fn each_error_of_toml_has_its_line_and_other_commands_name_the_first() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("scitoken.toml");
    fs_err::write(&config, "[transfer]\njobs = \nretry 3\n").unwrap();
    let program = || {
        let mut command = scitoken(directory.path());
        command.env("SCITOKEN_CONFIG", &config);
        command
    };
    let shown = run(program().args(["config", "show"]));
    assert!(
        shown.code == 2 && shown.err.contains("line 2: ") && shown.err.contains("line 3: "),
        "{}",
        shown.err
    );
    fs_err::write(&config, WRONG).unwrap();
    let got = run(program().args(["get", "https://h.test/f"]));
    assert!(got.code == 2 && got.err.contains("line 7: unknown setting `transfer.job`"), "{}", got.err);
    fs_err::write(&config, "[transfer]\n\njobs = \"many\"\n").unwrap();
    let got = run(program().args(["get", "https://h.test/f"]));
    assert!(got.code == 2 && got.err.contains("line 3: invalid `transfer.jobs`"), "{}", got.err);
}

#[test]
fn settings_that_are_right_are_shown_and_the_exit_code_is_0() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("scitoken.toml");
    let text = "[transfer]\njobs = 7\nchecksum = \"require\"\nmax-time = \"1.5\"\nlimit-rate = \"2.5M\"\n[connect]\n\
        trust-redirect = [\"*.a.test\", \"b.test\"]\nattach = \"on-challenge\"\n[federation]\nstorage = \"json:x\"\n\
        caches = [\"https://c.test\", \"+\"]\n[host.\"h.test\"]\nno-auth = true\n";
    fs_err::write(&config, text).unwrap();
    let ended = run(scitoken(directory.path()).env("SCITOKEN_CONFIG", &config).args(["config", "show"]));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{}", ended.out);
    assert!(ended.out.contains("transfer.jobs              = 7"), "{}", ended.out);
}
