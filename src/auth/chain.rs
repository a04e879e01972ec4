//! Where a chain of redirects has led so far, and who of those along it may have a token.

use std::sync::Arc;

use super::options::RedirectTrust;
use super::spare::Spare;
use super::trace::AuthTrace;
use crate::origin::Origin;
use crate::token::AccessToken;

/// The chain that a request is part of; the redirect middleware leaves it in the extensions for the auth middleware.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    /// What was sent so far.
    trace: AuthTrace,
    /// A copy of the request of this step, until the auth middleware takes it along.
    spare: Option<Arc<Spare>>,
    /// The origin that the user named.
    start: Origin,
    /// Whether some step went without a token to a server that was not trusted with it.
    strayed: Strayed,
    /// Whether some step went from `https` to `http`.
    tls: Tls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strayed {
    No,
    Yes,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    Kept,
    Lost,
}

/// Whether an origin may have a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    Granted,
    /// Only a token whose audience names the origin.
    IfNamed,
    Denied,
}

impl Chain {
    /// A chain that starts at the origin that the user named, with a request of which this is a copy.
    pub(crate) fn new(start: Origin, spare: Arc<Spare>) -> Self {
        let spare = Some(spare);
        Self { trace: AuthTrace::default(), spare, start, strayed: Strayed::No, tls: Tls::Kept }
    }

    /// Begins another step with a request of which this is a copy.
    pub(crate) fn step(&mut self, spare: Arc<Spare>) {
        self.spare = Some(spare);
    }

    /// What the auth middleware needs of the chain when it has its turn: whether it may send a token to this origin, the
    /// trace, and the copy of the request.
    pub(crate) fn take_along(
        &mut self,
        origin: &Origin,
        trust: &RedirectTrust,
    ) -> (Permission, AuthTrace, Option<Arc<Spare>>) {
        (self.permission(origin, trust), std::mem::take(&mut self.trace), self.spare.take())
    }

    /// The trace, after the auth middleware had its turn.
    pub(crate) fn bring_back(&mut self, trace: AuthTrace) {
        self.trace = trace;
    }

    /// The trace of the whole chain, if a step of it was seen by the auth middleware.
    pub(crate) fn into_trace(self) -> Option<AuthTrace> {
        (!self.trace.attempts().is_empty()).then_some(self.trace)
    }

    /// Notes that a server was passed that was not trusted with a token.
    pub(crate) fn stray(&mut self) {
        self.strayed = Strayed::Yes;
    }

    /// Notes that a redirect led from `https` to `http`: no token travels in this chain any more.
    pub(crate) fn lose_tls(&mut self) {
        self.tls = Tls::Lost;
    }

    /// Who may have a token at this step.
    pub(crate) fn permission(&self, origin: &Origin, trust: &RedirectTrust) -> Permission {
        match self.tls {
            Tls::Lost => Permission::Denied,
            Tls::Kept if *origin == self.start && self.strayed == Strayed::No => Permission::Granted,
            Tls::Kept => trust.permission(origin),
        }
    }
}

impl RedirectTrust {
    /// Whether an origin that a server named may have a token.
    pub(crate) fn permission(&self, origin: &Origin) -> Permission {
        match self {
            Self::Audience => Permission::IfNamed,
            Self::Hosts(patterns) if patterns.iter().any(|p| p.matches(origin)) => Permission::Granted,
            Self::SameOrigin | Self::Hosts(_) => Permission::Denied,
        }
    }
}

impl Permission {
    /// Whether this very token may go to this very origin.
    pub(crate) fn holds_for(self, token: &AccessToken, origin: &Origin) -> bool {
        match self {
            Self::Granted => true,
            Self::Denied => false,
            Self::IfNamed => {
                token.claims().is_some_and(|claims| claims.audiences().iter().any(|a| a.names(origin)))
            }
        }
    }
}
