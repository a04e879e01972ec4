//! Formats numbers and names for progress lines.

use std::path::Path;
use std::time::Duration;

use indicatif::BinaryBytes;
use scitoken_transfer::{Timings, Verification};

use crate::sanitize;

/// A shorter time would be shown as zero.
const WORTH_SHOWING: Duration = Duration::from_millis(10);

/// Describes a finished file.
pub(super) fn finished(length: u64, verification: &Verification, timings: &Timings) -> String {
    let verified = match verification {
        Verification::NotAvailable => "complete, the server offers no checksum".to_owned(),
        other => other.to_string(),
    };
    let spent: Vec<_> = [
        ("waiting", timings.answering),
        ("rate limit", timings.limited),
        ("disk", timings.writing),
        ("pauses", timings.pausing),
        ("checksum", timings.verifying),
    ]
    .into_iter()
    .filter(|(_, time)| *time >= WORTH_SHOWING && *time * 20 > timings.total)
    .map(|(what, time)| format!("{what} {}", seconds(time)))
    .collect();
    let spent = if spent.is_empty() { String::new() } else { format!(" ({})", spent.join(", ")) };
    let rate = rate(timings.fetched.min(length), timings.total);
    format!("{} in {}, {rate}, {verified}{spent}", BinaryBytes(length), seconds(timings.total))
}

/// Lists the servers of an object, in the order in which they are tried.
pub(super) fn located(object: &str, servers: &[String], remembered: bool) -> String {
    let what = if servers.len() == 1 { "server" } else { "servers, tried in this order" };
    let servers = servers.iter().map(|server| format!("`{server}`")).collect::<Vec<_>>().join(", ");
    let from = if remembered { " (from an earlier answer of the director)" } else { "" };
    format!("* {object}: {what}: {servers}{from}")
}

pub(super) fn rate(bytes: u64, time: Duration) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rounded rate"
    )]
    let rate = (bytes as f64 / time.as_secs_f64().max(0.001)) as u64;
    format!("{}/s", BinaryBytes(rate))
}

pub(super) fn seconds(time: Duration) -> String {
    if time.as_secs() < 100 {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        format!("{} s", time.as_secs())
    }
}

pub(super) fn file_name(path: &Path) -> String {
    sanitize::line(&path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
}

/// Formats a duration, rounded.
pub(super) fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours @ 1..100, minutes) => format!("{hours} h {minutes} min"),
        (hours, _) => format!("{} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_file_are_those_that_matter() {
        let milliseconds = Duration::from_millis;
        let mut timings = Timings::default();
        (timings.total, timings.fetched) = (milliseconds(40), 4096);
        (timings.answering, timings.writing) = (milliseconds(9), milliseconds(4));
        let text = finished(4096, &Verification::NotAvailable, &timings);
        assert_eq!(text, "4.00 KiB in 0.04 s, 100.00 KiB/s, complete, the server offers no checksum");
        (timings.total, timings.answering) = (milliseconds(2000), milliseconds(120));
        (timings.limited, timings.pausing) = (milliseconds(1500), milliseconds(99));
        let text = finished(4096, &Verification::NotAvailable, &timings);
        assert!(text.ends_with("no checksum (waiting 0.12 s, rate limit 1.50 s)"), "{text}");
    }
}
