//! Command lines that cannot be parsed.

use std::io;

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use scitoken_types::{SafeUrl, redact};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::habits;
use crate::output;
use crate::sanitize::plain_words;

/// The hint where nothing better is known.
pub(crate) const ALL_FLAGS: &str = "`--help` shows all flags and commands";

/// Returns the failure for what clap cannot parse; `None` after printing the help or the version. `program` is what it parsed
/// the arguments for.
pub(crate) fn failure(error: &clap::Error, program: &Command) -> Result<Option<Failure>, io::Error> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        output::bytes(error.render().to_string().as_bytes())?;
        return Ok(None);
    }
    if let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
        && error.kind() == ErrorKind::UnknownArgument
        && flag.starts_with('-')
    {
        return Ok(Some(unknown_flag(flag, error, program)));
    }
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(hint) = other_command(name, command_of(error, program))
    {
        let name = redact::without_tokens(name);
        return Ok(Some(Failure::new(Exit::Usage, format!("unknown command `{name}`")).with_hint(hint)));
    }
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand)
        && !suggestions(error).iter().any(|similar| is_misspelt(name, similar))
    {
        let name = redact::without_tokens(name);
        let failure = Failure::new(Exit::Usage, format!("unknown command `{name}`"));
        return Ok(Some(failure.with_hint("`--help` lists the commands")));
    }
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand)
        && let Some(similar) = suggestions(error).into_iter().find(|similar| is_misspelt(name, similar))
    {
        let parent = command_of(error, program).get_name();
        let above = if parent == "scitoken" { String::new() } else { format!("{parent} ") };
        let failure =
            Failure::new(Exit::Usage, format!("unknown command `{}`", redact::without_tokens(name)));
        return Ok(Some(failure.with_hint(format!("write `scitoken {above}{similar}`"))));
    }
    if error.kind() == ErrorKind::ArgumentConflict
        && let Some(failure) = conflict(error)
    {
        return Ok(Some(failure));
    }
    if error.kind() == ErrorKind::TooManyValues
        && let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg)
    {
        let flag = argument.split([' ', '=']).next().unwrap_or(argument);
        return Ok(Some(
            Failure::new(Exit::Usage, format!("a value was given to `{flag}`"))
                .with_hint(format!("`{flag}` takes no value: leave out the `=` and what follows")),
        ));
    }
    if matches!(
        error.kind(),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand
    ) {
        return Ok(Some(
            Failure::new(Exit::Usage, "no command given").with_hint("`--help` lists the commands"),
        ));
    }
    let text = error.render().to_string();
    let text = without_value(text.strip_prefix("error: ").unwrap_or(&text), error);
    // A token may stand where any other value belongs.
    let failure = worded(&redact::without_tokens(&text));
    Ok(Some(match form_of_value(error, command_of(error, program)) {
        Some(form) => failure.with_hint(form),
        None => failure,
    }))
}

/// Returns the failure of flags that exclude each other.
fn conflict(error: &clap::Error) -> Option<Failure> {
    let Some(ContextValue::String(one)) = error.get(ContextKind::InvalidArg) else { return None };
    let others = match error.get(ContextKind::PriorArg)? {
        ContextValue::String(other) => vec![other.as_str()],
        ContextValue::Strings(others) => others.iter().map(String::as_str).collect(),
        _ => return None,
    };
    let name = |argument: &str| argument.split([' ', '=']).next().unwrap_or(argument).to_owned();
    let names: Vec<String> = std::iter::once(one.as_str()).chain(others).map(name).collect();
    let has = |flag: &str| names.iter().any(|name| name == flag);
    let hint = if has("--directory") && has("--output") {
        "write the directory into the name: `-o DIR/NAME`"
    } else {
        "leave one of them out"
    };
    let failure = Failure::new(Exit::Usage, format!("`{}` exclude each other", names.join("` and `")));
    Some(failure.with_hint(hint))
}

/// Returns the commands that clap takes for similar.
fn suggestions(error: &clap::Error) -> Vec<String> {
    match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::String(similar)) => vec![similar.clone()],
        Some(ContextValue::Strings(similar)) => similar.clone(),
        _ => Vec::new(),
    }
}

/// Says in which form the value of a flag is written, where the message does not say so.
fn form_of_value(error: &clap::Error, command: &Command) -> Option<String> {
    if error.kind() == ErrorKind::MissingRequiredArgument {
        return swallowed(error, command);
    }
    let is_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
    if let (true, Some(ContextValue::String(value)), Some(ContextValue::String(argument))) =
        (is_value, error.get(ContextKind::InvalidValue), error.get(ContextKind::InvalidArg))
        && value.is_empty()
        && argument.starts_with('-')
    {
        return Some(format!("write the value behind the flag: `{}`", argument.replace(['<', '>'], "")));
    }
    let Some(ContextValue::String(argument)) = error.get(ContextKind::InvalidArg).filter(|_| is_value) else {
        return None;
    };
    match argument.as_str() {
        "--scope <OP:PATH>" => Some(
            "write the operation, a colon, and a path that begins with `/`: `read:/vo` for the profile scitokens2, \
             `storage.read:/vo` for `--profile wlcg`"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Returns what to type instead of a command that does not exist below `parent`.
fn other_command(name: &str, parent: &Command) -> Option<String> {
    let above = if parent.get_name() == "scitoken" { "" } else { parent.get_name() };
    let lower = name.to_ascii_lowercase();
    let same = parent.find_subcommand(&lower).map(|command| {
        let above = if above.is_empty() { String::new() } else { format!("{above} ") };
        format!("write `scitoken {above}{}`", command.get_name())
    });
    same.or_else(|| habits::command_for(above, name).map(str::to_owned))
}

/// Says which flag took an argument as its value, where one is missing: other programs have the flag without a value.
fn swallowed(error: &clap::Error, command: &Command) -> Option<String> {
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    let usage = usage.to_string();
    let words: Vec<&str> = usage.split_whitespace().collect();
    let takes_value = |flag: &str| {
        let named = |argument: &&clap::Arg| argument.get_long() == flag.strip_prefix("--");
        command.get_arguments().find(named).is_some_and(|argument| argument.get_action().takes_values())
    };
    let is_pair =
        |pair: &&[&str]| pair[0].starts_with("--") && pair[1].starts_with('<') && takes_value(pair[0]);
    let flag = words.windows(2).rev().find(is_pair)?;
    let value = flag[1].trim_matches(['<', '>']);
    Some(format!("`{}` takes what stands behind it as its {value}: write both", flag[0]))
}

/// Answers a flag that the command does not have: by a habit of another program's users, or a flag of almost the same name.
fn unknown_flag(flag: &str, error: &clap::Error, program: &Command) -> Failure {
    let name = flag.split('=').next().unwrap_or(flag);
    // Elsewhere `-0` to `-6` are flags of curl.
    let takes_numbers = ["create", "enforce", "verify"].contains(&command_of(error, program).get_name());
    let is_number = name.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
    if is_number && takes_numbers {
        return Failure::new(Exit::Usage, format!("`{name}` is a negative number, which no flag takes"))
            .with_hint("write a number from zero on behind the flag");
    }
    let failure = Failure::new(Exit::Usage, format!("unknown flag `{name}`"));
    let command = command_of(error, program);
    let has = |flag: &str| has_flag(command, flag) || has_flag(program, flag);
    if let Some(sentence) = habits::sentence_for(command.get_name(), name, has) {
        return failure.with_hint(sentence);
    }
    match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(similar)) if is_misspelt(name, similar) => {
            failure.with_hint(format!("a similar flag exists: `{similar}`"))
        }
        _ => failure.with_hint(ALL_FLAGS),
    }
}

/// Returns the command that the error is about: its usage names it behind the program.
fn command_of<'c>(error: &clap::Error, program: &'c Command) -> &'c Command {
    let usage = match error.get(ContextKind::Usage) {
        Some(ContextValue::StyledStr(usage)) => usage.to_string(),
        _ => String::new(),
    };
    let names = usage.split_whitespace().skip_while(|word| *word == "Usage:").skip(1);
    let mut command = program;
    for name in names {
        match command.find_subcommand(name) {
            Some(found) => command = found,
            None => break,
        }
    }
    command
}

/// Returns whether a command takes `--long` or `-s`.
pub(crate) fn has_flag(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|argument| match flag.strip_prefix("--") {
        Some(long) => argument.get_long_and_visible_aliases().is_some_and(|longs| longs.contains(&long)),
        None => argument.get_short_and_visible_aliases().is_some_and(|shorts| {
            flag.strip_prefix('-')
                .is_some_and(|letters| shorts.iter().any(|short| letters.starts_with(*short)))
        }),
    })
}

/// Returns whether two letters or less turn one name into the other. clap also suggests what only sounds alike.
fn is_misspelt(name: &str, similar: &str) -> bool {
    const MOST_CHANGES: usize = 2;
    let similar: Vec<char> = similar.chars().collect();
    // Row by row of the Levenshtein distance.
    let mut row: Vec<usize> = (0..=similar.len()).collect();
    for (n, c) in name.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], n + 1);
        for (at, other) in similar.iter().enumerate() {
            let changed = diagonal + usize::from(c != *other);
            diagonal = row[at + 1];
            row[at + 1] = changed.min(row[at] + 1).min(diagonal + 1);
        }
    }
    row.last().is_some_and(|changes| *changes <= MOST_CHANGES)
}

/// Puts clap's text into the form of every other failure: a sentence, the usage, and a hint.
fn worded(text: &str) -> Failure {
    const MORE: &str = "For more information";
    let is_line = |line: &&str| !line.is_empty() && !line.starts_with(MORE);
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(is_line).collect();
    // A flag of another program is never meant as a value.
    let mut tips = lines.iter().filter_map(|line| line.trim_start().strip_prefix("tip: "));
    let tip = tips.find(|tip| !tip.starts_with("to pass "));
    let is_usage = |line: &&&str| line.starts_with("Usage:");
    let usage = lines.iter().find(is_usage).copied();
    // What is missing, and which values are possible, stands in lines of its own.
    let sentence = lines.iter().take_while(|line| !line.starts_with("Usage:"));
    let sentence: Vec<_> =
        sentence.map(|line| line.trim()).filter(|line| !line.starts_with("tip: ")).collect();
    let failure = Failure::new(Exit::Usage, plain_words(&quoted(&sentence.join(" "))));
    let failure = match usage {
        Some(usage) => failure.with_details(usage),
        None => failure,
    };
    failure.with_hint(tip.map_or_else(|| ALL_FLAGS.to_owned(), quoted))
}

/// Writes clap's quotes as this program's.
fn quoted(text: &str) -> String {
    text.replace('\'', "`")
}

/// Masks a value that clap repeats, if it may be a credential: that of a header, and the query of a URL.
fn without_value(text: &str, error: &clap::Error) -> String {
    let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else {
        return text.to_owned();
    };
    let is_header = matches!(error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(flag)) if flag.split([' ', '=']).next().is_some_and(|flag| flag.ends_with("header")));
    let shown = match value.contains("://") {
        _ if value.is_empty() => return text.to_owned(),
        _ if is_header => "…".to_owned(),
        true => SafeUrl::unparsed(value),
        false => return text.to_owned(),
    };
    text.replace(value, &shown)
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::*;

    #[derive(Debug, Parser)]
    struct Cli {
        #[arg(long, value_parser = ["auto", "line"])]
        _progress: Option<String>,
        #[arg(long, id = "jobs")]
        _jobs: Option<std::num::NonZeroUsize>,
        #[arg(required = true, value_name = "FILE")]
        _files: Vec<String>,
    }

    fn report(arguments: &[&str]) -> Failure {
        let arguments = ["scitoken"].iter().chain(arguments);
        let error = Cli::command().no_binary_name(false).try_get_matches_from(arguments).unwrap_err();
        failure(&error, &Cli::command()).unwrap().unwrap()
    }

    #[test]
    fn a_flag_is_misspelt_by_two_letters_at_most() {
        for (name, similar) in [("--progres", "--progress"), ("--jbos", "--jobs"), ("--retrys", "--retry")] {
            assert!(is_misspelt(name, similar), "{name} {similar}");
        }
        let others = [("--quota", "--quiet"), ("--no-cache", "--cache"), ("--max-filesize", "--max-time")];
        for (name, similar) in others {
            assert!(!is_misspelt(name, similar), "{name} {similar}");
        }
    }

    #[test]
    fn usage_errors_look_like_all_others() {
        for (arguments, message, hint) in [
            (&[][..], "the following required arguments were not provided: <FILE>...", "`--help` shows"),
            (&["--progres", "line", "f"], "unknown flag `--progres`", "`--progress`"),
            (
                &["--progress", "lines", "f"],
                "invalid value `lines` for `--progress <PROGRESS>` [possible values: auto, line]",
                "a similar value exists: `line`",
            ),
            (&["--quota", "5m", "f"], "unknown flag `--quota`", "a whole file"),
            (&["-1", "f"], "unknown flag `-1`", "leave the flag out"),
            (
                &["--jobs", "0", "f"],
                "invalid value `0` for `--jobs <jobs>`: it must be at least 1",
                "`--help`",
            ),
            (
                &["--jobs", "5s", "f"],
                "invalid value `5s` for `--jobs <jobs>`: not a whole number",
                "`--help`",
            ),
        ] {
            let failure = report(arguments);
            assert_eq!(failure.message(), message, "{arguments:?}");
            assert!(failure.hint().unwrap().contains(hint), "{arguments:?}: {failure:?}");
            assert_eq!(failure.exit(), Exit::Usage);
        }
    }
}
