//! Storing and removing objects of federations.

use std::path::PathBuf;

use crate::downloader::Downloader;
use crate::error::{FailureKind, TransferError};
use crate::federation::describe::no_server;
use crate::federation::handle::Federation;
use crate::federation::resolve::ResolvedObject;
use crate::federation::tokens::ObjectAccess;
use crate::federation::transfer::report_located;
use crate::object_name::query::QueryKind;
use crate::object_name::url::FederationUrl;
use crate::upload::job::{Upload, Uploaded};

impl Federation {
    /// Uploads a file to the first origin that the director names for the object, and verifies it there.
    ///
    /// `prepare` sets what the [`Upload`] needs besides the file and the URL.
    ///
    /// ```no_run
    /// use scitoken_transfer::federation::FederationUrl;
    /// use scitoken_transfer::Overwrite;
    ///
    /// # async fn example(
    /// #     federation: scitoken_transfer::federation::Federation,
    /// #     downloader: scitoken_transfer::Downloader,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let url: FederationUrl = "osdf:///ospool/ap40/data/me/f".parse()?;
    /// federation.upload(&downloader, "f", &url, |upload| upload.with_overwrite(Overwrite::Refuse)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`resolve_for_writing`](Self::resolve_for_writing) and [`Downloader::upload`];
    /// [`FailureKind::NoToken`](crate::FailureKind::NoToken) before the origin is asked when no token permits to store the
    /// object.
    pub async fn upload(
        &self,
        downloader: &Downloader,
        file: impl Into<PathBuf>,
        url: &FederationUrl,
        prepare: impl FnOnce(Upload) -> Upload,
    ) -> Result<Uploaded, TransferError> {
        let object = self.resolve_for_writing(url).await?;
        let upload = prepare(Upload::new(file, object.servers()[0].clone())?);
        match self.upload_to(downloader, &object, &upload).await {
            Err(failure) => match self.resolve_after(&failure, &object, QueryKind::Write).await {
                Some(fresh) => self.upload_to(downloader, &fresh, &upload).await,
                None => Err(failure),
            },
            uploaded => uploaded,
        }
    }

    /// Removes an object at its origin.
    ///
    /// # Errors
    /// As [`upload`](Self::upload) and [`Downloader::remove_file`].
    pub async fn remove(&self, downloader: &Downloader, url: &FederationUrl) -> Result<(), TransferError> {
        self.remove_as(downloader, url, Recursion::No).await
    }

    /// Removes an object, or a collection with all its objects, at its origin.
    ///
    /// # Errors
    /// As [`upload`](Self::upload) and [`Downloader::remove_recursively`].
    pub async fn remove_recursively(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
    ) -> Result<(), TransferError> {
        self.remove_as(downloader, url, Recursion::Yes).await
    }

    /// Uploads to the first origin; to the next one where nothing can have reached the one before.
    async fn upload_to(
        &self,
        downloader: &Downloader,
        object: &ResolvedObject,
        upload: &Upload,
    ) -> Result<Uploaded, TransferError> {
        let authorized = self.authorized(downloader, object, ObjectAccess::Write).await?;
        report_located(downloader, upload.number(), object, object.servers()).await;
        let mut last = None;
        for origin in object.servers() {
            match Box::pin(authorized.upload(&upload.at(origin.clone()))).await {
                Err(failure) if failure.kind() == FailureKind::Connect => last = Some(failure),
                ended => return ended,
            }
        }
        Err(last.unwrap_or_else(|| no_server(object)))
    }

    async fn remove_as(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
        recursion: Recursion,
    ) -> Result<(), TransferError> {
        let object = self.resolve_for_removal(url).await?;
        match self.remove_at(downloader, &object, recursion).await {
            Err(failure) => match self.resolve_after(&failure, &object, QueryKind::Delete).await {
                Some(fresh) => self.remove_at(downloader, &fresh, recursion).await,
                None => Err(failure),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn remove_at(
        &self,
        downloader: &Downloader,
        object: &ResolvedObject,
        recursion: Recursion,
    ) -> Result<(), TransferError> {
        let authorized = self.authorized(downloader, object, ObjectAccess::Remove).await?;
        let origin = &object.servers()[0];
        match recursion {
            Recursion::No => Box::pin(authorized.remove_file(origin)).await,
            Recursion::Yes => Box::pin(authorized.remove_recursively(origin)).await,
        }
    }
}

/// Whether a collection is removed with its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recursion {
    No,
    Yes,
}
