//! Answers that do not give away the credential of the URL that they came from.

use reqwest::{Response, ResponseBuilderExt as _};

use super::in_url;
use crate::redact;

/// Takes a credential that a redirect put into the URL off the answer: `Response::url` and every error of reading the
/// body would show it otherwise.
pub(crate) fn conceal(response: Response) -> Response {
    if !in_url::has_credential(response.url()) {
        return response;
    }
    let url = redact::masked(response.url());
    let (parts, body) = http::Response::from(response).into_parts();
    let mut builder = http::Response::builder().status(parts.status).version(parts.version);
    if let Some(headers) = builder.headers_mut() {
        *headers = parts.headers;
    }
    if let Some(extensions) = builder.extensions_mut() {
        *extensions = parts.extensions;
    }
    builder.url(url).body(body).map(Response::from).expect("these parts were a response before")
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn response(url: &str) -> Response {
        let builder = http::Response::builder().url(Url::parse(url).unwrap()).status(206).header("x-a", "b");
        builder.extension(5_u32).body("data").unwrap().into()
    }

    #[tokio::test]
    async fn only_the_credential_is_lost() {
        let response = conceal(response("https://h:1/f?authz=Bearer%20x&recursive=1"));
        assert_eq!(response.url().as_str(), "https://h:1/f?recursive=1");
        assert_eq!((response.status().as_u16(), &response.headers()["x-a"]), (206, &"b".parse().unwrap()));
        assert_eq!(response.extensions().get::<u32>(), Some(&5));
        assert_eq!(response.text().await.unwrap(), "data");
    }

    #[test]
    fn a_url_without_a_credential_is_left_alone() {
        assert_eq!(conceal(response("https://h/f?q=1#x")).url().as_str(), "https://h/f?q=1#x");
    }
}
