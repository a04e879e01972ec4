//! Tokens for the servers of a namespace.

use std::sync::{Arc, Mutex, PoisonError};

use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Extension};
use reqwest_scitokens::auth::AuthOptions;
use reqwest_scitokens::source::{ChainSource, TokenSource};
use reqwest_scitokens::{Attach, SharedTokenSource, SourceError, TokenRequest};
use scitoken_types::{AccessToken, LifetimeFit, Scope, redact};
use url::Url;

use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::federation::handle::Federation;
use crate::federation::namespace;
use crate::federation::resolve::ResolvedObject;
use crate::hint::TransferHint;

/// How many reasons for rejected tokens an error has.
const MAX_REJECTIONS: usize = 4;

/// What a token for an object is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObjectAccess {
    /// To read or list it.
    Read,
    /// To store it.
    Write,
    /// To replace or remove it.
    Remove,
}

/// Issuers of a namespace, and the scopes of which their tokens need one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedTokens {
    /// The issuers; none where the director names none.
    pub issuers: Vec<Url>,
    /// The scopes, in the order in which tokens are looked for.
    pub scopes: Vec<Scope>,
}

impl ObjectAccess {
    /// Returns the tokens that the namespace of an object accepts for this access.
    pub fn accepted(self, object: &ResolvedObject) -> Vec<AcceptedTokens> {
        let names = match self {
            Self::Read => namespace::READ,
            Self::Write => namespace::WRITE,
            Self::Remove => namespace::REMOVE,
        };
        let groups = object.namespace().scopes_by_issuer(names, object.url().path());
        groups.into_iter().map(|(issuers, scopes)| AcceptedTokens { issuers, scopes }).collect()
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "store",
            Self::Remove => "remove",
        }
    }
}

/// Returns the tokens of other sources that fit a namespace.
#[derive(Debug)]
struct NamespaceTokens {
    sources: Vec<SharedTokenSource>,
    access: ObjectAccess,
    accepted: Vec<AcceptedTokens>,
    /// The name of the credential, in front of the scheme.
    name: Option<String>,
    /// Why tokens were rejected.
    rejections: Arc<Mutex<Vec<String>>>,
}

impl TokenSource for NamespaceTokens {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let mut first_error = None;
        for source in &self.sources {
            match self.fitting_token(source, request).await {
                Ok(Some(token)) => return Ok(Some(token)),
                Ok(None) => {}
                // An expired token, for instance, does not end the search.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        first_error.map_or(Ok(None), Err)
    }
}

impl NamespaceTokens {
    /// Asks a source for a token with one of the scopes.
    async fn fitting_token(
        &self,
        source: &SharedTokenSource,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        for AcceptedTokens { issuers, scopes } in &self.accepted {
            for scope in scopes {
                let mut request =
                    request.clone().with_scopes(std::slice::from_ref(scope)).with_issuers(issuers);
                if let Some(name) = &self.name {
                    request = request.with_credential_name(name);
                }
                if let Some(token) = source.token(&request).await? {
                    let Some(reason) = self.rejection(&token, &request) else { return Ok(Some(token)) };
                    self.note_rejection(&token, &request, &reason);
                }
            }
        }
        Ok(None)
    }

    /// Returns why a token does not fit. One without claims fits: only the server can tell.
    fn rejection(&self, token: &AccessToken, request: &TokenRequest<'_>) -> Option<String> {
        let fit = request.fit(token);
        if fit.lifetime == LifetimeFit::Expired {
            Some("it has expired".to_owned())
        } else if fit.lifetime == LifetimeFit::NotYet {
            Some("it is not valid yet".to_owned())
        } else if !fit.audience.fits() {
            Some("it is meant for other servers".to_owned())
        } else if !fit.issuer.fits() {
            let issuer = token.claims().and_then(|claims| claims.issuer()).unwrap_or_default();
            Some(format!("its issuer `{}` is not of the namespace", redact::text(issuer)))
        } else if !fit.has_scopes {
            Some(format!("it does not permit to {} the object", self.access.verb()))
        } else {
            None
        }
    }

    /// Remembers why a token is not sent, for the error.
    fn note_rejection(&self, token: &AccessToken, request: &TokenRequest<'_>, reason: &str) {
        if self.fits_other_issuers(token, request) {
            return;
        }
        let label = token.origin_label().unwrap_or("a token");
        let reason = format!("{}: {reason}", redact::text(label));
        request.note(|| reason.clone());
        let mut rejections = self.rejections.lock().unwrap_or_else(PoisonError::into_inner);
        if !rejections.contains(&reason) && rejections.len() < MAX_REJECTIONS {
            rejections.push(reason);
        }
    }

    /// Returns whether the token is from issuers of the namespace that are asked for apart from these.
    fn fits_other_issuers(&self, token: &AccessToken, request: &TokenRequest<'_>) -> bool {
        let is_of = |issuers: &[Url]| request.clone().with_issuers(issuers).fit(token).issuer.fits();
        !is_of(request.issuers()) && self.accepted.iter().any(|accepted| is_of(&accepted.issuers))
    }
}

impl Federation {
    /// Returns a downloader for the servers of an object: with a token where the namespace requires one, the URL has one or
    /// something is changed, else without.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when a token is required and none fits.
    pub(crate) async fn authorized(
        &self,
        downloader: &Downloader,
        object: &ResolvedObject,
        access: ObjectAccess,
    ) -> Result<Downloader, TransferError> {
        Ok(downloader.with_client(self.client_with(downloader.client(), object, access).await?))
    }

    /// Returns a client for the servers of an object, for a program that reads it in its own way: with a token where the
    /// namespace requires one or the URL has one, else without.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when a token is required and none fits.
    pub async fn client_for(
        &self,
        client: &ClientWithMiddleware,
        object: &ResolvedObject,
    ) -> Result<ClientWithMiddleware, TransferError> {
        self.client_with(client, object, ObjectAccess::Read).await
    }

    /// Returns the token that would be sent to the servers of an object, to read or to change it; `None` if none fits.
    pub async fn token_for(&self, object: &ResolvedObject, access: ObjectAccess) -> Option<AccessToken> {
        let tokens = self.namespace_tokens(object, access, &Arc::default());
        for server in object.servers() {
            let request = TokenRequest::new(server).ok()?.at(self.queries.now());
            if let Ok(Some(token)) = tokens.token(&request).await {
                return Some(token);
            }
        }
        None
    }

    fn namespace_tokens(
        &self,
        object: &ResolvedObject,
        access: ObjectAccess,
        rejections: &Arc<Mutex<Vec<String>>>,
    ) -> NamespaceTokens {
        NamespaceTokens {
            sources: self.tokens.clone(),
            access,
            accepted: access.accepted(object),
            name: object.url().token_name().map(str::to_owned),
            rejections: Arc::clone(rejections),
        }
    }

    /// Returns a client for the origins that store an object, with a token that permits it.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when none fits.
    pub async fn client_for_writing(
        &self,
        client: &ClientWithMiddleware,
        object: &ResolvedObject,
    ) -> Result<ClientWithMiddleware, TransferError> {
        self.client_with(client, object, ObjectAccess::Write).await
    }

    /// Returns a client for the origins that replace or remove an object, with a token that permits it.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when none fits.
    pub async fn client_for_removal(
        &self,
        client: &ClientWithMiddleware,
        object: &ResolvedObject,
    ) -> Result<ClientWithMiddleware, TransferError> {
        self.client_with(client, object, ObjectAccess::Remove).await
    }

    async fn client_with(
        &self,
        client: &ClientWithMiddleware,
        object: &ResolvedObject,
        access: ObjectAccess,
    ) -> Result<ClientWithMiddleware, TransferError> {
        let options = if self.needs_token(object, access) {
            AuthOptions::new().attach(Attach::Required).token(self.tokens_for(object, access).await?)
        } else {
            AuthOptions::new().attach(Attach::Never)
        };
        let options = options.named_by_server();
        Ok(ClientBuilder::from_client(client.clone()).with_init(Extension(options)).build())
    }

    /// Returns whether a token is sent to the servers of an object.
    pub fn needs_token(&self, object: &ResolvedObject, access: ObjectAccess) -> bool {
        let has_own = self.shared_token.is_some() || object.url().shared_token().is_some();
        has_own || object.namespace().requires_token() || access != ObjectAccess::Read
    }

    /// Returns the tokens for the servers of an object; a source without tokens where none is sent.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when a token is required and none fits.
    pub async fn tokens_for(
        &self,
        object: &ResolvedObject,
        access: ObjectAccess,
    ) -> Result<SharedTokenSource, TransferError> {
        if !self.needs_token(object, access) {
            return Ok(ChainSource::new().into());
        }
        if let Some(token) = self.shared_token.as_ref().or(object.url().shared_token()) {
            return Ok(token.clone().into());
        }
        let rejections = Arc::default();
        let tokens = SharedTokenSource::from(self.namespace_tokens(object, access, &rejections));
        self.require_token(&tokens, object, access, &rejections).await?;
        Ok(tokens)
    }

    async fn require_token(
        &self,
        tokens: &SharedTokenSource,
        object: &ResolvedObject,
        access: ObjectAccess,
        rejections: &Mutex<Vec<String>>,
    ) -> Result<(), TransferError> {
        let no_token = |has_failed| {
            let namespace = object.namespace();
            let issuers: Vec<&str> = namespace.issuers().iter().map(|issuer| issuer.url().as_str()).collect();
            let from =
                if issuers.is_empty() { String::new() } else { format!(" of `{}`", issuers.join("` or `")) };
            let accepted = access.accepted(object);
            let scope = accepted.first().and_then(|accepted| accepted.scopes.first());
            let scope = scope.map(|scope| format!(" with the scope `{scope}`")).unwrap_or_default();
            let prefix = namespace.prefix();
            let rejected = rejections.lock().unwrap_or_else(PoisonError::into_inner).join("; ");
            let found = match (rejected.is_empty(), has_failed) {
                (false, _) => format!("none fits: {rejected}"),
                (true, true) => "none can be used".to_owned(),
                (true, false) => "none was found".to_owned(),
            };
            let message = format!("the namespace `{prefix}` requires a token{from}{scope}, and {found}");
            let hint = match access {
                ObjectAccess::Read => TransferHint::LogInToFederation,
                ObjectAccess::Write | ObjectAccess::Remove => TransferHint::LogInToFederationToWrite,
            };
            TransferError::new(FailureKind::NoToken, RetryAction::OtherToken, message).with_hint(hint)
        };
        let mut failed = None;
        // A token whose audience is one of the servers is sent to that one only.
        for server in object.servers() {
            let request = TokenRequest::new(server).map_err(|_| no_token(false))?.at(self.queries.now());
            match tokens.token(&request).await {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Err(match failed {
            Some(error) => no_token(true).with_source(error),
            None => no_token(false),
        })
    }
}
