//! Where tokens come from and how servers are reached.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use reqwest_scitokens::Attach;
use reqwest_scitokens::client::ProxyRules;
use scitoken_types::{OriginPattern, Scope, Seconds};
use url::Url;

use super::AuthorityArgs;
use super::scopes::ScopeList;
use crate::wire::ExtraHeader;

/// Tokens and connections
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Tokens and connections")]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool and has its name")]
pub(crate) struct ConnectionArgs {
    /// Read the token from this file, again for each request
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Read the token from the output of this shell command
    #[arg(long, value_name = "COMMAND", conflicts_with = "token_file")]
    pub(crate) token_command: Option<String>,
    /// Send no token
    #[arg(long, conflicts_with_all = ["token_file", "token_command", "attach"])]
    pub(crate) no_auth: bool,
    /// Where no token is found, send the password of `$NETRC` or `~/.netrc`, over https only
    #[arg(short = 'n', long)]
    pub(crate) netrc: bool,
    /// Like `--netrc`, with this file
    #[arg(long, value_name = "FILE", conflicts_with = "netrc")]
    pub(crate) netrc_file: Option<PathBuf>,
    /// When to send the token [default: when-found]
    #[arg(long, value_name = "WHEN")]
    pub(crate) attach: Option<AttachMode>,
    /// Request a token with this audience
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// Request a token with these scopes, separated by blanks; repeatable
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<ScopeList<Scope>>,
    /// Also send the token to redirect targets that match this host or pattern, such as `*.example.org`; repeatable
    #[arg(long, value_name = "PATTERN")]
    pub(crate) trust_redirect: Vec<OriginPattern>,
    /// Follow redirects to plain http whose URL carries a credential (XRootD without `http.desthttps`)
    #[arg(long)]
    pub(crate) allow_cleartext_redirects: bool,
    #[command(flatten)]
    pub(crate) authorities: AuthorityArgs,
    /// Give up connecting after this time; 0 is no limit [default: 10]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) connect_timeout: Option<Seconds>,
    /// Add this header to requests to the named server; never a credential; repeatable
    #[arg(short = 'H', long, value_name = "NAME:VALUE")]
    pub(crate) header: Vec<ExtraHeader>,
    /// Use this proxy instead of those in `http_proxy`, `https_proxy` and `all_proxy`
    #[arg(long, value_name = "URL", value_parser = ProxyRules::parse_url)]
    pub(crate) proxy: Option<Url>,
    /// Follow redirects, which is the default
    #[arg(short = 'L', long, hide = true)]
    pub(crate) location: bool,
    /// Show errors, which is the default
    #[arg(short = 'S', long, hide = true)]
    pub(crate) show_error: bool,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
}

/// When a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AttachMode {
    /// If a token is found
    WhenFound,
    /// If the server asks for a token
    OnChallenge,
    /// Always; fail if no token is found
    Required,
    /// Never
    Never,
}

impl FromStr for AttachMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(text, false).map_err(|_| {
            let names = Self::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<_> = names.map(|value| format!("`{}`", value.get_name())).collect();
            format!("`{text}` is none of {}", names.join(", "))
        })
    }
}

impl From<AttachMode> for Attach {
    fn from(mode: AttachMode) -> Self {
        match mode {
            AttachMode::WhenFound => Self::WhenFound,
            AttachMode::OnChallenge => Self::OnChallenge,
            AttachMode::Required => Self::Required,
            AttachMode::Never => Self::Never,
        }
    }
}
