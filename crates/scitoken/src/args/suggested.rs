//! Values that a shell completes.

use std::ffi::OsStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, Command, Error};

/// The checksum algorithms of `--checksum`, in the order in which servers have them.
pub(crate) const ALGORITHMS: &[&str] = &["adler32", "crc32c", "crc32", "md5", "sha-1", "sha-256", "sha-512"];

/// The values of `get --checksum`, besides an algorithm with a value.
pub(crate) const CHECKSUMS: &[&str] =
    &["auto", "require", "none", "adler32", "crc32c", "crc32", "md5", "sha-1", "sha-256", "sha-512"];

/// The profiles of tokens.
pub(crate) const PROFILES: &[&str] = &["scitokens1", "scitokens2", "wlcg", "at+jwt"];

/// The asymmetric signature algorithms.
pub(crate) const SIGNATURES: &[&str] =
    &["ES256", "ES384", "ES512", "EdDSA", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"];

/// A parser with values to complete; it accepts others as well.
#[derive(Clone, Debug)]
pub(crate) struct Suggested<P> {
    parser: P,
    values: &'static [&'static str],
}

/// Returns a parser whose values a shell completes.
pub(crate) fn suggested<P>(values: &'static [&'static str], parser: P) -> Suggested<P> {
    Suggested { parser, values }
}

impl<P: TypedValueParser> TypedValueParser for Suggested<P> {
    type Value = P::Value;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<P::Value, Error> {
        self.parser.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.values.iter().map(|value| PossibleValue::new(*value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::parse_algorithm;

    #[test]
    fn every_suggestion_is_a_value() {
        for value in CHECKSUMS {
            assert!(value.parse::<scitoken_transfer::Checksum>().is_ok(), "{value}");
        }
        for value in ALGORITHMS {
            assert!(value.parse::<scitoken_transfer::DigestAlgorithm>().is_ok(), "{value}");
            assert!(CHECKSUMS.contains(value), "{value}");
        }
        for value in SIGNATURES {
            assert!(parse_algorithm(value).is_ok(), "{value}");
        }
    }
}
