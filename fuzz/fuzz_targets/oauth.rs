//! Answers of an OAuth server: tokens, metadata, a device authorization.
#![no_main]

mod answer;

use answer::{Answer, run};
use libfuzzer_sys::fuzz_target;
use scitoken_storage::oauth::{GrantRequest, OAuthClient, ProviderMetadata, TokenResponse};

const ISSUER: &str = "https://h/";

fuzz_target!(|input: (u16, &str)| {
    let (status, body) = input;
    let now = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(2_000_000_000);
    if let Ok(response) = TokenResponse::from_json(body, now) {
        let _ = (response.token_data(), response.notes().len());
    }
    if let Ok(metadata) = ProviderMetadata::from_json(ISSUER, body) {
        assert_eq!(metadata.token_endpoint().scheme(), "https");
    }
    let status = if status < 0x8000 { 200 } else { 400 + status % 200 };
    let answer = Answer {
        status,
        headers: vec![("content-type", b"application/json".into())],
        body: body.as_bytes().into(),
    };
    let metadata = ProviderMetadata::new(ISSUER, "https://h/token".parse().expect("a URL"))
        .with_device_authorization_endpoint("https://h/device".parse().expect("a URL"));
    let client = OAuthClient::new(answer.client(), metadata, "id").with_secret("Zz9secret9zZ");
    run(async {
        let request = GrantRequest::new();
        for error in
            [client.client_credentials(&request).await.err(), client.authorize_device(&request).await.err()]
                .into_iter()
                .flatten()
        {
            assert!(!format!("{error} {error:?}").contains("Zz9secret9zZ"), "a secret is shown");
        }
    });
});
