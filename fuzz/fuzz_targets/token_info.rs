//! Gafaelfawr's models and error bodies: no JSON makes them panic, and what is written can be read again.
#![no_main]

use http::{HeaderMap, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use scitoken_gafaelfawr::{
    AdminTokenRequest, ApiError, TokenData, TokenInfo, TokenRow, UserInfo, UserTokenModifyRequest,
    UserTokenRequest,
};

fuzz_target!(|data: &[u8]| {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(data) {
        for name in ["retry-after", "www-authenticate", "x-error-body", "x-error-status", "x-ratelimit-limit"]
        {
            headers.insert(name, value.clone());
        }
    }
    let refusal = ApiError::new(StatusCode::FORBIDDEN, &headers, data);
    let _ = (
        refusal.to_string(),
        refusal.suggested_action(),
        refusal.retry_after(std::time::SystemTime::UNIX_EPOCH),
    );

    let Ok(json) = std::str::from_utf8(data) else { return };
    macro_rules! written_can_be_read {
        ($($model:ty),*) => {$(
            match <$model>::from_json(json) {
                Ok(model) => {
                    let written = model.to_json();
                    let again = <$model>::from_json(&written).expect(&written);
                    assert_eq!(again.to_json(), written);
                }
                Err(error) => drop(error.to_string()),
            }
        )*};
    }
    written_can_be_read!(UserInfo, AdminTokenRequest, UserTokenRequest, UserTokenModifyRequest);
    // Seconds after the year 2603 are read as milliseconds, here and by Pydantic, so these are not compared.
    if let Ok(info) = TokenInfo::from_json(json) {
        TokenInfo::from_json(&info.to_json()).expect("written by us");
        let row = TokenRow::from(&info).into_info(info.parent().cloned()).expect("a row of a good model");
        assert_eq!((row.key(), row.base().expires()), (info.key(), info.base().expires()));
    }
    if let Ok(data) = TokenData::from_redis_json(json) {
        let again = TokenData::from_redis_json(&data.expose_redis_json()).expect("written by us");
        assert_eq!((again.user(), again.token()), (data.user(), data.token()));
    }
});
