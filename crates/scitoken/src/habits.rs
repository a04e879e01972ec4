//! Flags and commands that users of other programs type, and what does the same here.

mod answer;
mod by_command;
mod commands;
mod foreign_features;
mod misread;
mod rare_flags;
mod table;
mod urls;
mod values;

use self::by_command::BY_COMMAND;
use self::commands::{BELOW, COMMANDS};
use self::foreign_features::{FOREIGN, PREFIXES};
pub(crate) use self::misread::misread;
use self::rare_flags::RARE;
use self::table::HABITS;
pub(crate) use self::urls::is_url;

/// Letters that the commands of a shell have, of those that have another meaning in curl and wget.
const SHELL_LETTERS: [(&str, &str); 3] = [("checksum", "bt"), ("ls", "FGXbceginopqt"), ("rm", "y")];

/// Returns the sentence for a flag that `command` does not have. `has` tells which flags it has: what a sentence says of
/// others is no help, and left out.
pub(crate) fn sentence_for(command: &str, flag: &str, has: impl Fn(&str) -> bool) -> Option<String> {
    let own = BY_COMMAND.iter().filter(|(name, _)| *name == command).flat_map(|(_, habits)| *habits);
    // The letters of `ls` and `rm` are those of a shell's commands, not of curl and wget.
    let is_foreign_letter = SHELL_LETTERS.iter().any(|(name, letters)| {
        *name == command
            && flag.len() == 2
            && flag.chars().last().is_some_and(|letter| letters.contains(letter))
    });
    let others = HABITS.iter().chain(RARE).chain(FOREIGN).filter(|_| !is_foreign_letter);
    let named = own.chain(others).find(|habit| habit.names.contains(&flag));
    let begins = || PREFIXES.iter().find(|habit| habit.names.iter().any(|prefix| flag.starts_with(prefix)));
    let habit = named.or_else(begins)?;
    let parts: Vec<&str> = habit.sentence.split("; ").filter(|part| names_flags_of(part, &has)).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Returns whether every flag in a sentence is one of the command's, or stands behind another command that the sentence
/// names.
fn names_flags_of(sentence: &str, has: impl Fn(&str) -> bool) -> bool {
    let code = sentence.split('`').skip(1).step_by(2);
    let mut words = code.filter_map(|code| code.split(&[' ', '=']).next());
    words.by_ref().take_while(|word| *word != "scitoken").filter(|word| word.starts_with('-')).all(has)
}

/// Returns the sentence for a command that this program does not have below `parent`, which is empty for the program itself.
pub(crate) fn command_for(parent: &str, name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let habits = match parent {
        "" => Some(COMMANDS),
        parent => BELOW.iter().find(|(above, _)| *above == parent).map(|(_, habits)| *habits),
    };
    habits?.iter().find(|habit| habit.names.contains(&name.as_str())).map(|habit| habit.sentence)
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

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::failure::Failure;
    use crate::{Cli, usage};

    /// The flags in the help of each program: curl 7.88, Wget 1.21, Wget2 1.99, aria2 1.36, gfal2-util 1.8, davix 0.8,
    /// xrdcp 5.5, rclone 1.60.
    const PEERS: [(&str, &str); 8] = [
        ("curl", include_str!("../tests/peers/curl")),
        ("wget", include_str!("../tests/peers/wget")),
        ("wget2", include_str!("../tests/peers/wget2")),
        ("aria2c", include_str!("../tests/peers/aria2c")),
        ("gfal-copy", include_str!("../tests/peers/gfal-copy")),
        ("davix", include_str!("../tests/peers/davix")),
        ("xrdcp", include_str!("../tests/peers/xrdcp")),
        ("rclone", include_str!("../tests/peers/rclone")),
    ];

    /// What a command line is answered with; `None` if it is accepted, or asks for the help.
    fn answered(words: &[&str]) -> Option<Failure> {
        let program = Cli::command();
        let texts: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        if let Some((message, hint)) = misread(&texts, &program) {
            return Some(Failure::new(crate::exit::Exit::Usage, message).with_hint(hint));
        }
        let line: Vec<std::ffi::OsString> =
            std::iter::once("scitoken").chain(words.iter().copied()).map(Into::into).collect();
        let error = program.clone().try_get_matches_from(complete_offset(line)).err()?;
        match error.kind() {
            clap::error::ErrorKind::DisplayHelp | clap::error::ErrorKind::DisplayVersion => None,
            _ => usage::failure(&error, &program).unwrap(),
        }
    }

    #[test]
    fn every_sentence_ends_without_a_period_and_names_something_to_type() {
        let all = || HABITS.iter().chain(RARE).chain(FOREIGN).chain(PREFIXES);
        let mut flags: Vec<_> = all().flat_map(|habit| habit.names).collect();
        assert!(flags.len() > 600, "{}", flags.len());
        flags.sort_unstable();
        let twice: Vec<_> = flags.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "a flag has two answers: {twice:?}");
        for habit in all() {
            assert!(!habit.sentence.ends_with('.') && habit.names.iter().all(|flag| flag.starts_with('-')));
        }
        let mut commands: Vec<_> = COMMANDS.iter().flat_map(|habit| habit.names).collect();
        commands.sort_unstable();
        let twice: Vec<_> = commands.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "a command has two answers: {twice:?}");
        assert_eq!(sentence_for("get", "--no-such-flag", |_| true), None);
        assert_eq!(command_for("", "frobnicate"), None);
    }

    #[test]
    fn what_a_command_is_asked_for_is_answered_with_its_own_flags() {
        let program = Cli::command();
        for (name, habits) in BY_COMMAND {
            let command = program.find_subcommand(name).unwrap();
            let has = |flag: &str| usage::has_flag(command, flag) || usage::has_flag(&program, flag);
            for habit in *habits {
                for flag in habit.names {
                    assert!(!has(flag), "`{name}` has `{flag}`");
                    assert_eq!(
                        sentence_for(name, flag, has).as_deref(),
                        Some(habit.sentence),
                        "{name} {flag}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_sentence_is_about_flags_of_the_command() {
        assert!(sentence_for("ls", "-d", |_| false).unwrap().contains("scitoken stat"));
        assert!(sentence_for("get", "-m", |flag| flag == "--max-time").is_some());
        assert_eq!(sentence_for("show", "-m", |_| false), None);
        assert!(sentence_for("show", "-T", |_| false).is_some(), "it names another command");
    }

    #[test]
    fn every_flag_of_another_program_is_accepted_or_answered_before_and_after_the_url() {
        let (mut accepted, mut answers, mut without) = (0, 0, Vec::new());
        for (program, flags) in PEERS {
            for line in flags.lines() {
                let words: Vec<&str> = line.split(' ').collect();
                let before = [&["get"][..], &words, &["https://h.test/f"]].concat();
                let after = [&["get", "https://h.test/f"][..], &words].concat();
                // A letter takes what follows it, so its place counts.
                let is_letter = words[0].len() == 2;
                for command_line in std::iter::once(before).chain(is_letter.then_some(after)) {
                    let Some(failure) = answered(&command_line) else {
                        accepted += 1;
                        continue;
                    };
                    answers += 1;
                    let hint = failure.hint().unwrap_or_default();
                    // A value that the flag does not take is told with those that it takes.
                    let is_value = failure.message().contains("invalid value");
                    if !is_value && (hint.is_empty() || hint == usage::ALL_FLAGS) {
                        without.push(format!("{program}: {command_line:?}: {failure:?}"));
                    }
                }
            }
        }
        assert!(without.is_empty(), "{} without an answer:\n{}", without.len(), without.join("\n"));
        assert!(accepted > 80 && answers > 1000, "{accepted} {answers}");
    }

    #[test]
    fn every_command_that_a_sentence_names_exists() {
        let program = Cli::command();
        let below = BELOW.iter().flat_map(|(_, habits)| *habits);
        let flags = HABITS.iter().chain(RARE).chain(FOREIGN).chain(PREFIXES);
        let flags = flags.chain(BY_COMMAND.iter().flat_map(|(_, habits)| *habits));
        let mut named = 0;
        for habit in COMMANDS.iter().chain(below).chain(flags) {
            for code in habit.sentence.split('`').skip(1).step_by(2) {
                let Some(line) = code.strip_prefix("scitoken ") else { continue };
                let mut command = &program;
                for word in line
                    .split(' ')
                    .take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
                {
                    if word.starts_with('-') || word == "help" {
                        break;
                    }
                    command = command
                        .find_subcommand(word)
                        .unwrap_or_else(|| panic!("`{line}`: {word} in {}", habit.sentence));
                    named += 1;
                }
            }
        }
        assert!(named > 60, "{named}");
    }

    /// What a person types, and what the hint names.
    const TYPED: &[(&str, &str)] = &[
        // Without a command.
        ("https://h/f", "write `scitoken get https://h/f`"),
        ("-v davs://h/f", "write `scitoken get davs://h/f`"),
        ("-o x https://h/f", "write `scitoken get https://h/f`"),
        ("-L https://h/f -o x", "write `scitoken get https://h/f`"),
        ("-sSfLO https://h/f", "write `scitoken get https://h/f`"),
        ("-I https://h/f", "write `scitoken stat https://h/f`"),
        ("-T f https://h/d/", "write `scitoken put FILE https://h/d/`"),
        ("-X DELETE https://h/f", "write `scitoken rm https://h/f`"),
        ("-XPROPFIND https://h/d", "write `scitoken ls https://h/d`"),
        ("--request=MKCOL https://h/d", "write `scitoken mkdir -p https://h/d`"),
        ("osdf:///ns/f", "write `scitoken get osdf:///ns/f`"),
        ("root://h//f .", "write `scitoken get root://h//f`"),
        ("run1.root https://h/d/", "write `scitoken put run1.root https://h/d/`"),
        ("data.example.org/f", "write `scitoken get https://data.example.org/f`"),
        // Commands of other programs.
        ("download https://h/f", "`scitoken get URL`"),
        ("upload f https://h/f", "`scitoken put FILE URL`"),
        ("cp https://h/f .", "`scitoken copy SOURCE DESTINATION`"),
        ("curl -sSL https://h/f", "`scitoken get URL`"),
        ("wget2 -q https://h/f", "`scitoken get URL`"),
        ("gfal-ls -l https://h/d", "`scitoken ls URL`"),
        ("davix-rm https://h/f", "`scitoken rm URL`"),
        ("rclone copy a b", "`scitoken get`"),
        ("object get pelican://h/f", "leave the name out"),
        ("GET https://h/f", "`scitoken get`"),
        ("DELETE https://h/f", "`scitoken rm URL`"),
        ("Put f https://h/f", "`scitoken put`"),
        ("htgettoken -i vo", "`scitoken login`"),
        ("store rm rs", "`scitoken store remove"),
        ("token decode f", "`scitoken token show`"),
        ("keys list", "`scitoken keys cache list`"),
        ("config set x y", "`scitoken config show`"),
        ("gett https://h/f", "`scitoken get`"),
        // Bundled letters.
        ("get -kL https://h/f", "--cacert"),
        ("get -fsSLk https://h/f", "--cacert"),
        ("get -qO- https://h/f", "`-o -`"),
        ("get -qO - https://h/f", "`-o -`"),
        ("get -qO f https://h/f", "-o FILE"),
        ("get -Oout https://h/f", "-o FILE"),
        ("get -LOname https://h/f", "-o FILE"),
        ("get -nv https://h/f", "-q"),
        ("get -nvc https://h/f", "-q"),
        ("get -nc https://h/f", "--no-clobber"),
        ("get -O f https://h/f", "-o FILE"),
        ("get -x http://proxy:3128 https://h/f", "--proxy"),
        ("get -x proxy:3128 https://h/f", "--proxy"),
        ("get -r 0-99 https://h/f", "resumed"),
        ("get -r0-99 https://h/f", "resumed"),
        ("get -r -99 https://h/f", "resumed"),
        ("get -C100 https://h/f", "resumed"),
        ("get -C 100 https://h/f", "resumed"),
        ("get -n 4 https://h/f", "-x N"),
        ("get -n4 https://h/f", "-x 4"),
        ("get -S 4 https://h/f", "-x N"),
        ("get -s16 https://h/f", "-x 16"),
        ("get -T 5 https://h/f", "--stall-time"),
        ("get -T f https://h/f", "scitoken put"),
        ("get -i https://h/f", "stat"),
        ("get -P https://h/f", "-P DIR"),
        ("get -o https://h/f", "-o FILE"),
        ("get --mirror https://h/d/", "`-r`"),
        ("get -adler https://h/f", "--checksum adler32"),
        ("ls -R https://h/d/", "`-r`"),
        ("ls -lR https://h/d/", "`-r`"),
        ("ls -ltr https://h/d/", "sort"),
        ("ls -lah https://h/d/", "bytes"),
        ("ls -1 https://h/d/", "default"),
        // Flags that mean something else to the users of another command.
        ("copy --copy-mode push https://h/f https://i/f", "`--mode pull` or `--mode push`"),
        ("copy -t 60 https://h/f https://i/f", "`--max-time SECONDS`"),
        ("put -t 60 f https://h/f", "`--max-time SECONDS`"),
        ("stat -t 60 https://h/f", "`--max-time SECONDS`"),
        ("get -t token https://h/f", "`--token-file FILE`"),
        ("put -c f https://h/f", "from its beginning"),
        ("stat -c %s https://h/f", "`--json`"),
        ("checksum -c sums https://h/f", "scitoken get --checksum"),
        ("put -R d https://h/d/", "`-r` uploads"),
        ("copy -R https://h/d/ https://i/d/", "`-r` copies"),
        ("mv -R https://h/d https://h/e", "a directory moves"),
        ("mv -T https://h/f https://h/g", "leave the flag out"),
        ("copy -d 2 https://h/f https://i/f", "`-v` logs"),
        ("copy -n 4 https://h/f https://i/f", "leave the flag and the number out"),
        ("copy -S TOKEN https://h/f https://i/f", "leave the flag and its value out"),
        ("put -S 4 f https://h/f", "leave the flag and the number out"),
        ("checksum https://h/f ADLER32", "`-a adler32`"),
        ("checksum https://h/f sha256", "`-a sha-256`"),
        ("checksum --alg md5 https://h/f", "`-a ALGORITHM`"),
        ("get --retry -1 https://h/f", "takes no negative number"),
        ("get -j -1 https://h/f", "takes no negative number"),
        ("put --dry-run f https://h/f", "`scitoken ls -r URL`"),
        ("rm --dry-run https://h/f", "`scitoken ls -r URL`"),
        ("put -C adler32 f https://h/f", "`--checksum ALGORITHM`"),
        ("mv --overwrite https://h/f https://h/g", "`-f`"),
        ("htdecodetoken", "`scitoken token show"),
        ("htdestroytoken", "`scitoken logout`"),
        ("stashcp osdf:///f .", "`scitoken copy SOURCE DESTINATION`"),
        ("restart", "`--help` lists the commands"),
        // Long flags with one dash, with a value that they do not take, and misspelled.
        ("get -recursive https://h/d/", "write `--recursive`"),
        ("get -output=x https://h/f", "write `--output`"),
        ("put -create-dirs f https://h/f", "write `--create-dirs`"),
        ("get -version", "scitoken --version"),
        ("get --version", "scitoken --version"),
        ("get --quiet=true https://h/f", "takes no value"),
        ("get --dry-run=true https://h/f", "takes no value"),
        ("get --insecure=true https://h/f", "--cacert"),
        ("get https://h/f --ouput x", "--output"),
        ("get https://h/f --recusive", "--recursive"),
        ("get --skip-existing size https://h/f", "--skip-existing=size"),
    ];

    #[test]
    fn what_a_person_types_is_answered_with_what_to_type_instead() {
        for (line, expected) in TYPED {
            let words: Vec<&str> = line.split(' ').collect();
            let failure = answered(&words).unwrap_or_else(|| panic!("{line}: accepted"));
            let hint = failure.hint().unwrap_or_else(|| panic!("{line}: {failure:?}"));
            assert!(hint.contains(expected), "{line}: {failure:?}");
        }
    }

    #[test]
    fn what_is_right_is_not_answered() {
        for line in [
            "get -O https://h/f",
            "get -LO https://h/f",
            "get -sSfLO https://h/f",
            "get -OJ https://h/f",
            "get -LOJ https://h/f",
            "get -sS4 https://h/f",
            "get -nL https://h/f",
            "get -rv https://h/d/",
            "get -x 4 https://h/f",
            "get -x4 https://h/f",
            "get -r https://h/d/",
            "get -i list",
            "get -n https://h/f",
            "get -s -S https://h/f",
            "get https://h/f -o run-1-2",
            "get https://h/run-1-2",
            "get --mirror https://m/f https://h/f",
            "get https://h/f --mirror https://m/f",
            "get --output=x https://h/f",
            "get https://h/f -fsSLo x",
            "get -C https://h/f",
            "get -h",
            "ls -la https://h/d/",
            "ls -lrv https://h/d/",
            "stat https://h/f",
            "-v put f https://h/f",
            "put -- -nv https://h/f",
            "rm -rf https://h/d/",
            "mkdir -pv https://h/d/",
            "condor-plugin --classad",
        ] {
            let words: Vec<&str> = line.split(' ').collect();
            let failure = answered(&words);
            assert!(failure.is_none(), "{line}: {failure:?}");
        }
    }

    #[test]
    fn an_offset_may_be_left_out() {
        let complete = |line: &str| complete_offset(line.split(' ').map(Into::into).collect());
        assert_eq!(complete("get -C https://h/f"), ["get", "-C", "-", "https://h/f"]);
        assert_eq!(complete("get -C - https://h/f"), ["get", "-C", "-", "https://h/f"]);
    }
}
