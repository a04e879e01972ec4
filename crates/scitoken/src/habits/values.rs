//! Values behind flags that take none here, and values that look like flags.

use clap::Command;

use super::answer::Answer;
use super::urls::is_url;

/// Answers a value that clap would take for a file, a URL or a flag.
pub(super) fn misread_value(arguments: &[String], command: &Command) -> Option<Answer> {
    arguments.windows(2).find_map(|pair| {
        negative_number(&pair[0], &pair[1], command).or_else(|| match command.get_name() {
            name @ ("copy" | "put") => number_or_space(&pair[0], &pair[1], name),
            "checksum" if !pair[0].starts_with('-') => algorithm(&pair[1]),
            _ => None,
        })
    })
}

/// Answers `--retry -1`: clap would read the number as a flag of its own.
fn negative_number(flag: &str, value: &str, command: &Command) -> Option<Answer> {
    let number = value.strip_prefix('-')?;
    let digits = number.strip_suffix(|c: char| c.is_ascii_alphabetic()).unwrap_or(number);
    if digits.parse::<f64>().is_err() {
        return None;
    }
    let takes_value = command.get_arguments().any(|argument| {
        let is_named = match flag.strip_prefix("--") {
            Some(long) => argument.get_long() == Some(long),
            None => flag
                .strip_prefix('-')
                .is_some_and(|letter| argument.get_short().map(String::from).as_deref() == Some(letter)),
        };
        let is_number = argument
            .get_value_names()
            .is_some_and(|names| names.iter().any(|name| ["N", "SECONDS", "RATE"].contains(&name.as_str())));
        is_named && is_number
    });
    takes_value.then(|| {
        (
            format!("invalid value `{value}` for `{flag}`"),
            format!("`{flag}` takes no negative number: leave out the `-`"),
        )
    })
}

/// Answers the streams and the space tokens of gfal-copy and xrdcp.
fn number_or_space(flag: &str, value: &str, command: &str) -> Option<Answer> {
    if !matches!(flag, "-n" | "-s" | "-S") {
        return None;
    }
    if std::path::Path::new(value).exists() {
        return None;
    }
    if value.parse::<u32>().is_ok() {
        let hint = match command {
            "put" => "each file is uploaded over one connection: leave the flag and the number out",
            _ => "the servers choose the number of their connections: leave the flag and the number out",
        };
        return Some((format!("`{flag}` takes no number"), hint.to_owned()));
    }
    let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !is_url(text);
    let is_space = flag == "-S" && command == "copy" && is_name(value);
    is_space.then(|| {
        let hint = "a space of the storage cannot be chosen: leave the flag and its value out";
        (format!("`{flag}` takes no value"), hint.to_owned())
    })
}

/// Answers `URL ADLER32`, as gfal-sum takes it.
fn algorithm(word: &str) -> Option<Answer> {
    let name = word.to_ascii_lowercase();
    let known =
        ["adler32", "crc32", "crc32c", "md5", "sha1", "sha-1", "sha256", "sha-256", "sha512", "sha-512"];
    known.contains(&name.as_str()).then(|| {
        let shown = match name.strip_prefix("sha").filter(|bits| !bits.starts_with('-')) {
            Some(bits) => format!("sha-{bits}"),
            None => name.clone(),
        };
        (format!("`{word}` is no URL"), format!("`-a {shown}` chooses the checksum"))
    })
}
