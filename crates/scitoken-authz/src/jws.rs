//! The compact serialization of a signed JWT (RFC 7515 section 7.1) and its two JSON objects.

use base64::prelude::*;
use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::AuthorizationError;
use scitoken_types::redact;
use scitoken_types::{ClaimType, MAX_TOKEN_LENGTH};

/// `header.payload.signature`, decoded.
pub(super) struct JwsParts<'t> {
    pub(super) header: String,
    pub(super) payload: String,
    pub(super) signature: Vec<u8>,
    /// The signed bytes: the first two parts as received.
    pub(super) signed: &'t [u8],
}

impl<'t> JwsParts<'t> {
    pub(super) fn split(token: &'t str) -> Result<Self, AuthorizationError> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(AuthorizationError::TooLong);
        }
        // Searching forwards is faster: the header is shorter than the signature.
        let mut parts = token.splitn(3, '.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(not_jwt(token));
        };
        let signed = &token[..header.len() + 1 + payload.len()];
        // A remaining dot is not base64url, so tokens of four or five parts fail here.
        let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| not_jwt(token));
        // Checking UTF-8 for the whole part is faster than for each string.
        let text = |part, bytes| String::from_utf8(bytes).map_err(|_| AuthorizationError::NotJson { part });
        Ok(Self {
            header: text("header", decode(header)?)?,
            payload: text("payload", decode(payload)?)?,
            signature: decode(signature)?,
            signed: signed.as_bytes(),
        })
    }
}

/// Says what a token is that is not a JWT.
fn not_jwt(token: &str) -> AuthorizationError {
    let reason = match token.as_bytes() {
        [] => "it is empty",
        [b'"' | b'\'', ..] => "it is in quotes",
        [b'{', ..] => "it is a JSON document",
        [b'<', ..] => "it is HTML or XML",
        bytes if bytes.starts_with(b"-----BEGIN") => "it is PEM",
        bytes if bytes.starts_with("\u{feff}".as_bytes()) => "it starts with a byte order mark",
        bytes if bytes.contains(&0) => "it has zero bytes, as UTF-16 has",
        bytes if bytes.iter().any(u8::is_ascii_whitespace) => "it has white space",
        _ => match token.split('.').count() {
            1 => "it has no dots, so it is opaque",
            2 => "it has two parts instead of three",
            3 => "a part is not base64url without padding",
            5 => "it has five parts, so it is encrypted (RFC 7516)",
            _ => "it has more than three parts",
        },
    };
    AuthorizationError::NotJwt { reason }
}

/// The parameters of the header that verification uses.
#[derive(Debug, PartialEq)]
pub(super) struct JwsHeader<'a> {
    pub(super) algorithm: Cow<'a, str>,
    pub(super) key_id: Option<Cow<'a, str>>,
    pub(super) typ: Option<Cow<'a, str>>,
}

impl<'a> JwsHeader<'a> {
    pub(super) fn parse(json: &'a str) -> Result<Self, AuthorizationError> {
        let mut fields = ClaimFields::named(["alg", "kid", "typ"]);
        fields.read(json, "header")?;
        if fields.others.iter().any(|name| name == "crit") {
            return Err(AuthorizationError::CriticalHeader);
        }
        let [algorithm, key_id, typ] = fields.found;
        Ok(Self {
            algorithm: required_text("alg", algorithm)?,
            key_id: text("kid", key_id)?,
            typ: text("typ", typ)?,
        })
    }
}

/// A JSON value as far as claims need it; strings without escapes are borrowed from the payload.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RawClaim<'a> {
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Number(f64),
    Other,
}

/// The wanted members of one JSON object and the names of the others, each of them once.
#[derive(Debug)]
pub(super) struct ClaimFields<'a, const N: usize> {
    names: [&'static str; N],
    pub(super) found: [Option<RawClaim<'a>>; N],
    pub(super) others: Vec<Cow<'a, str>>,
    duplicate: Option<String>,
}

impl<'a, const N: usize> ClaimFields<'a, N> {
    pub(super) fn named(names: [&'static str; N]) -> Self {
        Self { names, found: [const { None }; N], others: Vec::new(), duplicate: None }
    }

    pub(super) fn read(&mut self, text: &'a str, part: &'static str) -> Result<(), AuthorizationError> {
        let not_json = |_| AuthorizationError::NotJson { part };
        let mut reader = serde_json::Deserializer::from_str(text);
        (&mut *self).deserialize(&mut reader).map_err(not_json)?;
        reader.end().map_err(not_json)?;
        self.others.sort_unstable();
        let twice = self.others.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_string());
        match self.duplicate.take().or(twice) {
            Some(name) => Err(AuthorizationError::Duplicate { name: redact::text(&name) }),
            None => Ok(()),
        }
    }
}

impl<'a, const N: usize> DeserializeSeed<'a> for &mut ClaimFields<'a, N> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a, const N: usize> Visitor<'a> for &mut ClaimFields<'a, N> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Name(name)) = map.next_key()? {
            let is_it =
                |known: &&str| known.as_bytes().first() == name.as_bytes().first() && **known == *name;
            let Some(at) = self.names.iter().position(is_it) else {
                self.others.push(name);
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value()?;
            if self.found[at].replace(value).is_some() {
                self.duplicate = Some(self.names[at].to_owned());
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for RawClaim<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = RawClaim<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<RawClaim<'de>, E> {
                Ok(RawClaim::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<RawClaim<'de>, E> {
                Ok(RawClaim::Text(Cow::Owned(text.to_owned())))
            }

            #[expect(clippy::cast_precision_loss, reason = "a time beyond 2^53 is refused anyway")]
            fn visit_u64<E>(self, number: u64) -> Result<RawClaim<'de>, E> {
                Ok(RawClaim::Number(number as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "a time before 1970 is refused anyway")]
            fn visit_i64<E>(self, number: i64) -> Result<RawClaim<'de>, E> {
                Ok(RawClaim::Number(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<RawClaim<'de>, E> {
                Ok(RawClaim::Number(number))
            }

            fn visit_bool<E>(self, _: bool) -> Result<RawClaim<'de>, E> {
                Ok(RawClaim::Other)
            }

            fn visit_unit<E>(self) -> Result<RawClaim<'de>, E> {
                Ok(RawClaim::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawClaim<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(RawClaim::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawClaim<'de>, A::Error> {
                // With serde_json's `arbitrary_precision`, which any crate in the build can enable, a number arrives
                // as a map with this one member.
                let mut number = None;
                while let Some(Name(name)) = map.next_key()? {
                    if name == "$serde_json::private::Number" {
                        number = map.next_value::<Value>()?.as_str().and_then(|text| text.parse().ok());
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(number.map_or(RawClaim::Other, RawClaim::Number))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

/// Returns a claim that is a string, or missing.
pub(super) fn text<'a>(
    name: &'static str,
    value: Option<RawClaim<'a>>,
) -> Result<Option<Cow<'a, str>>, AuthorizationError> {
    match value {
        None => Ok(None),
        Some(RawClaim::Text(text)) => Ok(Some(text)),
        Some(_) => Err(AuthorizationError::WrongType { name, expected: ClaimType::Text.as_str() }),
    }
}

fn required_text<'a>(
    name: &'static str,
    value: Option<RawClaim<'a>>,
) -> Result<Cow<'a, str>, AuthorizationError> {
    text(name, value)?.ok_or_else(|| AuthorizationError::missing(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<[Option<RawClaim<'_>>; 2], AuthorizationError> {
        let mut fields = ClaimFields::named(["exp", "sub"]);
        fields.read(json, "payload")?;
        Ok(fields.found)
    }

    fn text(text: &str) -> RawClaim<'_> {
        RawClaim::Text(text.into())
    }

    #[test]
    fn wanted_members_are_found_and_texts_are_borrowed() {
        let [exp, sub] = read(r#"{"x":{"exp":1},"sub":"alice","exp":1.5}"#).unwrap();
        assert_eq!(exp, Some(RawClaim::Number(1.5)));
        assert!(matches!(sub, Some(RawClaim::Text(Cow::Borrowed("alice")))));
    }

    #[test]
    fn a_duplicate_name_is_refused_even_when_escaped() {
        for json in [
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":1,"\u0065xp":2}"#,
            r#"{"foo":1,"bar":2,"foo":1}"#,
            r#"{"sub":null,"sub":"alice"}"#,
        ] {
            assert!(matches!(read(json), Err(AuthorizationError::Duplicate { .. })), "{json}");
        }
    }

    #[test]
    fn whatever_is_not_exactly_one_object_is_refused() {
        let deep = format!("{{\"exp\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
        let deep_unknown = format!("{{\"x\":{}", "[".repeat(50_000));
        for json in [
            "",
            "[]",
            "\"x\"",
            "{",
            "{}x",
            "{\"exp\":NaN}",
            "{\"exp\":1e999}",
            "\u{feff}{}",
            &deep,
            &deep_unknown,
        ] {
            assert_eq!(read(json), Err(AuthorizationError::NotJson { part: "payload" }));
        }
        assert_eq!(read("{\"sub\":\"\\ud800\"}"), Err(AuthorizationError::NotJson { part: "payload" }));
    }

    #[test]
    fn lists_and_objects_are_no_texts() {
        assert_eq!(read(r#"{"exp":{"a":5}}"#).unwrap()[0], Some(RawClaim::Other));
        assert_eq!(
            read(r#"{"exp":["a",null]}"#).unwrap()[0],
            Some(RawClaim::List(vec![text("a"), RawClaim::Other]))
        );
    }

    #[test]
    fn a_header_with_crit_is_refused() {
        let header = r#"{"alg":"ES256","crit":["foo"],"foo":1}"#;
        assert_eq!(JwsHeader::parse(header), Err(AuthorizationError::CriticalHeader));
    }

    #[test]
    fn a_header_needs_an_algorithm_and_texts() {
        assert_eq!(JwsHeader::parse("{}"), Err(AuthorizationError::missing("alg")));
        assert!(matches!(
            JwsHeader::parse(r#"{"alg":"ES256","kid":5}"#),
            Err(AuthorizationError::WrongType { name: "kid", .. })
        ));
        let header = JwsHeader::parse(r#"{"alg":"ES256","typ":"at+jwt","kid":"1","x":[]}"#).unwrap();
        assert_eq!(header.key_id.as_deref(), Some("1"));
    }

    #[test]
    fn only_three_parts_of_unpadded_base64url_are_a_token() {
        assert!(JwsParts::split("e30.e30.AAAA").is_ok());
        for token in [
            "",
            "e30",
            "e30.e30",
            "e30.e30.AAAA.AAAA",
            "e30.e30.A.A.A",
            "e3 0.e30.AA",
            "e30=.e30.AA",
            "é.e30.AA",
        ] {
            assert!(matches!(JwsParts::split(token), Err(AuthorizationError::NotJwt { .. })), "{token}");
        }
        assert_eq!(JwsParts::split(&"a".repeat(1_000_000)).err(), Some(AuthorizationError::TooLong));
    }

    #[test]
    fn a_token_that_is_not_a_jwt_is_told_what_it_is() {
        for (token, words) in [
            ("", "empty"),
            ("\"e30.e30.AAAA\"", "quotes"),
            ("'e30.e30.AAAA'", "quotes"),
            ("\u{feff}e30.e30.AAAA", "byte order mark"),
            ("e\u{0}3\u{0}0\u{0}.\u{0}", "UTF-16"),
            ("{\"access_token\":\"x\"}", "JSON document"),
            ("<html>", "HTML"),
            ("-----BEGIN PUBLIC KEY-----", "PEM"),
            ("e30.e30.AAAA\n", "white space"),
            ("opaque", "opaque"),
            ("e30.e30", "two parts"),
            ("e30=.e30.AAAA", "not base64url"),
            ("e30.a.b.c.d", "encrypted"),
            ("e30.a.b.c", "more than three parts"),
        ] {
            let error = JwsParts::split(token).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains(words), "{token:?}: {error}");
        }
    }
}
