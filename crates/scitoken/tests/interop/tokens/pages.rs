//! The lines of `docs/tokens-at-my-site.md` that call other programs: these take their options.

use std::process::{Command, Stdio};

use crate::python::{python, runs};
use crate::support::{find, met};

const PAGE: &str = include_str!("../../../../../docs/tokens-at-my-site.md");

/// Returns the arguments of each call of a program, up to a redirection, a bracket or a comment.
fn calls(program: &str) -> Vec<Vec<String>> {
    let start = format!("{program} ");
    let after = PAGE.lines().filter_map(|line| line.split_once(&start).map(|(_, after)| after));
    let calls = after.filter(|after| after.starts_with('-'));
    calls
        .map(|after| {
            let end = after.find(['>', ')', '#']).unwrap_or(after.len());
            let mut words = Vec::new();
            for (n, part) in after[..end].split('\'').enumerate() {
                if n % 2 == 1 {
                    words.push(part.to_owned());
                } else {
                    words.extend(part.split_whitespace().map(|word| word.trim_matches('"').to_owned()));
                }
            }
            words
        })
        .collect()
}

/// Runs a program with the arguments and `--help`, which it answers if it knows all options before.
fn assert_known(command: &mut Command, arguments: &[String]) {
    let output = command.args(arguments).arg("--help").stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn htgettoken_takes_the_options_of_the_page() {
    let Some(()) = met("htgettoken", runs("import htgettoken")) else { return };
    let calls = calls("htgettoken");
    assert!(calls.len() >= 4, "{calls:?}");
    for arguments in calls {
        let mut command = Command::new(python());
        assert_known(command.args(["-c", "import htgettoken; htgettoken.main()"]), &arguments);
    }
}

#[test]
fn oidc_agents_programs_take_the_options_of_the_page() {
    for program in ["oidc-gen", "oidc-token"] {
        let Some(path) = met(program, find(program)) else { return };
        let calls = calls(program);
        assert!(!calls.is_empty(), "{program}");
        for arguments in calls {
            assert_known(&mut Command::new(&path), &arguments);
        }
    }
}
