//! One table: what it costs to verify a token here and elsewhere, beside the limit, which is the signature alone.
//!
//! `just bench-verify` runs it. Times are CPU times, and the rounds of all take turns, so that a busy machine slows all of
//! them alike: a time is the median of the rounds, `x` the median of each round's ratio to its own limit. Peers are the Python of
//! `SCITOKEN_PYTHON` or `python3` with PyJWT and scitokens, libscitokens, and jsonwebtoken built in `benches/peers`;
//! missing peers are named below the table with the reason.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark may panic, and it prints")]
#![expect(clippy::disallowed_methods, reason = "the peer's Python is named in the environment")]

#[path = "verify/fixture.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use jsonwebtoken::{DecodingKey, Validation};
use rustix::time::{ClockId, clock_gettime};
use scitoken_authz::{Access, CacheTimes, CachedKeys, KeyCache};
use scitoken_jwt::bridge::install_default;
use scitoken_jwt::keys::{Algorithm, JwkSet};
use scitoken_types::ResourcePath;
use scitoken_types::sys::SharedClock;
use serde_json::{Map, Value, json};

use fixture::{Fixture, ISSUER};

const ROUNDS: usize = 15;

fn main() {
    // `cargo test` runs benches too, with this argument; there is nothing to test.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    install_default().unwrap();
    let subjects = [Subject::new(Algorithm::Rs256), Subject::new(Algorithm::Es256)];
    let mut table = BenchTable::default();
    for _ in 0..ROUNDS {
        for subject in &subjects {
            table.add(subject.which, subject.round());
        }
    }
    let [rs256, es256] = subjects.each_ref().map(|subject| subject.fixture.token.len());
    println!("one token of {rs256} (RS256) and {es256} (ES256) bytes, one thread, {ROUNDS} rounds\n");
    table.print();
}

/// What all rounds have brought.
#[derive(Default)]
struct BenchTable {
    times: BTreeMap<(Which, String), Vec<f64>>,
    ratios: BTreeMap<(Which, String), Vec<f64>>,
    missing: BTreeMap<String, String>,
}

/// Times of one round by name, and peers that have none, with the reason.
#[derive(Default)]
struct Round {
    times: Vec<(String, f64)>,
    missing: Vec<(String, String)>,
}

impl BenchTable {
    fn add(&mut self, which: Which, round: Round) {
        let limit = round.times.iter().find(|(name, _)| name == LIMIT).unwrap().1;
        for (name, time) in round.times {
            self.ratios.entry((which, name.clone())).or_default().push(time / limit);
            self.times.entry((which, name)).or_default().push(time);
        }
        self.missing.extend(round.missing);
    }

    fn print(&self) {
        println!("| | RS256 ns | x | ES256 ns | x |\n|---|---|---|---|---|");
        let mut names: Vec<&String> = self.times.keys().map(|(_, name)| name).collect();
        let order = |name: &String| median(&self.times, Which::Es256, name).unwrap_or(f64::MAX);
        names.sort_by(|a, b| order(a).total_cmp(&order(b)).then_with(|| a.cmp(b)));
        names.dedup();
        for name in names {
            let cells = [Which::Rs256, Which::Es256].map(|which| {
                match (median(&self.times, which, name), median(&self.ratios, which, name)) {
                    (Some(time), Some(ratio)) if ratio < 0.1 => format!("{time:.0} | {ratio:.3}"),
                    (Some(time), Some(ratio)) => format!("{time:.0} | {ratio:.2}"),
                    _ => "- | -".to_owned(),
                }
            });
            println!("| {name} | {} |", cells.join(" | "));
        }
        for (name, reason) in &self.missing {
            println!("\nnot measured: {name} ({reason})");
        }
    }
}

fn median(of: &BTreeMap<(Which, String), Vec<f64>>, which: Which, name: &str) -> Option<f64> {
    let mut runs = of.get(&(which, name.to_owned()))?.clone();
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied()
}

const LIMIT: &str = "the limit: aws-lc, parsed key, signature alone";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Rs256,
    Es256,
}

struct Subject {
    which: Which,
    algorithm: Algorithm,
    fixture: Fixture,
    /// For `decoding_key`: the signatures that it remembers must not speed up `decode` elsewhere.
    seen: Fixture,
}

impl Subject {
    fn new(algorithm: Algorithm) -> Self {
        let which = if algorithm == Algorithm::Rs256 { Which::Rs256 } else { Which::Es256 };
        Self { which, algorithm, fixture: Fixture::new(algorithm), seen: Fixture::new(algorithm) }
    }

    fn round(&self) -> Round {
        let fixture = &self.fixture;
        let (key, signed, signature) = fixture.for_aws_lc();
        let offline = fixture.offline();
        let warm = fixture.warm_verifier();
        let token = offline.verify(&fixture.six_scopes).unwrap();
        let enforcer = Fixture::enforcer();
        let path: ResourcePath = "/data/six/file".parse().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let keys = self.seen.warm_verifier();
        let decoding_key = || runtime.block_on(keys.decoding_key(black_box(&self.seen.token))).unwrap();
        let (kept, validation) =
            (DecodingKey::try_from(&fixture.key.verifying_key()).unwrap(), self.validation());
        let decode = |token: &str, key: &DecodingKey| {
            let token = jsonwebtoken::decode::<Map<String, Value>>(black_box(token), key, &validation);
            drop(black_box(token.unwrap()));
        };
        let times = vec![
            ("jsonwebtoken 11, our provider".to_owned(), measure(|| decode(&fixture.token, &kept))),
            (
                "jsonwebtoken 11, our provider and key cache, seen before".to_owned(),
                measure(|| decode(&self.seen.token, &decoding_key())),
            ),
            (
                LIMIT.to_owned(),
                measure(|| key.verify_sig(black_box(&signed), black_box(&signature)).unwrap()),
            ),
            (
                "here: all rules, scopes parsed".to_owned(),
                measure(|| {
                    let token = offline.verify(black_box(&fixture.token)).unwrap();
                    black_box(token.has_capabilities());
                }),
            ),
            (
                "here: seen before".to_owned(),
                measure(|| drop(black_box(warm.verify_cached(black_box(&fixture.token)).unwrap().unwrap()))),
            ),
            (
                "here: one decision among six scopes".to_owned(),
                measure(|| {
                    enforcer.test(black_box(&token), Access::to("storage.read", black_box(&path))).unwrap();
                }),
            ),
        ];
        let mut round = Round { times, missing: Vec::new() };
        self.ask_peers(&mut round);
        round
    }

    fn validation(&self) -> Validation {
        let mut validation = Validation::new(self.algorithm.try_into().unwrap());
        validation.validate_aud = false;
        validation
    }

    fn ask_peers(&self, round: &mut Round) {
        let question = json!({
            "token": self.fixture.token,
            "public": self.fixture.key.verifying_key().to_pem().unwrap(),
            "algorithm": self.algorithm.name(),
            "issuer": ISSUER,
        });
        let jsonwebtoken = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/target/release/bench-peers");
        round.take("jsonwebtoken", ask(&mut Command::new(jsonwebtoken), &question));
        let python = std::env::var("SCITOKEN_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let cache = cpp_cache(&self.fixture.keys);
        let mut command = Command::new(python);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/python.py"));
        command.env("XDG_CACHE_HOME", cache.path());
        round.take("PyJWT, Python scitokens and scitokens-cpp", ask(&mut command, &question));
    }
}

impl Round {
    /// Takes an answer: a number of nanoseconds for each name, or a text that says why there is none.
    fn take(&mut self, who: &str, answer: Result<Map<String, Value>, String>) {
        match answer {
            Err(reason) => self.missing.push((who.to_owned(), reason)),
            Ok(answer) => {
                for (name, value) in answer {
                    match (value.as_f64(), value.as_str()) {
                        (Some(time), _) => self.times.push((name, time)),
                        (None, reason) => {
                            self.missing.push((name, reason.unwrap_or("no number").to_owned()));
                        }
                    }
                }
            }
        }
    }
}

/// A directory with the issuer's keys where scitokens-cpp looks for them.
fn cpp_cache(keys: &JwkSet) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let cache = KeyCache::sqlite(dir.path().join("scitokens/scitokens_cpp.sqllite"));
    let now = SharedClock::default().now();
    cache.put(&ISSUER.parse().unwrap(), CachedKeys::from_set(keys, CacheTimes::default(), now)).unwrap();
    dir
}

fn ask(command: &mut Command, question: &Value) -> Result<Map<String, Value>, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let told = |error: std::io::Error| format!("`{program}`: {error}");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(told)?;
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).map_err(told)?;
    let output = child.wait_with_output().map_err(told)?;
    serde_json::from_slice(&output.stdout).map_err(|_| format!("`{program}` ended with {}", output.status))
}

/// Nanoseconds of CPU time a call, over a twentieth of a second.
fn measure(mut once: impl FnMut()) -> f64 {
    (0..200).for_each(|_| once());
    let (start, mut count, mut spent) = (cpu_seconds(), 0_u32, 0.0);
    while spent < 0.05 {
        (0..100).for_each(|_| once());
        count += 100;
        spent = cpu_seconds() - start;
    }
    spent * 1e9 / f64::from(count)
}

/// The CPU time of this thread.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap()).as_secs_f64()
}
