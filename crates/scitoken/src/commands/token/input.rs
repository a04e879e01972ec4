//! The token that a command works on.

use std::io::Read;
use std::path::PathBuf;

use clap::Args;
use http::Method;
use scitoken_types::{AccessToken, TokenText};
use url::Url;

use crate::args::parse_url;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::output;
use crate::token_source;

/// The most bytes that are read.
const LARGEST: u64 = 1024 * 1024;

/// The token to work on.
#[derive(Debug, Args)]
pub(super) struct TokenArg {
    /// File with the token, `-` for standard input, or the URL of the server that gets it [default: the token that `scitoken
    /// token where` finds]
    #[arg(value_name = "FILE")]
    token: Option<PathBuf>,
}

impl TokenArg {
    /// Returns whether the command line names the token.
    pub(super) fn is_given(&self) -> bool {
        self.token.is_some()
    }

    /// Reads the token, or finds the one that would be sent to the URL with the method.
    pub(super) fn read(
        &self,
        context: &Context,
        url: Option<&Url>,
        method: Option<Method>,
    ) -> Result<AccessToken, Failure> {
        let Some(path) = self.token.as_deref() else { return token_source::find(context, url, method) };
        if path.as_os_str() == "-" {
            return read_from("standard input", files::standard_input()?);
        }
        if let Some(text) = path.to_str() {
            if text.contains("://") && !path.exists() {
                return token_source::find(context, Some(&parse_url(text)?), method);
            }
            if looks_like_token(text) && !path.exists() {
                warn_about_argument();
                return parse("the command line", text.as_bytes());
            }
        }
        parse(&format!("file `{}`", path.display()), &files::read(path)?)
    }
}

fn read_from(place: &str, reader: impl Read) -> Result<AccessToken, Failure> {
    let mut bytes = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Failure::new(Exit::NoToken, format!("no token in {place}: it is larger than 1 MiB")));
    }
    parse(place, &bytes)
}

fn parse(place: &str, bytes: &[u8]) -> Result<AccessToken, Failure> {
    let read = TokenText::read(bytes, None)
        .map_err(|error| Failure::new(Exit::NoToken, format!("no token in {place}: {error}")))?;
    for note in &read.notes {
        output::warn(&format!("in {place}, {note}"));
    }
    Ok(read.token.with_origin_label(place))
}

/// Tells whether a token stands in the place of a file name: users paste tokens.
fn looks_like_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.matches('.').count() == 2
}

fn warn_about_argument() {
    output::warn(
        "other users of this machine can read a token on the command line; put it into a file, or pipe it \
         in and pass `-`",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_around_a_token_are_removed_and_json_is_opened() {
        for text in [&b" \n a.b.c\t\n"[..], b"a.b.c\r\n", b"\xef\xbb\xbf{\"access_token\": \"a.b.c\"}"] {
            assert_eq!(parse("here", text).unwrap().expose_secret(), "a.b.c");
        }
        for (text, expected) in
            [(&b"  "[..], "empty"), (b"\"a.b.c\"", "quot"), (b"\xff\xfea\0.\0", "UTF-16"), (b"[]", "JSON")]
        {
            let failure = parse("here", text).unwrap_err();
            let message = failure.message();
            assert!(message.contains("no token in here") && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn only_a_text_shaped_like_a_jwt_is_taken_for_a_token() {
        assert!(looks_like_token("eyJhbGciOi.eyJp.c2ln"));
        assert!(!looks_like_token("token.jwt"));
        assert!(!looks_like_token("eyJ"));
    }
}
