//! A login for a namespace of a federation.

use reqwest_middleware::ClientWithMiddleware;
use scitoken_storage::login::RegisteredClients;
use scitoken_storage::oauth::{
    ClientRegistration, DeviceAuthorization, GrantRequest, OAuthClient, OAuthError, ProviderMetadata,
    RegisteredClient,
};
use scitoken_storage::{DEFAULT_NAMESPACE, IssuerEntry};
use scitoken_transfer::federation::{FederationHost, FederationUrl, LoginAccess, NamespaceLogin, NoLogin};
use scitoken_types::sys::{Clock as _, SystemClock};
use scitoken_types::{SafeUrl, Scope};

use crate::args::{FederationArgs, LoginClientArgs, Operation, RetryArgs};
use crate::authorities;
use crate::commands::remote::{resolver, wait};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::oauth;
use crate::output;
use crate::storage::{self, StorageAddress};

/// The name that issuers show to the user who confirms.
const CLIENT_NAME: &str = "scitoken";
/// Scopes that most issuers of federations know: the profile of the token, and a refresh token.
const USUAL_SCOPES: [&str; 2] = ["wlcg", "offline_access"];

/// What the command line says about a login for a namespace.
#[derive(Debug)]
pub(super) struct NamespaceOrder<'a> {
    pub(super) client: &'a LoginClientArgs,
    pub(super) op: Operation,
    pub(super) federation: Option<FederationHost>,
    /// Scopes to ask for instead of the usual ones.
    pub(super) scopes: Vec<Scope>,
    pub(super) audiences: &'a [String],
}

/// An issuer that was asked for what it offers, and what to ask it for.
#[derive(Debug)]
pub(super) struct NamespaceIssuer {
    login: NamespaceLogin,
    http: ClientWithMiddleware,
    metadata: ProviderMetadata,
    request: GrantRequest,
    scopes: Vec<Scope>,
}

/// A login that the user has to confirm, and the client that asked for it.
#[derive(Debug)]
pub(super) struct NamespaceAuthorization {
    pub(super) registered: RegisteredClient,
    pub(super) client: OAuthClient,
    pub(super) authorization: DeviceAuthorization,
}

/// Asks the director of a federation who issues tokens for a name.
pub(super) fn find_issuer(
    order: &NamespaceOrder<'_>,
    context: &Context,
    name: &FederationUrl,
) -> Result<NamespaceLogin, Failure> {
    let retry = RetryArgs::default();
    let flags = FederationArgs { federation: order.federation.clone(), ..FederationArgs::default() };
    let federation = resolver(context, &flags, &order.client.connection.authorities)?;
    let access = match order.op {
        Operation::Read | Operation::List => LoginAccess::Read,
        Operation::Write | Operation::Delete => LoginAccess::Write,
    };
    let object = match access {
        LoginAccess::Read => wait(&retry, federation.resolve(name))?,
        _ => wait(&retry, federation.resolve_for_writing(name))?,
    };
    let found = object.namespace().login(name.path(), access, order.client.issuer.as_ref());
    found.map_err(|error| no_login(&error))
}

fn no_login(error: &NoLogin) -> Failure {
    let exit = if matches!(error, NoLogin::NoIssuer(_)) { Exit::Server } else { Exit::Usage };
    let hint = match error {
        NoLogin::Public(_) => Some("no login is needed to read; `--op write` logs in for writing"),
        NoLogin::Vault(_) => Some("get a token with `htgettoken`, which writes the file that is found"),
        NoLogin::NoIssuer(_) => Some("ask the operators of the namespace how to get a token"),
        _ => None,
    };
    Failure::from_error(exit, error).with_optional_hint(hint.map(str::to_owned))
}

impl NamespaceIssuer {
    /// Asks the issuer for its endpoints, and checks that it offers what a login needs.
    pub(super) async fn connect(
        login: NamespaceLogin,
        order: &NamespaceOrder<'_>,
        context: &Context,
    ) -> Result<Self, Failure> {
        let session = authorities::session(context, &order.client.connection.authorities)?;
        let (http, metadata) = oauth::metadata(session, &login.issuer).await?;
        let lacks = |what: &str, hint: &str| {
            let issuer = SafeUrl::new(&login.issuer);
            Err(Failure::new(Exit::Server, format!("the issuer `{issuer}` offers no {what}")).with_hint(hint))
        };
        if metadata.device_authorization_endpoint().is_none() {
            return lacks(
                "logins by device code (RFC 8628)",
                "get a token in another way, and pass `--token-file FILE`",
            );
        }
        if metadata.registration_endpoint().is_none() && order.client.client_id.is_none() {
            return lacks(
                "registration of clients (RFC 7591)",
                "pass `--client-id ID` with the client that its operators gave you",
            );
        }
        let scopes =
            if order.scopes.is_empty() { default_scopes(&login, &metadata) } else { order.scopes.clone() };
        let request = scopes.iter().cloned().fold(GrantRequest::new(), GrantRequest::with_scope);
        let request = order.audiences.iter().fold(request, |request, audience| {
            request.with_audience(scitoken_types::Audience::from(audience.as_str()))
        });
        Ok(Self { login, http, metadata, request, scopes })
    }

    /// Returns the name of the entry for the token.
    pub(super) fn entry_name(&self) -> String {
        IssuerEntry::new(self.login.issuer.clone(), self.login.path.as_str()).to_string()
    }

    /// Requests a device code: as the client of the command line, else as the one that the issuer registered for this user
    /// before, else as a new one. The client belongs to the tokens that it obtains; those of earlier logins keep theirs.
    pub(super) async fn authorize(
        &self,
        order: &NamespaceOrder<'_>,
        storage: &StorageAddress,
    ) -> Result<NamespaceAuthorization, Failure> {
        let opened = storage.open(RegisteredClients::NAMESPACE)?;
        let clients = RegisteredClients::new(&*opened);
        let issuer = self.login.issuer.as_str();
        let failed = |error| storage::failure(&error);
        if let Some(id) = &order.client.client_id {
            let secret =
                order.client.connection.client_secret_file.as_deref().map(files::read_secret).transpose()?;
            let client = RegisteredClient::new(id, secret.as_deref());
            return self.ask(client).await.map_err(|error| oauth::failure(&error));
        }
        if let Some(known) = clients.get(issuer, SystemClock.now()).map_err(failed)? {
            match self.ask(known).await {
                // The issuer has forgotten it.
                Err(error) if error.is_client_rejected() => {}
                asked => return asked.map_err(|error| oauth::failure(&error)),
            }
        }
        let registration = self
            .scopes
            .iter()
            .cloned()
            .fold(ClientRegistration::new(CLIENT_NAME), ClientRegistration::with_scope);
        let client = registration.register(&self.http, &self.metadata).await;
        let client = client.map_err(|error| {
            oauth::failure(&error).with_hint("pass `--client-id ID` with a client that the issuer knows")
        })?;
        // Earlier tokens can be renewed only by the client that obtained them.
        let tokens = storage.open(DEFAULT_NAMESPACE)?.get_token_data_by_resource_server().map_err(failed)?;
        clients.keep_for(tokens.iter().map(|(name, _)| name), issuer).map_err(failed)?;
        clients.store(issuer, &client).map_err(failed)?;
        self.ask(client).await.map_err(|error| oauth::failure(&error))
    }

    async fn ask(&self, registered: RegisteredClient) -> Result<NamespaceAuthorization, OAuthError> {
        let client = registered.client(self.http.clone(), self.metadata.clone());
        let authorization = client.authorize_device(&self.request).await?;
        Ok(NamespaceAuthorization { registered, client, authorization })
    }

    /// Stores the client that has obtained tokens, before them: the refresh token works with it only.
    pub(super) fn store_client(
        &self,
        client: &RegisteredClient,
        storage: &StorageAddress,
    ) -> Result<(), Failure> {
        let opened = storage.open(RegisteredClients::NAMESPACE)?;
        let stored = RegisteredClients::new(&*opened).store_for_entry(&self.entry_name(), client);
        stored.map_err(|error| storage::failure(&error))
    }
}

/// Returns the scopes for the access, and the usual ones unless the issuer lists its scopes without them.
fn default_scopes(login: &NamespaceLogin, metadata: &ProviderMetadata) -> Vec<Scope> {
    let mut scopes = Vec::new();
    for usual in USUAL_SCOPES {
        if metadata.supports_scope(usual) != Some(false) {
            scopes.extend(usual.parse::<Scope>().ok());
        } else if usual == "offline_access" {
            output::remark("The issuer gives no refresh tokens: log in again when the token has expired.");
        }
    }
    scopes.extend(login.scopes.iter().cloned());
    scopes
}
