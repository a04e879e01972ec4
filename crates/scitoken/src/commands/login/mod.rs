//! `scitoken login`.

mod audience;
mod federation;
mod obtained;
mod shown_settings;

use std::path::{Path, PathBuf};

use clap::Args;
use scitoken_storage::login::{LoginTarget, PreparedTarget};
use scitoken_storage::oauth::GrantRequest;
use scitoken_storage::{BearerTokenFile, StorageError, TokenDataMap};
use scitoken_transfer::federation::FederationHost;
use scitoken_types::sys::Env;
use scitoken_types::{Audience, Scope};
use serde_json::json;
use url::Url;

use self::federation::{NamespaceIssuer, NamespaceOrder};
use self::obtained::{Obtained, wait_for_user};
use self::shown_settings::{absolute, show_federation_settings, show_settings};
use crate::args::{LoginClientArgs, OAuthClientArgs, Operation, OptionalStorageArgs, ScopeList};
use crate::commands::remote::object_name;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::oauth;
use crate::output;
use crate::runtime::block_on;
use crate::sanitize;
use crate::storage::{self, StoragePlace, failure};

/// Log in with a browser, on this machine or another, and store the token
///
/// Shows an address and a code, and waits until the code is entered there. With `--storage`, the token is stored where it
/// can be refreshed, and the lines of `scitoken.toml` with which other commands use it are shown. Without, it is written to
/// the file where programs look for tokens (`$BEARER_TOKEN_FILE`, else `$XDG_RUNTIME_DIR/bt_u<uid>`, else
/// `/tmp/bt_u<uid>`).
///
/// With the name of a federation's namespace, such as `osdf:///vo` or `pelican://HOST/vo/dir`, the director names the issuer,
/// which registers this program if it does not know it. The token is for this path and all below, and is stored where
/// commands look for tokens of federations.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  scitoken login --issuer https://iam.example.org/ --client-id ID --scope storage.read:/
  scitoken login osdf:///ospool/ap40/data/alice --op write")]
pub(crate) struct Login {
    /// Namespace or path of a federation: `pelican://HOST/vo`, `osdf:///vo`
    #[arg(value_name = "NAME", conflicts_with = "resource_server")]
    name: Option<String>,
    /// Operation that a token for NAME permits; `write` and `delete` permit reading too
    #[arg(long, value_enum, default_value_t = Operation::Read, requires = "name")]
    op: Operation,
    /// Discovery host of `osdf://` and `stash://` names [default: osg-htc.org]
    #[arg(long, value_name = "HOST", requires = "name")]
    federation: Option<FederationHost>,
    #[command(flatten)]
    client: LoginClientArgs,
    /// Request these scopes, separated by blanks; repeatable. Many servers issue a refresh token only for `offline_access`
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<ScopeList<Scope>>,
    /// Request a token for this audience; repeatable
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// Store the token under this name [default: the server's name for it, the audience, or the issuer]
    #[arg(long, value_name = "NAME")]
    resource_server: Option<String>,
    /// Write the access token to this file
    #[arg(long, value_name = "FILE", conflicts_with = "storage", value_parser = parse_bearer_file)]
    bearer_file: Option<PathBuf>,
    #[command(flatten)]
    storage: OptionalStorageArgs,
}

impl Login {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.name {
            Some(name) => self.log_in_to_namespace(context, name),
            None => block_on(self.log_in(context, &self.client.required()?))?,
        }
    }

    fn log_in_to_namespace(&self, context: &Context, name: &str) -> Result<Exit, Failure> {
        let Some(url) = object_name(name)? else {
            return Err(Failure::new(
                Exit::Usage,
                format!("`{}` is not a name of a federation", sanitize::line(name)),
            )
            .with_hint(
                "write `pelican://HOST/path` or `osdf:///path`, or name the issuer with `--issuer URL`",
            ));
        };
        // Whatever cannot work is said before the issuer is asked for anything.
        let storage = context.federation_storage(self.storage.storage.as_ref())?;
        let target = match &self.bearer_file {
            Some(path) => LoginTarget::bearer_file(BearerTokenFile::new(path)),
            None => LoginTarget::storage(storage.open(&self.storage.namespace)?),
        };
        let target = target.prepare().map_err(|error| target_failure(&error))?;
        let order = NamespaceOrder {
            client: &self.client,
            op: self.op,
            federation: self.federation.clone(),
            scopes: self.scope.iter().flat_map(|list| list.0.iter().cloned()).collect(),
            audiences: &self.audience,
        };
        let found = federation::find_issuer(&order, context, &url)?;
        block_on(async {
            let issuer = NamespaceIssuer::connect(found, &order, context).await?;
            let asked = issuer.authorize(&order, &storage).await?;
            let obtained = wait_for_user(&asked.client, asked.authorization).await?;
            let obtained = obtained.named(issuer.entry_name());
            // A failure here must not cost the tokens, which the next step keeps.
            if target.file().is_none()
                && let Err(failure) = issuer.store_client(&asked.registered, &storage)
            {
                output::warn(&format!("the client of the login could not be stored: {}", failure.message()));
            }
            let exit = self.store(context, &target, obtained, Some(issuer.entry_name()))?;
            if target.file().is_none() && self.storage.storage.is_some() {
                show_federation_settings(context, &storage)?;
            }
            Ok(exit)
        })?
    }

    async fn log_in(&self, context: &Context, client: &OAuthClientArgs) -> Result<Exit, Failure> {
        // Fails before the user logs in if the token cannot be stored.
        let target = self.target(context)?.prepare().map_err(|error| target_failure(&error))?;
        self.show_target(context, &target);
        let client = oauth::connect(context, client).await?;
        let mut request = GrantRequest::new();
        for scope in self.scope.iter().flat_map(|list| &list.0) {
            request = request.with_scope(scope.clone());
        }
        for audience in &self.audience {
            request = request.with_audience(Audience::from(audience.as_str()));
        }
        let authorization =
            client.authorize_device(&request).await.map_err(|error| oauth::failure(&error))?;
        let obtained = wait_for_user(&client, authorization).await?.named(self.default_name());
        self.store(context, &target, obtained, self.resource_server.clone())
    }

    /// Says where the token will go if that is not where the user expects it, and what cannot be stored there.
    fn show_target(&self, context: &Context, target: &PreparedTarget) {
        let Some(file) = target.file() else { return };
        let expected = BearerTokenFile::discovered(&context.env);
        if self.bearer_file.is_none() && expected.is_some_and(|expected| expected.path() != file.path()) {
            output::remark(&format!("The token will be written to `{}`.", file.path().display()));
        }
        if let Some(variable) = found_before(&context.env, file.path()) {
            output::remark(&format!(
                "`{variable}` is set and is found before `{}`: run `unset {variable}` to use the new token.",
                file.path().display()
            ));
        }
        if self.scope.iter().flat_map(|list| &list.0).any(|scope| scope.as_str() == "offline_access") {
            output::remark("The refresh token will not be stored: that needs `--storage`.");
        }
    }

    /// Returns the name of a token for which the server names no resource server.
    fn default_name(&self) -> String {
        self.resource_server
            .clone()
            .or_else(|| self.audience.first().cloned())
            .or_else(|| self.client.issuer.as_ref().map(Url::to_string))
            .unwrap_or_default()
    }

    fn target(&self, context: &Context) -> Result<LoginTarget, Failure> {
        if let Some(storage) = self.storage.open()? {
            return Ok(LoginTarget::storage(storage));
        }
        if let Some(path) = &self.bearer_file {
            return Ok(LoginTarget::bearer_file(BearerTokenFile::new(path)));
        }
        LoginTarget::discovered(&context.env).map_err(|error| target_failure(&error))?.ok_or_else(|| {
            Failure::new(Exit::Usage, "this system has no default token file")
                .with_hint("pass `--bearer-file FILE` or `--storage json:FILE`")
        })
    }

    fn store(
        &self,
        context: &Context,
        target: &PreparedTarget,
        obtained: Obtained,
        name: Option<String>,
    ) -> Result<Exit, Failure> {
        let data = obtained.tokens.token_data();
        let data = data.map_err(|error| Failure::new(Exit::Server, error.to_string()))?;
        hide_tokens(&data);
        // A name overrides that of the server for the token of the answer itself, which is the first.
        // Where another token has that name, it is the one that is meant, and none replaces it.
        let is_taken = name.as_deref().is_some_and(|name| data.get(name).is_some());
        let mut name = name.filter(|_| !is_taken);
        let named: TokenDataMap =
            data.into_iter().map(|(servers, entry)| (name.take().unwrap_or(servers), entry)).collect();
        let stored = target.store(named.clone());
        let place = self.place(context, target);
        if let Some(failure) = obtained.lacking {
            let hint = match stored {
                Ok(()) => format!(
                    "the refresh token is in {}: the next command that needs the token refreshes it",
                    target.label()
                ),
                Err(unsaved) => storage::rescued(&context.env, &unsaved, place.as_ref()),
            };
            return Err(failure.with_hint(hint));
        }
        stored.map_err(|unsaved| storage::rescue(&context.env, &unsaved, place.as_ref()))?;
        if let Some(file) = target.file() {
            show_dropped(&named);
            let path = file.path().display().to_string();
            context.output.result(&format!("wrote the token to {path}"), json!({ "bearer_file": path }))?;
            return Ok(Exit::Ok);
        }
        for (name, _) in named.iter() {
            let place = target.label();
            context.output.result(
                &format!("stored `{}` in {place}", sanitize::line(name)),
                json!({ "resource_server": name, "storage": place }),
            )?;
        }
        if let (None, Some(issuer), Some(id)) = (&self.name, &self.client.issuer, &self.client.client_id) {
            let mut entries = named.iter().map(|(name, _)| name);
            if let Some(first) = entries.next() {
                let secret = self.client.connection.client_secret_file.as_deref();
                let audience = self.audience.first().map(String::as_str);
                show_settings(&self.storage, first, entries, issuer, id, secret, audience);
            }
        }
        Ok(Exit::Ok)
    }

    /// Returns the storage that the tokens go to, if it is one.
    fn place(&self, context: &Context, target: &PreparedTarget) -> Option<StoragePlace<'_>> {
        if target.file().is_some() {
            return None;
        }
        let address = match (&self.storage.storage, &self.name) {
            (None, Some(_)) => context.federation_storage(None).ok()?,
            (named, _) => named.clone()?,
        };
        Some(StoragePlace { address, namespace: &self.storage.namespace })
    }
}

/// Returns the variable whose token or file is found before a token file, if there is one.
fn found_before(env: &Env, file: &Path) -> Option<&'static str> {
    let is_set = |value: std::ffi::OsString| !value.to_string_lossy().trim().is_empty();
    if env.get_non_empty("BEARER_TOKEN").is_some_and(is_set) {
        return Some("BEARER_TOKEN");
    }
    let named = env.get_non_empty("BEARER_TOKEN_FILE")?;
    (absolute(Path::new(&named)) != absolute(file)).then_some("BEARER_TOKEN_FILE")
}

/// Parses the name of a token file. Elsewhere `-` is standard output, which keeps no token.
fn parse_bearer_file(name: &str) -> Result<PathBuf, &'static str> {
    match name {
        "" => Err("name a file"),
        "-" => Err("a token is not written to standard output; for a file of this name, write `./-`"),
        name => Ok(name.into()),
    }
}

/// Returns the failure of a place that tokens cannot be stored in, with another place as the hint.
fn target_failure(error: &StorageError) -> Failure {
    let failed = failure(error);
    if failed.hint().is_some() || error.is_locked() {
        return failed;
    }
    failed.with_hint("name another place with `--bearer-file FILE` or `--storage json:FILE`")
}

/// Masks tokens in every further output: an issuer may repeat them in a name.
fn hide_tokens(tokens: &TokenDataMap) {
    for (_, data) in tokens {
        output::hide_secret(data.expose_access_token());
        data.expose_refresh_token().into_iter().for_each(output::hide_secret);
    }
}

/// Says which of the tokens a token file does not hold.
fn show_dropped(tokens: &TokenDataMap) {
    let refreshes = tokens.iter().next().is_some_and(|(_, first)| first.has_refresh_token());
    for dropped in refreshes.then(|| "The refresh token was not stored".to_owned()).into_iter().chain(
        tokens
            .iter()
            .skip(1)
            .map(|(name, _)| format!("The token for `{}` was not stored", sanitize::line(name))),
    ) {
        output::remark(&format!(
            "{dropped}: a token file holds one access token. Pass `--storage` to keep all."
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_file_has_a_name() {
        assert!(parse_bearer_file("-").is_err() && parse_bearer_file("").is_err());
        assert_eq!(parse_bearer_file("./-"), Ok(PathBuf::from("./-")));
    }

    #[test]
    fn what_is_found_before_a_token_file_is_named() {
        let file = Path::new("/run/bt_u0");
        for (env, expected) in [
            (vec![("BEARER_TOKEN", "x")], Some("BEARER_TOKEN")),
            (vec![("BEARER_TOKEN", " ")], None),
            (vec![("BEARER_TOKEN_FILE", "/elsewhere")], Some("BEARER_TOKEN_FILE")),
            (vec![("BEARER_TOKEN_FILE", "/run/bt_u0")], None),
            (vec![], None),
        ] {
            assert_eq!(found_before(&Env::given(env.clone()), file), expected, "{env:?}");
        }
    }
}
