//! Addresses as people type them.

use reqwest_scitokens::SafeUrl;
use url::Url;

use crate::exit::Exit;
use crate::failure::Failure;

/// `davs://` and `dav://` are WebDAV's names for what `https` and `http` are.
pub(super) fn parse_url(text: &str) -> Result<Url, Failure> {
    let plain = match text.split_once("://") {
        Some(("davs", rest)) => format!("https://{rest}"),
        Some(("dav", rest)) => format!("http://{rest}"),
        _ => text.to_owned(),
    };
    plain.parse().map_err(|error| {
        let shown: String = SafeUrl::unparsed(text).chars().take(100).collect();
        Failure::new(Exit::Usage, format!("`{shown}` is no URL: {error}"))
            .with_hint("write `https://host/path`")
    })
}
