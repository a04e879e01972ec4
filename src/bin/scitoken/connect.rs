//! The flags that say where tokens come from and how servers are reached, and the session that follows from them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::{
    Attach, CleartextRedirects, CommandSource, FileSource, Netrc, OriginPattern, RedirectTrust, Scope,
    Session, SessionBuilder, SharedTokenSource,
};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::{self, Settings};
use crate::sources::{self, Authorities};

/// Flags for everything that talks to a server
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Tokens and connections")]
#[expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "a flag is a bool and has its name"
)]
pub(crate) struct Connect {
    /// Take the token from this file, read anew for each request
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Take the token from what this command prints
    #[arg(long, value_name = "COMMAND", conflicts_with = "token_file")]
    token_command: Option<String>,
    /// Send no token
    #[arg(long, conflicts_with_all = ["token_file", "token_command", "attach"])]
    no_auth: bool,
    /// Send the name and password of `$NETRC` or `~/.netrc` to servers that no token is found for, over https only
    #[arg(short = 'n', long)]
    netrc: bool,
    /// The same, with this file
    #[arg(long, value_name = "FILE", conflicts_with = "netrc")]
    netrc_file: Option<PathBuf>,
    /// When to send the token [default: when-found]
    #[arg(long, value_name = "WHEN")]
    attach: Option<When>,
    /// Ask for a token with this audience
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Ask for a token with this scope; may be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<Scope>,
    /// Send the token to redirect targets of these hosts too, such as `*.example.org`
    #[arg(long, value_name = "PATTERN")]
    trust_redirect: Vec<OriginPattern>,
    /// Follow redirects that carry a token in their URL to plain http (XRootD without `http.desthttps`)
    #[arg(long)]
    allow_cleartext_redirects: bool,
    /// Trust the certificate authorities in this PEM file too
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
    /// Trust the certificate authorities in this directory too, besides `X509_CERT_DIR`
    #[arg(long, value_name = "DIR")]
    capath: Option<PathBuf>,
    /// Give up connecting after so long [default: 10]
    #[arg(long, value_name = "SECONDS")]
    connect_timeout: Option<Seconds>,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
}

/// When a token is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(clippy::enum_variant_names, reason = "the words of `Attach`")]
pub(crate) enum When {
    /// If one is found
    WhenFound,
    /// If the server asks for one
    OnChallenge,
    /// Always; having none is an error
    Required,
    /// Never
    Never,
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        <Self as ValueEnum>::from_str(text, false)
    }
}

impl From<When> for Attach {
    fn from(when: When) -> Self {
        match when {
            When::WhenFound => Self::WhenFound,
            When::OnChallenge => Self::OnChallenge,
            When::Required => Self::Required,
            When::Never => Self::Never,
        }
    }
}

/// A time in seconds, whole or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seconds(pub(crate) Duration);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds: f64 =
            text.strip_suffix('s').unwrap_or(text).parse().map_err(|_| "it is no number of seconds")?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|_| "it is no time")
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.as_secs_f64())
    }
}

/// What makes sessions: a client's connections belong to the runtime that uses it, so each runtime gets one.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    flags: Connect,
    trust: Vec<OriginPattern>,
    attach: Attach,
    audience: Option<String>,
    authorities: Authorities,
    connect_timeout: Duration,
    silence: Duration,
    source: SharedTokenSource,
    netrc: Option<Netrc>,
    settings: Settings,
}

impl Connect {
    /// Puts flags and settings together. `silence` is how long a server may say nothing.
    pub(crate) fn connector(&self, settings: &Settings, silence: Duration) -> Result<Connector, Failure> {
        let flags = self.clone();
        let attach = if flags.no_auth {
            Attach::Never
        } else {
            settings.choose(flags.attach, settings::ATTACH)?.map_or(Attach::WhenFound, Attach::from)
        };
        let authorities = Authorities {
            file: settings.choose_path(flags.cacert.as_deref(), settings::CACERT),
            directory: settings.choose_path(flags.capath.as_deref(), settings::CAPATH),
        };
        let timeout = settings.choose(flags.connect_timeout, settings::CONNECT_TIMEOUT)?;
        Ok(Connector {
            trust: settings.choose_all(flags.trust_redirect.clone(), settings::TRUST_REDIRECT)?,
            attach,
            audience: settings.choose(flags.audience.clone(), settings::AUDIENCE)?,
            connect_timeout: timeout.map_or(Duration::from_secs(10), |seconds| seconds.0),
            silence,
            source: source(&flags, settings, &authorities)?,
            authorities,
            netrc: netrc(&flags, settings)?,
            settings: settings.clone(),
            flags,
        })
    }
}

fn source(
    flags: &Connect,
    settings: &Settings,
    authorities: &Authorities,
) -> Result<SharedTokenSource, Failure> {
    match (&flags.token_file, &flags.token_command) {
        (Some(file), _) => Ok(FileSource::new(file).into()),
        (_, Some(command)) => Ok(CommandSource::shell(command).into()),
        (None, None) => sources::of_settings(settings, authorities),
    }
}

fn netrc(flags: &Connect, settings: &Settings) -> Result<Option<Netrc>, Failure> {
    let read = match &flags.netrc_file {
        Some(file) => Netrc::read(file),
        None if flags.netrc => Netrc::discover(settings.env()),
        None => return Ok(None),
    };
    read.map(Some).map_err(|error| {
        let failure = Failure::from_error(Exit::Local, &error);
        match error.hint() {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}

impl Connector {
    /// A session.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        build(self.builder())
    }

    /// The client of a session whose answers tell the certificate of the server too.
    pub(crate) fn observing_client(&self) -> Result<ClientWithMiddleware, Failure> {
        build(self.builder().http(|http| http.tls_info(true))).map(ClientWithMiddleware::from)
    }

    /// Whether connections to this address are wanted (`-4`, `-6`).
    pub(crate) fn uses(&self, address: IpAddr) -> bool {
        match (self.flags.ipv4, self.flags.ipv6) {
            (true, _) => address.is_ipv4(),
            (_, true) => address.is_ipv6(),
            _ => true,
        }
    }

    fn builder(&self) -> SessionBuilder {
        let mut builder = Session::builder()
            .env(self.settings.env().clone())
            .source(self.source.clone())
            .attach(self.attach);
        if !self.trust.is_empty() {
            builder = builder.redirect_trust(RedirectTrust::Hosts(self.trust.clone()));
        }
        if let Some(audience) = &self.audience {
            builder = builder.audience(audience.as_str());
        }
        for scope in self.flags.scope.clone() {
            builder = builder.auth(move |auth| auth.scope(scope));
        }
        if self.flags.allow_cleartext_redirects {
            builder = builder.redirect(|redirect| redirect.cleartext(CleartextRedirects::Allow));
        }
        if let Some(netrc) = &self.netrc {
            builder = builder.netrc(netrc.clone());
        }
        if let Some(file) = &self.authorities.file {
            builder = builder.ca_file(file);
        }
        if let Some(directory) = &self.authorities.directory {
            builder = builder.ca_directory(directory);
        }
        let local = match (self.flags.ipv4, self.flags.ipv6) {
            (true, _) => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            (_, true) => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            _ => None,
        };
        // HTTP/1.1 for bulk data: no window limits a stream, and each stream has its connection.
        let (timeout, silence) = (self.connect_timeout, self.silence);
        builder.http(|http| {
            http.http1_only().connect_timeout(timeout).read_timeout(silence).local_address(local)
        })
    }

    /// The client of a session.
    pub(crate) fn client(&self) -> Result<ClientWithMiddleware, Failure> {
        self.session().map(ClientWithMiddleware::from)
    }
}

fn build(builder: SessionBuilder) -> Result<Session, Failure> {
    builder.build().map_err(|error| {
        let hint = error.hint().map(str::to_owned);
        let failure = Failure::from_error(Exit::Usage, &error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    })
}
