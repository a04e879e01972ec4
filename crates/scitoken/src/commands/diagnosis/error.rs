//! Why a request got no response.

use serde::Serialize;

use crate::exit::Exit;

/// Why there is no response.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProbeError {
    #[serde(skip)]
    pub(crate) exit: Exit,
    pub(crate) kind: ProbeErrorKind,
    pub(crate) message: String,
    /// The redirect target that was asked, if the request failed at another server than the named one.
    pub(crate) redirect_target: Option<String>,
    pub(crate) hint: Option<String>,
}

/// The stage at which the request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ProbeErrorKind {
    Token,
    PlainHttp,
    Redirect,
    NameResolution,
    Connection,
    Tls,
    Timeout,
    /// The settings name a proxy of a kind that is not supported.
    Proxy,
    /// The connection ended before a response came.
    Broken,
}

impl ProbeErrorKind {
    /// Returns the exit code of this stage.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Token => Exit::NoToken,
            Self::Redirect | Self::PlainHttp => Exit::Policy,
            Self::NameResolution | Self::Connection | Self::Tls | Self::Broken => Exit::Connect,
            Self::Timeout => Exit::Timeout,
            Self::Proxy => Exit::Usage,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_has_its_exit_code() {
        assert_eq!(ProbeErrorKind::Token.exit(), Exit::NoToken);
        assert_eq!(ProbeErrorKind::Redirect.exit(), Exit::Policy);
        assert_eq!(ProbeErrorKind::Timeout.exit(), Exit::Timeout);
        assert_eq!(ProbeErrorKind::Tls.exit(), Exit::Connect);
        assert_eq!(ProbeErrorKind::Proxy.exit(), Exit::Usage, "as of every other command");
    }
}
