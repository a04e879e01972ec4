//! The compact form of a signed JWT, taken apart (RFC 7515 section 7.1), and its two JSON objects.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::Refusal;
use crate::redact;
use crate::token::MAX_TOKEN_LENGTH;

/// `header.payload.signature`, decoded.
pub(super) struct Parts<'t> {
    pub(super) header: String,
    pub(super) payload: String,
    pub(super) signature: Vec<u8>,
    /// What was signed: the first two parts as they stand.
    pub(super) signed: &'t [u8],
}

impl<'t> Parts<'t> {
    pub(super) fn split(token: &'t str) -> Result<Self, Refusal> {
        if token.len() > MAX_TOKEN_LENGTH {
            return Err(Refusal::TooLong);
        }
        // Forwards, because the header is short and the signature is not.
        let mut parts = token.splitn(3, '.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::NotJwt);
        };
        let signed = &token[..header.len() + 1 + payload.len()];
        // A dot that is left over is no base64url, so that four or five parts end here as well.
        let decode =
            |part: &str| base64_simd::URL_SAFE_NO_PAD.decode_to_vec(part).map_err(|_| Refusal::NotJwt);
        // They are checked for UTF-8 as wholes, which is quicker than each text in them.
        let text = |part, bytes| String::from_utf8(bytes).map_err(|_| Refusal::NotJson { part });
        Ok(Self {
            header: text("header", decode(header)?)?,
            payload: text("payload", decode(payload)?)?,
            signature: decode(signature)?,
            signed: signed.as_bytes(),
        })
    }
}

/// What the header says, as far as anybody here reads it.
#[derive(Debug, PartialEq)]
pub(super) struct Header<'a> {
    pub(super) algorithm: Cow<'a, str>,
    pub(super) key_id: Option<Cow<'a, str>>,
    pub(super) typ: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    pub(super) fn parse(json: &'a str) -> Result<Self, Refusal> {
        let mut fields = Fields::named(["alg", "kid", "typ"]);
        fields.read(json, "header")?;
        if fields.others.iter().any(|name| name == "crit") {
            return Err(Refusal::CriticalHeader);
        }
        let [algorithm, key_id, typ] = fields.found;
        Ok(Self {
            algorithm: required_text("alg", algorithm)?,
            key_id: text("kid", key_id)?,
            typ: text("typ", typ)?,
        })
    }
}

/// A value, as far as claims need it; texts are borrowed from the payload where they have no escapes.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Wire<'a> {
    Text(Cow<'a, str>),
    List(Vec<Self>),
    Number(f64),
    Other,
}

/// The wanted members of one JSON object and the names of the rest, each of them once.
#[derive(Debug)]
pub(super) struct Fields<'a, const N: usize> {
    names: [&'static str; N],
    pub(super) found: [Option<Wire<'a>>; N],
    pub(super) others: Vec<Cow<'a, str>>,
    duplicate: Option<String>,
}

impl<'a, const N: usize> Fields<'a, N> {
    pub(super) fn named(names: [&'static str; N]) -> Self {
        Self { names, found: [const { None }; N], others: Vec::new(), duplicate: None }
    }

    pub(super) fn read(&mut self, text: &'a str, part: &'static str) -> Result<(), Refusal> {
        let not_json = |_| Refusal::NotJson { part };
        let mut reader = serde_json::Deserializer::from_str(text);
        (&mut *self).deserialize(&mut reader).map_err(not_json)?;
        reader.end().map_err(not_json)?;
        self.others.sort_unstable();
        let twice = self.others.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0].to_string());
        match self.duplicate.take().or(twice) {
            Some(name) => Err(Refusal::Duplicate { name: redact::text(&name) }),
            None => Ok(()),
        }
    }
}

impl<'a, const N: usize> DeserializeSeed<'a> for &mut Fields<'a, N> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a, const N: usize> Visitor<'a> for &mut Fields<'a, N> {
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

impl<'de> Deserialize<'de> for Wire<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyValue;

        impl<'de> Visitor<'de> for AnyValue {
            type Value = Wire<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Wire<'de>, E> {
                Ok(Wire::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Wire<'de>, E> {
                Ok(Wire::Text(Cow::Owned(text.to_owned())))
            }

            #[expect(clippy::cast_precision_loss, reason = "a time beyond 2^53 is refused anyway")]
            fn visit_u64<E>(self, number: u64) -> Result<Wire<'de>, E> {
                Ok(Wire::Number(number as f64))
            }

            #[expect(clippy::cast_precision_loss, reason = "a time before 1970 is refused anyway")]
            fn visit_i64<E>(self, number: i64) -> Result<Wire<'de>, E> {
                Ok(Wire::Number(number as f64))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Wire<'de>, E> {
                Ok(Wire::Number(number))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Wire<'de>, E> {
                Ok(Wire::Other)
            }

            fn visit_unit<E>(self) -> Result<Wire<'de>, E> {
                Ok(Wire::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Wire<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Wire::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wire<'de>, A::Error> {
                // With serde_json's `arbitrary_precision`, which any crate in the build may turn on, a number
                // arrives as a map of this one member. Who writes it as an object signs it as well.
                let mut number = None;
                while let Some(Name(name)) = map.next_key()? {
                    if name == "$serde_json::private::Number" {
                        number = map.next_value::<Value>()?.as_str().and_then(|text| text.parse().ok());
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(number.map_or(Wire::Other, Wire::Number))
            }
        }

        deserializer.deserialize_any(AnyValue)
    }
}

/// A claim that is a text, or absent.
pub(super) fn text<'a>(name: &'static str, value: Option<Wire<'a>>) -> Result<Option<Cow<'a, str>>, Refusal> {
    match value {
        None => Ok(None),
        Some(Wire::Text(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::WrongType { name, expected: "a text" }),
    }
}

fn required_text<'a>(name: &'static str, value: Option<Wire<'a>>) -> Result<Cow<'a, str>, Refusal> {
    text(name, value)?.ok_or_else(|| Refusal::missing(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<[Option<Wire<'_>>; 2], Refusal> {
        let mut fields = Fields::named(["exp", "sub"]);
        fields.read(json, "payload")?;
        Ok(fields.found)
    }

    fn text(text: &str) -> Wire<'_> {
        Wire::Text(text.into())
    }

    #[test]
    fn wanted_members_are_found_and_texts_are_borrowed() {
        let [exp, sub] = read(r#"{"x":{"exp":1},"sub":"alice","exp":1.5}"#).unwrap();
        assert_eq!(exp, Some(Wire::Number(1.5)));
        assert!(matches!(sub, Some(Wire::Text(Cow::Borrowed("alice")))));
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused_even_when_escaped() {
        for json in [
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":1,"\u0065xp":2}"#,
            r#"{"foo":1,"bar":2,"foo":1}"#,
            r#"{"sub":null,"sub":"alice"}"#,
        ] {
            assert!(matches!(read(json), Err(Refusal::Duplicate { .. })), "{json}");
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
            assert_eq!(read(json), Err(Refusal::NotJson { part: "payload" }));
        }
        assert_eq!(read("{\"sub\":\"\\ud800\"}"), Err(Refusal::NotJson { part: "payload" }));
    }

    #[test]
    fn lists_and_objects_are_no_texts() {
        assert_eq!(read(r#"{"exp":{"a":5}}"#).unwrap()[0], Some(Wire::Other));
        assert_eq!(read(r#"{"exp":["a",null]}"#).unwrap()[0], Some(Wire::List(vec![text("a"), Wire::Other])));
    }

    #[test]
    fn vector_35_a_header_with_crit_is_refused() {
        let header = r#"{"alg":"ES256","crit":["foo"],"foo":1}"#;
        assert_eq!(Header::parse(header), Err(Refusal::CriticalHeader));
    }

    #[test]
    fn a_header_needs_an_algorithm_and_texts() {
        assert_eq!(Header::parse("{}"), Err(Refusal::missing("alg")));
        assert!(matches!(
            Header::parse(r#"{"alg":"ES256","kid":5}"#),
            Err(Refusal::WrongType { name: "kid", .. })
        ));
        let header = Header::parse(r#"{"alg":"ES256","typ":"at+jwt","kid":"1","x":[]}"#).unwrap();
        assert_eq!(header.key_id.as_deref(), Some("1"));
    }

    #[test]
    fn only_three_parts_of_unpadded_base64url_are_a_token() {
        assert!(Parts::split("e30.e30.AAAA").is_ok());
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
            assert_eq!(Parts::split(token).err(), Some(Refusal::NotJwt), "{token}");
        }
        assert_eq!(Parts::split(&"a".repeat(1_000_000)).err(), Some(Refusal::TooLong));
    }
}
