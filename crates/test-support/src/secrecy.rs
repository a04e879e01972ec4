//! Looking for a secret in a text, in every form that it could take.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// A token with every kind of character that an encoding could change.
pub const OPAQUE: &str = "gt-Zm9v+YmFy/c2Vj.cmV0~Z2Vo-ZWlt_bmlz==";

/// Every form in which a token could be told.
pub fn forms(token: &str) -> Vec<String> {
    let mut forms = vec![
        token.to_owned(),
        utf8_percent_encode(token, NON_ALPHANUMERIC).to_string(),
        token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        // At each of the three alignments, without the characters that depend on the neighbours.
        STANDARD_NO_PAD.encode(token),
        STANDARD_NO_PAD.encode(&token[1..]),
        STANDARD_NO_PAD.encode(&token[2..]),
        URL_SAFE_NO_PAD.encode(token),
    ];
    for form in &mut forms[3..] {
        form.truncate(form.len() - 2);
    }
    // A JWT without its signature is half a secret too: its claims name people.
    forms.extend(token.split('.').filter(|part| part.len() > 20).map(str::to_owned));
    forms.extend(
        token.as_bytes().chunks(16).skip(1).take(1).map(|part| String::from_utf8(part.to_vec()).unwrap()),
    );
    forms
}

/// Fails the test if `shown` tells the token in any form.
#[track_caller]
pub fn assert_silent(shown: &str, token: &str) {
    for form in forms(token) {
        if let Some(at) = shown.find(&form) {
            let from = shown[..at].char_indices().rev().nth(300).map_or(0, |(from, _)| from);
            panic!("the token is told as `{form}`: …{}", &shown[from..(at + form.len())]);
        }
    }
}
