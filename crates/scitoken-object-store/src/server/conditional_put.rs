//! Storing an object on a condition: that there is none yet, or that it is one version.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use object_store::path::Path;
use object_store::{Attribute, Error, PutMode, PutOptions, PutPayload, PutResult, Result};

use super::directory::Directory;
use super::write::{Answered, already_exists, is_upload_broken, is_without_parent};
use crate::error::unexpected;
use crate::location;
use crate::pause::is_busy;
use crate::service::send;

/// How long the first repeat waits where a busy server tells no time; each later one waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

impl Directory {
    /// Stores an object where the condition of the options holds, and again where the server was busy (429, 503).
    ///
    /// A server that is busy may have stored it all the same: where the condition does not hold any more, the error is the
    /// one of the request before, which tells that the outcome is unknown.
    pub(super) async fn put_on_condition(
        &self,
        location: &Path,
        payload: PutPayload,
        options: &PutOptions,
    ) -> Result<PutResult> {
        let (body, url) = (Bytes::from(payload), location::url_of(&self.base, location));
        let (mut repeats, mut pause) = (self.repeats, FIRST_PAUSE);
        let mut has_parent = false;
        let mut before: Option<Error> = None;
        loop {
            self.server.pauses.wait(&url).await;
            // Some servers ignore the condition, so the store looks itself, each time.
            let headers = match self.condition(location, options).await {
                Ok(headers) => headers,
                Err(error) => return Err(before.unwrap_or(error)),
            };
            let request = self.client.put(url.clone()).headers(headers).body(body.clone());
            let response = match send(request).await {
                Ok(response) => response,
                Err(error) if !has_parent && is_upload_broken(&error) => {
                    if !self.make_lost_parent(location).await? {
                        return Err(error);
                    }
                    (has_parent, before) = (true, Some(error));
                    continue;
                }
                Err(error) => return Err(error),
            };
            match response.status() {
                status if status.is_success() => return self.put_result(location, response).await,
                status if is_without_parent(status) && !has_parent => {
                    self.make_parent(location).await?;
                    has_parent = true;
                }
                status if is_busy(status) => {
                    let pauses = &self.server.pauses;
                    pauses.record(&url, response.url(), status, response.headers()).map_err(unexpected)?;
                    let error = Answered::read(response).await.into_error(location);
                    if repeats == 0 {
                        return Err(error);
                    }
                    (repeats, before) = (repeats - 1, Some(error));
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                status => {
                    let error = match (status, &options.mode) {
                        (StatusCode::PRECONDITION_FAILED, PutMode::Create) => already_exists(location),
                        _ => Answered::read(response).await.into_error(location),
                    };
                    let before = before.filter(|_| status == StatusCode::PRECONDITION_FAILED);
                    return Err(before.unwrap_or(error));
                }
            }
        }
    }

    /// Looks whether the condition holds, and returns it as headers.
    async fn condition(&self, location: &Path, options: &PutOptions) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        match &options.mode {
            PutMode::Overwrite => {}
            PutMode::Create => {
                self.require_absent(location).await?;
                headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
            }
            PutMode::Update(version) => {
                let tag = self.require_version(location, version).await?;
                headers.insert(IF_MATCH, HeaderValue::try_from(tag).map_err(unexpected)?);
            }
        }
        if let Some(kind) = options.attributes.get(&Attribute::ContentType) {
            headers.insert(CONTENT_TYPE, HeaderValue::try_from(kind.as_ref()).map_err(unexpected)?);
        }
        Ok(headers)
    }
}
