//! A WebDAV storage behind an `AuthorizeLayer`: the crate `dav-server` serves the files, this module the rest.

pub(crate) mod digests;
pub(crate) mod files;
pub(crate) mod listen;
mod sense;

use std::convert::Infallible;
use std::fs::Metadata;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};

use dav_server::body::Body;
use dav_server::{DavConfig, DavHandler, DavMethod, DavMethodSet};
use http::header::{HOST, HeaderValue, IF_NONE_MATCH};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use scitoken_authz::{
    Authorize, AuthorizeLayer, Enforcer, OfflineVerifier, StorageOperation, StorageRules, VerifiedToken,
};
use scitoken_types::ResourcePath;
use tower_layer::Layer as _;
use tower_service::Service;

/// The files of a storage and the rules for them. Paths of rules and tokens are relative to the prefix.
#[derive(Clone, Debug)]
pub(crate) struct Storage {
    pub(crate) root: PathBuf,
    pub(crate) prefix: ResourcePath,
    pub(crate) rules: StorageRules,
    pub(crate) enforcer: Enforcer,
}

/// The service beneath the layer: it serves the path that was authorized.
#[derive(Clone)]
pub(crate) struct Files {
    storage: Storage,
    dav: DavHandler,
}

impl Storage {
    /// Returns the service that authorizes and answers requests.
    pub(crate) fn service(self, verifier: OfflineVerifier) -> Authorize<Files> {
        let components: Vec<&str> = self.prefix.components().collect();
        let prefix = if components.is_empty() { String::new() } else { format!("/{}", components.join("/")) };
        let mut methods = DavMethodSet::all();
        // A partial update that breaks off would leave a file that is neither the old nor the new one.
        methods.remove(DavMethod::Patch);
        let dav = DavConfig::new()
            .strip_prefix(prefix)
            .methods(methods)
            .filesystem(Box::new(files::StorageFiles::new(&self.root)))
            .autoindex(true)
            .read_buf_size(256 * 1024)
            .build_handler();
        let storage = self.clone();
        let layer = AuthorizeLayer::new(verifier, self.enforcer.clone(), move |request, path| {
            // Outside of the prefix there is nothing to protect: `404`.
            let Some(path) = storage.relative(path) else { return scitoken_authz::Requirement::nothing() };
            let destination = storage.destination(request).ok().flatten();
            let exists = |path: &ResourcePath| storage.look_up(path).is_some();
            storage.rules.webdav(&request.method, &path, destination.as_ref(), exists)
        });
        layer.realm("storage").layer(Files { storage: self, dav })
    }

    /// Returns the path as tokens and rules name it.
    fn relative(&self, path: &ResourcePath) -> Option<ResourcePath> {
        if self.prefix.components().next().is_none() {
            Some(path.clone())
        } else {
            path.relative_to(&self.prefix)
        }
    }

    /// Returns where a file lies. A `ResourcePath` has no `..`.
    fn file(&self, path: &ResourcePath) -> PathBuf {
        path.components().fold(self.root.clone(), |file, component| file.join(component))
    }

    /// Returns what lies at a path; a link on the way leads nowhere.
    fn look_up(&self, path: &ResourcePath) -> Option<Metadata> {
        files::look_up(&self.root, &path.components().collect::<PathBuf>()).ok()
    }

    fn is_directory(&self, path: &ResourcePath) -> bool {
        self.look_up(path).is_some_and(|found| found.is_dir())
    }

    /// Returns the URL's path of a file or, with a `/` at its end, of a directory.
    fn uri(&self, path: &ResourcePath) -> Option<Uri> {
        let mut uri = path.below(&self.prefix).to_string();
        if self.is_directory(path) && !uri.ends_with('/') {
            uri.push('/');
        }
        uri.parse().ok()
    }

    /// Returns the path in the header `Destination`, which is on this server (RFC 4918 section 10.3).
    fn destination(&self, request: &Parts) -> Result<Option<ResourcePath>, StatusCode> {
        let mut values = request.headers.get_all("destination").iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.next().is_some() {
            return Err(StatusCode::BAD_REQUEST);
        }
        let uri: Uri = value.as_bytes().try_into().map_err(|_| StatusCode::BAD_REQUEST)?;
        let here = request.headers.get(HOST).map(HeaderValue::as_bytes);
        let here = here.or_else(|| request.uri.authority().map(|authority| authority.as_str().as_bytes()));
        if uri.authority().is_some_and(|there| !here.is_some_and(|here| sense::is_same_host(there, here))) {
            return Err(StatusCode::BAD_GATEWAY);
        }
        let path = uri.path().parse().map_err(|_| StatusCode::BAD_REQUEST)?;
        self.relative(&path).map(Some).ok_or(StatusCode::BAD_GATEWAY)
    }
}

impl Files {
    async fn answer<B>(self, request: Request<B>) -> Result<Response<Body>, StatusCode>
    where
        B: http_body::Body<Data: Send + 'static, Error: std::error::Error + Send + Sync + 'static>,
    {
        let (mut parts, body) = request.into_parts();
        let path = parts.extensions.get::<ResourcePath>().and_then(|path| self.storage.relative(path));
        let path = path.ok_or(StatusCode::NOT_FOUND)?;
        let destination = self.storage.destination(&parts)?;
        // dav-server must see what was authorized, not another reading of the URL.
        parts.uri = self.storage.uri(&path).ok_or(StatusCode::BAD_REQUEST)?;
        if let Some(destination) = &destination {
            let uri = self.storage.uri(destination).ok_or(StatusCode::BAD_REQUEST)?;
            let value = HeaderValue::from_str(&uri.to_string()).map_err(|_| StatusCode::BAD_REQUEST)?;
            parts.headers.insert("destination", value);
        }
        self.storage.check_sense(&parts, &path, destination.as_ref())?;
        // A file that appeared since must not be replaced by a token that only creates.
        let is_put = parts.method == Method::PUT;
        if is_put && !self.may(StorageOperation::Modify, &parts, &path) {
            parts.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        if destination.is_some_and(|there| !self.may(StorageOperation::Delete, &parts, &there)) {
            parts.headers.insert("overwrite", HeaderValue::from_static("F"));
        }
        // The length of a body is that of its framing.
        parts.headers.remove("x-expected-entity-length");
        let wanted = digests::wanted(&parts.method, &parts.headers);
        let mut response = self.dav.handle(Request::from_parts(parts, body)).await;
        if is_put && response.status() == StatusCode::METHOD_NOT_ALLOWED {
            // dav-server's word for a file that appeared while this one was written.
            *response.status_mut() = StatusCode::PRECONDITION_FAILED;
        }
        digests::add(&mut response, wanted, self.storage.file(&path)).await;
        Ok(response)
    }

    /// Returns whether the token allows the operation.
    fn may(&self, operation: StorageOperation, parts: &Parts, path: &ResourcePath) -> bool {
        let requirement = self.storage.rules.requirement(operation, path);
        let token = parts.extensions.get::<VerifiedToken>();
        token.is_some_and(|token| requirement.check(token, &self.storage.enforcer).is_ok())
    }
}

impl<B> Service<Request<B>> for Files
where
    B: http_body::Body<Data: Send + 'static, Error: std::error::Error + Send + Sync + 'static>
        + Send
        + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let files = self.clone();
        Box::pin(async move {
            Ok(files.answer(request).await.unwrap_or_else(|status| {
                let mut response = Response::new(Body::from(status.to_string()));
                *response.status_mut() = status;
                response
            }))
        })
    }
}
