//! Whatever a server does to an upload, success means that it has the file: seeded servers with faults.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use reqwest_scitokens::client::ProxyRules;
use reqwest_scitokens::{Attach, Session};
use scitoken_transfer::{Downloader, Overwrite, RetryPolicy, TransferError, Upload, Uploaded};

use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};

const RUNS: u64 = 300;

fn answer(seed: u64, faults: usize, stored: &Mutex<Option<Vec<u8>>>, asked: &Asked) -> Reply {
    let mut stored = stored.lock().expect("a test server works");
    let mut rng = Rng::with_seed(seed.wrapping_mul(1_000).wrapping_add(asked.number as u64));
    let fault = if asked.number < faults { rng.u8(..14) } else { u8::MAX };
    if asked.method != "PUT" {
        let Some(content) = &*stored else { return Reply::sized("404 Not Found", &[], "") };
        let digest = format!("adler32={:08x}", simd_adler32::adler32(&content.as_slice()));
        let length = if fault < 3 { 0 } else { content.len() }.to_string();
        return match fault {
            3 => Reply::sized("503 Service Unavailable", &[("Retry-After", "0")], ""),
            4 => Reply::default(),
            5 => Reply::new("200 OK", &[("Content-Length", &length)], ""),
            _ => Reply::new("200 OK", &[("Content-Length", &length), ("Digest", &digest)], ""),
        };
    }
    if asked.headers.contains_key("if-none-match") && stored.is_some() {
        return Reply::sized("412 Precondition Failed", &[], "");
    }
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    match fault {
        0 if asked.headers.contains_key("expect") => Reply::sized("417 Expectation Failed", &[], ""),
        1 => Reply::sized("429 Too Many Requests", &[("Date", date), ("Retry-After", date)], ""),
        2 => Reply::sized("500 Internal Server Error", &[], "disk full"),
        3 => Reply::default(),
        // Stored, and the answer is lost.
        4 | 5 => {
            *stored = Some(asked.body.clone());
            Reply::default()
        }
        // Stored in part, with a success.
        6 => {
            *stored = Some(asked.body[..asked.body.len() / 2].to_vec());
            Reply::sized("201 Created", &[], "")
        }
        7 => {
            *stored = Some(asked.body.clone());
            Reply::sized("201 Created", &[], "").then_stale()
        }
        _ => {
            *stored = Some(asked.body.clone());
            Reply::sized("201 Created", &[], "")
        }
    }
}

async fn put(
    server: &ChaosServer,
    file: &Path,
    overwrite: Overwrite,
    retries: u32,
) -> Result<Uploaded, TransferError> {
    let session = Session::builder().proxies(ProxyRules::default()).attach(Attach::Never).build().unwrap();
    let mut retry = RetryPolicy::default();
    (retry.first_delay, retry.retries) = (Duration::ZERO, retries);
    let upload = Upload::new(file, server.url("f.dat")).unwrap().with_overwrite(overwrite);
    Downloader::new(session).with_retry(retry).upload(&upload).await
}

#[tokio::test]
async fn an_upload_that_succeeds_is_at_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("f.dat");
    let (mut right, mut given_up) = (0, 0);
    for seed in 0..RUNS {
        let mut rng = Rng::with_seed(seed);
        let length = if seed % 50 == 7 { 1_100_000 } else { rng.usize(1..60_000) };
        let mut content = vec![0; length];
        rng.fill(&mut content);
        fs_err::write(&file, &content).unwrap();
        let stored: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
        let (shared, faults) = (Arc::clone(&stored), rng.usize(..6));
        let server = ChaosServer::start(move |asked| answer(seed, faults, &shared, asked)).await;
        let overwrite = if seed % 3 == 0 { Overwrite::Refuse } else { Overwrite::Allow };
        match put(&server, &file, overwrite, rng.u32(..5)).await {
            Ok(uploaded) => {
                assert_eq!(uploaded.length, length as u64, "seed {seed}");
                assert_eq!(stored.lock().unwrap().as_ref(), Some(&content), "seed {seed}: a wrong file");
                right += 1;
            }
            Err(_) => given_up += 1,
        }
    }
    // The faults must bite, and the engine must get over most of them.
    assert!(right > RUNS / 2 && given_up > 0, "{right} right, {given_up} given up");
}
