//! The host map of `scitoken.toml`: which servers get their tokens from where.

use std::path::{Path, PathBuf};

use reqwest_scitokens::storage::DEFAULT_NAMESPACE;
use reqwest_scitokens::{OriginPattern, Scope};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Value;
use url::Url;

/// What decides where a token comes from; each entry has one of them.
const SOURCES: [&str; 7] =
    ["token-file", "token-command", "json", "sqlite", "keyring", "oidc-agent", "no-auth"];

/// Some servers, and where their tokens come from.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) pattern: OriginPattern,
    pub(crate) token: HostToken,
}

#[derive(Clone, Debug)]
pub(crate) enum HostToken {
    File(PathBuf),
    Command(String),
    Stored(Stored),
    Agent(Agent),
    None,
}

/// An entry of a token storage.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) storage: Storage,
    pub(crate) namespace: String,
    pub(crate) resource_server: String,
    pub(crate) client: Option<Client>,
}

/// A token storage, in the words of `scitoken login`.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    Json(PathBuf),
    Sqlite(PathBuf),
    Keyring,
}

/// Who renews a stored token, and where.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) issuer: Url,
    pub(crate) id: String,
    pub(crate) secret_file: Option<PathBuf>,
}

/// What a running `oidc-agent` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    pub(crate) account: Account,
    pub(crate) audience: Option<String>,
    pub(crate) scopes: Vec<Scope>,
}

#[derive(Clone, Debug)]
pub(crate) enum Account {
    /// By its short name.
    Name(String),
    /// By the address of its issuer.
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

impl Host {
    /// Reads one entry. `place` makes a path of what is written.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub(super) fn read(
        pattern: &str,
        value: &Value,
        place: impl Fn(&Path) -> PathBuf,
    ) -> Result<Self, String> {
        let parsed: OriginPattern = pattern.parse().map_err(|error| format!("{error}"))?;
        let token = HostToken::read(value, place).map_err(|what| format!("`host.\"{pattern}\"` {what}"))?;
        Ok(Self { pattern: parsed, token })
    }
}

impl HostToken {
    fn read(value: &Value, place: impl Fn(&Path) -> PathBuf) -> Result<Self, String> {
        let table = value.as_table().ok_or("is no table")?;
        let named: Vec<_> = SOURCES.into_iter().filter(|name| table.contains_key(*name)).collect();
        let [source] = named[..] else {
            return Err(format!("needs one of `{}`", SOURCES.join("`, `")));
        };
        Ok(match source {
            "token-file" => Self::File(place(&written::<WrittenFile>(value)?.token_file)),
            "token-command" => Self::Command(written::<WrittenCommand>(value)?.token_command),
            "oidc-agent" => Self::Agent(written::<WrittenAgent>(value)?.read()?),
            "no-auth" => {
                if !written::<WrittenNone>(value)?.no_auth {
                    return Err("says `no-auth = false`, which says nothing".to_owned());
                }
                Self::None
            }
            _ => Self::Stored(written::<WrittenStored>(value)?.read(place)?),
        })
    }
}

impl WrittenStored {
    fn read(self, place: impl Fn(&Path) -> PathBuf) -> Result<Stored, String> {
        let storage = match (self.json, self.sqlite, self.keyring) {
            (Some(file), ..) => Storage::Json(place(&file)),
            (_, Some(file), _) => Storage::Sqlite(place(&file)),
            (.., Some(true)) => Storage::Keyring,
            _ => return Err("says `keyring = false`, which says nothing".to_owned()),
        };
        let client = match (self.issuer, self.client_id) {
            (Some(issuer), Some(id)) => {
                let issuer =
                    issuer.parse().map_err(|error| format!("has an `issuer` that is no URL: {error}"))?;
                let secret_file = self.client_secret_file.as_deref().map(place);
                Some(Client { issuer, id, secret_file })
            }
            (None, None) if self.client_secret_file.is_none() => None,
            _ => return Err("needs both `issuer` and `client-id` to renew its token".to_owned()),
        };
        Ok(Stored {
            storage,
            namespace: self.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
            resource_server: self.resource_server,
            client,
        })
    }
}

impl WrittenAgent {
    fn read(self) -> Result<Agent, String> {
        let is_issuer = self.oidc_agent.starts_with("https://") || self.oidc_agent.starts_with("http://");
        let account =
            if is_issuer { Account::Issuer(self.oidc_agent) } else { Account::Name(self.oidc_agent) };
        let scopes = self.scope.iter().map(|scope| scope.parse::<Scope>().map_err(|error| error.to_string()));
        Ok(Agent { account, audience: self.audience, scopes: scopes.collect::<Result<_, _>>()? })
    }
}

fn written<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    // The message may have several lines, for people who see where in the text it is.
    value.clone().try_into().map_err(|error: toml::de::Error| {
        format!("is not right: {}", error.message().lines().next().unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<HostToken, String> {
        let value = Value::Table(text.parse().unwrap());
        Host::read("*.example.org", &value, |path| Path::new("/base").join(path)).map(|host| host.token)
    }

    #[test]
    fn a_storage_is_named_in_the_words_of_login() {
        let text =
            "sqlite = \"t.db\"\nresource-server = \"rs\"\nissuer = \"https://iam/\"\nclient-id = \"id\"";
        let HostToken::Stored(stored) = read(text).unwrap() else { panic!("no storage") };
        assert!(matches!(stored.storage, Storage::Sqlite(path) if path == Path::new("/base/t.db")));
        assert_eq!((stored.namespace.as_str(), stored.resource_server.as_str()), ("DEFAULT", "rs"));
        assert_eq!(stored.client.unwrap().id, "id");
        let HostToken::Stored(stored) = read("keyring = true\nresource-server = \"rs\"").unwrap() else {
            panic!("no storage");
        };
        assert!(matches!(stored.storage, Storage::Keyring) && stored.client.is_none());
    }

    #[test]
    fn an_agent_has_an_account_by_name_or_by_issuer() {
        let text = "oidc-agent = \"wlcg\"\naudience = \"https://a\"\nscope = [\"storage.read:/\"]";
        let HostToken::Agent(agent) = read(text).unwrap() else { panic!("no agent") };
        assert!(matches!(agent.account, Account::Name(name) if name == "wlcg"));
        assert_eq!((agent.audience.as_deref(), agent.scopes.len()), (Some("https://a"), 1));
        let HostToken::Agent(agent) = read("oidc-agent = \"https://iam/\"").unwrap() else {
            panic!("no agent");
        };
        assert!(matches!(agent.account, Account::Issuer(_)));
    }

    #[test]
    fn what_belongs_to_another_source_or_is_half_said_is_a_mistake() {
        for (text, expected) in [
            ("token = \"x\"", "needs one of `token-file`"),
            ("token-file = \"a\"\njson = \"b\"\nresource-server = \"rs\"", "needs one of"),
            ("token-file = \"a\"\nresource-server = \"rs\"", "unknown field `resource-server`"),
            ("json = \"a\"", "missing field `resource-server`"),
            (
                "json = \"a\"\nresource-server = \"rs\"\nissuer = \"https://iam/\"",
                "both `issuer` and `client-id`",
            ),
            ("keyring = false\nresource-server = \"rs\"", "says nothing"),
            ("no-auth = false", "says nothing"),
            ("no-auth = \"yes\"", "is not right"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected) && error.contains("`host.\"*.example.org\"`"), "{error}");
        }
    }
}
