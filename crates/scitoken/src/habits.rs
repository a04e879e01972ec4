//! Flags that users of curl, wget, gfal-copy and xrdcp type, and what does the same here.

mod table;

use self::table::{COMMANDS, HABITS, UNIX};

/// Returns the sentence for a flag that `command` does not have. `has` tells which flags it has: a sentence about others is
/// no help.
pub(crate) fn sentence_for(command: &str, flag: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let own = UNIX.iter().filter(|(name, _)| *name == command).flat_map(|(_, habits)| *habits);
    let habit = own.chain(HABITS).find(|habit| habit.names.contains(&flag))?;
    names_flags_of(habit.sentence, has).then_some(habit.sentence)
}

/// Returns whether every flag in a sentence is one of the command's, or that of a command which the sentence names.
fn names_flags_of(sentence: &str, has: impl Fn(&str) -> bool) -> bool {
    let code = || sentence.split('`').skip(1).step_by(2);
    let first_words = || code().filter_map(|code| code.split(&[' ', '=']).next());
    first_words().any(|word| !word.starts_with('-')) || first_words().all(has)
}

/// Returns the sentence for a command that this program does not have.
pub(crate) fn command_for(name: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|habit| habit.names.contains(&name)).map(|habit| habit.sentence)
}

/// Returns what is wrong with arguments that clap would take for something else, as message and hint.
pub(crate) fn misread(arguments: &[String], commands: &[&str]) -> Option<(String, String)> {
    let wrong = |message: &str, hint: &str| Some((message.to_owned(), hint.to_owned()));
    let first = arguments.iter().find(|argument| !argument.starts_with('-'));
    let has_command = arguments.iter().any(|argument| commands.contains(&argument.as_str()));
    let url = first.filter(|first| is_url(first)).or_else(|| {
        // `-o FILE URL`: the value of a flag precedes the URL.
        arguments
            .iter()
            .find(|argument| is_url(argument))
            .filter(|_| !has_command && arguments.first().is_some_and(|first| first.starts_with('-')))
    });
    if let Some(url) = url {
        return wrong(
            "no command given",
            &format!("write `scitoken get {}`", scitoken_types::SafeUrl::unparsed(url)),
        );
    }
    if first.is_some_and(|first| first == "ls") {
        return misread_ls(arguments);
    }
    if !arguments.iter().any(|argument| argument == "get") {
        return None;
    }
    for (n, argument) in arguments.iter().enumerate() {
        let next = arguments.get(n + 1).map_or("", String::as_str);
        match argument.as_str() {
            "--" => break,
            "-nv" => return wrong("`-nv` would mean `--netrc --verbose`", "`-q` writes nothing but errors"),
            "-nc" => return wrong("`-nc` is not a flag here", "`--no-clobber` fails if the file exists"),
            "-np" => {
                return wrong("`-np` is not a flag here", "`-r` never downloads what is above the directory");
            }
            "-nd" | "-nH" => {
                return wrong(
                    &format!("`{argument}` is not a flag here"),
                    sentence_for("get", argument, |_| true).unwrap_or_default(),
                );
            }
            "-O" if !next.is_empty() && !next.starts_with('-') && !is_url(next) => {
                return wrong(
                    "`-O` takes no value: it names the file after the URL",
                    "`-o FILE` chooses the file",
                );
            }
            "-x" if next.parse::<u32>().is_err() && (is_url(next) || next.contains(':')) => {
                return wrong(
                    "`-x` takes the number of connections for each file",
                    "`--proxy URL` chooses a proxy",
                );
            }
            "-r" if is_range(next) => {
                return wrong(
                    "`-r` downloads a directory; ranges of a file cannot be chosen",
                    "a whole file is downloaded, and resumed where it stopped",
                );
            }
            "-i" if is_url(next) => {
                return wrong(
                    "`-i` reads a list from a local file",
                    "for headers use `scitoken stat URL` or `-vv`; download a list first",
                );
            }
            offset
                if offset.strip_prefix("-C").is_some_and(|at| {
                    let at = if at.is_empty() { next } else { at };
                    at.parse::<u64>().is_ok()
                }) =>
            {
                return wrong(
                    "`-C` takes no offset but `-`",
                    "leave it out: an unfinished file is resumed by default",
                );
            }
            "-n" | "-S" | "-s" if next.parse::<u32>().is_ok() => {
                return wrong(
                    &format!("`{argument}` takes no number"),
                    "`-x N` uses up to N connections for each file",
                );
            }
            "-T" => return wrong("`-T` is not a flag here", "`scitoken put FILE URL` uploads a file"),
            _ => {}
        }
    }
    None
}

/// Answers the flags of `ls` that are not those of this one.
fn misread_ls(arguments: &[String]) -> Option<(String, String)> {
    arguments.iter().find_map(|argument| {
        let hint = match argument.as_str() {
            "-R" => "`-r` also lists everything below",
            "-1" => "one name on each line is the default: leave the flag out",
            "-lh" | "-hl" => "`-l` shows lengths in bytes; `-h` would print the help",
            "-t" | "-S" | "-lt" | "-lS" => "pipe the list into `sort`: the server's order is kept",
            _ => return None,
        };
        Some((format!("`{argument}` is not a flag of `ls` here"), hint.to_owned()))
    })
}

/// Returns the arguments with `-C URL` written as `-C - URL`.
pub(crate) fn complete_offset(arguments: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let mut complete: Vec<std::ffi::OsString> = Vec::with_capacity(arguments.len() + 1);
    for argument in arguments {
        let is_after_c = complete.last().is_some_and(|last| last == "-C" || last == "--continue-at");
        if is_after_c && argument.to_str().is_some_and(is_url) {
            complete.push("-".into());
        }
        complete.push(argument);
    }
    complete
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| {
        matches!(scheme.as_str(), "http" | "https" | "dav" | "davs" | "pelican" | "osdf")
    })
}

fn is_range(text: &str) -> bool {
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    text.split_once('-')
        .is_some_and(|(first, last)| digits(first) && digits(last) && first.len() + last.len() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_sentence_ends_without_a_period_and_names_something_to_type() {
        assert!(HABITS.len() > 60);
        let mut flags: Vec<_> = HABITS.iter().flat_map(|habit| habit.names).collect();
        flags.sort_unstable();
        assert!(flags.windows(2).all(|pair| pair[0] != pair[1]), "a flag has two answers: {flags:?}");
        for habit in HABITS {
            assert!(!habit.sentence.ends_with('.') && habit.names.iter().all(|flag| flag.starts_with('-')));
        }
        assert!(sentence_for("get", "--insecure", |_| true).unwrap().contains("--cacert"));
        assert!(sentence_for("get", "--user", |_| true).unwrap().contains("--netrc-file"));
        assert_eq!(sentence_for("get", "--no-such-flag", |_| true), None);
        assert!(command_for("curl").unwrap().contains("scitoken get"));
        assert_eq!(command_for("frobnicate"), None);
    }

    #[test]
    fn a_sentence_is_about_flags_of_the_command() {
        assert!(sentence_for("ls", "-d", |_| false).unwrap().contains("scitoken stat"));
        assert!(sentence_for("get", "-m", |flag| flag == "--max-time").is_some());
        assert_eq!(sentence_for("show", "-m", |_| false), None);
        assert!(sentence_for("show", "-T", |_| false).is_some(), "it names another command");
    }

    #[test]
    fn arguments_that_would_be_misread_are_answered() {
        for (line, expected) in [
            ("https://h/f", "write `scitoken get https://h/f`"),
            ("-v davs://h/f", "write `scitoken get davs://h/f`"),
            ("-o x https://h/f", "write `scitoken get https://h/f`"),
            ("get -C100 https://h/f", "resumed"),
            ("ls -R https://h/d/", "`-r`"),
            ("ls -1 https://h/d/", "default"),
            ("get -nv https://h/f", "-q"),
            ("get -O f https://h/f", "-o FILE"),
            ("get -x http://proxy:3128 https://h/f", "--proxy"),
            ("get -x proxy:3128 https://h/f", "--proxy"),
            ("get -r 0-99 https://h/f", "resumed"),
            ("get -r -99 https://h/f", "resumed"),
            ("get -i https://h/f", "stat"),
            ("get -C 100 https://h/f", "resumed"),
            ("get -n 4 https://h/f", "-x N"),
            ("get -S 4 https://h/f", "-x N"),
            ("get -s 4 https://h/f", "-x N"),
        ] {
            let (_, hint) =
                misread(&words(line), &["get", "ls", "put", "stat"]).unwrap_or_else(|| panic!("{line}"));
            assert!(hint.contains(expected), "{line}: {hint}");
        }
        for line in [
            "get -O https://h/f",
            "get -x 4 https://h/f",
            "get -r https://h/d/",
            "get -i list",
            "get -n https://h/f",
            "get -s -S https://h/f",
            "stat https://h/f",
            "get https://h/run-1-2",
            "-v put f https://h/f",
            "ls -la https://h/d/",
        ] {
            assert_eq!(misread(&words(line), &["get", "ls", "put", "stat"]), None, "{line}");
        }
    }

    #[test]
    fn an_offset_may_be_left_out() {
        let complete = |line: &str| complete_offset(words(line).into_iter().map(Into::into).collect());
        assert_eq!(complete("get -C https://h/f"), ["get", "-C", "-", "https://h/f"]);
        assert_eq!(complete("get -C - https://h/f"), ["get", "-C", "-", "https://h/f"]);
    }
}
