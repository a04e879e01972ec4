//! The request for a share of a file.

use std::ops::Range;
use std::time::Duration;

use http::header::RANGE;
use http::{HeaderMap, HeaderValue};
use scitoken_types::SafeUrl;
use url::Url;

use crate::digest::checksum::Checksum;
use crate::digest::header;
use crate::digest::value::Digest;
use crate::download::content::identity::Identity;
use crate::download::content_failures;
use crate::download::length_source::LengthSource;
use crate::download::ranges::scheduler::RangeLease;
use crate::download::transfer::Transfer;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;

/// How long a server may take to state the length of a file.
const TIME_FOR_LENGTH: Duration = Duration::from_secs(5);

/// A request for a share of the file.
pub(crate) struct RangeRequest {
    pub(crate) range: Option<Range<u64>>,
    pub(crate) headers: HeaderMap,
    pub(crate) for_digest: bool,
}

impl Transfer {
    pub(crate) fn range_request(&self, lease: RangeLease, url: &Url) -> Result<RangeRequest, TransferError> {
        let state = self.state();
        let wanted = state.scheduler.wanted(lease).ok_or_else(content_failures::stale)?;
        let length = state.scheduler.length();
        // XRootD 5.5.3 answers the open range `bytes=6-` with nothing, and every server answers `bytes=0-` of an empty
        // file with an error. So both ends, or no range.
        let is_whole = wanted.start == 0 && length.is_none_or(|length| wanted.end == length);
        let range = if is_whole || !state.ranges { None } else { Some(wanted) };
        let mut headers = HeaderMap::with_capacity(4);
        if let Some(range) = &range {
            // Servers refuse an end that their numbers cannot hold.
            let mut last = (range.end - 1).min(i64::MAX as u64 - 1);
            if let (None, LengthSource::Asked(Some(stated))) = (length, state.length_from) {
                last = last.min(stated.saturating_sub(1)).max(range.start);
            }
            let value = HeaderValue::try_from(format!("bytes={}-{last}", range.start));
            headers.insert(RANGE, value.expect("digits are a valid header value"));
        }
        let refuses = self.downloader.servers().is_without_digests(url);
        let for_digest = state.ask_digest && (self.job.checksum.is_required() || !refuses);
        if for_digest {
            header::ask(&self.job.checksum, &mut headers);
        }
        Ok(RangeRequest { range, headers, for_digest })
    }

    /// Asks by `HEAD` where a file ends of which a part is there, if no answer with data has stated it: a range has two ends.
    pub(crate) async fn learn_end(&self, url: &Url) {
        {
            let mut state = self.state();
            let is_needed = state.scheduler.length().is_none() && state.scheduler.done().total() > 0;
            if !is_needed || !state.ranges || state.length_from != LengthSource::Answers {
                return;
            }
            state.length_from = LengthSource::Asked(None);
        }
        let length = self.stated_length(url).await;
        self.state().length_from = LengthSource::Asked(length);
    }

    /// Checks the length of a file of a federation that no answer with data has stated: caches end a body that they cannot
    /// continue like one that is complete.
    ///
    /// # Errors
    /// [`FailureKind::Incomplete`] when the server that sent the data states a greater length.
    pub(crate) async fn confirm_length(&self, length: u64) -> Result<(), TransferError> {
        let url = &self.job.sources[self.source()];
        match self.stated_length(url).await {
            Some(stated) if stated > length => {
                let message = format!("`{}` ended at byte {length} of {stated}", SafeUrl::new(url));
                Err(TransferError::new(FailureKind::Incomplete, RetryAction::Restart, message))
            }
            _ => Ok(()),
        }
    }

    /// Returns the length that a server states by `HEAD`, if it answers soon and for the same content.
    async fn stated_length(&self, url: &Url) -> Option<u64> {
        let probe = self.downloader.probe_once(url, &Checksum::None, self.deadline);
        let probe = tokio::time::timeout(TIME_FOR_LENGTH, probe).await.ok()?.ok()?;
        let state = self.state();
        let known = state.identity.as_ref().and_then(|identity| identity.etag.as_ref());
        let is_other = known.is_some() && probe.etag.is_some() && known != probe.etag.as_ref();
        probe.length.filter(|_| !is_other)
    }

    /// Asks by `HEAD` for a required digest that the response lacks.
    pub(crate) async fn require_digest(
        &self,
        source: usize,
        identity: &mut Identity,
    ) -> Result<(), TransferError> {
        let checksum = &self.job.checksum;
        let is_required = matches!(checksum, Checksum::Require | Checksum::RequireAlgorithm(_));
        if !is_required || header::choose(checksum, &identity.digests).is_some() {
            return Ok(());
        }
        let url = &self.job.sources[source];
        let probe = self.downloader.probe_once(url, checksum, self.deadline).await;
        let digests = probe.map(|probe| probe.digests).unwrap_or_default();
        if header::choose(checksum, &digests).is_some() {
            identity.digests.extend(digests);
            return Ok(());
        }
        let wanted = match checksum {
            Checksum::RequireAlgorithm(algorithm) => format!("{algorithm} checksum"),
            _ => "checksum".to_owned(),
        };
        let offered: Vec<_> = identity.digests.iter().chain(&digests).map(Digest::algorithm).collect();
        let message = format!("`{}` offers no {wanted}, and one is required", SafeUrl::new(url));
        let failure = TransferError::new(FailureKind::Unverified, RetryAction::OtherSource, message);
        Err(match offered.first() {
            Some(offered) => failure.with_hint(TransferHint::UseOfferedChecksum { algorithm: *offered }),
            None => failure.with_hint(TransferHint::ProvideChecksum),
        })
    }
}
