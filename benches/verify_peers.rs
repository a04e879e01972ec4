//! One table: what it costs to verify a token here and elsewhere, beside the limit, which is the signature alone.
//!
//! `just bench-verify` runs it. The rounds of all take turns, and the medians are shown, so that a machine that is busy is
//! busy for everybody. Peers that are not installed are left out: Python of `SCITOKEN_PYTHON` or `python3` with PyJWT
//! and scitokens, libscitokens, and jsonwebtoken built in `benches/peers`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and it prints")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock that it measures with")]

#[path = "verify/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use reqwest_scitokens::ResourcePath;
use reqwest_scitokens::keys::{Algorithm, JwkSet};
use reqwest_scitokens::scitokens::{Access, CacheTimes, CachedKeys, KeyCache};
use reqwest_scitokens::sys::SharedClock;
use serde_json::{Value, json};

use fixture::{Fixture, ISSUER};

const ROUNDS: usize = 7;

fn main() {
    // `cargo test` runs benches too, with this argument; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let mut times: BTreeMap<(Which, String), Vec<f64>> = BTreeMap::new();
    let subjects = [Subject::new(Algorithm::Rs256), Subject::new(Algorithm::Es256)];
    for _ in 0..ROUNDS {
        for subject in &subjects {
            for (name, nanoseconds) in subject.round() {
                times.entry((subject.which, name)).or_default().push(nanoseconds);
            }
        }
    }
    let median = |which: Which, name: &str| {
        let mut runs = times.get(&(which, name.to_owned()))?.clone();
        runs.sort_by(f64::total_cmp);
        runs.get(runs.len() / 2).copied()
    };
    let length = subjects[0].fixture.token.len();
    println!(
        "one token of {length} (RS256) and {} (ES256) bytes, one thread, medians of {ROUNDS} rounds\n",
        subjects[1].fixture.token.len()
    );
    println!("| | RS256 ns | x | ES256 ns | x |\n|---|---|---|---|---|");
    let mut names: Vec<&String> = times.keys().map(|(_, name)| name).collect();
    names.sort_by(|a, b| {
        let time = |name: &str| median(Which::Es256, name).unwrap_or(f64::MAX);
        time(a).total_cmp(&time(b))
    });
    names.dedup();
    let limit = |which| median(which, LIMIT).unwrap();
    for name in names {
        let cells = [Which::Rs256, Which::Es256].map(|which| match median(which, name) {
            Some(time) => format!("{time:.0} | {:.3}", time / limit(which)),
            None => "- | -".to_owned(),
        });
        println!("| {name} | {} |", cells.join(" | "));
    }
}

const LIMIT: &str = "aws-lc, parsed key: the limit";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Rs256,
    Es256,
}

struct Subject {
    which: Which,
    algorithm: Algorithm,
    fixture: Fixture,
}

impl Subject {
    fn new(algorithm: Algorithm) -> Self {
        let which = if algorithm == Algorithm::Rs256 { Which::Rs256 } else { Which::Es256 };
        Self { which, algorithm, fixture: Fixture::new(algorithm) }
    }

    fn round(&self) -> Vec<(String, f64)> {
        let fixture = &self.fixture;
        let (key, signed, signature) = fixture.for_aws_lc();
        let offline = fixture.offline();
        let warm = fixture.warm_verifier();
        let token = offline.verify(&fixture.token).unwrap();
        let enforcer = Fixture::enforcer();
        let path: ResourcePath = "/data/six/file".parse().unwrap();
        let mut times = vec![
            (
                LIMIT.to_owned(),
                measure(|| key.verify_sig(black_box(&signed), black_box(&signature)).unwrap()),
            ),
            (
                "here, with all rules and scopes".to_owned(),
                measure(|| {
                    let token = offline.verify(black_box(&fixture.token)).unwrap();
                    black_box(token.has_capabilities());
                }),
            ),
            (
                "here, seen before".to_owned(),
                measure(|| drop(black_box(warm.verify_at_hand(black_box(&fixture.token)).unwrap().unwrap()))),
            ),
            (
                "here, one decision among six scopes".to_owned(),
                measure(|| {
                    enforcer.test(black_box(&token), Access::to("storage.read", black_box(&path))).unwrap();
                }),
            ),
        ];
        times.extend(self.peers());
        times
    }

    fn peers(&self) -> Vec<(String, f64)> {
        let question = json!({
            "token": self.fixture.token,
            "public": self.fixture.key.verifying_key().to_pem().unwrap(),
            "algorithm": self.algorithm.name(),
            "issuer": ISSUER,
        });
        let mut times = Vec::new();
        let jsonwebtoken = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/target/release/bench-peers");
        let mut command = Command::new(jsonwebtoken);
        if let Some(time) = ask(&mut command, &question).and_then(|answer| answer.as_f64()) {
            times.push(("jsonwebtoken 11 alone".to_owned(), time));
        }
        let python = std::env::var("SCITOKEN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let cache = cpp_cache(&self.fixture.keys);
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/python.py"));
        command.env("XDG_CACHE_HOME", cache.path());
        if let Some(Value::Object(answer)) = ask(&mut command, &question) {
            times.extend(answer.into_iter().filter_map(|(name, time)| Some((name, time.as_f64()?))));
        }
        times
    }
}

/// A directory with the issuer's keys where scitokens-cpp looks for them.
fn cpp_cache(keys: &JwkSet) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let cache = KeyCache::sqlite(dir.path().join("scitokens/scitokens_cpp.sqllite"));
    let now = SharedClock::default().now();
    cache.put(&ISSUER.parse().unwrap(), CachedKeys::of(keys, CacheTimes::default(), now)).unwrap();
    dir
}

fn ask(command: &mut Command, question: &Value) -> Option<Value> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    child.stdin.take()?.write_all(question.to_string().as_bytes()).ok()?;
    serde_json::from_slice(&child.wait_with_output().ok()?.stdout).ok()
}

/// Nanoseconds a call, over a tenth of a second.
fn measure(mut once: impl FnMut()) -> f64 {
    (0..200).for_each(|_| once());
    let (start, mut count) = (Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_millis(100) {
        (0..100).for_each(|_| once());
        count += 100;
    }
    start.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}
