//! `scitoken token show`.

use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use reqwest_scitokens::{AccessToken, Audience, UnverifiedClaims};
use serde_json::{Map, json};

use super::input::Input;
use super::report::{self, Format, clean};
use super::trust::{Trust, Verdict};
use crate::commands::time;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show what a token says, in words
///
/// The signature is checked where that needs nobody else: with `--key`, `--jwks`, or keys in the user's key cache. What
/// is shown otherwise is only what the token says of itself; `token verify` asks its issuer. The exit code is 1 for a
/// token that was checked and is refused.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    trust: Trust,
    #[command(flatten)]
    format: Format,
}

impl Show {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let report = self.format.report();
        report.run(|| {
            let token = self.input.read()?;
            let (signature, verified, refusal) = match self.trust.verify_if_possible(&token)? {
                None => ("not checked".to_owned(), None, None),
                Some(Verdict::Good(good)) => ("good".to_owned(), Some(good), None),
                Some(Verdict::Refused(refusal)) => (format!("refused: {refusal}"), None, Some(refusal)),
            };
            let now = self.trust.clock().now();
            let Some(claims) = token.claims() else {
                let members = Map::from_iter([("opaque".to_owned(), json!(true))]);
                return report.shown(&opaque(&token), members, refusal.as_ref());
            };
            let mut members = Map::from_iter([("signature".to_owned(), json!(signature))]);
            members.insert("found_in".to_owned(), json!(token.found_in()));
            members.insert("issuer".to_owned(), json!(claims.issuer()));
            members.insert("subject".to_owned(), json!(claims.subject()));
            members.insert("profile".to_owned(), json!(claims.profile()));
            members.insert("scope".to_owned(), json!(claims.scope_text()));
            members.insert(
                "audience".to_owned(),
                claims.audiences().iter().map(|a| json!(a.as_str())).collect(),
            );
            members.insert("expires".to_owned(), json!(claims.expires_at().map(time::show)));
            if let Some(token) = verified {
                members.insert("claims".to_owned(), report::claims_object(token.claims()));
            }
            report.shown(&words(&token, claims, &signature, now), members, refusal.as_ref())
        })
    }
}

fn opaque(token: &AccessToken) -> String {
    let place = token.found_in().unwrap_or("the input");
    format!(
        "an opaque token of {} characters, from {place}: only its server knows what it says",
        token.expose_secret().len()
    )
}

fn words(token: &AccessToken, claims: &UnverifiedClaims, signature: &str, now: SystemTime) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10} {}", clean(value));
    };
    if let Some(place) = token.found_in() {
        line("from", place);
    }
    line("signature", signature);
    line("profile", claims.profile().unwrap_or("SciTokens 1.0, or another that does not say so"));
    line("issuer", claims.issuer().unwrap_or("it does not say"));
    line("subject", claims.subject().unwrap_or("it does not say"));
    let audiences: Vec<_> = claims.audiences().iter().map(Audience::as_str).collect();
    line("for", &if audiences.is_empty() { "it does not say".to_owned() } else { audiences.join(", ") });
    let at = |at: SystemTime| format!("{}, {}", time::show(at), time::relative(at, now));
    if let Some(made) = claims.issued_at() {
        line("made", &at(made));
    }
    if let Some(start) = claims.not_before().filter(|start| *start > now) {
        line("good from", &at(start));
    }
    match claims.expires_at() {
        Some(end) if end <= now => line("ended", &at(end)),
        Some(end) => line("ends", &at(end)),
        None => line("ends", "it does not say"),
    }
    for (n, scope) in claims.scopes().enumerate() {
        line(if n == 0 { "allows" } else { "" }, scope.as_str());
    }
    for (n, group) in claims.groups().iter().enumerate() {
        line(if n == 0 { "groups" } else { "" }, group);
    }
    text.truncate(text.trim_end().len());
    text
}
