//! The sessions of a run, made from flags and settings.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Extension};
use reqwest_scitokens::auth::{AuthOptions, CleartextRedirects};
use reqwest_scitokens::client::{CookieJar, ProxyRules, ServerTrust};
use reqwest_scitokens::netrc::Netrc;
use reqwest_scitokens::source::CommandSource;
use reqwest_scitokens::source::TokenSource;
use reqwest_scitokens::{
    Attach, FileSource, HostMap, RedirectTrust, Session, SessionBuilder, SharedTokenSource, SourceError,
    TokenRequest,
};
use scitoken_transfer::federation::Federation;
use scitoken_types::sys::Env;
use scitoken_types::{AccessToken, OriginPattern, Seconds};
use url::Url;

use crate::args::ConnectionArgs;
use crate::authorities::AuthorityFiles;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::worded;
use crate::open_session::{open_session, read_server_trust};
use crate::settings::{self, Settings};
use crate::sources::{self, FederationLogins};
use crate::wire::{
    ExtraHeader, HeaderLog, HeaderMiddleware, NamedOriginMiddleware, RequestLog, SecretRecorder,
};

/// Makes sessions. A client's connections belong to the runtime that uses it, so each runtime needs its own.
#[derive(Clone, Debug)]
pub(crate) struct SessionFactory {
    flags: ConnectionArgs,
    trust: Vec<OriginPattern>,
    attach: Attach,
    audience: Option<String>,
    authorities: AuthorityFiles,
    /// The certificate authorities, once they are read.
    server_trust: Arc<OnceLock<ServerTrust>>,
    connect_timeout: Duration,
    read_timeout: Duration,
    source: SharedTokenSource,
    /// The tokens of logins for namespaces, unless a flag names the token.
    logins: Option<SharedTokenSource>,
    netrc: Option<Netrc>,
    env: Env,
    proxies: ProxyRules,
    /// The cookies of the run.
    cookies: CookieJar,
    /// Whether a director named the server.
    is_named_by_server: bool,
    verbose: u8,
}

impl SessionFactory {
    /// Combines flags and settings. `read_timeout` limits how long a server may send nothing.
    pub(crate) fn new(
        context: &Context,
        flags: &ConnectionArgs,
        read_timeout: Duration,
    ) -> Result<Self, Failure> {
        let settings = &context.settings()?;
        let flags = flags.clone();
        flags.header.iter().for_each(ExtraHeader::hide);
        let attach = if flags.no_auth {
            Attach::Never
        } else {
            settings.choose(flags.attach, settings::ATTACH)?.map_or(Attach::WhenFound, Attach::from)
        };
        let authorities = AuthorityFiles::of(&flags.authorities, settings);
        let timeout = settings.choose(flags.connect_timeout, settings::CONNECT_TIMEOUT)?;
        Ok(Self {
            trust: settings.choose_all(flags.trust_redirect.clone(), settings::TRUST_REDIRECT)?,
            attach,
            audience: settings.choose(flags.audience.clone(), settings::AUDIENCE)?,
            // As in curl and wget, zero is no limit.
            connect_timeout: match timeout.map_or(Duration::from_secs(10), Seconds::duration) {
                Duration::ZERO => Seconds::MAX.duration(),
                limit => limit,
            },
            read_timeout,
            source: source(&flags, settings, &authorities)?,
            logins: logins(&flags, attach, settings, &authorities)?,
            authorities,
            server_trust: Arc::default(),
            netrc: netrc(&flags, settings)?,
            env: settings.env().clone(),
            proxies: proxies(settings.env(), flags.proxy.as_ref()),
            cookies: CookieJar::new(),
            is_named_by_server: false,
            verbose: context.verbose,
            flags,
        })
    }
}

fn source(
    flags: &ConnectionArgs,
    settings: &Settings,
    authorities: &AuthorityFiles,
) -> Result<SharedTokenSource, Failure> {
    match (&flags.token_file, &flags.token_command) {
        (Some(file), _) => Ok(FileSource::new(file).into()),
        (_, Some(command)) => Ok(CommandSource::shell(command).into()),
        (None, None) => sources::from_settings(settings, authorities),
    }
}

fn logins(
    flags: &ConnectionArgs,
    attach: Attach,
    settings: &Settings,
    authorities: &AuthorityFiles,
) -> Result<Option<SharedTokenSource>, Failure> {
    if flags.token_file.is_some() || flags.token_command.is_some() || attach == Attach::Never {
        return Ok(None);
    }
    let storage = settings.federation_storage()?;
    let logins = |storage| FederationLogins::new(storage, authorities.clone(), settings.env().clone());
    Ok(storage.map(|storage| logins(storage).into()))
}

fn netrc(flags: &ConnectionArgs, settings: &Settings) -> Result<Option<Netrc>, Failure> {
    let read = match &flags.netrc_file {
        Some(file) => Netrc::read(file),
        None if flags.netrc => Netrc::discover(settings.env()),
        None => return Ok(None),
    };
    read.map(Some).map_err(|error| {
        let hint = error.hint().map(|hint| worded(&hint));
        Failure::from_error(Exit::Local, &error).with_optional_hint(hint)
    })
}

impl SessionFactory {
    /// Returns a client whose responses carry the server's certificate.
    pub(crate) fn observing_client(&self) -> Result<ClientWithMiddleware, Failure> {
        self.build(self.builder()?.http(|http| http.tls_info(true)))
    }

    /// Returns whether `-4` and `-6` permit this address.
    pub(crate) fn uses(&self, address: IpAddr) -> bool {
        match (self.flags.ipv4, self.flags.ipv6) {
            (true, _) => address.is_ipv4(),
            (_, true) => address.is_ipv6(),
            _ => true,
        }
    }

    /// Returns which proxies the requests pass.
    pub(crate) fn proxies(&self) -> &ProxyRules {
        &self.proxies
    }

    /// Returns the certificate authorities, which are read once: that takes as long as a hundred small files.
    fn server_trust(&self) -> Result<ServerTrust, Failure> {
        if let Some(trust) = self.server_trust.get() {
            return Ok(trust.clone());
        }
        let named = self.authorities.add_to(Session::builder().env(self.env.clone()));
        let trust = read_server_trust(named)?;
        Ok(self.server_trust.get_or_init(|| trust).clone())
    }

    fn builder(&self) -> Result<SessionBuilder, Failure> {
        let mut builder = Session::builder()
            .env(self.env.clone())
            .proxies(self.proxies.clone())
            .cookies(self.cookies.clone())
            .source(self.source.clone())
            .attach(self.attach);
        if !self.trust.is_empty() {
            builder = builder.redirect_trust(RedirectTrust::Hosts(self.trust.clone()));
        }
        if let Some(audience) = &self.audience {
            builder = builder.audience(audience.as_str());
        }
        for scope in self.flags.scope.iter().flat_map(|list| list.0.iter().cloned()) {
            builder = builder.scope(scope);
        }
        if self.flags.allow_cleartext_redirects {
            builder = builder.redirect(|redirect| redirect.cleartext(CleartextRedirects::Allow));
        }
        if let Some(netrc) = &self.netrc {
            builder = builder.netrc(netrc.clone());
        }
        builder = builder.server_trust(self.server_trust()?);
        if !self.flags.header.is_empty() {
            builder = builder.with(NamedOriginMiddleware);
        }
        if self.verbose >= 1 {
            builder = builder.with(RequestLog(self.proxies.clone()));
        }
        let local = match (self.flags.ipv4, self.flags.ipv6) {
            (true, _) => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
            (_, true) => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
            _ => None,
        };
        // HTTP/1.1 for bulk data: no window limits a stream, and each stream has its connection.
        let (timeout, read_timeout) = (self.connect_timeout, self.read_timeout);
        Ok(builder.http(|http| {
            http.http1_only().connect_timeout(timeout).read_timeout(read_timeout).local_address(local)
        }))
    }

    fn build(&self, builder: SessionBuilder) -> Result<ClientWithMiddleware, Failure> {
        let session = open_session(builder)?;
        let mut client = ClientBuilder::from_client(session.into()).with(SecretRecorder);
        if self.is_named_by_server {
            client = client.with_init(Extension(AuthOptions::new().named_by_server()));
        }
        if !self.flags.header.is_empty() {
            client = client.with(HeaderMiddleware(self.flags.header.clone()));
        }
        if self.verbose >= 2 {
            client = client.with(HeaderLog);
        }
        Ok(client.build())
    }

    /// Returns sessions for a server of an object: with the tokens that were chosen for it, or without any.
    pub(crate) fn for_object(self, tokens: Option<SharedTokenSource>) -> Self {
        match tokens {
            Some(source) => Self { source, attach: Attach::Required, is_named_by_server: true, ..self },
            None => Self { attach: Attach::Never, is_named_by_server: true, ..self },
        }
    }

    /// Returns what resolves names of objects, with the tokens of the flags and settings.
    pub(crate) fn federation(&self) -> Result<Federation, Failure> {
        // Runtimes of several threads use the client, and connections do not outlive their runtime.
        let session = open_session(self.builder()?.http(|http| http.pool_max_idle_per_host(0)))?;
        let tokens = if self.attach == Attach::Never { SwitchedOff.into() } else { self.source.clone() };
        let federation = Federation::new(session.http_client().clone()).with_token_source(tokens);
        Ok(match &self.logins {
            Some(logins) => federation.with_further_token_source(logins.clone()),
            None => federation,
        })
    }

    /// Returns where the tokens of the session come from.
    pub(crate) fn tokens(&self) -> SharedTokenSource {
        if self.attach == Attach::Never { HostMap::new().into() } else { self.source.clone() }
    }

    /// Returns the client of a session.
    pub(crate) fn client(&self) -> Result<ClientWithMiddleware, Failure> {
        self.build(self.builder()?)
    }
}

/// The source of a run that sends no tokens: it says why, where a namespace requires one.
#[derive(Clone, Copy, Debug)]
struct SwitchedOff;

impl TokenSource for SwitchedOff {
    async fn token(&self, _: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let error = SourceError::new("this run sends no token");
        Err(error.with_hint("to send a token, leave out `--no-auth` and `--attach never`"))
    }
}

/// Returns the proxies of the environment, or the one of the flag.
fn proxies(env: &Env, flag: Option<&Url>) -> ProxyRules {
    let rules = ProxyRules::from_env(env);
    match flag {
        Some(proxy) => rules.with_proxy(proxy.clone(), "--proxy"),
        None => rules,
    }
}
