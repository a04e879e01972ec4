//! What the reader of an error or an explanation can do.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use scitoken_types::{Origin, redact};

/// What the reader of an error or an explanation can do next.
///
/// `Display` is a neutral sentence without the names of functions or flags. A program that has a command or a flag for a
/// hint matches on the variant and words it itself.
///
/// ```
/// use reqwest_scitokens::auth::Hint;
///
/// fn worded(hint: &Hint) -> String {
///     match hint {
///         Hint::ProvideToken => "pass `--token-file FILE`".to_owned(),
///         other => other.to_string(),
///     }
/// }
///
/// assert_eq!(worded(&Hint::ProvideToken), "pass `--token-file FILE`");
/// assert_eq!(worded(&Hint::UseHttps), "use the `https` URL");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Put a token where it is looked for: none was found.
    ProvideToken,
    /// Look at each place that was searched, and why it has no usable token.
    ShowSearch,
    /// Look at the source that failed: its settings, its files and its server.
    CheckSource,
    /// Get a new token: the old one expired or was revoked.
    RenewToken,
    /// Get a token whose `aud` claim names the server.
    MatchAudience,
    /// Get a token whose scopes permit the request.
    MatchScope,
    /// Compare the token's claims with what the server requires.
    InspectToken,
    /// Ask the issuer of an opaque token what it permits.
    AskIssuer,
    /// Ask the Gafaelfawr server that issued the token what it permits.
    AskGafaelfawr,
    /// Use `https`; or allow this origin explicitly (`AuthMiddlewareBuilder::plain_http`).
    UseHttps,
    /// Trust the redirect target (`RedirectTrust::Hosts`), if it may have the token.
    TrustRedirectTarget {
        /// The origin that got no token.
        origin: Origin,
    },
    /// Have the server redirect to `https`; or follow such redirects (`CleartextRedirects::Allow`).
    RedirectToHttps,
    /// Have the server's redirect loop ended.
    EndRedirectLoop,
    /// Have the server's `Location` corrected.
    CorrectRedirect,
    /// Replace the credential in the URL: the server no longer accepts it.
    CheckUrlCredential,
    /// Let a token be attached: no `Authorization` header, and [`Attach::WhenFound`](crate::Attach::WhenFound).
    AllowToken,
    /// Check whether the token permits writing there: the server ended an upload early.
    CheckWritePermission,
    /// Send a body that can be sent twice (`RequestBuilderExt::replayable_body`, or one from memory).
    SendReplayableBody,
    /// Follow redirects above the middleware (`redirect::Policy::none()` and `RedirectMiddleware`).
    FollowRedirectsAbove,
    /// Write header names in title case (`http1_title_case_headers`, or `Session`): XRootD before 5.6 knows no others.
    WriteTitleCaseHeaders,
    /// Set this machine's clock.
    CorrectClock,
    /// Give a PEM file, or a directory of PEM files such as `1a2b3c4d.0`.
    ProvideCertificates,
    /// Let the variable `SSL_CERT_FILE` name a PEM file, or unset it.
    CorrectCertificateVariable,
    /// Take the permissions of others off a file.
    RestrictPermissions {
        /// The file.
        path: PathBuf,
    },
    /// Let the library run the command whose output is the token: a pipe can be read once only.
    UseTokenCommand,
    /// Mount the volume that has the file with a narrower mode: it is mounted for reading.
    RestrictVolume,
    /// Give the file another way: there is none where it is looked for.
    NameNetrc,
    /// Send a name and a password, for which the server asks.
    SendPassword,
    /// Ask the server's operator whether it accepts bearer tokens: it asks for others.
    AskForBearerTokens,
    /// Check the password in the `.netrc`, or get a token for the server.
    CheckNetrcPassword,
    /// Check the proxy, or list the server in `no_proxy`.
    CheckProxy {
        /// The variable or flag that names the proxy.
        named_by: String,
    },
    /// Put a user name and a password into the proxy's URL.
    GiveProxyPassword {
        /// The variable or flag that names the proxy.
        named_by: String,
    },
    /// Name an `http` proxy: SOCKS is not supported.
    UseHttpProxy {
        /// The variable or flag that names the proxy.
        named_by: String,
    },
    /// What a source says in its own words.
    Other(Cow<'static, str>),
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ProvideToken => {
                "put a token where it is looked for, such as the file that `BEARER_TOKEN_FILE` names"
            }
            Self::ShowSearch => "look at each place that was searched",
            Self::CheckSource => "look at the source that failed: its settings, its files and its server",
            Self::RenewToken => {
                "get a new token the way this one was obtained, or find out why it is not renewed"
            }
            Self::MatchAudience => "get a token whose audience names this server",
            Self::MatchScope => "get a token whose scopes permit this request",
            Self::InspectToken => "compare the token's claims with what the server requires",
            Self::AskIssuer => "ask the token's issuer what the token permits, or get a new one",
            Self::AskGafaelfawr => "ask the Gafaelfawr server what the token permits",
            Self::UseHttps => "use the `https` URL",
            Self::TrustRedirectTarget { origin } => {
                return write!(f, "if `{origin}` may have the token, trust it as a redirect target");
            }
            Self::RedirectToHttps => {
                "ask the server's operator to redirect to `https` (XRootD: `http.desthttps yes`)"
            }
            Self::EndRedirectLoop => "the server probably redirects in a loop; ask its operator",
            Self::CorrectRedirect => "the server's redirect is malformed; ask its operator",
            Self::CheckUrlCredential => "check whether the credential in the URL is still valid",
            Self::AllowToken => {
                "send the request without an `Authorization` header of its own and let a token be attached"
            }
            Self::SendPassword => "send a name and a password, for which the server asks, from a `.netrc`",
            Self::AskForBearerTokens => {
                "ask the server's operator whether it accepts bearer tokens, and at which address"
            }
            Self::CheckNetrcPassword => {
                "check the user name and the password in the `.netrc`, or get a token for the server"
            }
            Self::CheckWritePermission => "check that the token permits writing to this path",
            Self::SendReplayableBody => "send a body that can be sent twice",
            Self::FollowRedirectsAbove => "follow redirects one step at a time instead of in the HTTP client",
            Self::WriteTitleCaseHeaders => "write HTTP/1 header names in title case",
            Self::CorrectClock => "set this machine's clock (`timedatectl status`)",
            Self::CorrectCertificateVariable => "unset `SSL_CERT_FILE`, or let it name a PEM file",
            Self::ProvideCertificates => "give a PEM file, or a directory of PEM files such as `1a2b3c4d.0`",
            Self::RestrictPermissions { path } => {
                return write!(f, "run `chmod 600 {}`", redact::text(&path.display().to_string()));
            }
            Self::UseTokenCommand => "a pipe can be read once only: use the command that writes to it as the source",
            Self::RestrictVolume => {
                "give the volume `defaultMode: 0400` (for a secret of Kubernetes, in the pod's `volumes`), or copy the file and \
                 run `chmod 600` on the copy"
            }
            Self::CheckProxy { named_by } => {
                return write!(
                    f,
                    "check the proxy that `{named_by}` names, or list the server in `no_proxy`"
                );
            }
            Self::GiveProxyPassword { named_by } => {
                return write!(f, "put a user name and a password into the proxy's URL in `{named_by}`");
            }
            Self::UseHttpProxy { named_by } => {
                return write!(f, "name an `http` proxy in `{named_by}`, or list the server in `no_proxy`");
            }
            Self::NameNetrc => "name the file in `NETRC`",
            Self::Other(text) => text,
        })
    }
}

impl From<&'static str> for Hint {
    fn from(text: &'static str) -> Self {
        Self::Other(text.into())
    }
}

impl From<String> for Hint {
    fn from(text: String) -> Self {
        Self::Other(text.into())
    }
}
