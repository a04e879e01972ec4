//! URLs as a caller writes them.

use http::Method;
use reqwest::{IntoUrl, Url};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use scitoken_types::names_host;

/// What fails with the parser's own words for a URL without a host.
const WITHOUT_HOST: &str = "https://";

/// Parses a URL, and refuses one that [names no host](names_host).
pub(crate) fn stated(url: impl IntoUrl) -> reqwest::Result<Url> {
    if names_host(url.as_str()) { url.into_url() } else { parsed(WITHOUT_HOST) }
}

fn parsed(url: impl IntoUrl) -> reqwest::Result<Url> {
    url.into_url()
}

/// Starts a request to a URL, which fails if that is not valid or [names no host](names_host).
pub(crate) fn start(client: &ClientWithMiddleware, method: Method, url: impl IntoUrl) -> RequestBuilder {
    if names_host(url.as_str()) { client.request(method, url) } else { client.request(method, WITHOUT_HOST) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_names_no_host_is_not_sent_to_its_path() {
        let session = crate::Session::new().unwrap();
        let client = session.client();
        for url in ["https:///vo/f", "http:/127.0.0.1/f", "HTTP:127.0.0.1", "https:"] {
            assert!(stated(url).is_err(), "{url}");
            assert!(start(client, Method::GET, url).build().unwrap_err().is_builder(), "{url}");
        }
        assert!(stated("https://h/f").is_ok() && start(client, Method::GET, "https://h/f").build().is_ok());
    }
}
