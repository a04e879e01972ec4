//! From the name of an object to its servers.

use std::time::Duration;

use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::federation::answers::{FRESH, USABLE, below};
use crate::federation::discovery::{FederationMetadata, WELL_KNOWN};
use crate::federation::handle::Federation;
use crate::federation::namespace::NamespaceFacts;
use crate::hint::TransferHint;
use crate::object_name::query::{QueryKind, query_url};
use crate::object_name::url::{FederationHost, FederationUrl};

/// How long a discovery document is used.
const DOCUMENT_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// An object and the servers that have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedObject {
    url: FederationUrl,
    servers: Vec<Url>,
    namespace: NamespaceFacts,
    from: AnswerSource,
}

/// Where the servers of an object are known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerSource {
    /// The director answered for this object.
    Director,
    /// It follows from an answer for another object of the namespace, or an earlier one for this object.
    Memory,
}

impl ResolvedObject {
    /// Returns the name that was resolved.
    pub fn url(&self) -> &FederationUrl {
        &self.url
    }

    /// Returns the URLs of the object at its servers, at least one, in the order in which they should be tried.
    ///
    /// A token must not be put into these URLs.
    pub fn servers(&self) -> &[Url] {
        &self.servers
    }

    /// Returns the URL of the object at the server that lists the namespace, if the namespace allows listings.
    pub fn listing_url(&self) -> Option<Url> {
        self.namespace.collections_url().map(|base| below(base, self.url.path()))
    }

    /// Returns the facts about the object's namespace.
    pub fn namespace(&self) -> &NamespaceFacts {
        &self.namespace
    }

    /// Returns whether another answer names other servers or states other facts.
    pub(crate) fn differs_from(&self, other: &Self) -> bool {
        (&self.servers, &self.namespace) != (&other.servers, &other.namespace)
    }

    /// Returns whether the director was not asked for this very object.
    pub fn is_remembered(&self) -> bool {
        self.from == AnswerSource::Memory
    }
}

impl Federation {
    /// Returns the servers of an object in their order, and the facts about its namespace.
    ///
    /// The first object of a namespace costs two requests (discovery document and director), other objects none while
    /// the answers are fresh.
    ///
    /// ```no_run
    /// use scitoken_transfer::federation::FederationUrl;
    ///
    /// # async fn example(
    /// #     federation: scitoken_transfer::federation::Federation,
    /// #     downloader: scitoken_transfer::Downloader,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let url: FederationUrl = "osdf:///ospool/uc-shared/public/f".parse()?;
    /// for server in federation.resolve(&url).await?.servers() {
    ///     println!("{server}");
    /// }
    /// # let _ = downloader;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`FailureKind::NotFound`] when the federation has no server for the object, [`FailureKind::Rejected`] when the
    /// namespace does not allow the query (a direct read), and the failures of the requests.
    pub async fn resolve(&self, url: &FederationUrl) -> Result<ResolvedObject, TransferError> {
        self.resolve_as(url, url.query_kind(), FRESH).await
    }

    /// Returns the origins of an object, without its caches.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`FailureKind::Rejected`] when no origin allows direct reads.
    pub async fn resolve_origins(&self, url: &FederationUrl) -> Result<ResolvedObject, TransferError> {
        self.resolve_as(url, QueryKind::ReadDirectly, FRESH).await
    }

    /// Returns the origins that store or remove an object.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`FailureKind::Rejected`] when the namespace cannot be written to.
    pub async fn resolve_for_writing(&self, url: &FederationUrl) -> Result<ResolvedObject, TransferError> {
        self.resolve_as(url, QueryKind::Write, FRESH).await
    }

    /// Returns the origins that remove an object.
    ///
    /// # Errors
    /// As [`resolve_for_writing`](Self::resolve_for_writing).
    pub async fn resolve_for_removal(&self, url: &FederationUrl) -> Result<ResolvedObject, TransferError> {
        self.resolve_as(url, QueryKind::Delete, FRESH).await
    }

    /// Returns the discovery document of a federation, which is used for 30 minutes.
    ///
    /// # Errors
    /// The document cannot be fetched or read.
    #[expect(clippy::missing_panics_doc, reason = "the path can be joined to any host")]
    pub async fn metadata(&self, host: &FederationHost) -> Result<FederationMetadata, TransferError> {
        let known = || {
            let (metadata, at) = self.document(host)?;
            let age = self.queries.now().duration_since(at).ok()?;
            (age < DOCUMENT_LIFETIME).then_some(metadata)
        };
        if let Some(metadata) = known() {
            return Ok(metadata);
        }
        let queue = self.queue(format!("discovery {host}"));
        let _turn = queue.turn().await;
        if let Some(metadata) = known() {
            return Ok(metadata);
        }
        let url = host.base().join(WELL_KNOWN).expect("the path can be joined to any host");
        match Box::pin(self.fetch_document(&url)).await {
            Ok(document) => {
                let metadata = FederationMetadata::parse(&url, &document)?;
                self.remember_document(host, metadata.clone(), self.queries.now());
                Ok(metadata)
            }
            // The director's URL hardly ever changes, so an old document is better than none.
            Err(error) if error.kind() != FailureKind::Interrupted => {
                self.document(host).map(|(metadata, _)| metadata).ok_or(error)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn resolve_as(
        &self,
        url: &FederationUrl,
        kind: QueryKind,
        max_age: Duration,
    ) -> Result<ResolvedObject, TransferError> {
        let host = self.host_of(url);
        let metadata = self.metadata(host).await?;
        let Some(director) = metadata.director() else {
            let servers = vec![below(host.base(), url.path())];
            return Ok(self.resolved(
                url,
                kind,
                (servers, NamespaceFacts::unknown()),
                AnswerSource::Director,
            ));
        };
        let known = |max_age| self.answers().get(director, kind, url.path(), max_age, self.queries.now());
        // Which caches have an object is known of that object only.
        let max_age = if kind == QueryKind::ReadCached { Duration::ZERO } else { max_age };
        if let Some(answer) = known(max_age) {
            return Ok(self.resolved(url, kind, answer, AnswerSource::Memory));
        }
        // Objects of one namespace share the first component, so one answer may serve all that wait here.
        let first = url.path().as_encoded().split('/').nth(1).unwrap_or_default();
        let queue = self.queue(format!("{director} {kind:?} /{first}"));
        let _turn = if max_age.is_zero() { None } else { Some(queue.turn().await) };
        if let Some(answer) = known(max_age) {
            return Ok(self.resolved(url, kind, answer, AnswerSource::Memory));
        }
        match Box::pin(self.ask_director(&kind.method(), &query_url(director, kind, url.path()))).await {
            Ok((servers, namespace)) => {
                let now = self.queries.now();
                self.answers().insert(director, kind, url.path(), &servers, &namespace, now);
                Ok(self.resolved(url, kind, (servers, namespace), AnswerSource::Director))
            }
            // Caches serve objects also while the director or the origin is down.
            Err(error)
                if error.retry_action() == RetryAction::Retry || error.kind() == FailureKind::NotFound =>
            {
                match known(USABLE).filter(|_| error.kind() != FailureKind::Interrupted) {
                    Some(answer) => Ok(self.resolved(url, kind, answer, AnswerSource::Memory)),
                    None if error.kind() == FailureKind::NotFound => Err(no_origin(url, error)),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn resolved(
        &self,
        url: &FederationUrl,
        kind: QueryKind,
        (servers, namespace): (Vec<Url>, NamespaceFacts),
        from: AnswerSource,
    ) -> ResolvedObject {
        let servers = match &self.preferred {
            Some(preferred) if matches!(kind, QueryKind::Read | QueryKind::ReadCached) => {
                preferred.apply(url.path(), servers)
            }
            _ => servers,
        };
        ResolvedObject { url: url.clone(), servers, namespace, from }
    }
}

/// The failure for a name that the director has no server for. It forgets the origins that have not reported to it for some
/// minutes, so a missing namespace and one whose origin is down look the same.
fn no_origin(url: &FederationUrl, failure: TransferError) -> TransferError {
    let message = format!(
        "no server for `{url}`: its origin is not online, or no namespace of the federation has this path"
    );
    failure.wrapped(message).with_hint(TransferHint::CheckNameOrOrigin)
}
