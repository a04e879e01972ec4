//! The token sources of a run, from its settings.

mod logins;
mod renewing;

#[cfg(unix)]
use reqwest_scitokens::SourceError;
use reqwest_scitokens::source::CommandSource;
use reqwest_scitokens::{Discovery, FileSource, HostMap, SharedTokenSource};

pub(crate) use self::logins::FederationLogins;
use self::renewing::RenewingTokenSource;
use crate::authorities::AuthorityFiles;
use crate::failure::Failure;
use crate::settings::{HostToken, Settings};
#[cfg(unix)]
use crate::{hints, sanitize};

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

    if settings.env().get_non_empty("OIDC_SOCK").is_none() {
        return Ok(without_agent(&agent.account));
    }
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

/// Returns the source of an agent that the settings name, and the environment does not.
#[cfg(unix)]
fn without_agent(account: &crate::settings::AgentAccount) -> SharedTokenSource {
    use crate::settings::AgentAccount;

    let (AgentAccount::Name(name) | AgentAccount::Issuer(name)) = account;
    let shown = sanitize::line(name);
    let load = match account {
        AgentAccount::Name(name) => format!("load the account with `oidc-add {}`", hints::shell_word(name)),
        AgentAccount::Issuer(_) => format!("load an account of `{shown}` with `oidc-add`"),
    };
    let error = SourceError::new(format!(
        "the settings name oidc-agent (`{shown}`) for this server, and `OIDC_SOCK` is not set"
    ));
    let error =
        error.with_hint(format!("start the agent in this shell with ``eval `oidc-agent` ``, and {load}"));
    reqwest_scitokens::source::from_fn(move |_| {
        let error = error.clone();
        async move { Err(error) }
    })
    .into()
}

#[cfg(not(unix))]
fn from_agent(_: &crate::settings::AgentSettings, _: &Settings) -> Result<SharedTokenSource, Failure> {
    Err(Failure::new(crate::exit::Exit::Usage, "`oidc-agent` works on Unix only"))
}
