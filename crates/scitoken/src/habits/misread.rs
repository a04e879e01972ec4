//! Command lines that would be taken for something else than what the user means.

use clap::Command;
use scitoken_types::SafeUrl;

use super::answer::Answer;
use super::urls::is_url;
use super::values::misread_value;
use super::{command_for, sentence_for};

/// Returns what is wrong with arguments that clap would take for something else, as message and hint.
pub(crate) fn misread(arguments: &[String], program: &Command) -> Option<Answer> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let arguments = &arguments[..end];
    if arguments.iter().any(|argument| argument == "--help" || argument == "-h") {
        return None;
    }
    let first = arguments.iter().find(|argument| !argument.starts_with('-'));
    let command = first.and_then(|first| program.find_subcommand(first));
    let Some(command) = command else { return without_command(arguments, program) };
    if let Some(answer) = arguments.iter().find_map(|argument| long_with_one_dash(argument, program, command))
    {
        return Some(answer);
    }
    if let Some(answer) = misread_value(arguments, command) {
        return Some(answer);
    }
    match command.get_name() {
        "ls" => arguments.iter().find_map(|argument| misread_ls(argument)),
        "get" => arguments.iter().enumerate().find_map(|(n, argument)| {
            let next = arguments.get(n + 1).map_or("", String::as_str);
            misread_get(argument, next, arguments)
        }),
        _ => None,
    }
}

#[expect(clippy::unnecessary_wraps, reason = "every caller returns it as it is")]
fn answer(message: impl Into<String>, hint: impl Into<String>) -> Option<Answer> {
    Some((message.into(), hint.into()))
}

/// Answers a command line that begins with flags, a URL or a file.
fn without_command(arguments: &[String], program: &Command) -> Option<Answer> {
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let first = words.first()?;
    // A command of another program has its own answer, and a misspelled one is told by clap.
    let is_file = |word: &str| word.contains(['.', '/']) && command_for("", word).is_none();
    let begins_with_flag = arguments.first().is_some_and(|first| first.starts_with('-'));
    let url = words.iter().find(|word| is_url(word));
    let shown = SafeUrl::unparsed;
    let Some(url) = url.filter(|_| is_url(first) || begins_with_flag || is_file(first)) else {
        let is_host = begins_like_a_host(first) && first.contains('/');
        return is_host.then(|| {
            ("no command given".to_owned(), format!("write `scitoken get https://{}`", shown(first)))
        });
    };
    let has_commands = words.iter().any(|word| program.find_subcommand(word.as_str()).is_some());
    if has_commands && !is_url(first) {
        return None;
    }
    let url = shown(url);
    let written = match meant(arguments) {
        "get" if is_file(first) && !is_url(first) && !begins_with_flag => {
            format!("put {} {url}", shown(first))
        }
        "put" => format!("put FILE {url}"),
        "mv" => format!("mv {url} URL"),
        other => format!("{other} {url}"),
    };
    let flags = if arguments.len() > words.len() { ", with the flags behind the command" } else { "" };
    answer("no command given", format!("write `scitoken {written}`{flags}"))
}

/// Returns whether a text without a scheme begins with the name of a host.
fn begins_like_a_host(text: &str) -> bool {
    let host = text.split(['/', ':']).next().unwrap_or_default();
    let labels = || host.split('.');
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    labels().count() > 2 && labels().all(is_label) || host == "localhost"
}

/// Returns the command that does what the flags of curl and wget ask for.
fn meant(arguments: &[String]) -> &'static str {
    let method = |name: &str| match name.to_ascii_uppercase().as_str() {
        "PUT" | "POST" => "put",
        "HEAD" => "stat",
        "DELETE" => "rm",
        "MKCOL" => "mkdir -p",
        "PROPFIND" => "ls",
        "MOVE" => "mv",
        "COPY" => "copy",
        _ => "get",
    };
    for (n, argument) in arguments.iter().enumerate() {
        let (flag, value) = argument.split_once('=').unwrap_or((argument, ""));
        let value = if value.is_empty() { arguments.get(n + 1).map_or("", String::as_str) } else { value };
        match flag {
            "-I" | "--head" | "--spider" => return "stat",
            "-T" | "--upload-file" | "--body-file" => return "put",
            "-X" | "--request" | "--method" => return method(value),
            _ => {
                if let Some(name) = flag.strip_prefix("-X").filter(|name| !name.is_empty()) {
                    return method(name);
                }
            }
        }
    }
    "get"
}

/// Answers `-recursive` for `--recursive`: clap reads the letters as flags of their own.
fn long_with_one_dash(argument: &str, program: &Command, command: &Command) -> Option<Answer> {
    let name = argument.strip_prefix('-').filter(|name| !name.starts_with('-'))?;
    let name = name.split('=').next().unwrap_or_default();
    if name.len() < 4 || matches!(command.get_name(), "condor-plugin") {
        return None;
    }
    let has_long = |command: &Command| {
        let mut longs = command.get_arguments().filter_map(clap::Arg::get_long_and_visible_aliases).flatten();
        longs.any(|long| long == name)
    };
    let is_known = name == "help" || name == "version" || has_long(program) || has_long(command);
    let hint = match name {
        "version" => "`scitoken --version` prints the version".to_owned(),
        _ => format!("write `--{name}`"),
    };
    is_known.then(|| (format!("`-{name}` would be read letter by letter"), hint))
}

/// Returns the letters of an argument that is one or several flags of one letter.
fn letters(argument: &str) -> Option<&str> {
    argument.strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with('-'))
}

/// Answers flags of `get` that mean something else here.
fn misread_get(argument: &str, next: &str, all: &[String]) -> Option<Answer> {
    match argument {
        "-x" if next.parse::<u32>().is_err() && (is_url(next) || next.contains(':')) => {
            answer("`-x` takes the number of connections for each file", "`--proxy URL` chooses a proxy")
        }
        "-i" if is_url(next) => answer(
            "`-i` reads a list from a local file",
            "for headers use `scitoken stat URL` or `-vv`; download a list first",
        ),
        "-o" | "--output" if is_url(next) => answer(
            format!("`{argument}` takes the name of the file"),
            "write `-o FILE` and then the URL, or leave it out for the name in the URL",
        ),
        "-P" if is_url(next) => answer(
            "`-P` takes the directory to write into",
            "write `-P DIR` and then the URL; `--progress bar` shows a bar",
        ),
        "--mirror" if is_url(next) && all.iter().filter(|word| is_url(word)).count() < 2 => answer(
            "`--mirror` takes another URL of the same file",
            "`-r` downloads a directory with everything below it",
        ),
        "--skip-existing" if matches!(next, "size" | "checksum") => {
            answer(format!("`--skip-existing {next}` needs a `=`"), format!("write `--skip-existing={next}`"))
        }
        "-n" | "-S" | "-s" if next.parse::<u32>().is_ok() => {
            answer(format!("`{argument}` takes no number"), "`-x N` uses up to N connections for each file")
        }
        "-T" if next.parse::<f64>().is_ok() => answer(
            "`-T` is not a flag here",
            "`--stall-time SECONDS` limits the time without data, `--max-time SECONDS` the whole transfer",
        ),
        "-T" => answer("`-T` is not a flag here", "`scitoken put FILE URL` uploads a file"),
        "-adler" | "-md5" => {
            let algorithm = if argument == "-md5" { "md5" } else { "adler32" };
            answer(
                format!("`{argument}` would be read letter by letter"),
                format!("`--checksum {algorithm}` verifies by that checksum"),
            )
        }
        _ => misread_letters(letters(argument)?, next),
    }
}

/// Answers letters that clap would read as flags of their own, or that take another value here.
fn misread_letters(letters: &str, next: &str) -> Option<Answer> {
    /// The flags of one letter without a value.
    const PLAIN: &str = "LfsSqvnJOr46";

    for (start, message) in [
        ("nv", "`-nv` would mean `--netrc --verbose`"),
        ("nc", "`-nc` is not a flag here"),
        ("np", "`-np` is not a flag here"),
        ("nd", "`-nd` is not a flag here"),
        ("nH", "`-nH` is not a flag here"),
    ] {
        if letters.starts_with(start) {
            return answer(message, sentence_for("get", &format!("-{start}"), |_| true).unwrap_or_default());
        }
    }
    let split = letters.find(|c: char| c.is_ascii_digit()).map(|at| letters.split_at(at));
    if let Some((flag @ ("n" | "s" | "S"), number)) = split
        && number.parse::<u32>().is_ok()
    {
        let connections = format!("`-x {number}` uses up to {number} connections for each file");
        let family = if matches!(number, "4" | "6") {
            format!("; for IPv{number} write `-{flag} -{number}`")
        } else {
            String::new()
        };
        return answer(format!("`-{flag}` takes no number"), connections + &family);
    }
    if let Some(range) = letters.strip_prefix('r')
        && is_range(if range.is_empty() { next } else { range })
    {
        return answer(
            "`-r` downloads a directory; ranges of a file cannot be chosen",
            "a whole file is downloaded, and resumed where it stopped",
        );
    }
    if let Some(offset) = letters.strip_prefix('C')
        && (if offset.is_empty() { next } else { offset }).trim_start_matches('=').parse::<u64>().is_ok()
    {
        return answer(
            "`-C` takes no offset but `-`",
            "leave it out: an unfinished file is resumed by default",
        );
    }
    let is_file = !next.is_empty() && !next.starts_with('-') && !is_url(next);
    let (before, after) = letters.split_once('O')?;
    let is_plain = |letters: &str| letters.chars().all(|letter| PLAIN.contains(letter));
    let file = match after {
        "" if next == "-" || is_file => next,
        "" => return None,
        after if is_plain(after) => return None,
        after => after.trim_start_matches('='),
    };
    let hint = if file == "-" { "`-o -` writes to standard output" } else { "`-o FILE` chooses the file" };
    is_plain(before)
        .then(|| ("`-O` takes no value: it names the file after the URL".to_owned(), hint.to_owned()))
}

/// Answers the flags of `ls` that are not those of this one.
fn misread_ls(argument: &str) -> Option<Answer> {
    let letters = letters(argument)?;
    let has = |letter: char| letters.contains(letter);
    let hint = if has('R') {
        "`-r` also lists everything below"
    } else if has('t') || has('S') && letters != "sS" {
        "pipe the list into `sort`: the server's order is kept"
    } else if has('1') {
        "one name on each line is the default: leave the flag out"
    } else if has('h') {
        "`-l` shows lengths in bytes; `-h` would print the help"
    } else {
        return None;
    };
    // The value of a flag may follow in the same argument.
    let is_of_ls = letters.chars().all(|letter| "laRrthS1dFfsv".contains(letter));
    is_of_ls.then(|| (format!("`{argument}` is not a flag of `ls` here"), hint.to_owned()))
}

fn is_range(text: &str) -> bool {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    text.split_once('-')
        .is_some_and(|(first, last)| digits(first) && digits(last) && first.len() + last.len() > 0)
}
