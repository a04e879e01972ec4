//! Where this run's tokens come from, as flags and settings say.

mod stored;

use reqwest_scitokens::{CommandSource, Discovery, FileSource, HostMap, SharedTokenSource};

use self::stored::StoredToken;
use crate::failure::Failure;
use crate::settings::{HostToken, Settings};

/// Where a renewal of a stored token trusts certificates from, besides the system's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Authorities {
    pub(crate) file: Option<std::path::PathBuf>,
    pub(crate) directory: Option<std::path::PathBuf>,
}

/// The host map of the settings; servers that it does not name get what is found where batch systems leave it.
pub(crate) fn of_settings(
    settings: &Settings,
    authorities: &Authorities,
) -> Result<SharedTokenSource, Failure> {
    let discovery = Discovery::new().with_env(settings.env().clone());
    if settings.hosts().is_empty() {
        return Ok(discovery.into());
    }
    let mut map = HostMap::new();
    for host in settings.hosts() {
        let pattern = host.pattern.clone();
        map = match &host.token {
            HostToken::File(file) => map.with(pattern, FileSource::new(file)),
            HostToken::Command(command) => map.with(pattern, CommandSource::shell(command)),
            HostToken::Stored(stored) => {
                map.with(pattern, StoredToken::new(stored, authorities.clone(), settings.env().clone())?)
            }
            HostToken::Agent(agent) => map.with(pattern, from_agent(agent, settings)?),
            HostToken::None => map.without(pattern),
        };
    }
    Ok(map.otherwise(discovery).into())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "on other systems there is no agent")]
fn from_agent(agent: &crate::settings::Agent, settings: &Settings) -> Result<SharedTokenSource, Failure> {
    use reqwest_scitokens::AgentSource;

    use crate::settings::Account;

    let source = match &agent.account {
        Account::Name(name) => AgentSource::account(name),
        Account::Issuer(url) => AgentSource::issuer(url),
    };
    let source = source.with_scopes(agent.scopes.clone()).with_env(settings.env().clone());
    Ok(match &agent.audience {
        Some(audience) => source.with_audience(audience.as_str()).into(),
        None => source.into(),
    })
}

#[cfg(not(unix))]
fn from_agent(_: &crate::settings::Agent, _: &Settings) -> Result<SharedTokenSource, Failure> {
    Err(Failure::new(crate::exit::Exit::Usage, "`oidc-agent` is reached on Unix only"))
}
