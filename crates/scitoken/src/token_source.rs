//! The token that the transfer commands would send to a URL, for commands that only look at it.

use http::Method;
use reqwest_scitokens::source::DiscoveryReport;
use reqwest_scitokens::{Discovery, SourceError, TokenRequest};
use scitoken_types::sys::{Clock as _, SystemClock};
use scitoken_types::{AccessToken, Audience, Origin, OriginPattern};
use url::Url;

use crate::args::AuthorityArgs;
use crate::authorities::AuthorityFiles;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::worded;
use crate::runtime::block_on;
use crate::settings::{self, HostEntry, HostToken, Settings};
use crate::sources;

/// A request that a token is looked for.
#[derive(Clone, Debug)]
pub(crate) struct TokenQuery {
    url: Url,
    method: Option<Method>,
    audience: Option<Audience>,
    settings: Settings,
}

impl TokenQuery {
    /// Asks for the token for a URL, as the settings and the method of the request have it.
    pub(crate) fn new(context: &Context, url: &Url, method: Option<Method>) -> Result<Self, Failure> {
        let settings = context.settings()?;
        let audience = settings.choose::<String>(None, settings::AUDIENCE)?.map(Audience::from);
        Ok(Self { url: url.clone(), method, audience, settings })
    }

    /// Returns the request for the sources.
    pub(crate) fn request(&self) -> Result<TokenRequest<'_>, Failure> {
        let request =
            TokenRequest::new(&self.url).map_err(|error| Failure::from_error(Exit::Usage, &error))?;
        let request = match &self.method {
            Some(method) => request.with_method(method),
            None => request,
        };
        Ok(match &self.audience {
            Some(audience) => request.with_audience(audience),
            None => request,
        })
    }

    /// Returns the entry of the settings that decides for the server.
    pub(crate) fn host_entry(&self) -> Option<&HostEntry> {
        let origin = Origin::try_from(&self.url).ok()?;
        OriginPattern::narrowest(self.settings.hosts(), |host| &host.pattern, &origin)
    }

    /// Asks the source that the settings name for the server.
    pub(crate) fn ask_settings(&self) -> Result<Option<AccessToken>, Failure> {
        let source = sources::from_settings(
            &self.settings,
            &AuthorityFiles::of(&AuthorityArgs::default(), &self.settings),
        )?;
        let request = self.request()?;
        block_on(source.token(&request))?.map_err(|error| no_token(&error))
    }

    /// Searches the places where tokens are by convention.
    pub(crate) fn discover(&self) -> Result<DiscoveryReport, Failure> {
        Ok(self.discover_for(&self.request()?))
    }

    /// As [`discover`](Self::discover), with what else the request requires.
    pub(crate) fn discover_for(&self, request: &TokenRequest<'_>) -> DiscoveryReport {
        Discovery::new().with_env(self.settings.env().clone()).report(request)
    }
}

/// Returns the token for a URL and a method; without a URL, the one that discovery finds.
pub(crate) fn find(
    context: &Context,
    url: Option<&Url>,
    method: Option<Method>,
) -> Result<AccessToken, Failure> {
    let Some(url) = url else { return find_anywhere(context) };
    let query = TokenQuery::new(context, url, method)?;
    match query.host_entry().map(|entry| &entry.token) {
        Some(HostToken::None) => {
            Err(Failure::new(Exit::NoToken, "the settings send no token to this server (`no-auth`)"))
        }
        Some(_) => query.ask_settings()?.ok_or_else(|| {
            Failure::new(Exit::NoToken, "the source that the settings name for this server has no token")
                .with_hint("`scitoken token where URL` shows the source")
        }),
        None => {
            let report = query.discover()?;
            chosen(&report)?.ok_or_else(|| match report.ranking().len() {
                0 => nothing("`scitoken token where` lists the searched places"),
                found => {
                    Failure::new(Exit::NoToken, format!("none of the {found} tokens that were found fits"))
                        .with_hint("`scitoken token where URL` says why")
                }
            })
        }
    }
}

fn find_anywhere(context: &Context) -> Result<AccessToken, Failure> {
    // The first of HTCondor's files counts; only they depend on the URL.
    let placeholder: Url = "https://localhost/".parse().expect("a URL");
    let request = TokenRequest::new(&placeholder)
        .map_err(|error| Failure::from_error(Exit::NoToken, &error))?
        .at(SystemClock.now());
    let report = Discovery::new().with_env(context.env.clone()).report(&request);
    let any = || report.findings().iter().find_map(|finding| finding.token().cloned());
    if let Some(token) = chosen(&report)?.or_else(any) {
        return Ok(token);
    }
    // Settings that cannot be read are no reason to hide that there is no token.
    let has_hosts = context.settings().is_ok_and(|settings| !settings.hosts().is_empty());
    Err(nothing(if has_hosts {
        "the settings name sources for some servers: pass the URL of the server in place of the file"
    } else {
        "pass the file with the token; `scitoken token where` lists the searched places"
    }))
}

fn chosen(report: &DiscoveryReport) -> Result<Option<AccessToken>, Failure> {
    report.answer().map(Option::<&_>::cloned).map_err(no_token)
}

fn nothing(hint: &str) -> Failure {
    Failure::new(Exit::NoToken, "no token was found").with_hint(hint)
}

/// Returns the failure of a source.
fn no_token(error: &SourceError) -> Failure {
    let hint = error.hint().map(worded);
    Failure::from_error(Exit::NoToken, error).with_optional_hint(hint)
}
