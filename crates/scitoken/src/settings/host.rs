//! The host map of `scitoken.toml`: where the tokens for each server come from.

use std::fmt;
use std::path::{Path, PathBuf};

use scitoken_storage::DEFAULT_NAMESPACE;
use scitoken_storage::oauth::RegisteredClient;
use scitoken_types::{OriginPattern, SafeUrl, Scope, names_host};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Value;
use url::Url;

use crate::sanitize;
use crate::storage::StorageAddress;

/// The keys that name a source; each entry has exactly one.
const SOURCES: [&str; 7] =
    ["token-file", "token-command", "json", "sqlite", "keyring", "oidc-agent", "no-auth"];

/// The servers that match a pattern, and where their tokens come from.
#[derive(Clone, Debug)]
pub(crate) struct HostEntry {
    pub(crate) pattern: OriginPattern,
    pub(crate) token: HostToken,
}

#[derive(Clone, Debug)]
pub(crate) enum HostToken {
    File(PathBuf),
    Command(String),
    Stored(StoredTokenSettings),
    Agent(AgentSettings),
    None,
}

/// An entry of a token storage.
#[derive(Clone, Debug)]
pub(crate) struct StoredTokenSettings {
    pub(crate) storage: StorageAddress,
    pub(crate) namespace: String,
    pub(crate) resource_server: String,
    pub(crate) client: Option<OAuthClientSettings>,
}

/// The OAuth client that refreshes a stored token.
#[derive(Clone, Debug)]
pub(crate) struct OAuthClientSettings {
    pub(crate) issuer: Url,
    pub(crate) id: String,
    pub(crate) secret_file: Option<PathBuf>,
    /// The client, if the issuer registered it on demand.
    pub(crate) registered: Option<RegisteredClient>,
}

/// What to request from a running `oidc-agent`.
#[derive(Clone, Debug)]
pub(crate) struct AgentSettings {
    pub(crate) account: AgentAccount,
    pub(crate) audience: Option<String>,
    pub(crate) scopes: Vec<Scope>,
}

#[derive(Clone, Debug)]
pub(crate) enum AgentAccount {
    /// The account's short name.
    Name(String),
    /// The URL of the account's issuer.
    Issuer(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenFile {
    token_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenCommand {
    token_command: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenNone {
    no_auth: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenStored {
    json: Option<PathBuf>,
    sqlite: Option<PathBuf>,
    keyring: Option<bool>,
    namespace: Option<String>,
    resource_server: String,
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenAgent {
    oidc_agent: String,
    audience: Option<String>,
    #[serde(default)]
    scope: Vec<String>,
}

impl HostEntry {
    /// Reads one entry; `place` resolves a path.
    ///
    /// # Errors
    /// Returns what is wrong with the entry.
    pub(super) fn read(
        pattern: &str,
        value: &Value,
        place: impl Fn(&Path) -> PathBuf,
    ) -> Result<Self, String> {
        let parsed: OriginPattern = pattern.parse().map_err(|error| format!("{error}"))?;
        if let Some(name) = unquoted(pattern, value) {
            return Err(format!("a name with dots stands in quotes: write `[host.\"{name}\"]`"));
        }
        let token = HostToken::read(value, place).map_err(|what| format!("`host.\"{pattern}\"` {what}"))?;
        Ok(Self { pattern: parsed, token })
    }
}

/// Returns the name that was meant by `[host.data.example.org]`, which TOML reads as tables in each other.
fn unquoted(first: &str, value: &Value) -> Option<String> {
    let mut name = first.to_owned();
    let mut table = value.as_table()?;
    while let Some((part, inner)) = table.iter().find_map(|(part, value)| Some((part, value.as_table()?))) {
        name.push('.');
        name.push_str(part);
        table = inner;
    }
    (name != first).then_some(name)
}

impl HostToken {
    fn read(value: &Value, place: impl Fn(&Path) -> PathBuf) -> Result<Self, String> {
        let table = value.as_table().ok_or("is not a table")?;
        let named: Vec<_> = SOURCES.into_iter().filter(|name| table.contains_key(*name)).collect();
        let source = match (&named[..], table.keys().next()) {
            ([source], _) => *source,
            ([one, other, ..], _) => return Err(format!("has `{one}` and `{other}`: it takes one of them")),
            ([], Some(first)) => {
                return Err(format!("has `{first}`, but needs one of `{}`", SOURCES.join("`, `")));
            }
            ([], None) => return Err(format!("needs one of `{}`", SOURCES.join("`, `"))),
        };
        Ok(match source {
            "token-file" => Self::File(place(&written::<WrittenFile>(value)?.token_file)),
            "token-command" => Self::Command(written::<WrittenCommand>(value)?.token_command),
            "oidc-agent" => Self::Agent(written::<WrittenAgent>(value)?.read()?),
            "no-auth" => {
                if !written::<WrittenNone>(value)?.no_auth {
                    return Err("has `no-auth = false`, which has no effect".to_owned());
                }
                Self::None
            }
            _ => Self::Stored(written::<WrittenStored>(value)?.read(place)?),
        })
    }
}

impl fmt::Display for HostToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "token-file {}", file.display()),
            // A command line can contain a secret.
            Self::Command(_) => f.write_str("token-command"),
            Self::Stored(stored) => {
                write!(f, "{}", stored.storage)?;
                if stored.namespace != DEFAULT_NAMESPACE {
                    write!(f, ", namespace {}", sanitize::line(&stored.namespace))?;
                }
                write!(f, ", resource-server {}, ", sanitize::line(&stored.resource_server))?;
                match &stored.client {
                    Some(client) => write!(f, "refreshed by {}", SafeUrl::new(&client.issuer)),
                    None => f.write_str("not refreshed"),
                }
            }
            Self::Agent(agent) => {
                let (AgentAccount::Name(account) | AgentAccount::Issuer(account)) = &agent.account;
                write!(f, "oidc-agent {}", sanitize::line(account))?;
                match &agent.audience {
                    Some(audience) => write!(f, ", audience {}", sanitize::line(audience)),
                    None => Ok(()),
                }
            }
            Self::None => f.write_str("no-auth"),
        }
    }
}

impl WrittenStored {
    fn read(self, place: impl Fn(&Path) -> PathBuf) -> Result<StoredTokenSettings, String> {
        let storage = match (self.json, self.sqlite, self.keyring) {
            (Some(file), ..) => StorageAddress::Json(place(&file)),
            (_, Some(file), _) => StorageAddress::Sqlite(place(&file)),
            (.., Some(true)) => StorageAddress::Keyring,
            _ => return Err("has `keyring = false`, which has no effect".to_owned()),
        };
        let client = match (self.issuer, self.client_id) {
            (Some(issuer), Some(id)) => {
                if !names_host(&issuer) {
                    return Err("has an invalid `issuer`: it names no host".to_owned());
                }
                let issuer = issuer.parse().map_err(|error| format!("has an invalid `issuer`: {error}"))?;
                let secret_file = self.client_secret_file.as_deref().map(place);
                Some(OAuthClientSettings { issuer, id, secret_file, registered: None })
            }
            (None, None) if self.client_secret_file.is_none() => None,
            _ => return Err("needs both `issuer` and `client-id` to refresh its token".to_owned()),
        };
        Ok(StoredTokenSettings {
            storage,
            namespace: self.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            resource_server: self.resource_server,
            client,
        })
    }
}

impl WrittenAgent {
    fn read(self) -> Result<AgentSettings, String> {
        let is_issuer = self.oidc_agent.starts_with("https://") || self.oidc_agent.starts_with("http://");
        let account = if is_issuer {
            AgentAccount::Issuer(self.oidc_agent)
        } else {
            AgentAccount::Name(self.oidc_agent)
        };
        let scopes = self.scope.iter().map(|scope| scope.parse::<Scope>().map_err(|error| error.to_string()));
        Ok(AgentSettings { account, audience: self.audience, scopes: scopes.collect::<Result<_, _>>()? })
    }
}

fn written<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    // Further lines of the message show the place in the text.
    value.clone().try_into().map_err(|error: toml::de::Error| {
        format!("is invalid: {}", error.message().lines().next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HostToken, String> {
        let value = Value::Table(text.parse().unwrap());
        HostEntry::read("*.example.org", &value, |path| Path::new("/base").join(path)).map(|host| host.token)
    }

    #[test]
    fn a_storage_is_a_json_file_a_database_or_the_keyring() {
        let text =
            "sqlite = \"t.db\"\nresource-server = \"rs\"\nissuer = \"https://iam/\"\nclient-id = \"id\"";
        let HostToken::Stored(stored) = read(text).unwrap() else { panic!("no storage") };
        assert!(matches!(stored.storage, StorageAddress::Sqlite(path) if path == Path::new("/base/t.db")));
        assert_eq!((stored.namespace.as_str(), stored.resource_server.as_str()), ("DEFAULT", "rs"));
        assert_eq!(stored.client.unwrap().id, "id");
        let HostToken::Stored(stored) = read("keyring = true\nresource-server = \"rs\"").unwrap() else {
            panic!("no storage");
        };
        assert!(matches!(stored.storage, StorageAddress::Keyring) && stored.client.is_none());
    }

    #[test]
    fn an_agent_has_an_account_by_name_or_by_issuer() {
        let text = "oidc-agent = \"wlcg\"\naudience = \"https://a\"\nscope = [\"storage.read:/\"]";
        let HostToken::Agent(agent) = read(text).unwrap() else { panic!("no agent") };
        assert!(matches!(agent.account, AgentAccount::Name(name) if name == "wlcg"));
        assert_eq!((agent.audience.as_deref(), agent.scopes.len()), (Some("https://a"), 1));
        let HostToken::Agent(agent) = read("oidc-agent = \"https://iam/\"").unwrap() else {
            panic!("no agent");
        };
        assert!(matches!(agent.account, AgentAccount::Issuer(_)));
    }

    #[test]
    fn a_key_of_another_source_or_a_missing_key_is_an_error() {
        for (text, expected) in [
            ("token = \"x\"", "has `token`, but needs one of `token-file`"),
            ("", "needs one of `token-file`"),
            ("token-file = \"a\"\njson = \"b\"\nresource-server = \"rs\"", "has `token-file` and `json`"),
            ("token-file = \"a\"\nresource-server = \"rs\"", "unknown field `resource-server`"),
            ("json = \"a\"", "missing field `resource-server`"),
            (
                "json = \"a\"\nresource-server = \"rs\"\nissuer = \"https://iam/\"",
                "both `issuer` and `client-id`",
            ),
            ("keyring = false\nresource-server = \"rs\"", "no effect"),
            ("no-auth = false", "no effect"),
            ("no-auth = \"yes\"", "is invalid"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected) && error.contains("`host.\"*.example.org\"`"), "{error}");
        }
    }
}
