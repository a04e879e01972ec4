//! Odd tokens, the same ones in every run.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use scitoken_jwt::keys::{Algorithm, SigningKey};
use scitoken_jwt::{ClaimCheck, Validation};
use scitoken_types::sys::ManualClock;
use serde_json::{Map, Value, json};

/// When every case is judged.
const NOW: u64 = 2_000_000_000;

/// Values for claims: of every type, around the time of judgement, and what only Python takes for a number.
const TIMES: [&str; 44] = [
    "2000000000",
    "2000000001",
    "1999999999",
    "2000000000.5",
    "2000000000.9",
    "1999999999.9",
    "2e9",
    "2.0000000005E+9",
    "1999999990",
    "1999999995",
    "2000000005",
    "2000000010",
    "0",
    "-0",
    "-5",
    "-1.5",
    "1e400",
    "-1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "1000000000000000000000000000000",
    "-1000000000000000000000000000000",
    "1e300",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "[2000000001]",
    "\"\"",
    "\"x\"",
    "\"2000000001\"",
    "\" 2000000001 \"",
    "\"2_000_000_001\"",
    "\"2__0\"",
    "\"_2\"",
    "\"+2000000001\"",
    "\"-5\"",
    "\"\\u0662\\u0660\"",
    "\"1e3\"",
    "\"0x10\"",
    "\"\\u00a02000000001\\u2003\"",
    "\"2000000001.0\"",
];

const TEXTS: [&str; 26] = [
    "\"a\"",
    "\"b\"",
    "\"c\"",
    "\"a\"",
    "\"A\"",
    "\"\"",
    "\" a\"",
    "\"a/\"",
    "\"\\u0061\"",
    "\"\\ud800\"",
    "\"\\u00e9\"",
    "[\"a\"]",
    "[\"b\",\"a\"]",
    "[\"x\"]",
    "[]",
    "[1]",
    "[\"a\",1]",
    "[[\"a\"]]",
    "{}",
    "{\"a\":1}",
    "5",
    "0",
    "true",
    "false",
    "null",
    "0.0",
];

const VALUES: [&str; 20] = [
    "1",
    "-0",
    "1.50",
    "1e16",
    "1E-7",
    "123456789012345678901234567890",
    "\"\\ud83d\\ude00\"",
    "\"\\udfff\\ud800\"",
    "\"\\u0000\\b\\f\\n\\r\\t\\/\\\\\\\"\"",
    "\"caf\u{e9} \u{1f600} \u{7f} \u{2028}\"",
    "[1, [2, [3]]]",
    "{\"z\": 1, \"a\": {\"y\": null, \"b\": true}}",
    "NaN",
    "-Infinity",
    "null",
    "false",
    "[]",
    "{}",
    "\"\"",
    "5e-324",
];

/// Whole payloads that are hardly JSON.
const PAYLOADS: [&[u8]; 34] = [
    b"",
    b"nope",
    b"null",
    b"[]",
    b"5",
    b"\"x\"",
    b" {} ",
    b"\t\r\n{}\n",
    b"{} x",
    b"{}{}",
    b"{\"a\":1,}",
    b"{,}",
    b"{a:1}",
    b"{'a':1}",
    b"{\"a\":01}",
    b"{\"a\":1.}",
    b"{\"a\":.5}",
    b"{\"a\":+1}",
    b"{\"a\":1e}",
    b"{\"a\":\"\x01\"}",
    b"{\"a\":\"\\x\"}",
    b"{\"a\":\"\\u12\"}",
    b"{\"a\":nan}",
    b"{\"a\" 1}",
    b"\xef\xbb\xbf{\"a\":1}",
    b"\xff\xfe{\0}\0",
    b"\xfe\xff\0{\0}",
    b"{\0}\0",
    b"\0{\0}",
    b"{\"a\":\"\xff\"}",
    b"{\"a\":\"\xed\xa0\x80\"}",
    b"{\"a\":\"\xc3\xa9\"}",
    b"{\"a\":1,\"a\":2,\"b\":3}",
    b"\x0c{}",
];

const HEADERS: [&str; 40] = [
    r#"{"alg":"HS256"}"#,
    r#"{"alg":"HS256","typ":"JWT"}"#,
    r#"{"alg":"HS384"}"#,
    r#"{"alg":"HS512"}"#,
    r#"{"alg":"none"}"#,
    r#"{"alg":"hs256"}"#,
    r#"{"alg":"foo"}"#,
    r#"{"alg":5}"#,
    r#"{"alg":null}"#,
    r#"{"alg":""}"#,
    r#"{"alg":["HS256"]}"#,
    r"{}",
    r#"{"typ":"JWT"}"#,
    r#"{"alg":"HS256","kid":"k"}"#,
    r#"{"alg":"HS256","kid":5}"#,
    r#"{"alg":"HS256","kid":null}"#,
    r#"{"alg":"HS256","kid":""}"#,
    r#"{"alg":"HS256","kid":["k"]}"#,
    r#"{"alg":"HS256","crit":[]}"#,
    r#"{"alg":"HS256","crit":["exp"]}"#,
    r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
    r#"{"alg":"HS256","crit":["b64"]}"#,
    r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
    r#"{"alg":"HS256","crit":["b64","b64"],"b64":true}"#,
    r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
    r#"{"alg":"HS256","b64":false}"#,
    r#"{"alg":"HS256","b64":true}"#,
    r#"{"alg":"HS256","b64":0}"#,
    r#"{"alg":"HS256","b64":null}"#,
    r#"{"alg":"HS256","crit":"b64","b64":true}"#,
    r#"{"alg":"HS256","crit":null}"#,
    r#"{"alg":"HS256","crit":[1]}"#,
    r#"{"alg":"HS256","crit":{}}"#,
    r#"{"alg":"HS256","typ":5,"x5c":5,"cty":null}"#,
    r#"{"alg":"none","alg":"HS256"}"#,
    r#"{"alg":"HS256","alg":"none"}"#,
    r#" {"alg" : "HS256"} "#,
    r#"{"alg":"HS256"#,
    r#"["HS256"]"#,
    r#"{"alg":"\u0048S256","jwk":{"kty":"oct","k":"AAAA"}}"#,
];

/// A token, and how it is to be judged: the arguments of PyJWT's `decode`.
pub(super) struct Case {
    token: Vec<u8>,
    algorithms: Vec<&'static str>,
    args: Map<String, Value>,
}

impl Case {
    pub(super) fn token(&self) -> &[u8] {
        &self.token
    }

    fn options(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.args.get("options").and_then(Value::as_object).into_iter().flatten()
    }

    pub(super) fn verifies(&self) -> bool {
        self.options().all(|(name, value)| name != "verify_signature" || *value == json!(true))
    }

    pub(super) fn question(&self, secret: &str) -> Value {
        json!({
            "do": "decode", "token": BASE64_STANDARD.encode(&self.token), "key": {"text": secret},
            "algorithms": self.algorithms, "now": NOW, "args": self.args,
        })
    }

    pub(super) fn validation(&self) -> Validation {
        let texts = |value: &Value| -> Vec<String> {
            value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
        };
        let mut validation = Validation::new().clock(ManualClock::at_epoch_seconds(NOW));
        for algorithm in &self.algorithms {
            validation = validation.allow_name(*algorithm);
        }
        for (argument, value) in &self.args {
            validation = match (argument.as_str(), value) {
                ("audience", Value::String(audience)) => validation.audience(audience),
                ("audience", many) => validation.audiences(texts(many)),
                ("issuer", Value::String(issuer)) => validation.issuer(issuer),
                ("issuer", many) => validation.issuers(texts(many)),
                ("subject", subject) => validation.subject(subject.as_str().unwrap()),
                ("leeway", seconds) => validation.leeway_seconds(seconds.as_f64().unwrap()),
                ("detached_payload", payload) => {
                    validation.detached_payload(BASE64_STANDARD.decode(payload.as_str().unwrap()).unwrap())
                }
                ("options", _) => validation,
                other => panic!("{other:?}"),
            };
        }
        for (option, value) in self.options() {
            validation = match (option.as_str(), value) {
                ("strict_aud", Value::Bool(true)) => validation.strict_audience(),
                ("require", claims) => texts(claims).into_iter().fold(validation, Validation::require),
                ("verify_signature", _) => validation,
                (check, Value::Bool(wanted)) => {
                    let check = ClaimCheck::of_claim(check.strip_prefix("verify_").unwrap()).unwrap();
                    if *wanted { validation.check(check) } else { validation.skip(check) }
                }
                other => panic!("{other:?}"),
            };
        }
        validation
    }
}

/// Makes cases from a number (xorshift64*), so that a failure comes again.
pub(super) struct Generator<'a> {
    state: u64,
    key: &'a SigningKey,
}

impl<'a> Generator<'a> {
    pub(super) fn new(seed: u64, key: &'a SigningKey) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, key }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    pub(super) fn case(&mut self) -> Case {
        let header = if self.one_in(3) { self.pick(&HEADERS) } else { HEADERS[0] }.to_owned();
        let payload = if self.one_in(6) { self.pick(&PAYLOADS).to_vec() } else { self.claims().into_bytes() };
        let is_detached = header.contains("\"b64\":false") && !self.one_in(4);
        let mut args = self.args();
        let mut segments =
            vec![BASE64_URL_SAFE_NO_PAD.encode(&header), BASE64_URL_SAFE_NO_PAD.encode(&payload)];
        let signed = if is_detached {
            [segments[0].as_bytes(), b".", &payload].concat()
        } else {
            segments.join(".").into_bytes()
        };
        if is_detached {
            segments[1].clear();
        }
        if is_detached != self.one_in(20) {
            args.insert("detached_payload".to_owned(), json!(BASE64_STANDARD.encode(&payload)));
        }
        let algorithm = ["HS384", "HS512"].iter().find(|name| header.contains(*name)).unwrap_or(&"HS256");
        let signature = self.key.sign(algorithm.parse().unwrap_or(Algorithm::Hs256), &signed).unwrap();
        segments.push(BASE64_URL_SAFE_NO_PAD.encode(signature));
        let mut token = segments.join(".").into_bytes();
        if self.one_in(4) {
            self.damage(&mut token);
        }
        let algorithms = match self.below(12) {
            0 => vec![],
            1 => vec!["HS512"],
            2 => vec!["HS256", "HS384", "HS512"],
            3 => vec!["foo", "HS256", ""],
            4 => vec!["none", "HS256"],
            _ => vec!["HS256"],
        };
        Case { token, algorithms, args }
    }

    /// Claims of which most are good, so that the later checks are reached.
    fn claims(&mut self) -> String {
        let mut members = Vec::new();
        for name in ["exp", "nbf", "iat", "aud", "iss", "sub", "jti", "scope"] {
            if self.one_in(3) {
                continue;
            }
            let is_odd = self.one_in(4);
            let value = match (name, is_odd) {
                ("exp", false) => "2000000100",
                ("nbf" | "iat", false) => "1999999900",
                ("exp" | "nbf" | "iat", true) => self.pick(&TIMES),
                (_, false) => "\"a\"",
                (_, true) => self.pick(&TEXTS),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        if self.one_in(3) {
            members.push(format!("\"extra\":{}", self.pick(&VALUES)));
        }
        if self.one_in(10) && !members.is_empty() {
            members.push(members[0].replace("\"a\"", "\"b\""));
        }
        let turn = self.below(members.len().max(1));
        members.rotate_left(turn);
        format!("{{{}}}", members.join(","))
    }

    fn args(&mut self) -> Map<String, Value> {
        let mut args = Map::new();
        let expected =
            [json!("a"), json!("a"), json!("b"), json!(""), json!(["x", "a"]), json!(["b", "c"]), json!([])];
        if !self.one_in(4) {
            args.insert("audience".to_owned(), expected[self.below(expected.len())].clone());
        }
        if !self.one_in(3) {
            args.insert("issuer".to_owned(), expected[self.below(expected.len())].clone());
        }
        if self.one_in(3) {
            args.insert("subject".to_owned(), json!(self.pick(&["a", "a", "b", ""])));
        }
        if self.one_in(3) {
            args.insert("leeway".to_owned(), json!(self.pick(&[0.0, 0.5, 1.0, 10.0, 10.5, -10.0, 1e12])));
        }
        let mut options = Map::new();
        for check in ClaimCheck::ALL {
            if self.one_in(12) {
                options.insert(format!("verify_{}", check.claim()), json!(self.one_in(4)));
            }
        }
        if self.one_in(8) {
            options.insert("strict_aud".to_owned(), json!(true));
        }
        if self.one_in(6) {
            options.insert(
                "require".to_owned(),
                json!([self.pick(&["exp", "jti", "scope", "sub"]), self.pick(&["exp", "aud"])]),
            );
        }
        if self.one_in(10) {
            options.insert("verify_signature".to_owned(), json!(false));
        }
        if !options.is_empty() {
            args.insert("options".to_owned(), Value::Object(options));
        }
        args
    }

    /// Changes the text of a token: a byte, its length, its dots, its padding.
    fn damage(&mut self, token: &mut Vec<u8>) {
        let at = self.below(token.len());
        match self.below(12) {
            0 => token.insert(at, self.pick(b" \n\t=.+/-_A!\xff")),
            1 => token[at] = self.pick(b" \n=.+/-_Az09"),
            2 => drop(token.remove(at)),
            3 => token.truncate(at),
            4 => token.push(b'='),
            5 => token.extend_from_slice(b"=="),
            6 => token.extend_from_slice(self.pick(&[
                &b"==="[..],
                b"\n",
                b" ",
                b".",
                b".AAAA",
                b"A",
                b"AA",
                b"AAA",
            ])),
            7 => token.insert(0, self.pick(b" \n.=e\0")),
            8 => {
                if let Some(last) = token.last_mut() {
                    *last = last.wrapping_add(1);
                }
            }
            9 => {
                if let Some(dot) = token.iter().position(|byte| *byte == b'.') {
                    token.insert(dot, b'=');
                }
            }
            10 => {
                if let Some(dot) = token.iter().rposition(|byte| *byte == b'.') {
                    token.splice(dot..dot, *b"==");
                }
            }
            _ => {
                if let Some(dot) = token.iter().position(|byte| *byte == b'.') {
                    token.remove(dot);
                }
            }
        }
    }

    /// An object of odd values, some of them claims.
    pub(super) fn object(&mut self) -> String {
        let mut members = Vec::new();
        for _ in 0..self.below(6) {
            let name = self.pick(&["iss", "aud", "a", "Z", "\\u00e9", "\\ud800", "exp", "", "a"]);
            let value = if name == "iss" && !self.one_in(6) { "\"i\"" } else { self.pick(&VALUES) };
            members.push(format!("\"{name}\" : {value}"));
        }
        format!("{{{}}}", members.join(" , "))
    }

    /// Members of a header, for encoding.
    pub(super) fn header(&mut self) -> String {
        let mut members = Vec::new();
        for _ in 0..self.below(5) {
            let name = self.pick(&["kid", "typ", "cty", "jwk", "a", "Z", "\\u00e9", "b64", "crit"]);
            let value = match name {
                "kid" if !self.one_in(6) => "\"k\"",
                "crit" if !self.one_in(6) => "[\"b64\"]",
                "b64" => self.pick(&["true", "false", "0", "null"]),
                _ => self.pick(&VALUES),
            };
            members.push(format!("\"{name}\":{value}"));
        }
        format!("{{{}}}", members.join(","))
    }
}
