//! The body of an answer to `COPY`: performance markers, and the outcome in the last line.

use std::collections::BTreeMap;

use scitoken_types::redact::Redactor;

/// The longest line that is read, in bytes.
const MAX_LINE: usize = 64 * 1024;
/// The most stripes of a copy that are counted.
const MAX_STRIPES: usize = 1_024;
/// How much of a failure is kept, in bytes.
const MAX_FAILURE: usize = 2 * 1024;

/// What a server reports about a copy, as it comes in.
///
/// ```text
/// Perf Marker
///     Timestamp: 1795321029
///     Stripe Index: 0
///     Stripe Bytes Transferred: 8388608
///     Total Stripe Count: 1
/// End
/// success: Created
/// ```
#[derive(Debug, Default)]
pub(crate) struct CopyReport {
    line: Vec<u8>,
    stripe: u32,
    stripes: BTreeMap<u32, u64>,
    outcome: CopyOutcome,
}

/// What the last line states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum CopyOutcome {
    /// No outcome: the server was cut off, or does not report any.
    #[default]
    Unknown,
    Success,
    /// The server's words.
    Failure(String),
}

impl CopyReport {
    /// Reads more of the body.
    pub(crate) fn push(&mut self, data: &[u8]) {
        for &byte in data {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                _ if self.line.len() < MAX_LINE => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// Returns how many bytes all stripes have moved.
    pub(crate) fn bytes(&self) -> u64 {
        self.stripes.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
    }

    /// Returns the outcome at the end of the body, without the secrets that the redactor knows.
    pub(crate) fn finish(mut self, redactor: &Redactor) -> CopyOutcome {
        self.end_line();
        match self.outcome {
            CopyOutcome::Failure(text) => CopyOutcome::Failure(redactor.redact(&text).into_owned()),
            outcome => outcome,
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            return;
        }
        let (name, value) = line.split_once(':').map_or((line, ""), |(name, value)| (name, value.trim()));
        let name = name.trim().to_ascii_lowercase();
        // A failure may have several lines, and nothing behind it makes it a success.
        if let CopyOutcome::Failure(text) = &mut self.outcome {
            if text.len() < MAX_FAILURE {
                text.push(' ');
                text.extend(line.chars().take(MAX_FAILURE));
            }
            return;
        }
        self.outcome = match name.split_ascii_whitespace().next().unwrap_or_default() {
            "success" => CopyOutcome::Success,
            "failure" | "failed" | "aborted" | "error" => {
                CopyOutcome::Failure(line.chars().take(MAX_FAILURE).collect())
            }
            _ => CopyOutcome::Unknown,
        };
        match name.as_str() {
            "stripe index" => self.stripe = value.parse().unwrap_or_default(),
            "stripe bytes transferred"
                if self.stripes.len() < MAX_STRIPES || self.stripes.contains_key(&self.stripe) =>
            {
                if let Ok(bytes) = value.parse() {
                    self.stripes.insert(self.stripe, bytes);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &str = "Perf Marker\nTimestamp: 1795321029\nStripe Index: 0\nStripe Bytes Transferred: 100\n\
        Total Stripe Count: 1\nEnd\n";

    fn outcome(body: &str) -> CopyOutcome {
        let mut report = CopyReport::default();
        report.push(body.as_bytes());
        report.finish(&Redactor::new())
    }

    #[test]
    fn only_a_success_in_the_last_line_is_one() {
        for body in [
            "success: Created",
            "success: Created\n",
            "Success\r\n\r\n",
            &format!("{MARKER}success: Created\n"),
            "success\n",
        ] {
            assert_eq!(outcome(body), CopyOutcome::Success, "{body}");
        }
        for body in [
            "",
            MARKER,
            "success: Created\nPerf Marker\n",
            "successful\n",
            "Created",
            "success: Created\n<html>",
        ] {
            assert_eq!(outcome(body), CopyOutcome::Unknown, "{body}");
        }
    }

    #[test]
    fn a_failure_stays_one_with_all_its_lines() {
        for body in
            ["failure: 403\n", "Failure: 403", "failed: x", "aborted\n", "ERROR: disk full", "failure"]
        {
            assert!(matches!(outcome(body), CopyOutcome::Failure(_)), "{body}");
        }
        let body = format!("{MARKER}failure: one\n two\nsuccess: Created\n");
        assert_eq!(outcome(&body), CopyOutcome::Failure("failure: one two success: Created".to_owned()));
        let CopyOutcome::Failure(text) = outcome(&format!("failure: {}\n", "x".repeat(1 << 20))) else {
            panic!()
        };
        assert!(text.len() <= MAX_FAILURE);
    }

    #[test]
    fn the_bytes_of_all_stripes_count_in_pieces_of_any_size() {
        let body =
            format!("{MARKER}Perf Marker\n  Stripe Index: 1\n\tStripe Bytes Transferred: 50\nEnd\n{MARKER}");
        for size in [1, 7, 1_000] {
            let mut report = CopyReport::default();
            body.as_bytes().chunks(size).for_each(|piece| report.push(piece));
            assert_eq!(report.bytes(), 150, "{size}");
        }
        let mut report = CopyReport::default();
        report.push(b"Stripe Index: x\nStripe Bytes Transferred: -1\nStripe Bytes Transferred: 18446744073709551615\n");
        report.push(b"Stripe Index: 2\nStripe Bytes Transferred: 9\n");
        assert_eq!(report.bytes(), u64::MAX, "no overflow");
    }

    #[test]
    fn a_server_cannot_fill_the_memory() {
        let mut report = CopyReport::default();
        report.push(&vec![b'x'; 1 << 20]);
        assert!(report.line.len() <= MAX_LINE);
        for n in 0..5_000 {
            report.push(format!("\nStripe Index: {n}\nStripe Bytes Transferred: 1").as_bytes());
        }
        assert!(report.stripes.len() <= MAX_STRIPES);
    }

    #[test]
    fn a_secret_that_the_server_repeats_is_masked() {
        let mut report = CopyReport::default();
        report.push(b"failure: tried Bearer s3cret-token-of-mine at the source\n");
        let redactor = Redactor::new();
        redactor.add("s3cret-token-of-mine");
        let CopyOutcome::Failure(text) = report.finish(&redactor) else { panic!() };
        assert!(!text.contains("s3cret"), "{text}");
    }
}
