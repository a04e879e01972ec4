//! Writing and removing objects on a server.

use http::StatusCode;
use http::header::ETAG;
use object_store::path::Path;
use object_store::{ObjectStore as _, PutMode, PutOptions, PutPayload, PutResult, Result, UpdateVersion};
use reqwest::Response;
use reqwest_scitokens::auth::AuthTrace;

use super::directory::Directory;
use crate::error::{of_status, of_transfer, unexpected};
use crate::location;
use crate::refusal::RefusalText;

impl Directory {
    pub(crate) async fn put(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match options.mode {
            PutMode::Overwrite => self.overwrite(location, payload, options).await,
            PutMode::Create | PutMode::Update(_) => self.put_on_condition(location, payload, &options).await,
        }
    }

    /// Writes with the retries of `object_store`, which makes directories below the base only.
    async fn overwrite(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        match self.http.put_opts(location, payload.clone(), options.clone()).await {
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::NotFound { .. }) => {
                self.make_parent(location).await?;
                self.http.put_opts(location, payload, options).await
            }
            Err(error) if is_upload_broken(&error) && self.make_lost_parent(location).await? => {
                self.http.put_opts(location, payload, options).await
            }
            result => result,
        }
    }

    /// Returns the entity tag of what was written, for the next update. Apache does not tell it in the response.
    pub(super) async fn put_result(&self, location: &Path, response: Response) -> Result<PutResult> {
        let e_tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let e_tag = match e_tag {
            Some(tag) => Some(tag),
            // It is stored, whether or not its tag can be read.
            None => self.stat(location).await.ok().and_then(|meta| meta.e_tag),
        };
        let (parts, _) = http::Response::<reqwest::Body>::from(response).into_parts();
        Ok(PutResult { e_tag, version: None, extensions: parts.extensions })
    }

    pub(super) async fn require_absent(&self, location: &Path) -> Result<()> {
        match self.stat(location).await {
            Ok(_) => Err(already_exists(location)),
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns the entity tag that a replaced object must have.
    pub(super) async fn require_version(&self, location: &Path, version: &UpdateVersion) -> Result<String> {
        let precondition = |source: String| {
            let (path, source) = (location.to_string(), source.into());
            object_store::Error::Precondition { path, source }
        };
        let Some(wanted) = version.e_tag.clone() else {
            return Err(unexpected("an update needs the entity tag of the object that it replaces"));
        };
        match self.stat(location).await {
            Ok(meta) if meta.e_tag.as_deref() == Some(&*wanted) => Ok(wanted),
            Ok(meta) => match meta.e_tag {
                Some(there) => Err(precondition(format!("{there} does not match {wanted}"))),
                None => Err(object_store::Error::NotSupported {
                    source: "the server gives objects no entity tags".into(),
                }),
            },
            Err(object_store::Error::NotFound { .. }) => {
                Err(precondition(format!("no object matches {wanted}")))
            }
            Err(error) => Err(error),
        }
    }

    /// Makes the directory of an object, and its parents.
    pub(super) async fn make_parent(&self, location: &Path) -> Result<()> {
        let parent = location.parent().unwrap_or_default();
        let url = location::directory(&self.base, &parent);
        self.downloader.make_directories(&url).await.map_err(|failure| of_transfer(failure, &parent))
    }

    /// Makes the directory of an object whose upload broke: a server may close the connection while a large body is on its
    /// way, and its `409` is lost (RFC 9112 section 9.6). Returns whether there is a directory now.
    pub(super) async fn make_lost_parent(&self, location: &Path) -> Result<bool> {
        match self.make_parent(location).await {
            Ok(()) => Ok(true),
            // This is why the upload was refused, too.
            Err(
                refused @ (object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }),
            ) => Err(refused),
            Err(failure) => {
                tracing::debug!(%failure, "the directory was not made");
                Ok(false)
            }
        }
    }

    /// Removes an object; never a directory.
    pub(crate) async fn delete(&self, location: &Path) -> Result<()> {
        let url = location::url_of(&self.base, location);
        self.downloader.remove_file(&url).await.map_err(|failure| of_transfer(failure, location))
    }
}

/// Whether the directory of a new object may be missing: `409` (RFC 4918 section 9.7.1), `404` on some servers.
pub(super) fn is_without_parent(status: StatusCode) -> bool {
    matches!(status, StatusCode::CONFLICT | StatusCode::NOT_FOUND)
}

/// Whether the connection broke while the body was sent.
pub(super) fn is_upload_broken(error: &object_store::Error) -> bool {
    let error = reqwest_scitokens::Error::find(error);
    error.is_some_and(|error| error.is_upload_broken() || error.is_stale_connection())
}

pub(super) fn already_exists(location: &Path) -> object_store::Error {
    let source = "an object has this name".into();
    object_store::Error::AlreadyExists { path: location.to_string(), source }
}

/// An answer to a change, whose body counts only where it is a refusal.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    said: String,
}

impl Answered {
    pub(super) fn new(status: StatusCode) -> Self {
        Self { status, said: String::new() }
    }

    pub(super) async fn read(mut response: Response) -> Self {
        let status = response.status();
        if !status.is_client_error() && !status.is_server_error() {
            return Self::new(status);
        }
        let refusal = RefusalText::read(&mut response).await;
        Self { status, said: refusal.shown(response.extensions().get::<AuthTrace>()) }
    }

    /// Returns the failure that the answer is.
    pub(super) fn into_error(self, location: &Path) -> object_store::Error {
        let Self { status, said } = self;
        let text = if said.is_empty() {
            format!("server returned {status}")
        } else {
            format!("server returned {status}: {said}")
        };
        of_status(status, location, text)
    }
}
