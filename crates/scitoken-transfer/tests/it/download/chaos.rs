//! Whatever a server does, the file is right or there is no file: a thousand servers with seeded faults.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::client::ProxyRules;
use reqwest_scitokens::{Attach, Session};
use scitoken_transfer::{Digest, DigestAlgorithm, Download, Downloader, RetryPolicy, TransferLimits};

use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};

const RUNS: u64 = 1_000;

/// How a server tells one content from another.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Validator {
    None,
    Strong,
    Weak,
    Date,
    OnlyAtFirst,
}

/// One seeded server: two versions of a file, a change from one to the other, and a number of faults.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    versions: [Arc<Vec<u8>>; 2],
    /// The request from which the second version is sent.
    changes_at: usize,
    validator: Validator,
    /// The `Digest` headers of the versions.
    digests: [Option<String>; 2],
    /// Requests that may go wrong; all later ones don't.
    faults: usize,
    streams: usize,
}

impl Plan {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let length = match rng.u8(..100) {
            0 => 0,
            1 => 1,
            2 => 9 * 1024 * 1024,
            _ => rng.usize(2..150_000),
        };
        let mut first = vec![0; length];
        rng.fill(&mut first);
        let mut second = first.clone();
        if rng.bool() {
            second.truncate(length / 2);
        }
        for byte in &mut second {
            *byte = byte.wrapping_add(1);
        }
        let algorithm =
            *rng.choice(&[None, None, Some("adler32"), Some("crc32c"), Some("sha-256")]).expect("a choice");
        let digest =
            |content: &[u8]| algorithm.map(|algorithm| format!("{algorithm}={}", value(algorithm, content)));
        Self {
            seed,
            digests: [digest(&first), digest(&second)],
            versions: [Arc::new(first), Arc::new(second)],
            changes_at: if rng.bool() { usize::MAX } else { rng.usize(1..6) },
            validator: *rng
                .choice(&[
                    Validator::None,
                    Validator::Strong,
                    Validator::Strong,
                    Validator::Weak,
                    Validator::Date,
                    Validator::OnlyAtFirst,
                ])
                .expect("a choice"),
            faults: rng.usize(0..9),
            streams: rng.usize(1..5),
        }
    }

    fn answer(&self, asked: &Asked) -> Reply {
        let version = usize::from(asked.number >= self.changes_at);
        let content = &self.versions[version];
        let mut rng = Rng::with_seed(self.seed.wrapping_mul(1_000).wrapping_add(asked.number as u64));
        let etag = format!("\"v{version}\"");
        let weak = format!("W/{etag}");
        let date = ["Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT"][version];
        let mut headers = Vec::new();
        match self.validator {
            Validator::Strong => headers.push(("ETag", etag.as_str())),
            Validator::Weak => headers.push(("ETag", weak.as_str())),
            Validator::Date => {
                headers.extend([("Last-Modified", date), ("Date", "Wed, 09 Nov 1994 08:49:37 GMT")]);
            }
            Validator::OnlyAtFirst if asked.number == 0 => headers.push(("ETag", etag.as_str())),
            Validator::OnlyAtFirst | Validator::None => {}
        }
        if let Some(digest) = &self.digests[version]
            && asked.headers.contains_key("want-digest")
        {
            headers.push(("Digest", digest));
        }
        if asked.path == "/login" {
            let headers = [("Location", "/f.dat"), ("Set-Cookie", "sid=1; Path=/")];
            return Reply::sized("302 Found", &headers, "");
        }
        let honest = Reply::honest(asked, content, &headers);
        if asked.number >= self.faults {
            honest
        } else {
            self.fault(&mut rng, asked, honest, content, &headers)
        }
    }

    fn fault(
        &self,
        rng: &mut Rng,
        asked: &Asked,
        mut honest: Reply,
        content: &[u8],
        headers: &[(&str, &str)],
    ) -> Reply {
        let length = honest.body.len();
        let within = |rng: &mut Rng| if length == 0 { 0 } else { rng.usize(..length) };
        match rng.u8(..29) {
            0..=5 => {
                let cut = within(rng);
                honest.cut_after(cut)
            }
            6 => Reply::default(),
            7 => Reply::sized("200 OK", headers, content),
            8 => {
                let cut = within(rng);
                Reply::sized("200 OK", headers, content).cut_after(cut)
            }
            9 => Reply::sized("500 Internal Server Error", headers, "Failed to determine checksum"),
            10 => Reply::sized("503 Service Unavailable", &[("Retry-After", "0")], "busy"),
            11 => Reply::sized("403 Forbidden", &[], "permission denied"),
            12 => Reply::sized("416 Range Not Satisfiable", &[], ""),
            13 => Reply::sized("200 OK", &[("Content-Type", "text/html")], "<html>log in</html>"),
            // The end of the connection is the end of the body, or so it says.
            14 => Reply::new("200 OK", headers, &content[..if length == 0 { 0 } else { length / 2 }]),
            15 => Reply { head: "HTTP/1.1 OK\r\nnonsense\r\n".to_owned(), ..Reply::default() },
            16 => misplaced(rng, asked, content, headers),
            17 => {
                honest.trickle = Some((length / 3 + 1, Duration::from_millis(1)));
                honest
            }
            // A bit that flips on the way is seen only where there is a digest.
            18 if self.digests[0].is_some() && length > 0 && asked.headers.contains_key("want-digest") => {
                let at = within(rng);
                honest.body[at] ^= 4;
                honest
            }
            20..=24 => odd_framing(rng, content, headers),
            25 => {
                // By the server's own clock, which is not ours.
                let date = "Sun, 06 Nov 1994 08:49:37 GMT";
                Reply::sized("429 Too Many Requests", &[("Date", date), ("Retry-After", date)], "")
            }
            26 if !asked.headers.contains_key("cookie") => {
                Reply::sized("302 Found", &[("Location", "/login")], "")
            }
            27 => honest.then_stale(),
            28 => Reply::sized("202 Accepted", &[("Retry-After", "0")], ""),
            _ => honest,
        }
    }
}

/// The whole file with a head that contradicts itself, or says the same thing twice.
fn odd_framing(rng: &mut Rng, content: &[u8], headers: &[(&str, &str)]) -> Reply {
    let length = content.len().to_string();
    let other = rng.usize(..content.len() + 10).to_string();
    let mut all = headers.to_vec();
    match rng.u8(..5) {
        // Chunks count, whatever the length.
        0 => {
            all.push(("Content-Length", &other));
            Reply::chunked("200 OK", &all, content, 3)
        }
        1 => {
            all.push(("Transfer-Encoding", "chunked"));
            Reply::chunked("200 OK", &all, content, 1)
        }
        2 => {
            all.extend([("Content-Length", &*length), ("Content-Length", &*length)]);
            Reply::new("200 OK", &all, content)
        }
        3 => {
            all.extend([("Content-Length", &*length), ("Content-Length", &*other)]);
            Reply::new("200 OK", &all, content).cut_after(content.len())
        }
        _ => {
            let longer = (content.len() + 7).to_string();
            all.push(("Content-Length", &longer));
            Reply::new("200 OK", &all, content).cut_after(content.len())
        }
    }
}

/// A part that is not the one that was asked for, in one of several ways.
fn misplaced(rng: &mut Rng, asked: &Asked, content: &[u8], headers: &[(&str, &str)]) -> Reply {
    let Some(range) = asked.range() else { return Reply::sized("206 Partial Content", headers, content) };
    let (start, end, total) = match rng.u8(..6) {
        0 => (0, range.end - range.start, content.len()),
        1 => (range.start + 1, range.end, content.len()),
        2 => (range.start, range.end, content.len() + 1),
        3 => (range.start, range.end + 1, content.len() + 1),
        4 => (range.start, range.start, content.len()),
        _ => (range.start, range.start + (range.end - range.start).div_ceil(2), content.len()),
    };
    let place = format!("bytes {start}-{}/{total}", end.wrapping_sub(1).cast_signed());
    let mut all = headers.to_vec();
    all.push(("Content-Range", &place));
    let body = content.get(start.min(content.len())..end.min(content.len())).unwrap_or_default();
    Reply::sized("206 Partial Content", &all, body)
}

fn value(algorithm: &str, content: &[u8]) -> String {
    match algorithm {
        "adler32" => format!("{:08x}", simd_adler32::adler32(&content)),
        "crc32c" => format!("{:08x}", crc_fast::crc32_iscsi(content)),
        "sha-256" => {
            use sha2::Digest as _;
            Digest::from_bytes(DigestAlgorithm::Sha256, sha2::Sha256::digest(content).as_slice())
                .expect("32 bytes")
                .to_hex()
        }
        other => panic!("{other}"),
    }
}

fn plain_client() -> ClientWithMiddleware {
    let client = reqwest::Client::builder().no_proxy().http1_title_case_headers().build().expect("a client");
    reqwest_middleware::ClientBuilder::new(client).build()
}

/// A session that keeps cookies, and repeats requests that met an old connection.
fn session() -> ClientWithMiddleware {
    let session = Session::builder().proxies(ProxyRules::default()).attach(Attach::Never).build();
    session.expect("a session").into()
}

fn downloader(client: &ClientWithMiddleware, plan: &Plan) -> Downloader {
    let mut retry = RetryPolicy::default();
    retry.first_delay = Duration::ZERO;
    retry.retries = u32::from(!plan.seed.is_multiple_of(4)) * 3;
    let mut limits = TransferLimits::default();
    limits.streams = plan.streams;
    Downloader::new(client.clone()).with_retry(retry).with_limits(limits)
}

/// The file is one of the versions, whole, or it is not there; and nothing but its part is left beside it.
fn check(plan: &Plan, directory: &Path, succeeded: bool) {
    for entry in fs_err::read_dir(directory).expect("readable") {
        let name = entry.expect("readable").file_name().into_string().expect("readable");
        assert!(["f.dat", "f.dat.part", "f.dat.part.json"].contains(&name.as_str()), "{name} {plan:?}");
        assert!(!succeeded || name == "f.dat", "{name} is left over, {}", plan.seed);
    }
    let path = directory.join("f.dat");
    assert_eq!(path.exists(), succeeded, "seed {}", plan.seed);
    if succeeded {
        let there = fs_err::read(path).expect("readable");
        let is_right = plan.versions.iter().any(|version| **version == there);
        assert!(is_right, "seed {}: a wrong file, {:?} {:?}", plan.seed, plan.validator, plan.digests);
    }
}

#[tokio::test]
async fn a_thousand_servers_with_faults_never_make_a_wrong_file() {
    let clients = [plain_client(), session()];
    let (mut right, mut given_up, mut resumed) = (0, 0, 0);
    for seed in 0..RUNS {
        let plan = Plan::new(seed);
        let sent = plan.clone();
        let server = ChaosServer::start(move |asked| sent.answer(asked)).await;
        let directory = tempfile::tempdir().unwrap();
        let mut succeeded = false;
        // Three runs over the same directory, as a user would who tries again.
        for run in 0..3 {
            let job = Download::new(server.url("f.dat"), directory.path().join("f.dat")).unwrap();
            let client = &clients[usize::from(seed % 2 == 1)];
            let downloader = downloader(client, &plan);
            let cancellation_token = downloader.cancellation_token().clone();
            let result = if run == 0 && seed % 5 == 0 {
                // Pulled away in the middle, as by `kill -9`, or stopped in order.
                let pull = tokio::time::sleep(Duration::from_micros(seed * 7 % 3_000));
                tokio::select! {
                    result = downloader.download(job) => Some(result),
                    () = pull => {
                        cancellation_token.cancel();
                        None
                    }
                }
            } else {
                Some(downloader.download(job).await)
            };
            succeeded = matches!(result, Some(Ok(_)));
            if let Some(result) = result {
                check(&plan, directory.path(), result.is_ok());
                resumed += u32::from(result.is_ok() && run > 0);
            }
            if succeeded {
                break;
            }
        }
        if succeeded { right += 1 } else { given_up += 1 }
    }
    // The faults must bite, and the engine must get over most of them.
    assert!(right > RUNS * 7 / 10, "{right} right, {given_up} given up");
    assert!(resumed > 50, "{resumed} came in a later run");
}
