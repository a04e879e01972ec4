//! Recorded results of Gafaelfawr for tokens, models, headers and names.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest_scitokens::auth::ChallengeError;
use scitoken_gafaelfawr::{
    AdminTokenRequest, ApiError, FieldError, GafaelfawrToken, GroupName, InvalidGafaelfawrToken,
    LocationSegment, Quota, SuggestedAction, TokenBase, TokenData, TokenInfo, TokenUserInfo, UserGroup,
    UserInfo, UserTokenModifyRequest, UserTokenRequest, Username, ValidationError,
};
use serde_json::{Value, json};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../data/vectors.json")).unwrap()
}

fn cases(name: &str) -> Vec<Value> {
    let cases = vectors()[name].as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

/// Reads a value as the model of that name, and gives it back as JSON with and without nulls.
fn model(name: &str, input: &Value) -> Result<(Value, Value), ValidationError> {
    let input = &input.to_string();
    let parse = |json: String| serde_json::from_str(&json).unwrap();
    macro_rules! both {
        ($model:ty) => {
            <$model>::from_json(input)
                .map(|model| (parse(model.to_json()), parse(model.to_json_without_nulls())))
        };
    }
    match name {
        "TokenBase" => both!(TokenBase),
        "TokenInfo" => both!(TokenInfo),
        "TokenUserInfo" => both!(TokenUserInfo),
        "UserInfo" => both!(UserInfo),
        "Group" => both!(UserGroup),
        "Quota" => both!(Quota),
        "AdminTokenRequest" => both!(AdminTokenRequest),
        "UserTokenRequest" => both!(UserTokenRequest),
        "UserTokenModifyRequest" => both!(UserTokenModifyRequest),
        "TokenData" => TokenData::from_redis_json(input).map(|data| {
            let json: Value = parse(data.expose_redis_json());
            let mut short = json.clone();
            short.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            (json, short)
        }),
        other => panic!("no model `{other}`"),
    }
}

fn field_error(error: &FieldError) -> Value {
    let location: Vec<Value> = error
        .location()
        .iter()
        .map(|segment| match segment {
            LocationSegment::Field(name) => json!(name),
            LocationSegment::Index(index) => json!(index),
        })
        .collect();
    json!({"loc": location, "type": error.kind(), "msg": error.message()})
}

#[test]
fn tokens_are_parsed_as_the_server_parses_them() {
    for case in cases("token_parse") {
        let input = case["input"].as_str().unwrap();
        let parsed: Result<GafaelfawrToken, InvalidGafaelfawrToken> = input.parse();
        if case["ok"] == true {
            let token = parsed.unwrap();
            assert_eq!(token.key().as_str(), case["key"], "{case}");
            assert_eq!(token.expose_secret(), input);
        } else {
            assert_eq!(parsed.unwrap_err().server_message(), case["message"], "{case}");
        }
    }
}

#[test]
fn models_are_validated_and_written_as_pydantic_does() {
    for case in cases("models") {
        match model(case["model"].as_str().unwrap(), &case["input"]) {
            Ok((json, without_nulls)) => {
                assert_eq!(case["ok"], true, "{case}");
                assert_eq!(json, case["json"], "{case}");
                assert_eq!(without_nulls, case["without_nulls"], "{case}");
                let again = model(case["model"].as_str().unwrap(), &json).unwrap();
                assert_eq!(again.0, json, "what is written can be read: {case}");
            }
            Err(error) => {
                assert_eq!(case["ok"], false, "{error} in {case}");
                let errors: Vec<Value> = error.errors().iter().map(field_error).collect();
                assert_eq!(json!(errors), case["errors"], "{case}");
            }
        }
    }
}

#[test]
fn authorization_headers_are_read_as_the_server_reads_them() {
    for case in cases("authorization") {
        let header = HeaderValue::from_str(case["header"].as_str().unwrap()).unwrap();
        match GafaelfawrToken::from_authorization(&header) {
            Ok(token) => {
                assert_eq!(case["ok"], true, "{case}");
                assert_eq!(
                    json!(token.as_ref().map(GafaelfawrToken::expose_secret)),
                    case["token"],
                    "{case}"
                );
            }
            Err(error) => {
                assert_eq!(case["ok"], false, "{case}");
                assert_eq!(error.code(), case["error"], "{case}");
                assert_eq!(error.server_message(), case["message"], "{case}");
            }
        }
    }
}

#[test]
fn error_responses_have_the_intended_status_and_action() {
    for case in cases("challenges") {
        let status = StatusCode::from_u16(u16::try_from(case["status"].as_u64().unwrap()).unwrap()).unwrap();
        let headers: HeaderMap = case["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                let name: HeaderName = name.parse().unwrap();
                (name, HeaderValue::from_str(value.as_str().unwrap()).unwrap())
            })
            .collect();
        let body = case["body"].to_string();
        let error = ApiError::new(status, &headers, body.as_bytes());
        let expect = &case["expect"];
        assert_eq!(error.status().as_u16(), expect["effective_status"], "{case}");
        assert_eq!(json!(error.kind()), expect["type"], "{case}");
        assert_eq!(json!(error.message()), expect["msg"], "{case}");
        let retry_after = expect["retry_after"].as_u64();
        let retry_after = retry_after.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(error.retry_after(SystemTime::UNIX_EPOCH), retry_after, "{case}");
        assert_eq!(challenge(&error), expect["challenge"], "{case}");
        let action = match expect["client"].as_str().unwrap() {
            "attach a token and try once" | "as the 401 without credentials, under the 403 policy" => {
                SuggestedAction::AttachToken
            }
            "final unless the source has another token" => SuggestedAction::ReplaceToken,
            "final; say which scopes are wanted" => SuggestedAction::RequestScopes,
            "wait until retry_after" => SuggestedAction::Wait,
            "final" | "no Bearer challenge: final" => SuggestedAction::None,
            other => panic!("no action for `{other}`"),
        };
        assert_eq!(error.suggested_action(), action, "{case}");
    }
}

fn challenge(error: &ApiError) -> Value {
    if let Some(challenge) = error.challenge() {
        let scopes = error.required_scopes();
        let scopes: Vec<&str> = scopes.iter().collect();
        let error = challenge.error().map(|error| match error {
            ChallengeError::InvalidRequest => "invalid_request",
            ChallengeError::InvalidToken => "invalid_token",
            ChallengeError::InsufficientScope => "insufficient_scope",
            other => panic!("{other:?}"),
        });
        return json!({
            "scheme": "bearer",
            "realm": challenge.realm(),
            "error": error,
            "error_description": challenge.error_description(),
            "scopes": if scopes.is_empty() { Value::Null } else { json!(scopes) },
        });
    }
    error.basic_realm().map_or(Value::Null, |realm| {
        json!({"scheme": "basic", "realm": realm, "error": null, "error_description": null, "scopes": null})
    })
}

#[test]
fn names_are_those_that_the_server_allows() {
    for case in cases("usernames") {
        let name = case["input"].as_str().unwrap();
        assert_eq!(json!(name.parse::<Username>().is_ok()), case["ok"], "{case}");
    }
    for case in cases("bot_usernames") {
        let name = case["input"].as_str().unwrap();
        assert_eq!(json!(name.parse().is_ok_and(|name: Username| name.is_bot())), case["ok"], "{case}");
    }
    for case in cases("groupnames") {
        let name = case["input"].as_str().unwrap();
        assert_eq!(json!(name.parse::<GroupName>().is_ok()), case["ok"], "{case}");
    }
}

#[test]
fn the_schema_is_the_published_one() {
    let published: Value = serde_json::from_str(include_str!("../data/token_base.schema.json")).unwrap();
    let ours: Value = serde_json::from_str(&TokenBase::json_schema()).unwrap();
    assert_eq!(ours, published);
}

#[test]
fn the_redis_form_is_byte_for_byte_that_of_the_service() {
    let json = concat!(
        r#"{"username":"someuser","name":"Sömé \"User\"","email":"a@b","uid":123,"gid":4,"#,
        r#""groups":[{"name":"g","id":1}],"token_type":"session","service":null,"#,
        r#""scopes":["read:all","user:token"],"created":1614986130,"expires":1616986130,"#,
        r#""token":{"key":"MLF5MB3Peg79wEC0BY8U8Q","secret":"ChbkqEyp3EIJ2e_1Sqff3w"}}"#,
    );
    let data = TokenData::from_redis_json(json).unwrap();
    assert_eq!(data.expose_redis_json(), json);
    assert_eq!(data.user().groups().map(<[UserGroup]>::len), Some(1));
    assert_eq!(data.base().username(), "someuser");
}

#[test]
fn neither_the_data_nor_an_error_about_it_shows_the_secret() {
    let secret = "ChbkqEyp3EIJ2e_1Sqff3w";
    let json = |key: &str, secret: &str| {
        json!({
            "username": "u", "token_type": "user", "scopes": [], "created": 1,
            "token": {"key": key, "secret": secret},
        })
        .to_string()
    };
    let good = json("MLF5MB3Peg79wEC0BY8U8Q", secret);
    assert!(!format!("{:#?}", TokenData::from_redis_json(&good).unwrap()).contains(secret));
    for bad in
        [json("MLF5MB3Peg79wEC0BY8U8Q", &format!("{secret}!")), json("k", secret), good.replace('}', "")]
    {
        let error = TokenData::from_redis_json(&bad).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(secret), "{error}");
    }
}
