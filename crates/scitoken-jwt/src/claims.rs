//! The checks of claims, in PyJWT's order and with its semantics.

use std::cmp::Ordering;

use super::json::{Json, Text};
use super::number::Integer;
use super::segments::shown;
use super::validation::{ClaimCheck, ExpectedAudience, Validation};
use super::{JwtError, Object};

/// Runs the checks; the first that fails is the result.
pub(super) fn check(claims: &Object, validation: &Validation, is_verified: bool) -> Result<(), JwtError> {
    for name in &validation.required {
        if matches!(claims.get(name), None | Some(Json::Null)) {
            return Err(JwtError::missing(name));
        }
    }
    let now = validation.now();
    for check in ClaimCheck::ALL.into_iter().filter(|check| validation.runs(*check, is_verified)) {
        let value = claims.get(check.claim());
        match check {
            ClaimCheck::IssuedAt => value.map_or(Ok(()), |value| issued_at(value, now + validation.leeway)),
            ClaimCheck::NotBefore => value.map_or(Ok(()), |value| not_before(value, now + validation.leeway)),
            ClaimCheck::Expiry => value.map_or(Ok(()), |value| expiry(value, now - validation.leeway)),
            ClaimCheck::Issuer => issuer(value, validation.issuers.as_deref()),
            ClaimCheck::Audience => audience(value, validation),
            ClaimCheck::Subject => {
                value.map_or(Ok(()), |value| subject(value, validation.subject.as_deref()))
            }
            ClaimCheck::TokenId => match value {
                None | Some(Json::Text(_)) => Ok(()),
                Some(_) => Err(JwtError::InvalidJti),
            },
        }?;
    }
    Ok(())
}

fn issued_at(value: &Json, latest: f64) -> Result<(), JwtError> {
    match Integer::of(value).ok_or(JwtError::InvalidIssuedAt)?.compare(latest) {
        Ordering::Greater => Err(JwtError::ImmatureSignature { claim: "iat" }),
        _ => Ok(()),
    }
}

fn not_before(value: &Json, latest: f64) -> Result<(), JwtError> {
    match time(value, "nbf")?.compare(latest) {
        Ordering::Greater => Err(JwtError::ImmatureSignature { claim: "nbf" }),
        _ => Ok(()),
    }
}

/// The token is invalid from `exp` on, that second included (RFC 7519 section 4.1.4).
fn expiry(value: &Json, earliest: f64) -> Result<(), JwtError> {
    match time(value, "exp")?.compare(earliest) {
        Ordering::Greater => Ok(()),
        _ => Err(JwtError::ExpiredSignature),
    }
}

fn time(value: &Json, claim: &'static str) -> Result<Integer, JwtError> {
    Integer::of(value).ok_or_else(|| JwtError::Decode {
        reason: format!("`{claim}` is not an integer").into(),
        claim: Some(claim),
    })
}

fn issuer(value: Option<&Json>, expected: Option<&[String]>) -> Result<(), JwtError> {
    let Some(expected) = expected else { return Ok(()) };
    match value.ok_or_else(|| JwtError::missing("iss"))? {
        Json::Text(found) if is_one_of(found, expected) => Ok(()),
        Json::Text(found) => {
            Err(JwtError::InvalidIssuer { reason: mismatch("iss", &[found], expected).into() })
        }
        _ => Err(JwtError::InvalidIssuer { reason: "`iss` is not a string".into() }),
    }
}

fn audience(value: Option<&Json>, validation: &Validation) -> Result<(), JwtError> {
    let refused = |reason: &'static str| Err(JwtError::InvalidAudience { reason: reason.into() });
    // An empty audience counts as none, whatever its type.
    let value = value.filter(|value| !value.is_falsy());
    let (value, expected) = match (value, &validation.audience) {
        (None, None) => return Ok(()),
        (Some(_), None) => return refused("the token has an audience (`aud`), and none is expected"),
        (None, Some(_)) => return Err(JwtError::missing("aud")),
        (Some(value), Some(expected)) => (value, expected),
    };
    if validation.strict_audience {
        return match (expected, value) {
            (ExpectedAudience::AnyOf(_), _) => {
                refused("a strict check takes one expected audience, not a list")
            }
            (ExpectedAudience::One(expected), Json::Text(found)) if found == expected.as_str() => Ok(()),
            (ExpectedAudience::One(expected), Json::Text(found)) => {
                let reason = mismatch("aud", &[found], std::slice::from_ref(expected));
                Err(JwtError::InvalidAudience { reason: reason.into() })
            }
            (ExpectedAudience::One(_), _) => {
                refused("`aud` is not a single string, which a strict check requires")
            }
        };
    }
    let Some(found) = texts(value) else { return refused("`aud` is neither a string nor a list of strings") };
    let expected = match expected {
        ExpectedAudience::One(one) => std::slice::from_ref(one),
        ExpectedAudience::AnyOf(many) => many,
    };
    if found.iter().any(|text| is_one_of(text, expected)) {
        Ok(())
    } else {
        Err(JwtError::InvalidAudience { reason: mismatch("aud", &found, expected).into() })
    }
}

/// Returns the strings of a string or of a list of strings.
fn texts(value: &Json) -> Option<Vec<&Text>> {
    let items = if let Json::Array(items) = value { items } else { std::slice::from_ref(value) };
    items.iter().map(|item| if let Json::Text(text) = item { Some(text) } else { None }).collect()
}

fn subject(value: &Json, expected: Option<&str>) -> Result<(), JwtError> {
    match (value, expected) {
        (Json::Text(found), Some(expected)) if found != expected => {
            let expected = std::slice::from_ref(&expected);
            Err(JwtError::InvalidSubject { reason: mismatch("sub", &[found], expected).into() })
        }
        (Json::Text(_), _) => Ok(()),
        _ => Err(JwtError::InvalidSubject { reason: "`sub` is not a string".into() }),
    }
}

/// Describes the found and the expected values, a few of each.
fn mismatch<E: AsRef<str>>(claim: &str, found: &[&Text], expected: &[E]) -> String {
    const FEW: usize = 3;
    let list = |texts: Vec<String>| match texts.as_slice() {
        [] => "none".to_owned(),
        few => {
            let more = if few.len() > FEW { ", …" } else { "" };
            let shown: Vec<String> = few.iter().take(FEW).map(|text| format!("`{text}`")).collect();
            format!("{}{more}", shown.join(", "))
        }
    };
    let found = list(found.iter().take(FEW + 1).map(|text| shown(text)).collect());
    let expected =
        list(expected.iter().take(FEW + 1).map(|text| scitoken_types::redact::text(text.as_ref())).collect());
    format!("`{claim}` is {found}, expected {expected}")
}

fn is_one_of(found: &Text, expected: &[String]) -> bool {
    expected.iter().any(|expected| found == expected.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use scitoken_types::sys::ManualClock;

    fn verdict(claims: &str, validation: Validation) -> String {
        let validation = validation.clock(ManualClock::at_epoch_seconds(1_000));
        match check(&Object::parse(claims).unwrap(), &validation, true) {
            Ok(()) => "ok".to_owned(),
            Err(error) => error.pyjwt_name().to_owned(),
        }
    }

    #[test]
    fn the_first_check_that_fails_is_the_verdict() {
        const ALL_BAD: &str = r#"{"exp":1,"nbf":2000,"iat":2000,"aud":5,"iss":7,"sub":5,"jti":5}"#;
        let mut validation = Validation::new().audience("a").issuer("i");
        for (check, wanted) in ClaimCheck::ALL.into_iter().zip([
            "ImmatureSignatureError",
            "ImmatureSignatureError",
            "ExpiredSignatureError",
            "InvalidIssuerError",
            "InvalidAudienceError",
            "InvalidSubjectError",
            "InvalidJTIError",
        ]) {
            assert_eq!(verdict(ALL_BAD, validation.clone()), wanted);
            assert_eq!(verdict(ALL_BAD, validation.clone().require("x")), "MissingRequiredClaimError");
            validation = validation.skip(check);
        }
        assert_eq!(verdict(ALL_BAD, validation), "ok");
    }

    #[test]
    fn an_empty_audience_is_none_and_a_foreign_one_is_refused() {
        for aud in ["null", "\"\"", "[]", "0", "{}", "false", "-0.0"] {
            let claims = format!("{{\"aud\":{aud}}}");
            assert_eq!(verdict(&claims, Validation::new()), "ok", "{aud}");
            assert_eq!(
                verdict(&claims, Validation::new().audience("a")),
                "MissingRequiredClaimError",
                "{aud}"
            );
        }
        assert_eq!(verdict(r#"{"aud":"a"}"#, Validation::new()), "InvalidAudienceError");
        assert_eq!(verdict(r#"{"aud":["b","a"]}"#, Validation::new().audience("a")), "ok");
        assert_eq!(verdict(r#"{"aud":["a",1]}"#, Validation::new().audience("a")), "InvalidAudienceError");
        assert_eq!(verdict(r#"{"aud":"a"}"#, Validation::new().audiences([""; 0])), "InvalidAudienceError");
    }

    #[test]
    fn a_strict_audience_is_one_text() {
        let strict = Validation::new().strict_audience();
        assert_eq!(verdict(r#"{"aud":"a"}"#, strict.clone().audience("a")), "ok");
        assert_eq!(verdict(r#"{"aud":["a"]}"#, strict.clone().audience("a")), "InvalidAudienceError");
        assert_eq!(verdict(r#"{"aud":"a"}"#, strict.audiences(["a"])), "InvalidAudienceError");
    }

    #[test]
    fn an_unverified_token_is_checked_for_what_is_asked_only() {
        let claims = Object::parse(r#"{"exp":1,"sub":5}"#).unwrap();
        assert!(check(&claims, &Validation::new(), false).is_ok());
        let error = check(&claims, &Validation::new().check(ClaimCheck::Expiry), false).unwrap_err();
        assert_eq!((error.pyjwt_name(), error.claim()), ("ExpiredSignatureError", Some("exp")));
        assert!(check(&claims, &Validation::new().require("jti"), false).is_err());
    }

    #[test]
    fn a_refusal_says_what_was_found_and_what_was_expected() {
        let refusal = |claims: &str, validation: &Validation| {
            check(&Object::parse(claims).unwrap(), validation, true).unwrap_err().to_string()
        };
        assert_eq!(
            refusal(r#"{"aud":["b","c","d","e"]}"#, &Validation::new().audiences(["a", "x\n"])),
            "audience mismatch: `aud` is `b`, `c`, `d`, …, expected `a`, `x `"
        );
        assert_eq!(
            refusal(r#"{"iss":"https://i"}"#, &Validation::new().issuer("https://i/")),
            "issuer mismatch: `iss` is `https://i`, expected `https://i/`"
        );
        assert_eq!(
            refusal(r#"{"aud":"a"}"#, &Validation::new().audiences([""; 0])),
            "audience mismatch: `aud` is `a`, expected none"
        );
    }

    #[test]
    fn a_subject_need_not_be_there() {
        assert_eq!(verdict("{}", Validation::new().subject("s")), "ok");
        assert_eq!(verdict(r#"{"sub":null}"#, Validation::new()), "InvalidSubjectError");
        assert_eq!(verdict(r#"{"sub":"t"}"#, Validation::new().subject("s")), "InvalidSubjectError");
    }
}
