//! Cases for the comparison with Python's Enforcer, the same in every run.

use serde_json::{Map, Value, json};

/// One question to both enforcers.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) claims: Value,
    pub(super) audience: Value,
    pub(super) authorization: &'static str,
    pub(super) path: Option<&'static str>,
}

/// Numbers that look random and are not (`SplitMix64`).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    /// Once in so many throws.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn one_of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

const SCOPES: [&str; 34] = [
    "read:/foo",
    "read:/foo",
    "read:/foo",
    "read:/",
    "read://foo//bar",
    "read:/foo/",
    "read:/foo/./x",
    "write:/foo",
    "write:/bar",
    "write:/",
    "READ:/foo",
    "read",
    "read:",
    "read:foo",
    "read:/foo/..",
    "read:/foo/%2e%2e/bar",
    "read:/foo/%252e%252e/bar",
    "read:/a%20b",
    "read:/%c3%bc",
    "read:/%4A",
    "read:/a%2fb",
    "read:/a%zz",
    "write:/../x",
    "compute.create",
    "compute.read",
    "compute.create:/a",
    "storage.read:/foo",
    "storage.read",
    "storage.create:/foo",
    "storage.modify:/foo",
    "storage.stage:/foo",
    "openid",
    "urn:example:scope",
    "",
];

const PATHS: [Option<&str>; 17] = [
    Some("/foo"),
    Some("/foo"),
    Some("/foo/x"),
    Some("/foobar"),
    Some("/"),
    Some("/bar"),
    Some("/foo/bar"),
    Some("/foo/"),
    Some("/foo/../etc"),
    Some("/foo/%2E%2E/etc"),
    Some("/foo/%2e%2e/etc"),
    Some("/a b"),
    Some("/ü"),
    Some("/J"),
    Some("relative"),
    Some(""),
    None,
];

const AUTHORIZATIONS: [&str; 12] = [
    "read",
    "read",
    "read",
    "read",
    "write",
    "compute.create",
    "compute.read",
    "storage.read",
    "storage.create",
    "storage.modify",
    "openid",
    "",
];

/// Scopes and questions that chance would seldom bring together.
const MEETINGS: [([&str; 2], &str, &str); 7] = [
    (["read:/%c3%bc", "openid"], "read", "/ü"),
    (["read:/%4A", "openid"], "read", "/J"),
    (["read:/a%20b", "openid"], "read", "/a b"),
    (["read:/foo", ""], "", "/foo"),
    (["read:/foo", "storage.read"], "read", "/foo"),
    (["urn:example:scope", "read:/foo"], "read", "/foo/x"),
    (["read:/foo", "write:/../x"], "read", "/foo/x"),
];

#[expect(clippy::too_many_lines, reason = "a list of claims, one after the other")]
/// One case; mostly good tokens with one or two oddities, so that every rule has its say.
pub(super) fn case(dice: &mut Dice, now: u64) -> Case {
    let mut claims = Map::new();
    let odd =
        |dice: &mut Dice, claims: &mut Map<String, Value>, name: &str, usual: Value, others: &[Value]| {
            let value = if dice.once_in(32) { dice.one_of(others) } else { usual };
            // `"absent"` stands for a claim that is not there.
            if value != "absent" {
                claims.insert(name.to_owned(), value);
            }
        };
    let absent = json!("absent");
    odd(
        dice,
        &mut claims,
        "iss",
        json!("https://iss.example"),
        &[
            json!("https://evil.example"),
            json!("https://iss.example/"),
            absent.clone(),
            json!(["https://iss.example"]),
        ],
    );
    odd(
        dice,
        &mut claims,
        "exp",
        json!(now + 6_000),
        &[
            json!(now - 100),
            json!(format!("{}.5", now + 6_000).parse::<f64>().unwrap()),
            json!((now + 6_000).to_string()),
            absent.clone(),
            Value::Null,
        ],
    );
    odd(dice, &mut claims, "iat", json!(now - 100), &[json!(now + 5_000), absent.clone(), json!("soon")]);
    odd(dice, &mut claims, "nbf", json!(now - 100), &[json!(now + 5_000), absent.clone()]);
    odd(dice, &mut claims, "sub", json!("alice"), &[absent.clone(), json!(5)]);
    odd(dice, &mut claims, "jti", json!("1"), &[absent.clone(), json!(5)]);
    odd(dice, &mut claims, "foo", absent.clone(), &[json!(1)]);
    odd(dice, &mut claims, "opt", absent.clone(), &[json!(1)]);
    let ver = dice.one_of(&[
        absent.clone(),
        absent.clone(),
        absent.clone(),
        json!("scitoken:2.0"),
        json!("scitoken:2.0"),
        json!("scitoken:2.0"),
        json!("scitoken:2.0"),
        json!("scitoken:2.0"),
        json!("scitoken:1.0"),
        json!("scitokens:1.0"),
        json!("scitokens:2.0"),
        json!("scitoken:3.0"),
        json!(1),
    ]);
    if ver != "absent" {
        claims.insert("ver".to_owned(), ver);
    }
    if dice.once_in(12) {
        claims.insert(
            "wlcg.ver".to_owned(),
            dice.one_of(&[json!("1.0"), json!("1.2"), json!("2.0"), json!(1.0)]),
        );
    }
    let aud = dice.one_of(&[
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!(["https://x.example", "https://aud.example"]),
        json!("ANY"),
        json!(["https://x.example", "ANY"]),
        json!("any"),
        json!("https://aud.example/"),
        json!("https://wlcg.cern.ch/jwt/v1/any"),
        json!([]),
        json!(5),
        absent.clone(),
        absent,
    ]);
    if aud != "absent" {
        claims.insert("aud".to_owned(), aud);
    }
    // Every other token is a plain one, so that there is something to allow.
    let is_plain = dice.once_in(2);
    let scopes: Vec<&str> = if is_plain {
        let plain = ["read:/foo", "write:/bar", "read:/", "storage.read:/foo", "compute.create", "openid"];
        (0..2 + dice.below(3)).map(|_| dice.one_of(&plain)).collect()
    } else {
        (0..=dice.below(3)).map(|_| dice.one_of(&SCOPES)).collect()
    };
    let meeting = dice.one_of(&MEETINGS);
    let is_meeting = dice.once_in(8);
    let scopes = if is_meeting { meeting.0.to_vec() } else { scopes };
    match dice.below(24) {
        0 => {}
        1 => drop(claims.insert("scp".to_owned(), json!(scopes))),
        2 => drop(claims.insert("scp".to_owned(), json!(scopes.join(" ")))),
        3 => drop(claims.insert("scope".to_owned(), json!(scopes))),
        _ => drop(claims.insert("scope".to_owned(), json!(scopes.join(" ")))),
    }
    let audience = dice.one_of(&[
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!("https://aud.example"),
        json!(["https://b.example", "https://aud.example"]),
        json!("ANY"),
        Value::Null,
    ]);
    let (mut authorization, mut path) = (dice.one_of(&AUTHORIZATIONS), dice.one_of(&PATHS));
    if is_plain && dice.once_in(2) {
        (authorization, path) = ("read", Some("/foo/x"));
    }
    if is_meeting {
        (authorization, path) = (meeting.1, Some(meeting.2));
    }
    Case { claims: Value::Object(claims), audience, authorization, path }
}
