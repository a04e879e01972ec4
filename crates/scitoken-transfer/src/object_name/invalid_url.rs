//! Why a text is not the URL of an object.

/// The error for a text that is not the URL of an object in a federation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFederationUrl {
    /// The scheme is not `pelican`, `osdf` or `stash`.
    #[error("the URL does not start with `pelican://`, `osdf://` or `stash://`")]
    Scheme,
    /// A `pelican` URL names no host, or something that is not a host with an optional port.
    #[error("invalid federation host: expected `pelican://HOST/PATH` or `pelican://HOST:PORT/PATH`")]
    Host,
    /// The host of a federation is not a host with an optional port.
    #[error("invalid federation host: expected `HOST` or `HOST:PORT`, such as `osg-htc.org`")]
    FederationHost,
    /// The path does not start with `/`.
    #[error("the path does not start with `/`")]
    RelativePath,
    /// A component of the path is `.` or `..`, or has a NUL.
    #[error("a component of the path is `.` or `..`, or has a NUL byte")]
    DotOrNul,
    /// The path is longer than 8 KiB.
    #[error("the path is longer than 8 KiB")]
    TooLong,
    /// A parameter is unknown.
    #[error("unknown parameter `{0}`: write a `?` in a name as `%3F`")]
    UnknownParameter(String),
    /// A parameter occurs twice.
    #[error("repeated parameter `{0}`")]
    RepeatedParameter(String),
    /// Two parameters contradict each other.
    #[error("the parameters `directread` and `prefercached` exclude each other")]
    Contradiction,
    /// The parameter `pack` asks a server for an archive.
    #[error("unsupported parameter `pack`: archives are not packed or unpacked")]
    Pack,
    /// The parameter `authz` is not a token.
    #[error("the parameter `authz` is not a token")]
    InvalidToken,
}
