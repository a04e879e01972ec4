//! Fetches the metadata of an issuer, then its key set.

use url::Url;

use super::KeysError;
use crate::{InvalidMetadata, Issuer};
use scitoken_jwt::fetch::{FetchError, Fetcher};
use scitoken_jwt::keys::{JwkSet, KeyError};
use scitoken_types::SafeUrl;

/// Fetches the keys of an issuer as published.
pub(crate) async fn issuer_keys(fetcher: &Fetcher, issuer: &Issuer) -> Result<(JwkSet, String), KeysError> {
    let fetcher = if issuer.is_insecure() {
        fetcher.clone().dangerously_allow_http_on_loopback()
    } else {
        fetcher.clone()
    };
    let url = metadata(&fetcher, issuer).await?;
    let document = fetcher.get(&url).await?;
    let shown = || SafeUrl::new(&url).to_string();
    let set = JwkSet::parse(&document.body).map_err(|source| KeysError::KeySet { url: shown(), source })?;
    // An empty set is an error of the issuer and does not withdraw its keys.
    if set.is_empty() {
        let (skipped, source) = (set.skipped(), set.first_problem().cloned());
        return Err(KeysError::NoKeys { url: shown(), skipped, source });
    }
    let not_utf8 = |_| KeysError::KeySet {
        url: shown(),
        source: KeyError::NotJwkSet { problem: "it is not UTF-8".to_owned() },
    };
    let text = String::from_utf8(document.body).map_err(not_utf8)?;
    Ok((set, text))
}

/// Tries one URL after the other. An answer without usable metadata, even an error page with status 200, is skipped;
/// a server that cannot be reached is not tried again.
async fn metadata(fetcher: &Fetcher, issuer: &Issuer) -> Result<Url, KeysError> {
    let mut disbelieved = None;
    let mut absent: Option<(String, FetchError)> = None;
    for place in issuer.metadata_urls() {
        match fetcher.get(&place).await {
            Ok(document) => match issuer.keys_url(&document.body) {
                Ok(url) => return Ok(url),
                Err(source) => {
                    let is_better =
                        disbelieved.is_none() || !matches!(source, InvalidMetadata::NotMetadata(_));
                    if is_better {
                        disbelieved =
                            Some(KeysError::Metadata { url: SafeUrl::new(&place).to_string(), source });
                    }
                }
            },
            Err(error) if error.status().is_some() => {
                absent.get_or_insert_with(|| (SafeUrl::new(&place).to_string(), error));
            }
            Err(error) => return Err(error.into()),
        }
    }
    match (disbelieved, absent) {
        (Some(error), _) => Err(error),
        (None, Some((url, source))) => Err(KeysError::NoMetadata { url, source }),
        // There is always a first URL.
        (None, None) => Err(KeysError::Interrupted),
    }
}
