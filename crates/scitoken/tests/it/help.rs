//! Help, man pages and completions.

use std::collections::BTreeMap;

use crate::support::{run, scitoken};

/// The man pages by name.
fn pages() -> BTreeMap<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let ended = run(scitoken(directory.path()).args(["man", "--directory", "man"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let pages = fs_err::read_dir(directory.path().join("man")).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        (path.file_name().unwrap().to_str().unwrap().to_owned(), fs_err::read_to_string(path).unwrap())
    });
    pages.collect()
}

#[test]
fn every_page_has_the_standard_sections_in_their_order() {
    const ORDER: [&str; 10] = [
        "NAME",
        "SYNOPSIS",
        "DESCRIPTION",
        "OPTIONS",
        "COMMANDS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
        "SEE ALSO",
    ];
    let pages = pages();
    assert!(pages.len() > 30, "{:?}", pages.keys());
    for (name, page) in &pages {
        let sections: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix(".SH "))
            .map(|name| name.trim_matches('"'))
            .collect();
        let places: Vec<_> =
            sections.iter().map(|name| ORDER.iter().position(|known| known == name)).collect();
        assert!(places.is_sorted() && places.iter().all(Option::is_some), "{name}: {sections:?}");
        for required in ["NAME", "SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            assert!(sections.contains(&required), "{name} has no {required}: {sections:?}");
        }
        assert!(page.contains("the target already exists") && page.contains("SCITOKEN_LIMIT_RATE"), "{name}");
    }
    assert!(pages["scitoken-get.1"].contains("scitoken get \\-i list.txt"), "{}", pages["scitoken-get.1"]);
    assert!(
        pages["scitoken-get.1"].contains(".SS \"LIMITS AND RETRIES\""),
        "groups of flags are subsections"
    );
    assert!(pages["scitoken-token-verify.1"].contains("scitoken\\-token"), "a page names those above it");
}

#[test]
fn a_page_is_printed_as_it_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let ended = run(scitoken(directory.path()).arg("man"));
    assert_eq!(ended.out, pages()["scitoken.1"]);
}

#[test]
fn values_and_hosts_of_the_settings_are_completed() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("scitoken.toml");
    fs_err::write(
        &config,
        "[host.\"data.example.org\"]\nno-auth = true\n[host.\"https://h.test:8443\"]\nno-auth = true\n\
         [host.\"*.wild.test\"]\nno-auth = true\n",
    )
    .unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = |with_settings: bool| {
            let mut command = scitoken(directory.path());
            if with_settings {
                command.env("SCITOKEN_CONFIG", &config);
            }
            let ended = run(command.args(["completions", shell]));
            assert_eq!(ended.code, 0, "{}", ended.err);
            ended.out
        };
        let known = script(true);
        for value in ["adler32", "require", "at+jwt", "wlcg", "ES256", "on-challenge"] {
            assert!(known.contains(value), "{shell}: {value}");
        }
        if shell == "fish" {
            // clap's script for fish completes no values of arguments without a flag.
            continue;
        }
        assert!(known.contains("data.example.org/") && known.contains("h.test"), "{shell}");
        assert!(!known.contains("wild.test"), "{shell}: a pattern is no host");
        assert!(!script(false).contains("data.example.org/"), "{shell}");
    }
    // Settings that cannot be read do not break a shell's start.
    fs_err::write(&config, "[transfer").unwrap();
    let ended = run(scitoken(directory.path()).env("SCITOKEN_CONFIG", &config).args(["completions", "bash"]));
    assert!(ended.code == 0 && ended.err.is_empty(), "{}", ended.err);
}

#[test]
fn help_names_no_retired_flag_and_lists_no_values_twice() {
    let directory = tempfile::tempdir().unwrap();
    for command in ["get", "put", "checksum"] {
        let ended = run(scitoken(directory.path()).args([command, "--help"]));
        let checksum = ended.out.lines().filter(|line| line.contains("[possible values: adler32")).count();
        assert_eq!((ended.code, checksum), (0, 0), "{command}: {}", ended.out);
    }
}
