//! `scitoken jwt`: tokens by hand, with PyJWT's verdicts.

mod decode;
mod encode;

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use reqwest_scitokens::jwt::{self, JwtError};
use reqwest_scitokens::keys::KeyError;
use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;

/// Make, verify and look at JSON Web Tokens
#[derive(Debug, Args)]
pub(crate) struct Jwt {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Encode(encode::Encode),
    Decode(Box<decode::Decode>),
    Header(Header),
}

/// Show a token's header, which nobody has verified
#[derive(Debug, Args)]
struct Header {
    /// The file with the token; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    token: PathBuf,
    /// Answer with one line of JSON, whatever the verdict
    #[arg(long)]
    json: bool,
}

impl Jwt {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            Command::Encode(encode) => encode.run(),
            Command::Decode(decode) => decode.run(),
            Command::Header(header) => header.run(),
        }
    }
}

impl Header {
    fn run(&self) -> Result<Exit, Failure> {
        match (jwt::unverified_header(read_token(&self.token)?), self.json) {
            (Ok(header), false) => print(&header.to_string()),
            (Ok(header), true) => print(&format!(r#"{{"ok":true,"header":{header}}}"#)),
            (Err(error), false) => Err(refusal(&error)),
            (Err(error), true) => print_refusal(&error),
        }
    }
}

/// The longest input that is read.
const LONGEST: u64 = 4 * 1024 * 1024;

/// A file, or standard input for `-`.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let read_some = |input: &mut dyn io::Read| {
        let mut bytes = Vec::new();
        input.take(LONGEST).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = if path.as_os_str() == "-" {
        read_some(&mut io::stdin().lock())
    } else {
        fs_err::File::open(path).and_then(|mut file| read_some(&mut file))
    };
    bytes.map_err(|error| Failure::from_error(Exit::Local, &error))
}

/// A token without the line end that editors and `echo` put behind it. Nothing else is taken away.
fn read_token(path: &Path) -> Result<Vec<u8>, Failure> {
    read(path).map(without_line_end)
}

/// A secret. A line end behind a text is not part of it; behind other bytes it is.
fn read_secret(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = read(path)?;
    let is_text = std::str::from_utf8(&bytes)
        .is_ok_and(|text| !text.trim_end_matches(['\r', '\n']).chars().any(char::is_control));
    Ok(if is_text { without_line_end(bytes) } else { bytes })
}

fn without_line_end(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

/// Whether a key file holds a JWK, not PEM or DER.
fn is_json(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'{')
}

/// Whether a key file holds PEM, not DER.
fn is_pem(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

fn unusable(path: &Path, error: &KeyError) -> Failure {
    Failure::new(Exit::Local, format!("the key in `{}` cannot be used: {error}", path.display()))
}

/// Writes a line to standard output.
fn print(line: &str) -> Result<Exit, Failure> {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(line.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map(|()| Exit::Ok).map_err(|error| Failure::from_error(Exit::Local, &error))
}

/// A token was refused, in words.
fn refusal(error: &JwtError) -> Failure {
    Failure::from_error(Exit::Refused, error)
}

/// A token was refused, in one line of JSON.
fn print_refusal(error: &JwtError) -> Result<Exit, Failure> {
    let name = error.pyjwt_name();
    let claim = if let JwtError::MissingRequiredClaim { claim } = error { Some(claim) } else { None };
    let verdict = json!({
        "ok": false,
        "error": name.strip_suffix("Error").unwrap_or(name),
        "claim": claim,
        "message": refusal(error).message(),
    });
    print(&verdict.to_string())?;
    Ok(Exit::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_end_is_taken_away_and_nothing_else() {
        for (bytes, wanted) in [
            (&b"a.b\n"[..], &b"a.b"[..]),
            (b"a.b\r\n", b"a.b"),
            (b" a \n\n", b" a \n"),
            (b"a\r", b"a\r"),
            (b"", b""),
        ] {
            assert_eq!(without_line_end(bytes.to_vec()), wanted);
        }
    }
}
