//! `--limit-rate`.

use std::num::NonZeroU64;
use std::str::FromStr;

use clap::Args;

/// The rate of all files together
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits and retries")]
pub(crate) struct RateArgs {
    /// Limit the rate of all files together, in bytes per second, or with K, M or G [default: no limit]
    ///
    /// As in curl and wget, K is 1024, and 0 is no limit.
    #[arg(long, value_name = "RATE")]
    pub(crate) limit_rate: Option<Rate>,
}

/// A rate in bytes per second; `None` is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Option<NonZeroU64>);

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "not a number of bytes per second, such as 500K or 2.5M";
        let (number, unit) = match text.char_indices().last() {
            Some((end, 'k' | 'K')) => (&text[..end], 10),
            Some((end, 'm' | 'M')) => (&text[..end], 20),
            Some((end, 'g' | 'G')) => (&text[..end], 30),
            Some((end, 't' | 'T')) => (&text[..end], 40),
            _ => (text, 0),
        };
        let is_plain = number.chars().all(|c| c.is_ascii_digit() || c == '.');
        let number: f64 = if is_plain { number.parse().map_err(|_| WRONG)? } else { return Err(WRONG) };
        let rate = number * f64::from(1_u32 << (unit / 2)) * f64::from(1_u32 << (unit / 2));
        if rate >= 1e18 {
            return Err("too large: leave the flag out for no limit");
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, rounded up")]
        Ok(Self(NonZeroU64::new(rate.ceil() as u64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_written_as_for_curl_and_wget() {
        for (text, bytes) in [
            ("100", 100),
            ("20k", 20 << 10),
            ("20K", 20 << 10),
            ("2.5k", 2560),
            ("3m", 3 << 20),
            ("1G", 1 << 30),
            ("2T", 2 << 40),
            (".5", 1),
            ("0.001", 1),
        ] {
            assert_eq!(text.parse(), Ok(Rate(NonZeroU64::new(bytes))), "{text}");
        }
        for text in ["0", "0K", "0.0"] {
            assert_eq!(text.parse(), Ok(Rate(None)), "{text} is no limit");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in [
            "",
            "K",
            ".",
            "-1",
            "+1",
            "1e3",
            "inf",
            "NaN",
            "1KB",
            "1KiB",
            "1 K",
            "5x",
            "1.2.3",
            "99999999T",
            "10é",
        ] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }
}
