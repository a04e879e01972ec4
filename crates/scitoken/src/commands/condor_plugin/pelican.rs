//! What Pelican's plugin states about a transfer, which its monitoring reads: attempts, checksums and error codes.

use std::time::{Duration, SystemTime};

use scitoken_transfer::class_ad::ClassAd;
use scitoken_transfer::{
    Digest, FailureKind, FederationStep, RequestFailure, ThrottleReason, TransferError, Verification,
};
use url::Url;

use super::requests::EndedRequest;

/// A failure with its place in Pelican's table of errors.
#[derive(Debug)]
struct CodedFailure {
    code: u16,
    name: &'static str,
    retryable: bool,
    message: String,
    retry_after: Option<Duration>,
    throttle: Option<ThrottleReason>,
}

/// Returns `DeveloperData`: the attempts in their order, and the checksum that both sides have.
pub(super) fn developer_data(
    requests: &[EndedRequest],
    failure: Option<(&TransferError, &str)>,
    verification: Option<&Verification>,
) -> ClassAd {
    // A transfer that failed before its first request counts as one attempt.
    let mut ad = ClassAd::default()
        .with_text("PelicanClientVersion", concat!("scitoken ", env!("CARGO_PKG_VERSION")))
        .with("Attempts", requests.len().max(usize::from(failure.is_some())));
    for (n, EndedRequest { report, at }) in requests.iter().enumerate() {
        let name = |attribute: &str| format!("{attribute}{n}");
        ad = ad
            .with_text(&name("Endpoint"), endpoint(&report.url))
            .with(&name("TransferFileBytes"), report.bytes)
            .with(&name("TimeToFirstByte"), seconds(report.answered_after.unwrap_or_default()))
            .with(&name("TransferTime"), seconds(report.total))
            .with(&name("TransferEndTime"), unix_time(*at))
            .with_text(&name("ServerVersion"), report.server.as_deref().unwrap_or_default());
        if let Some(age) = report.age {
            ad = ad.with(&name("DataAge"), age).with(&name("CacheHit"), age > 0);
        }
        if let Some(failure) = &report.failure {
            ad = ad
                .with_text(&name("TransferError"), failure.why.as_str())
                .with(&name("IsRetryable"), failure.retryable);
        }
    }
    if let (true, Some((failure, message))) = (requests.is_empty(), failure) {
        ad = ad.with_text("TransferError0", message).with("IsRetryable0", failure.is_worth_retrying());
    }
    match verification {
        Some(Verification::Verified(digest)) => {
            let checksums = checksums(digest);
            ad.with("ClientChecksums", &checksums).with("ServerChecksums", &checksums)
        }
        _ => ad,
    }
}

/// Returns `TransferErrorData`, the list that HTCondor 24 reads: an ad for each attempt that failed, and one for a transfer
/// that failed although its last attempt did not.
pub(super) fn error_data(
    requests: &[EndedRequest],
    failure: Option<(&TransferError, &str)>,
) -> Option<String> {
    let mut failures: Vec<CodedFailure> =
        requests.iter().filter_map(|request| request.report.failure.as_ref()).map(of_request).collect();
    let last_failed = requests.last().is_some_and(|request| request.report.failure.is_some());
    if let (Some((failure, message)), false) = (failure, last_failed) {
        failures.push(of_transfer(failure, message));
    }
    let ads: Vec<String> = failures.into_iter().map(|failure| failure.into_ad().to_string()).collect();
    (!ads.is_empty()).then(|| format!("{{ {} }}", ads.join(", ")))
}

impl CodedFailure {
    fn into_ad(self) -> ClassAd {
        let family = self.name.split('.').next().unwrap_or(self.name);
        let mut details = ClassAd::default()
            .with("PelicanErrorCode", self.code)
            .with_text("ErrorType", self.name)
            .with("Retryable", self.retryable)
            .with_text("ErrorMessage", self.message);
        if let Some(wait) = self.retry_after {
            details = details.with("RetryAfterSeconds", wait.as_secs());
        }
        if let Some(reason) = self.throttle {
            details = details.with_text("ThrottleReason", reason.name());
        }
        ClassAd::default().with_text("ErrorType", family).with("DeveloperData", details)
    }
}

fn of_request(failure: &RequestFailure) -> CodedFailure {
    let (code, name) = code(failure.kind, failure.status, failure.throttle);
    CodedFailure {
        code,
        name,
        retryable: failure.retryable,
        message: failure.why.clone(),
        retry_after: failure.retry_after,
        throttle: failure.throttle,
    }
}

fn of_transfer(failure: &TransferError, message: &str) -> CodedFailure {
    let status = failure.status().map(|status| status.as_u16());
    let (code, name) = match (failure.federation_step(), failure.kind()) {
        (Some(FederationStep::Discovery), FailureKind::Timeout) => (2001, "Resolution.Timeout"),
        (Some(FederationStep::Discovery), FailureKind::Connect) => (2002, "Resolution.ConnectionFailure"),
        (Some(FederationStep::Discovery), _) => (2000, "Resolution"),
        (Some(FederationStep::Director), FailureKind::Timeout) => (6005, "Transfer.DirectorTimeout"),
        (Some(FederationStep::Director), kind) if kind != FailureKind::NotFound => (3001, "Contact.Director"),
        (_, kind) => code(kind, status, failure.throttle_reason()),
    };
    CodedFailure {
        code,
        name,
        retryable: failure.is_worth_retrying(),
        message: message.to_owned(),
        retry_after: failure.retry_after(),
        throttle: failure.throttle_reason(),
    }
}

/// Returns the code and the name of a failure in Pelican's table of errors.
fn code(kind: FailureKind, status: Option<u16>, throttle: Option<ThrottleReason>) -> (u16, &'static str) {
    match (throttle, kind, status) {
        (Some(ThrottleReason::OriginUnresponsive), _, _) => (6008, "Transfer.OriginUnresponsive"),
        (Some(ThrottleReason::OriginSlow), _, _) => (6009, "Transfer.OriginSlow"),
        (Some(_), _, _) | (None, _, Some(429)) => (6010, "Transfer.CacheOverloaded"),
        (_, FailureKind::Usage, _) => (1000, "Parameter"),
        (_, FailureKind::Local, _) => (1011, "Parameter.FileNotFound"),
        (_, FailureKind::Connect, _) => (3006, "Contact.ConnectionSetup"),
        (_, FailureKind::Redirect, _) => (3000, "Contact"),
        (_, FailureKind::Refused | FailureKind::TokenWithheld, _) => (4000, "Authorization"),
        (_, FailureKind::NoToken, _) => (4010, "Authorization.TokenNotFound"),
        (_, FailureKind::Exists, _) => (5012, "Specification.FileAlreadyExists"),
        (_, FailureKind::Rejected | FailureKind::WrongContent, _) => (5000, "Specification"),
        (_, FailureKind::NotFound, _) => (5011, "Specification.FileNotFound"),
        (_, FailureKind::Incomplete, _) => (6001, "Transfer.StoppedTransfer"),
        (_, FailureKind::Timeout, _) => (6003, "Transfer.TimedOut"),
        (_, FailureKind::Mismatch, _) => (6006, "Transfer.ChecksumMismatch"),
        (_, FailureKind::Unverified, _) => (6007, "Transfer.ChecksumMissing"),
        _ => (6000, "Transfer"),
    }
}

/// Returns `[ md5 = "…" ]`. A hyphen is not part of an attribute's name.
fn checksums(digest: &Digest) -> ClassAd {
    ClassAd::default().with_text(&digest.algorithm().to_string().replace('-', ""), digest.to_hex())
}

/// Returns host and port of a URL.
fn endpoint(url: &str) -> String {
    let Ok(url) = url.parse::<Url>() else { return String::new() };
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Returns a time in seconds, to the millisecond.
fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

fn unix_time(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
