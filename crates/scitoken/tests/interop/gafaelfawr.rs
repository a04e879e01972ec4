//! Our models against Pydantic's. Needs a Python with `pydantic` (`safir` is used where it is there).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use http::HeaderValue;
use scitoken_gafaelfawr::{
    AdminTokenRequest, FieldError, GafaelfawrToken, LocationSegment, Quota, TokenBase, TokenData, TokenInfo,
    TokenUserInfo, UserGroup, UserInfo, UserTokenModifyRequest, UserTokenRequest, ValidationError,
};
use serde_json::{Map, Value, json};

use crate::gafaelfawr_values::{Shape, odd};
use crate::python::Oracle;
use crate::support::met;

const SCRIPT: &str = "python/gafaelfawr_models.py";
pub(crate) const KEY: &str = "MLF5MB3Peg79wEC0BY8U8Q";
const SECRET: &str = "ChbkqEyp3EIJ2e_1Sqff3w";

use Shape::{Groups, Integer, Key, Kind, Scopes, Text, Time};

const BASE: [(&str, Shape); 6] = [
    ("username", Text),
    ("token_type", Kind),
    ("service", Text),
    ("scopes", Scopes),
    ("created", Time),
    ("expires", Time),
];
const USER: [(&str, Shape); 6] = [
    ("username", Text),
    ("name", Text),
    ("email", Text),
    ("uid", Integer),
    ("gid", Integer),
    ("groups", Groups),
];

fn models() -> Vec<(&'static str, Vec<(&'static str, Shape)>)> {
    let with = |fields: &[(&'static str, Shape)], more: &[(&'static str, Shape)]| [fields, more].concat();
    let info = [("token", Key), ("token_name", Text), ("last_used", Time), ("parent", Key)];
    let request = [("token_name", Text), ("scopes", Scopes), ("expires", Time)];
    vec![
        ("TokenBase", BASE.to_vec()),
        ("TokenInfo", with(&BASE, &info)),
        ("TokenUserInfo", USER.to_vec()),
        ("UserInfo", with(&USER, &[("quota", Shape::Quota)])),
        ("TokenData", with(&with(&BASE, &USER[1..]), &[("token", Shape::Token)])),
        ("AdminTokenRequest", with(&with(&USER, &request), &[("token_type", Kind)])),
        ("UserTokenRequest", request.to_vec()),
        ("UserTokenModifyRequest", request.to_vec()),
    ]
}

/// A value that every model takes.
fn plain(name: &str, shape: Shape) -> Value {
    match shape {
        Text if name == "username" => json!("someuser"),
        Text => json!("some text"),
        Key => json!(KEY),
        Kind => json!("user"),
        Scopes => json!(["user:token", "read:all"]),
        Time => json!(1_614_986_130),
        Integer => json!(4123),
        Groups => json!([{"name": "g_special", "id": 123_181}]),
        Shape::Quota => json!({"api": {"tap": 500}, "notebook": {"cpu": 4, "memory": 16.5}}),
        Shape::Token => json!({"key": KEY, "secret": SECRET}),
    }
}

/// Every field with every odd value, every field absent, then several fields at once.
fn cases() -> Vec<(&'static str, Value)> {
    let mut cases = vec![("TokenBase", json!(5)), ("UserInfo", json!(null)), ("Group", json!([]))];
    let mut dice = Dice(20_261_125);
    for (model, fields) in models() {
        let whole: Map<String, Value> =
            fields.iter().map(|(name, shape)| ((*name).to_owned(), plain(name, *shape))).collect();
        cases.push((model, Value::Object(whole.clone())));
        for (name, shape) in &fields {
            let mut without = whole.clone();
            without.remove(*name);
            cases.push((model, Value::Object(without)));
            for value in odd(*shape) {
                let mut with = whole.clone();
                with.insert((*name).to_owned(), value);
                cases.push((model, Value::Object(with)));
            }
        }
        for _ in 0..60 {
            let mut mixed = whole.clone();
            mixed.insert("unknown".to_owned(), json!(1));
            for (name, shape) in &fields {
                match dice.below(3) {
                    0 => drop(mixed.remove(*name)),
                    1 => {
                        let values = odd(*shape);
                        mixed.insert((*name).to_owned(), values[dice.below(values.len())].clone());
                    }
                    _ => {}
                }
            }
            cases.push((model, Value::Object(mixed)));
        }
    }
    cases
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// What we answer: the JSON of the model, without nulls and as sent, or the mistakes.
fn ours(model: &str, input: &Value) -> Result<[Value; 3], ValidationError> {
    let input = &input.to_string();
    let parse = |json: String| serde_json::from_str::<Value>(&json).unwrap();
    macro_rules! read {
        ($model:ty) => {
            <$model>::from_json(input).map(|model| {
                let sent = serde_json::to_value(&model).unwrap();
                [parse(model.to_json()), parse(model.to_json_without_nulls()), sent]
            })
        };
    }
    match model {
        "TokenBase" => read!(TokenBase),
        "TokenInfo" => read!(TokenInfo),
        "TokenUserInfo" => read!(TokenUserInfo),
        "UserInfo" => read!(UserInfo),
        "Group" => read!(UserGroup),
        "Quota" => read!(Quota),
        "AdminTokenRequest" => read!(AdminTokenRequest),
        "UserTokenRequest" => read!(UserTokenRequest),
        "UserTokenModifyRequest" => read!(UserTokenModifyRequest),
        "TokenData" => TokenData::from_redis_json(input).map(|data| {
            let json = parse(data.expose_redis_json());
            let mut short = json.clone();
            short.as_object_mut().unwrap().retain(|_, value| !value.is_null());
            [json, short, Value::Null]
        }),
        other => panic!("no model `{other}`"),
    }
}

fn told(problem: &FieldError) -> Value {
    let place = problem.location().iter().map(|step| match step {
        LocationSegment::Field(name) => json!(name),
        LocationSegment::Index(index) => json!(index),
    });
    json!({"loc": place.collect::<Vec<_>>(), "type": problem.kind(), "msg": problem.message()})
}

/// Compares one answer; the text says what is different.
fn compare(model: &str, input: &Value, theirs: &Value) -> Result<(), String> {
    match ours(model, input) {
        Ok([mut json, mut without_nulls, sent]) => {
            let (mut their_json, mut their_short) = (theirs["json"].clone(), theirs["without_nulls"].clone());
            if input.get("created").is_none() {
                for value in [&mut json, &mut without_nulls, &mut their_json, &mut their_short] {
                    value.as_object_mut().map(|fields| fields.remove("created"));
                }
            }
            let sent_differs = model == "UserTokenModifyRequest" && !same_change(&sent, &theirs["as_sent"]);
            if theirs["ok"] != true || json != their_json || without_nulls != their_short || sent_differs {
                return Err(format!("we take it as {json}, sent as {sent}"));
            }
        }
        // Where the Python model breaks instead of refusing, we refuse.
        Err(_) if theirs.get("raised").is_some() => {}
        Err(error) => {
            let problems: Vec<Value> = error.errors().iter().map(told).collect();
            if theirs["ok"] != false || json!(problems) != theirs["errors"] {
                return Err(format!("we refuse it with {}", json!(problems)));
            }
        }
    }
    Ok(())
}

/// Returns whether two changes do the same: a name or scopes that are null change nothing, an end that is null does.
fn same_change(ours: &Value, theirs: &Value) -> bool {
    let mut theirs = theirs.clone();
    if let Some(fields) = theirs.as_object_mut() {
        fields.retain(|name, value| name == "expires" || !value.is_null());
    }
    *ours == theirs
}

/// Where we differ on purpose: Python takes these, and we say why we don't.
fn differences() -> [(&'static str, Value, &'static str); 6] {
    let base = |scopes: Value| json!({"username": "u", "token_type": "user", "scopes": scopes});
    let data = |token: Value| json!({"username": "u", "token_type": "user", "scopes": [], "token": token});
    [
        ("TokenBase", base(json!([1, null])), "scopes that are no texts fail later, when they are sorted"),
        ("TokenData", data(json!({"key": "k", "secret": "s"})), "such a token could not be sent"),
        (
            "TokenData",
            data(json!({"key": "é".repeat(22), "secret": SECRET})),
            "such a token could not be sent",
        ),
        ("Group", json!({"name": "g", "id": "9".repeat(20)}), "no system has ids of more than 64 bits"),
        (
            "TokenUserInfo",
            json!({"username": "u", "uid": u64::MAX}),
            "no system has ids of more than 64 bits",
        ),
        (
            "Quota",
            json!({"notebook": {"cpu": "inf", "memory": 1}}),
            "JSON has no infinite numbers to write it as",
        ),
    ]
}

/// Pydantic 2.14 or newer, which Gafaelfawr needs; older ones read some fractions of seconds differently.
fn pydantic() -> Option<Oracle> {
    const CHECK: &str =
        "import pydantic; assert [int(n) for n in pydantic.VERSION.split('.')[:2]] >= [2, 14]";
    met("pydantic 2.14 or newer", Oracle::start(SCRIPT, CHECK))
}

#[test]
fn pydantic_agrees_on_generated_inputs() {
    let Some(mut oracle) = pydantic() else { return };
    let cases = cases();
    assert!(cases.len() >= 200, "{}", cases.len());
    let mut wrong = Vec::new();
    let (mut taken, mut refused) = (0, 0);
    for (model, input) in &cases {
        let theirs = oracle.ask(&json!({"model": model, "input": input}));
        if theirs["ok"] == true {
            taken += 1;
        } else {
            refused += 1;
        }
        if let Err(why) = compare(model, input, &theirs) {
            wrong.push(format!("{model} {input}\n  theirs: {theirs}\n  {why}"));
        }
    }
    assert!(taken > 100 && refused > 100, "{taken} taken, {refused} refused");
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn the_differences_are_the_ones_that_are_listed() {
    let Some(mut oracle) = pydantic() else { return };
    for (model, input, reason) in differences() {
        let theirs = oracle.ask(&json!({"model": model, "input": input}));
        let python_takes_it = theirs["ok"] == true || theirs.get("raised").is_some();
        assert!(python_takes_it, "{model} {input}: {theirs}; was: {reason}");
        assert!(ours(model, &input).is_err(), "{model} {input}: {reason}");
    }
}

#[test]
fn python_agrees_on_authorization_headers() {
    let Some(mut oracle) = pydantic() else { return };
    for header in headers() {
        let theirs = oracle.ask(&json!({"model": "Authorization", "input": header}));
        let bytes: Vec<u8> = header.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let ours = match GafaelfawrToken::from_authorization(&HeaderValue::from_bytes(&bytes).unwrap()) {
            Ok(token) => json!({"ok": true, "token": token.as_ref().map(GafaelfawrToken::expose_secret)}),
            Err(error) => json!({"ok": false, "error": error.code()}),
        };
        assert_eq!(ours, theirs, "{header:?}");
    }
}

fn headers() -> Vec<String> {
    let (token, other) = (format!("gt-{KEY}.{SECRET}"), format!("gt-{SECRET}.{KEY}"));
    let encode = |text: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text);
    let mut headers: Vec<String> =
        ["", " ", "Bearer", "Bearer ", " Bearer", "Basic", "token foo", "Bearer foo", "\u{a0}"]
            .map(str::to_owned)
            .to_vec();
    for scheme in ["Bearer ", "bEARER\t", " Bearer   ", "Token ", "", "Bearer\u{a0}", "Bearer\u{85}"] {
        headers.extend([
            format!("{scheme}{token}"),
            format!("{scheme}{token} "),
            format!("{scheme}x{token}"),
        ]);
    }
    let pairs = ["foo:foo", ":", "", "a:b:c", "\u{e9}:x", "no colon"];
    let tokens = ["{}:x-oauth-basic", "x-oauth-basic:{}", "{}:", " {}: \n", "{}:{}", "{}", "{}:x:y", "x{}:y"];
    let mut credentials: Vec<String> = pairs.map(str::to_owned).to_vec();
    credentials.extend(tokens.map(|text| text.replace("{}", &token)));
    credentials.push(format!("{token}:{other}"));
    for text in credentials {
        let encoded = encode(&text);
        headers.extend([
            format!("Basic {encoded}"),
            format!("basic {}", encoded.trim_end_matches('=')),
            format!("Basic {encoded}=="),
            format!("Basic {encoded}Zm9v"),
            format!("Basic -{}_", encoded.replace('M', "M!*\t")),
            format!("Basic {encoded}\u{e9}"),
            format!("Basic {}", encoded.replacen('d', "d=", 1)),
        ]);
    }
    headers
}
