//! `--op`.

use clap::ValueEnum;
use http::Method;
use scitoken_transfer::federation::ObjectAccess;

/// An operation on a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Operation {
    /// Read a file (`GET`)
    Read,
    /// Write a file (`PUT`)
    Write,
    /// List a directory (`PROPFIND`)
    List,
    /// Remove (`DELETE`)
    Delete,
}

impl Operation {
    /// Returns the method that performs the operation.
    pub(crate) fn method(self) -> Method {
        match self {
            Self::Read => Method::GET,
            Self::Write => Method::PUT,
            Self::List => propfind(),
            Self::Delete => Method::DELETE,
        }
    }

    /// Returns the most similar method that changes nothing at the server.
    pub(crate) fn harmless_method(self) -> Method {
        match self {
            Self::Read => Method::GET,
            Self::List => propfind(),
            Self::Write | Self::Delete => Method::HEAD,
        }
    }

    /// Returns whether the operation changes something at the server.
    pub(crate) fn is_change(self) -> bool {
        self.method() != self.harmless_method()
    }

    /// Returns what a token of a federation is needed for.
    pub(crate) fn object_access(self) -> ObjectAccess {
        match self {
            Self::Read | Self::List => ObjectAccess::Read,
            Self::Write => ObjectAccess::Write,
            Self::Delete => ObjectAccess::Remove,
        }
    }

    /// Returns the name on the command line.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::List => "list",
            Self::Delete => "delete",
        }
    }
}

fn propfind() -> Method {
    Method::from_bytes(b"PROPFIND").expect("a method")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_harmless_method_changes_anything_at_the_server() {
        for operation in Operation::value_variants() {
            let method = operation.harmless_method();
            assert!(["GET", "HEAD", "PROPFIND"].contains(&method.as_str()), "{operation:?}");
            assert_eq!(operation.is_change(), matches!(operation, Operation::Write | Operation::Delete));
        }
    }
}
