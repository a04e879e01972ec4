//! The token sources of a run, from its settings.

mod logins;
mod renewing;

use reqwest_scitokens::source::CommandSource;
use reqwest_scitokens::{Discovery, FileSource, HostMap, SharedTokenSource};

pub(crate) use self::logins::FederationLogins;
use self::renewing::RenewingTokenSource;
pub(crate) use self::renewing::finish_renewals;
use crate::authorities::AuthorityFiles;
use crate::failure::Failure;
use crate::settings::{HostToken, Settings};

/// Returns the host map of the settings, with discovery for all other servers.
pub(crate) fn from_settings(
    settings: &Settings,
    authorities: &AuthorityFiles,
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
            HostToken::Stored(stored) => map.with(
                pattern,
                RenewingTokenSource::new(stored, authorities.clone(), settings.env().clone())?,
            ),
            HostToken::Agent(agent) => map.with(pattern, from_agent(agent, settings)?),
            HostToken::None => map.without(pattern),
        };
    }
    Ok(map.otherwise(discovery).into())
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "fails on other systems")]
fn from_agent(
    agent: &crate::settings::AgentSettings,
    settings: &Settings,
) -> Result<SharedTokenSource, Failure> {
    use reqwest_scitokens::source::AgentSource;

    use crate::settings::AgentAccount;

    let source = match &agent.account {
        AgentAccount::Name(name) => AgentSource::account(name),
        AgentAccount::Issuer(url) => AgentSource::issuer(url),
    };
    let source = source.with_scopes(agent.scopes.clone()).with_env(settings.env().clone());
    Ok(match &agent.audience {
        Some(audience) => source.with_audience(audience.as_str()).into(),
        None => source.into(),
    })
}

#[cfg(not(unix))]
fn from_agent(_: &crate::settings::AgentSettings, _: &Settings) -> Result<SharedTokenSource, Failure> {
    Err(Failure::new(crate::exit::Exit::Usage, "`oidc-agent` works on Unix only"))
}
