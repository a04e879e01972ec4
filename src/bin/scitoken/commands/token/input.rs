//! Where the token of a command comes from.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Args;
use reqwest_scitokens::sys::{Clock as _, SystemClock};
use reqwest_scitokens::{AccessToken, Discovery, TokenRequest};

use crate::exit::Exit;
use crate::failure::Failure;

/// The token to work on.
#[derive(Debug, Args)]
pub(super) struct Input {
    /// The file with the token; `-` for standard input. Without it, the token is looked for where batch systems and
    /// login tools leave it (`BEARER_TOKEN`, `BEARER_TOKEN_FILE`, `$XDG_RUNTIME_DIR/bt_u<uid>`, `/tmp/bt_u<uid>`, …)
    #[arg(value_name = "FILE")]
    token: Option<PathBuf>,
}

impl Input {
    pub(super) fn read(&self) -> Result<AccessToken, Failure> {
        match self.token.as_deref() {
            None => discovered(),
            Some(path) if path.as_os_str() == "-" => {
                let mut text = String::new();
                let limit = u64::try_from(reqwest_scitokens::MAX_TOKEN_LENGTH).unwrap_or(u64::MAX) + 1_024;
                io::stdin()
                    .lock()
                    .take(limit)
                    .read_to_string(&mut text)
                    .map_err(|error| Failure::from_error(Exit::Local, &error))?;
                taken("standard input", &text)
            }
            Some(path) => match as_token(path) {
                Some(text) => {
                    warn_about_argument();
                    taken("the command line", text)
                }
                None => in_file(path),
            },
        }
    }
}

fn taken(place: &str, text: &str) -> Result<AccessToken, Failure> {
    AccessToken::new(text.trim_matches([' ', '\t', '\r', '\n', '\x0b', '\x0c']))
        .map(|token| token.with_found_in(place))
        .map_err(|error| Failure::new(Exit::NoToken, format!("no token in {place}: {error}")))
}

fn in_file(path: &Path) -> Result<AccessToken, Failure> {
    let place = format!("file `{}`", path.display());
    let mut bytes = Vec::new();
    let limit = u64::try_from(reqwest_scitokens::MAX_TOKEN_LENGTH).unwrap_or(u64::MAX) + 1_024;
    fs_err::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| Failure::from_error(Exit::Local, &error))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::new(Exit::NoToken, format!("no token in {place}: it is not text")))?;
    taken(&place, &text)
}

/// A token in the place of a file name. It is in the list of processes by now, but not refused: people in a hurry paste.
fn as_token(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let looks_so = text.starts_with("eyJ") && text.matches('.').count() == 2 && !path.exists();
    looks_so.then_some(text)
}

fn warn_about_argument() {
    crate::print::note(
        "scitoken: warning: a token on the command line can be read by everybody on this machine; put it into a file, or \
         pipe it in and give `-`",
    );
}

fn discovered() -> Result<AccessToken, Failure> {
    // The request is of no server; only HTCondor's files are chosen by it, and there the first one does.
    let nowhere =
        "https://localhost/".parse().map_err(|_| Failure::new(Exit::NoToken, "no token was found"))?;
    let request = TokenRequest::new(&nowhere)
        .map_err(|error| Failure::from_error(Exit::NoToken, &error))?
        .at(SystemClock.now());
    let discovery = Discovery::new();
    let survey = discovery.survey(&request);
    let chosen = match survey.answer() {
        Ok(chosen) => chosen,
        Err(error) => {
            let failure = Failure::from_error(Exit::NoToken, error);
            return Err(match error.hint() {
                Some(hint) => failure.with_hint(hint),
                None => failure,
            });
        }
    };
    let any = || survey.findings().iter().find_map(|finding| finding.token());
    chosen.or_else(any).cloned().ok_or_else(|| {
        Failure::new(Exit::NoToken, "no token was found")
            .with_hint("name the file with the token, or set `BEARER_TOKEN_FILE`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_around_a_token_goes() {
        assert_eq!(taken("here", " \n a.b.c\t\n").unwrap().expose_secret(), "a.b.c");
        assert!(taken("here", "  ").unwrap_err().message().contains("no token in here"));
    }

    #[test]
    fn only_what_looks_like_a_token_is_taken_for_one() {
        assert!(as_token(Path::new("eyJhbGciOi.eyJp.c2ln")).is_some());
        assert!(as_token(Path::new("token.jwt")).is_none());
        assert!(as_token(Path::new("eyJ")).is_none());
    }
}
