//! What a token costs a server: verified for the first time, verified again from the cache, and enforced.
//!
//! `limit` is the signature alone with a parsed key: the least time that this cryptography allows.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]

#[path = "verify/fixture.rs"]
mod fixture;

use divan::{Bencher, black_box};
use scitoken_authz::Access;
use scitoken_jwt::keys::Algorithm;
use scitoken_types::ResourcePath;

use fixture::Fixture;

fn main() {
    divan::main();
}

const ALGORITHMS: [Algorithm; 2] = [Algorithm::Rs256, Algorithm::Es256];

#[divan::bench(args = ALGORITHMS)]
fn limit(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let fixture = Fixture::new(algorithm);
    let (key, signed, signature) = fixture.for_aws_lc();
    bencher.bench_local(|| key.verify_sig(black_box(&signed), black_box(&signature)).unwrap());
}

#[divan::bench(args = ALGORITHMS)]
fn verify(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let fixture = Fixture::new(algorithm);
    let verifier = fixture.offline();
    bencher.bench_local(|| {
        let token = verifier.verify(black_box(&fixture.token)).unwrap();
        // The scopes are parsed at the first question, which belongs to the work.
        black_box(token.has_capabilities())
    });
}

#[divan::bench]
fn verify_again(bencher: Bencher<'_, '_>) {
    let fixture = Fixture::new(Algorithm::Rs256);
    let verifier = fixture.warm_verifier();
    bencher.bench_local(|| verifier.verify_cached(black_box(&fixture.token)).unwrap().unwrap());
}

#[divan::bench(args = ["/data/six/file", "/elsewhere"])]
fn enforce_six_scopes(bencher: Bencher<'_, '_>, path: &str) {
    let fixture = Fixture::new(Algorithm::Es256);
    let token = fixture.offline().verify(&fixture.six_scopes).unwrap();
    let enforcer = Fixture::enforcer();
    let path: ResourcePath = path.parse().unwrap();
    bencher.bench_local(|| {
        enforcer.test(black_box(&token), Access::to("storage.read", black_box(&path))).is_ok()
    });
}

#[divan::bench]
fn parse_a_path(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| black_box("/data/six/file").parse::<ResourcePath>().unwrap());
}
