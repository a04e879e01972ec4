//! Whatever two caches and an origin do, the file is right or there is no file.

use std::time::Duration;

use fastrand::Rng;
use scitoken_test_support::chaos_server::{Asked, Reply};
use scitoken_test_support::federation::FederationServer::{Cache, Origin};
use scitoken_test_support::federation::{FakeFederation, FederationServer, digest, refuse};
use scitoken_transfer::TransferLimits;

use super::{clients_without_tokens, content, url};

const RUNS: u64 = 500;

/// What a server does to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Dead,
    Silent,
    Slow,
    /// Serves the content of an earlier version, with its digest.
    Stale,
    /// Changes a byte, under the right digest.
    Lying,
    Truncating,
    Refusing,
    Missing,
    Throttling,
    /// Ends the body early with a failure in the trailer.
    FailingTrailer,
    /// Ignores ranges.
    WithoutRanges,
}

const FAULTS: [Fault; 12] = [
    Fault::None,
    Fault::Dead,
    Fault::Silent,
    Fault::Slow,
    Fault::Stale,
    Fault::Lying,
    Fault::Truncating,
    Fault::Refusing,
    Fault::Missing,
    Fault::Throttling,
    Fault::FailingTrailer,
    Fault::WithoutRanges,
];

fn faulty(fault: Fault, asked: &Asked, mut honest: Reply, versions: &[Vec<u8>; 2]) -> Reply {
    match fault {
        Fault::None => honest,
        Fault::Dead => Reply::default(),
        Fault::Silent => Reply { delay: Duration::from_secs(30), ..honest },
        Fault::Slow => Reply { trickle: Some((1, Duration::from_millis(200))), ..honest },
        Fault::Stale => {
            let digest = digest(&versions[1]);
            Reply::honest(asked, &versions[1], &[("ETag", "\"stale\""), ("Digest", &digest)])
        }
        Fault::Lying => {
            if let Some(byte) = honest.body.first_mut() {
                *byte ^= 1;
            }
            honest
        }
        Fault::Truncating => {
            let half = honest.body.len() / 2;
            honest.cut_after(half)
        }
        Fault::Refusing => refuse("403 Forbidden"),
        Fault::Missing => refuse("404 Not Found"),
        Fault::Throttling => Reply::sized("429 Too Many Requests", &[("Retry-After", "0")], ""),
        Fault::FailingTrailer => {
            let body = &honest.body[..honest.body.len() / 2];
            let mut chunks = Vec::new();
            if !body.is_empty() {
                chunks.extend_from_slice(format!("{:x}\r\n", body.len()).as_bytes());
                chunks.extend_from_slice(body);
                chunks.extend_from_slice(b"\r\n");
            }
            chunks.extend_from_slice(b"0\r\nX-Transfer-Status: 500: Unable to read\r\n\r\n");
            Reply::new(
                "200 OK",
                &[("Transfer-Encoding", "chunked"), ("Trailer", "X-Transfer-Status")],
                chunks,
            )
        }
        Fault::WithoutRanges => {
            let digest = digest(&versions[0]);
            Reply::sized("200 OK", &[("Digest", &digest)], versions[0].clone())
        }
    }
}

/// One seeded run; returns whether a file came of it.
async fn run(seed: u64) -> Option<bool> {
    let mut rng = Rng::with_seed(seed);
    let length = *rng.choice(&[0, 1, 999, 50_000, 200_000]).unwrap();
    let first = content(length);
    let second: Vec<u8> = first.iter().map(|byte| byte.wrapping_add(1)).collect();
    let versions = [first, second];
    let fake = FakeFederation::start(&[("/public/f", &versions[0])]).await;
    let servers: [FederationServer; 3] = [Cache(0), Cache(1), Origin];
    let mut has_honest_server = false;
    for server in servers {
        // The origin lies and is stale in no run: it is the source of truth.
        let faults: &[Fault] =
            if server == Origin { &[Fault::None, Fault::Dead, Fault::Missing] } else { &FAULTS };
        let fault = *rng.choice(faults).unwrap();
        // Some servers recover.
        let until = if rng.bool() { usize::MAX } else { rng.usize(1..3) };
        has_honest_server |= fault == Fault::None;
        let versions = versions.clone();
        fake.change(server, move |asked, honest| {
            if asked.number < until { faulty(fault, asked, honest, &versions) } else { honest }
        });
    }
    let (federation, downloader) = clients_without_tokens();
    // No fault is one of the director.
    let federation = federation.with_limits(TransferLimits::default());
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    let name = url(&fake, "/public/f");
    let result = federation.download(&downloader, &name, &target, |download| download).await;
    match result {
        Ok(_) => {
            let file = fs_err::read(&target).unwrap();
            // A cache may have the object as it was: that is another right file, whole and with its own digest.
            assert!(versions.contains(&file), "seed {seed}: a wrong file of {} bytes", file.len());
            Some(true)
        }
        Err(error) => {
            assert!(!target.exists(), "seed {seed}: a file after {error}");
            assert!(!has_honest_server, "seed {seed}: {error}, though a server has the object");
            Some(false)
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_hundred_runs_give_the_right_file_or_an_error() {
    let (mut files, mut errors) = (0, 0);
    for batch in 0..RUNS / 50 {
        let tasks: Vec<_> = (0..50).map(|n| tokio::spawn(run(batch * 50 + n))).collect();
        for task in tasks {
            match task.await.unwrap() {
                Some(true) => files += 1,
                _ => errors += 1,
            }
        }
    }
    assert_eq!(files + errors, RUNS);
    assert!(files > 300 && errors > 0, "{files} files, {errors} errors");
}
