//! Credentials that travel in a URL.

use std::borrow::Cow;

use base64::prelude::*;
use http::HeaderValue;
use reqwest::{Response, ResponseBuilderExt as _};
use url::Url;

use scitoken_types::AccessToken;
use scitoken_types::redact::{self, Redactor};

/// Returns whether a URL carries a credential: `authz=` (XRootD), `access_token=` (RFC 6750 section 2.3), the
/// signature of S3, Google or Azure storage.
///
/// Such a URL gets no `Authorization` header: XRootD takes the query and ignores the header, S3 refuses both.
pub(super) fn has_credential(url: &Url) -> bool {
    const NAMES: [&str; 4] = ["authz", "access_token", "x-amz-signature", "x-goog-signature"];
    /// A signature comes with the name of its key: S3's older form, `CloudFront`, Google's older form.
    const KEYS: [&str; 3] = ["awsaccesskeyid", "key-pair-id", "googleaccessid"];
    let has = |wanted: &[&str]| names(url).any(|name| wanted.iter().any(|w| name.eq_ignore_ascii_case(w)));
    url.query().is_some()
        && (has(&NAMES)
            || (has(&["signature"]) && has(&KEYS))
            || (has(&["sig"]) && has(&["sv"]) && has(&["se", "sp"])))
}

/// Returns whether a URL must not be requested without TLS: it carries a credential of this exchange in any form, a
/// JWT, or a parameter whose name says that it is a credential, also one of a URL or an object in its query.
pub(super) fn must_not_travel_in_clear(url: &Url, redactor: &Redactor) -> bool {
    has_credential(url)
        || names_at_any_depth(url).iter().any(|name| redact::is_secret_name(name))
        || matches!(redactor.redact(url.as_str()), Cow::Owned(_))
}

/// Returns the decoded names of the query parameters that have a value.
fn names(url: &Url) -> impl Iterator<Item = Cow<'_, str>> {
    let pairs = url.query().unwrap_or_default().split(['&', ';']).filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, _)| percent_encoding::percent_decode_str(name).decode_utf8_lossy())
}

/// Returns the names of the parameters in the path and the query, and of those in the values of the query: of a URL, which
/// is encoded there, or of a JSON object.
fn names_at_any_depth(url: &Url) -> Vec<String> {
    /// No program decodes a query more often.
    const DEEPEST: usize = 4;
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let parameters = url.path().split('/').flat_map(|component| component.split(';').skip(1));
    let mut texts = vec![decoded(url.query().unwrap_or_default())];
    for _ in 1..DEEPEST {
        let deeper = texts.last().map(|text| decoded(text)).filter(|deeper| texts.last() != Some(deeper));
        texts.extend(deeper);
    }
    let inside = texts.iter().flat_map(|text| text.split(['&', ';', '?', '{', ',', '#']));
    let pairs =
        parameters.chain(url.query().into_iter().flat_map(|query| query.split(['&', ';']))).chain(inside);
    let names = pairs.filter_map(|pair| pair.split_once(['=', ':'])).filter(|(_, value)| !value.is_empty());
    names.map(|(name, _)| decoded(name)).collect()
}

/// Lets a masker know the credential of an `Authorization` header.
pub(super) fn add_authorization(redactor: &Redactor, value: &HeaderValue) {
    let value = String::from_utf8_lossy(value.as_bytes());
    let credential = value.split_once(' ').map_or(&*value, |(_, credential)| credential).trim();
    redactor.add(credential);
    let decoded = BASE64_STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((user, password)) = decoded.as_deref().and_then(|pair| pair.split_once(':')) {
        redactor.add_login(user, password);
    }
}

/// Lets a masker know the credentials in the query of a URL.
pub(super) fn add_from_url(redactor: &Redactor, url: &Url) {
    if !has_credential(url) {
        return;
    }
    for (_, value) in url.query_pairs().filter(|(name, _)| redact::is_secret_name(name)) {
        redactor.add(value.strip_prefix("Bearer ").unwrap_or(&value));
    }
}

/// Masks a URL that repeats a known credential; `None` if it repeats none.
pub(super) fn masked(url: &Url, redactor: &Redactor) -> Option<Url> {
    let Cow::Owned(text) = redactor.redact(url.as_str()) else { return None };
    Some(text.replace('…', "...").parse().unwrap_or_else(|_| {
        let mut url = url.clone();
        url.set_path("/...");
        url.set_query(None);
        url.set_fragment(None);
        url
    }))
}

/// Returns whether a URL carries this token: XRootD's manager copies the token that it received into the `Location` of
/// its redirect, with the scheme or without.
pub(super) fn carries(url: &Url, token: &AccessToken) -> bool {
    url.query_pairs()
        .any(|(_, value)| value.strip_prefix("Bearer ").unwrap_or(&value) == token.expose_secret())
}

/// Removes a credential from the URL of an answer, where `Response::url` and every error of reading the body would show
/// it.
pub(super) fn strip_url_credentials(response: Response, masked: Option<&Url>) -> Response {
    if masked.is_none() && !has_credential(response.url()) {
        return response;
    }
    let url = redact::masked(masked.unwrap_or_else(|| response.url()));
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
    use super::*;

    #[test]
    fn a_token_is_recognised_in_the_query() {
        let token = AccessToken::new("a+b/c").unwrap();
        for (query, expected) in [
            ("authz=Bearer%20a%2Bb/c", true),
            ("x=1&authz=a%2Bb/c", true),
            ("authz=Bearer%20a", false),
            ("authz=a%2Bb/cd", false),
            ("", false),
        ] {
            assert_eq!(
                carries(&Url::parse(&format!("https://h/f?{query}")).unwrap(), &token),
                expected,
                "{query}"
            );
        }
    }

    #[test]
    fn a_url_with_a_credential_in_any_form_must_not_travel_in_clear() {
        let redactor = Redactor::new();
        redactor.add("opaque.sent.token");
        for (rest, expected) in [
            ("/f?%61uthz=Bearer%20x", true),
            ("/f?xrd.authz=x", true),
            ("/f?bearer=x", true),
            ("/f?x=1&Token=y", true),
            ("/f?X-Auth-Token=y", true),
            ("/f?api_key=y", true),
            ("/f?q=opaque.sent.token", true),
            ("/f?q=%6fpaque%2Esent.token", true),
            ("/opaque.sent.token/f", true),
            ("/f;x=opaque.sent.token", true),
            ("/f#opaque.sent.token", true),
            (&format!("/f?q={}", BASE64_STANDARD.encode("opaque.sent.token")), true),
            (&format!("/{}", BASE64_URL_SAFE_NO_PAD.encode("user:opaque.sent.token")), true),
            ("/f?q=eyJhbGciOiJIUzI1NiJ9.e30.abcdef", true),
            ("/f;authz=x", true),
            ("/f?u=http%3A%2F%2Fh%2F%3Fauthz%3Dx", true),
            ("/f?u=http%253A%252F%252Fh%252F%253Fauthz%253Dx", true),
            ("/f?%2561uthz=x", true),
            ("/f?q={%22token%22:%22x%22}", true),
            ("/f?sig=x", true),
            (&format!("/f?q={}", BASE64_STANDARD.encode(BASE64_STANDARD.encode("opaque.sent.token"))), true),
            ("/f?q=6f70617175652e73656e742e746f6b656e", true),
            ("/f?u=http%3A%2F%2Fh%2Ff%3Fpage%3D2", false),
            ("/f;v=2", false),
            ("/f", false),
            ("/f?page=2&recursive=1", false),
            ("/authz/token?q=1", false),
        ] {
            let url = Url::parse(&format!("http://h{rest}")).unwrap();
            assert_eq!(must_not_travel_in_clear(&url, &redactor), expected, "{rest}");
        }
    }

    #[test]
    fn a_masker_learns_the_parts_of_an_authorization_header() {
        let redactor = Redactor::new();
        add_authorization(&redactor, &HeaderValue::from_static("Basic bWU6aHVudGVyMnNlY3JldA=="));
        add_authorization(&redactor, &HeaderValue::from_static("Bearer callers-own-token"));
        for (text, expected) in [
            ("no user hunter2secret", "no user …"),
            ("bWU6aHVudGVyMnNlY3JldA==", "…"),
            ("got callers-own-token!", "got …!"),
        ] {
            assert_eq!(redactor.redact(text), expected, "{text}");
        }
    }

    #[test]
    fn the_usual_forms_are_known() {
        for (query, expected) in [
            ("authz=Bearer%20x", true),
            ("a=b&AUTHZ=x", true),
            ("%61uthz=x", true),
            ("a=b&access%5Ftoken=x", true),
            ("access_token=x", true),
            ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=ab", true),
            ("AWSAccessKeyId=a&Signature=b&Expires=1", true),
            ("X-Goog-Signature=ab", true),
            ("sv=2020&se=2030&sig=x", true),
            ("sig=x", false),
            ("signature=x", false),
            ("authz", false),
            ("xauthz=1&signed=2", false),
            ("dcache-http-uuid=1", false),
        ] {
            let url = Url::parse(&format!("https://h/f?{query}")).unwrap();
            assert_eq!(has_credential(&url), expected, "{query}");
        }
        assert!(!has_credential(&Url::parse("https://h/authz=x").unwrap()));
    }

    fn response(url: &str) -> Response {
        let builder = http::Response::builder().url(Url::parse(url).unwrap()).status(206).header("x-a", "b");
        builder.extension(5_u32).body("data").unwrap().into()
    }

    #[tokio::test]
    async fn only_the_credential_is_lost() {
        let response = strip_url_credentials(response("https://h:1/f?authz=Bearer%20x&recursive=1"), None);
        assert_eq!(response.url().as_str(), "https://h:1/f?recursive=1");
        assert_eq!((response.status().as_u16(), &response.headers()["x-a"]), (206, &"b".parse().unwrap()));
        assert_eq!(response.extensions().get::<u32>(), Some(&5));
        assert_eq!(response.text().await.unwrap(), "data");
    }

    #[test]
    fn a_url_without_a_credential_is_left_alone() {
        assert_eq!(
            strip_url_credentials(response("https://h/f?q=1#x"), None).url().as_str(),
            "https://h/f?q=1#x"
        );
    }
}
