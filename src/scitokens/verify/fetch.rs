//! From an issuer's name to its keys: metadata first, then the key set.

use url::Url;

use super::super::{InvalidMetadata, Issuer};
use super::KeysError;
use crate::SafeUrl;
use crate::keys::JwkSet;
use crate::keys::fetch::{FetchError, Fetcher};

/// Fetches the keys of an issuer, as they were published.
pub(in crate::scitokens) async fn issuer_keys(
    fetcher: &Fetcher,
    issuer: &Issuer,
) -> Result<(JwkSet, String), KeysError> {
    let fetcher = if issuer.is_insecure() {
        fetcher.clone().dangerously_allow_http_on_loopback()
    } else {
        fetcher.clone()
    };
    let url = metadata(&fetcher, issuer).await?;
    let document = fetcher.get(&url).await?;
    let shown = || SafeUrl::new(&url).to_string();
    let set = JwkSet::parse(&document.body).map_err(|_| KeysError::NoKeys { url: shown() })?;
    // An empty set is a mistake of the issuer's, not the news that it has no keys (mistake 16).
    if set.is_empty() {
        return Err(KeysError::NoKeys { url: shown() });
    }
    let text = String::from_utf8(document.body).map_err(|_| KeysError::NoKeys { url: shown() })?;
    Ok((set, text))
}

/// Asks one place after the other. One that answers and has nothing of use, be it an error page with status 200, is passed
/// over; a server that cannot be reached is not asked twice.
async fn metadata(fetcher: &Fetcher, issuer: &Issuer) -> Result<Url, KeysError> {
    let mut disbelieved = None;
    let mut absent: Option<(String, FetchError)> = None;
    for place in issuer.metadata_urls() {
        match fetcher.get(&place).await {
            Ok(document) => match issuer.keys_url(&document.body) {
                Ok(url) => return Ok(url),
                Err(source) => {
                    let is_better = disbelieved.is_none() || !matches!(source, InvalidMetadata::NotMetadata);
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
        // There is always a first place.
        (None, None) => Err(KeysError::Interrupted),
    }
}
