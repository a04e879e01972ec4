//! Why a proxy did not connect to a server.

use std::fmt;

use http::StatusCode;

/// A proxy that did not connect to a server, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyFailure {
    /// The proxy's URL, without secrets.
    pub(crate) proxy: String,
    /// The variable or flag that names the proxy.
    pub(crate) named_by: String,
    /// The host and port behind the proxy.
    pub(crate) target: String,
    pub(crate) problem: ProxyProblem,
}

/// Why a proxy did not connect to a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProblem {
    /// It is neither an `http` nor an `https` proxy; SOCKS is not supported.
    Unsupported,
    /// It cannot be reached, or closed the connection.
    Unreachable,
    /// It refused, with this status if it is known: `407` requires a user and a password.
    Refused(Option<StatusCode>),
}

impl fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, named_by, target, problem } = self;
        match problem {
            ProxyProblem::Unsupported => {
                write!(
                    f,
                    "the proxy `{proxy}` (`{named_by}`) is not supported: only `http` and `https` proxies are"
                )
            }
            ProxyProblem::Unreachable => {
                write!(f, "failed to connect to `{target}` through the proxy `{proxy}` (`{named_by}`)")
            }
            ProxyProblem::Refused(None) => {
                write!(f, "the proxy `{proxy}` (`{named_by}`) refused to connect to `{target}`")
            }
            ProxyProblem::Refused(Some(status)) => {
                write!(
                    f,
                    "the proxy `{proxy}` (`{named_by}`) answered {status} to the request for `{target}`"
                )
            }
        }
    }
}
