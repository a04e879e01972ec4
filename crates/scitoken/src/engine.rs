//! The transfer engine of a run, made from flags and settings.

use std::time::Duration;

use scitoken_transfer::federation::Federation;
use scitoken_transfer::{BandwidthLimit, Downloader, RetryBudget, RetryPolicy, TransferLimits};
use scitoken_types::Seconds;

use crate::args::{ConnectionArgs, FederationArgs, Rate, RateArgs, RetryArgs};
use crate::context::Context;
use crate::failure::Failure;
use crate::sessions::SessionFactory;
use crate::settings;

/// What moves data, and what makes its clients.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) downloader: Downloader,
    pub(crate) sessions: SessionFactory,
    limits: TransferLimits,
    policy: RetryPolicy,
}

impl Engine {
    /// Returns what resolves names of objects, with the limits of the engine.
    pub(crate) fn federation(
        &self,
        context: &Context,
        flags: &FederationArgs,
    ) -> Result<Federation, Failure> {
        let settings = &context.settings()?;
        let mut federation = self
            .sessions
            .federation()?
            .with_limits(self.limits.clone())
            .with_retry(self.policy.clone())
            .with_cancellation_token(self.downloader.cancellation_token().clone());
        if let Some(host) = settings.choose(flags.federation.clone(), settings::FEDERATION)? {
            federation = federation.with_osdf_host(host);
        }
        if let Some(caches) = settings.choose(flags.cache.clone(), settings::CACHES)? {
            federation = federation.with_preferred_caches(caches);
        }
        Ok(federation)
    }

    /// Limits the rate of all files together, by the flag or the settings.
    pub(crate) fn with_bandwidth_limit(
        mut self,
        context: &Context,
        flags: Option<&RateArgs>,
    ) -> Result<Self, Failure> {
        let flag = flags.and_then(|flags| flags.limit_rate);
        let rate: Option<Rate> = context.settings()?.choose(flag, settings::LIMIT_RATE)?;
        if let Some(rate) = rate.and_then(|rate| rate.0) {
            self.downloader = self.downloader.with_bandwidth_limit(BandwidthLimit::new(rate));
        }
        Ok(self)
    }

    /// Combines flags and settings, with up to `streams` connections for each file.
    pub(crate) fn new(
        context: &Context,
        retry: &RetryArgs,
        connection: &ConnectionArgs,
        streams: usize,
    ) -> Result<Self, Failure> {
        let settings = &context.settings()?;
        let seconds = |flag, key| -> Result<Option<Duration>, Failure> {
            Ok(settings.choose::<Seconds>(flag, key)?.map(Seconds::duration))
        };
        let mut limits = TransferLimits::default();
        limits.streams = streams.max(1);
        // As in curl and wget, zero is no limit.
        let is_limit = |limit: &Duration| !limit.is_zero();
        limits.max_time = seconds(retry.max_time, settings::MAX_TIME)?.filter(is_limit);
        if let Some(stall) = seconds(retry.stall_time, settings::STALL_TIME)? {
            let stall = if is_limit(&stall) { stall } else { Seconds::MAX.duration() };
            limits.stall = stall;
            limits.first_byte = stall;
        }
        let mut policy = RetryPolicy::default();
        policy.retries = settings.choose(retry.retry, settings::RETRY)?.unwrap_or(policy.retries);
        if let Some(delay) = retry.retry_delay {
            policy.first_delay = delay.duration();
            policy.longest_delay = policy.longest_delay.max(delay.duration());
        }
        policy.max_elapsed = seconds(retry.retry_max_time, settings::RETRY_MAX_TIME)?.filter(is_limit);
        policy.token_wait = seconds(retry.token_wait, settings::TOKEN_WAIT)?.unwrap_or_default();
        let budget = settings.choose(retry.retry_budget, settings::RETRY_BUDGET)?;
        let sessions = SessionFactory::new(context, connection, limits.stall.max(limits.first_byte))?;
        let mut downloader =
            Downloader::new(sessions.client()?).with_limits(limits.clone()).with_retry(policy.clone());
        if let Some(budget) = budget {
            downloader = downloader.with_budget(RetryBudget::new(budget));
        }
        Ok(Self { downloader, sessions, limits, policy })
    }
}
