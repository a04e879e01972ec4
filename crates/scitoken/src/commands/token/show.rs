//! `scitoken token show`.

use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use scitoken_authz::{Profile, ProfileReport};
use scitoken_types::{AccessToken, Audience, UnverifiedClaims};
use serde_json::{Value, json};

use super::answer;
use super::input::TokenArg;
use super::trust::{TokenVerdict, TrustArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::sanitize;
use crate::time;

/// Show a token's claims
///
/// The signature is verified only if the keys are known without a request: from `--key`, `--jwks` or the key cache. `token
/// verify` fetches the issuer's keys. Exit code 1: the keys are known, and the token is refused.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    token: TokenArg,
    #[command(flatten)]
    trust: TrustArgs,
}

impl Show {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let output = context.output;
        let token = self.token.read(context, None, None)?;
        let (signature, verified, refusal) = match self.trust.verify_if_possible(context, &token)? {
            None => ("not checked".to_owned(), None, None),
            Some(TokenVerdict::Valid(valid)) => ("valid".to_owned(), Some(valid), None),
            Some(TokenVerdict::Refused(refusal)) => (format!("refused: {refusal}"), None, Some(refusal)),
        };
        let mut members = match token.claims() {
            None => {
                output.text(&opaque(&token))?;
                json!({ "opaque": true })
            }
            Some(claims) => {
                output.text(&described(&token, claims, &signature, self.trust.clock().now()))?;
                as_json(&token, claims, &signature)
            }
        };
        if let Some(token) = verified {
            members["claims"] = answer::claims_object(token.claims());
        }
        let Some(refusal) = refusal else {
            output.object(true, members)?;
            return Ok(Exit::Ok);
        };
        members["error"] = json!(format!("refused: {refusal}"));
        members["reason"] = json!(refusal.code());
        members["exit"] = json!(Exit::No as u8);
        output.object(false, members)?;
        Ok(Exit::No)
    }
}

fn as_json(token: &AccessToken, claims: &UnverifiedClaims, signature: &str) -> Value {
    let audiences: Value = claims.audiences().iter().map(|audience| json!(audience.as_str())).collect();
    let missing = stated_profile(token, claims).map(|report| report.missing_claims().to_vec());
    json!({
        "missing_claims": missing.unwrap_or_default(), "signature": signature, "found_in": token.origin_label(), "issuer": claims.issuer(),
        "subject": claims.subject(), "profile": claims.profile(), "scope": claims.scope_text(),
        "audience": audiences, "expires": claims.expires_at().map(time::show),
    })
}

fn opaque(token: &AccessToken) -> String {
    let place = token.origin_label().unwrap_or("the input");
    format!(
        "an opaque token of {} characters, from {place}: only its server can read it",
        token.expose_secret().len()
    )
}

fn described(token: &AccessToken, claims: &UnverifiedClaims, signature: &str, now: SystemTime) -> String {
    const NONE: &str = "(none)";
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{name:<10} {}", sanitize::line(value));
    };
    if let Some(place) = token.origin_label() {
        line("from", place);
    }
    line("signature", signature);
    let report = stated_profile(token, claims);
    let named = claims.profile().map(str::to_owned);
    let profile = named.or_else(|| report.as_ref().map(|report| report.profile().to_string()));
    line("profile", profile.as_deref().unwrap_or("SciTokens 1.0, or another without a version claim"));
    // What is there is not told as absent.
    let unusable = |name| claims.unusable(name).map(|unusable| unusable.to_string());
    let or_none = |name| unusable(name).unwrap_or_else(|| NONE.to_owned());
    line("issuer", &claims.issuer().map_or_else(|| or_none("iss"), str::to_owned));
    line("subject", &claims.subject().map_or_else(|| or_none("sub"), str::to_owned));
    let audiences: Vec<_> = claims.audiences().iter().map(Audience::as_str).collect();
    line("audience", &if audiences.is_empty() { or_none("aud") } else { audiences.join(", ") });
    let at = |at: SystemTime| format!("{}, {}", time::show(at), time::relative(at, now));
    if let Some(issued) = claims.issued_at() {
        line("issued", &at(issued));
    }
    if let Some(start) = claims.not_before().filter(|start| *start > now) {
        line("valid from", &at(start));
    }
    match claims.expires_at() {
        Some(end) if end <= now => line("expired", &at(end)),
        Some(end) => line("expires", &at(end)),
        None => {
            line("expires", &unusable("exp").unwrap_or_else(|| "the token has no `exp` claim".to_owned()));
        }
    }
    for (name, title) in [("iat", "issued"), ("nbf", "valid from"), ("scope", "scope"), ("scp", "scope")] {
        if let Some(unusable) = unusable(name) {
            line(title, &unusable);
        }
    }
    for (n, scope) in claims.scopes().enumerate() {
        line(if n == 0 { "scope" } else { "" }, scope.as_str());
    }
    for (n, group) in claims.groups().iter().enumerate() {
        line(if n == 0 { "groups" } else { "" }, group);
    }
    if let Some(report) = report.filter(|report| !report.missing_claims().is_empty()) {
        line("lacks", &lacking(&report));
    }
    text.truncate(text.trim_end().len());
    text
}

/// Returns the profile, unless the token states none: SciTokens 1.0 is a guess then.
fn stated_profile(token: &AccessToken, claims: &UnverifiedClaims) -> Option<ProfileReport> {
    let report = ProfileReport::of(token.expose_secret()).ok()?;
    (claims.profile().is_some() || report.profile() == Profile::AccessToken).then_some(report)
}

/// Returns what a profile specifies and the token lacks, and what that means.
fn lacking(report: &ProfileReport) -> String {
    let required = report.profile().required_claims();
    let is_refused = report.missing_claims().iter().any(|name| required.contains(name));
    let effect =
        if is_refused { "servers refuse such a token" } else { "servers accept the token all the same" };
    let missing = report.missing_claims().join("`, `");
    format!("`{missing}`, which {} specifies; {effect}", report.profile())
}
