//! Values on the border between right and wrong, for each kind of field of Gafaelfawr's models.

use serde_json::{Value, json};

use crate::gafaelfawr::KEY;

/// What a field holds; each has values that are on the border between right and wrong.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Text,
    Key,
    Kind,
    Scopes,
    Time,
    Integer,
    Groups,
    Quota,
    Token,
}

use Shape::{Groups, Integer, Key, Kind, Scopes, Text, Time};

/// Values on the border.
pub(crate) fn odd(shape: Shape) -> Vec<Value> {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    let mut values = vec![json!(null), json!(true), json!(1.5), json!([]), json!({}), json!("")];
    values.extend(match shape {
        Text => {
            let mut long =
                texts(&["a", "a1", "1a", "a-b", "ab", "bot-1", "ab-", "Not Valid!", "ab\n", "é1é"]);
            long.extend([json!("a".repeat(64)), json!("a".repeat(65)), json!("é".repeat(64)), json!(7)]);
            long
        }
        Key => [21, 22, 23].map(|length| json!("é".repeat(length))).to_vec(),
        Kind => texts(&["session", "service", "notebook", "internal", "oidc", "User", "admin", "user "]),
        Scopes => {
            let mut scopes = texts(&[",", "a, b", "b,a,a", "ü,é,z", ",,a"]);
            scopes.extend([json!(["z", "a", "z"]), json!([""]), json!({"b": 1, "a": null}), json!(5)]);
            scopes
        }
        Time => {
            let mut times = texts(&TIMES);
            times.extend(NUMBERS.map(|number| json!(number)));
            times.extend(FLOATS.map(|number| json!(number)));
            times
        }
        Integer => {
            let mut integers = texts(&INTEGERS);
            integers.extend([json!(0), json!(-5), json!(1.0), json!(false), json!(i64::MAX), json!(1e15)]);
            integers
        }
        Groups => {
            let names = ["g", "12", "1a", "_a", "a b", "a.b-c", "é", "a\n", "1-A"];
            let mut groups: Vec<_> = names.iter().map(|name| json!([{"name": name, "id": "1_0"}])).collect();
            groups.extend([
                json!([5]),
                json!([{"name": "g"}, {"id": 1}, {"name": "", "id": "x"}, null]),
                json!([{"name": "g", "id": -1}, {"name": "g", "id": 0, "more": 1}]),
                json!("groups"),
            ]);
            groups
        }
        Shape::Quota => quotas(),
        Shape::Token => vec![json!("gt-x"), json!({"key": KEY}), json!({"key": 5, "secret": null})],
    });
    values
}

const TIMES: [&str; 52] = [
    " ",
    "2021",
    "2021-03-05",
    "2021-03-05T",
    "2021-03-05T23",
    "2021-03-05T23:15",
    "2021-03-05T23:15:30",
    "2021-03-05 23:15:30z",
    "2021-03-05_23:15:30",
    "2021-03-05T23:15:30+01:00",
    "2021-03-05T23:15:30-0100",
    "2021-03-05T23:15:30+01",
    "2021-03-05T23:15:30Z ",
    " 2021-03-05T23:15:30Z",
    "2021-03-05T23:15:30.",
    "2021-03-05T23:15:30.1",
    "2021-03-05T23:15:30.123456789Z",
    "2021-03-05T24:00:00",
    "2021-03-05T23:59:60",
    "2021-02-29",
    "2020-02-29",
    "2021-13-01",
    "2021-00-01",
    "2021-01-00",
    "21-01-01",
    "+2021-01-01",
    "0000-01-01",
    "0001-01-01",
    "0001-01-01T00:00:00+01:00",
    "9999-12-31T23:59:59.999999",
    "2021-03-05Z",
    "9999-12-31T23:59:59-01:00",
    "2021-03-05T23:15:30+24:00",
    "2021-03-05T23:15:30−01:00",
    "2021-03-05T23:15:30,5",
    "2021/03/05",
    "2021-0a-05",
    "1614986130",
    "1614986130.5",
    "-1",
    "+1",
    "-.5",
    "1.",
    ".",
    "1e9",
    "1.5e3",
    "1_000",
    "nan",
    "20000000001",
    "253402300800000",
    "-62135596800000",
    "20210305T231530",
];
const NUMBERS: [i64; 12] = [
    0,
    -1,
    20_000_000_000,
    20_000_000_001,
    -20_000_000_001,
    253_402_300_799_999,
    253_402_300_800_000,
    -62_135_596_800_000,
    -62_135_596_801_000,
    -62_167_219_200_001,
    i64::MAX,
    i64::MIN,
];
const FLOATS: [f64; 9] =
    [0.1, -0.5, -1.5, 1_614_986_130.999_999, 20_000_000_000.5, 1e30, -1e30, 0.000_001_5, -0.000_000_1];
const INTEGERS: [&str; 22] = [
    "1",
    " 1 ",
    "+1",
    "-1",
    "1_000",
    "1__0",
    "_1",
    "1_",
    "01",
    "1.0",
    "1_0.00",
    "1.",
    "1.5",
    ".0",
    "1e3",
    "0x1",
    "１",
    "- 1",
    "1 0",
    "++1",
    "\u{a0}1\n",
    "0",
];

fn quotas() -> Vec<Value> {
    let cpus = ["1.5", " 1. ", "1_0.5", "1__0", "1_0 ", "0x1", ".", "+.5", "1e_5"];
    let spawns = [
        json!("TRUE"),
        json!("off"),
        json!("2"),
        json!(" on"),
        json!(1),
        json!(0.0),
        json!(2),
        json!(2.0),
        json!(0.5),
        json!(1e30),
        json!(null),
    ];
    let mut quotas = vec![
        json!({"api": {"tap": "x", "hips": 1.5}, "disk": null, "tap": [], "gpu": 1}),
        json!({"tap": {"qserv": {"concurrent": "5"}, "b": {"concurrent": 5, "c": 1}, "c": {}, "d": 1}}),
        json!({"notebook": {"cpu": 1}}),
        json!({"disk": {"/home": 32_212_254_720_i64}}),
        json!([]),
        json!({}),
    ];
    quotas.extend(cpus.map(|cpu| json!({"notebook": {"cpu": cpu, "memory": true}})));
    quotas.extend(spawns.map(|spawn| json!({"notebook": {"cpu": 1, "memory": [], "spawn": spawn}})));
    quotas
}
