//! Numbers and names as people read them.

use std::path::Path;
use std::time::Duration;

use indicatif::BinaryBytes;
use reqwest_scitokens::download::{Timings, Verification};

/// What is said of a file that is there.
pub(super) fn ending(length: u64, verification: &Verification, timings: &Timings) -> String {
    let verified = match verification {
        Verification::Verified(digest) => format!("verified by {digest}"),
        Verification::NotAvailable => "whole, no checksum to be had".to_owned(),
    };
    let spent: Vec<_> = [
        ("waiting", timings.answering),
        ("disk", timings.writing),
        ("pauses", timings.pausing),
        ("checksum", timings.verifying),
    ]
    .into_iter()
    .filter(|(_, time)| *time * 20 > timings.total)
    .map(|(what, time)| format!("{what} {}", seconds(time)))
    .collect();
    let spent = if spent.is_empty() { String::new() } else { format!(" ({})", spent.join(", ")) };
    let rate = rate(timings.fetched, timings.total);
    format!("{} in {}, {rate}, {verified}{spent}", BinaryBytes(length), seconds(timings.total))
}

pub(super) fn rate(bytes: u64, time: Duration) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rate for people need not be exact"
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

pub(super) fn shown(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A time that need not be exact.
pub(super) fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds} s"),
        (0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (hours @ 1..100, minutes) => format!("{hours} h {minutes} min"),
        (hours, _) => format!("{} days", hours / 24),
    }
}
