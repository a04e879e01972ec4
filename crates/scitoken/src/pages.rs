//! The command lines and settings in the pages are ones that the program takes.

use clap::Parser as _;
use scitoken_types::sys::Env;

use crate::Cli;
use crate::settings::Settings;

macro_rules! pages {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../docs/", $name)))),*]
    };
}

const PAGES: [(&str, &str); 11] = pages![
    "batch-job.md",
    "coming-from.md",
    "copy.md",
    "federation.md",
    "first-transfer.md",
    "htcondor.md",
    "login.md",
    "object-store.md",
    "refused.md",
    "tokens-at-my-site.md",
    "transfer.md",
];

/// Returns the fenced blocks of a page: the language and the lines of each.
fn blocks(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, Vec<&str>)> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => open = Some((language, Vec::new())),
            (None, Some((_, lines))) => lines.push(line),
            (None, None) => {}
        }
    }
    blocks
}

/// Splits a line as a shell does, up to a comment, a pipe or a redirection; of several commands the first counts.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' | '"' => {
                let quoted: String = chars.by_ref().take_while(|end| *end != c).collect();
                word.get_or_insert_default().push_str(&quoted);
            }
            ' ' => words.extend(word.take()),
            '#' | '|' | '>' | '<' | ';' if word.is_none() => break,
            ')' | ';' => break,
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Returns the words of a command line of the program after the program's name; `None` for another line.
fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start_matches("$ ").trim_start_matches('!');
    let words = words(line);
    let is_variable =
        |word: &String| word.split_once('=').is_some_and(|(name, _)| !name.contains(['-', '/']));
    let rest: Vec<_> = words.into_iter().skip_while(is_variable).collect();
    (rest.first().map(String::as_str) == Some("scitoken")).then_some(rest)
}

#[test]
fn every_command_line_in_the_pages_is_one_that_the_program_takes() {
    let mut count = 0;
    for (name, page) in PAGES {
        for (_, lines) in blocks(page) {
            let joined = lines.join("\n").replace("\\\n", " ");
            for line in joined.lines() {
                let Some(arguments) = arguments(line) else { continue };
                count += 1;
                if let Err(error) = Cli::try_parse_from(&arguments)
                    && error.use_stderr()
                {
                    panic!("{name}: `{line}`: {error}");
                }
            }
        }
    }
    assert!(count > 40, "{count} command lines");
}

#[test]
fn every_settings_block_in_the_pages_is_one_that_the_program_reads() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("scitoken.toml");
    let mut count = 0;
    for (name, page) in PAGES {
        for (language, lines) in blocks(page) {
            let text = lines.join("\n");
            if language != "toml" || !text.contains("[host.") && !text.contains("[transfer]") {
                continue;
            }
            fs_err::write(&path, &text).unwrap();
            let env = Env::given([("SCITOKEN_CONFIG", &path)]);
            if let Err(failure) = Settings::load(env) {
                panic!("{name}: {}", failure.message());
            }
            count += 1;
        }
    }
    assert!(count > 2, "{count} blocks");
}

#[test]
fn a_line_is_split_as_a_shell_does() {
    let split = |line: &str| arguments(line).map(|words| words[1..].join("|"));
    assert_eq!(split("$ scitoken get 'a b' > f").as_deref(), Some("get|a b"));
    assert_eq!(split("A=b scitoken get \"$X\"  # comment").as_deref(), Some("get|$X"));
    assert_eq!(split("!scitoken ls u | head").as_deref(), Some("ls|u"));
    assert_eq!(split("htgettoken -a h"), None);
}
