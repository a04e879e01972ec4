//! What the plugin says about objects of federations, in Pelican's attributes and exit codes.

use std::path::Path;

use assert_cmd::Command;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, TOKEN, refuse};
use scitoken_test_support::tls;

struct Job {
    fake: FakeFederation,
    directory: tempfile::TempDir,
}

/// The exit code, and an ad for each file.
type Ended = (Option<i32>, Vec<String>);

impl Job {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("ca.pem"), tls::ca_pem()).unwrap();
        let objects: [(&str, &[u8]); 2] = [("/public/a b,c", b"public"), ("/protected/f", b"protected")];
        Self { fake: FakeFederation::start(&objects).await, directory }
    }

    /// Runs the plugin on these files, each a URL and a local name.
    fn run(&self, program: &str, arguments: &[&str], files: &[(&str, &str)]) -> Ended {
        let ads: Vec<String> = files
            .iter()
            .map(|(url, name)| format!("[ Url = \"{url}\"; LocalFileName = \"{name}\" ]\n"))
            .collect();
        fs_err::write(self.path().join("in"), ads.concat()).unwrap();
        let mut command = Command::new(program);
        command.env_clear().env("NO_PROXY", "*").current_dir(self.path());
        command.env("SCITOKEN_CACERT", self.path().join("ca.pem"));
        command.env("SCITOKEN_FEDERATION", self.fake.host()).env("BEARER_TOKEN", TOKEN);
        command.args(arguments).args(["-infile", "in", "-outfile", "out"]);
        let output = command.output().unwrap();
        let results = fs_err::read_to_string(self.path().join("out")).unwrap_or_default();
        (output.status.code(), results.lines().map(str::to_owned).collect())
    }

    fn plugin(&self, files: &[(&str, &str)]) -> Ended {
        let program = env!("CARGO_BIN_EXE_scitoken");
        self.run(program, &["condor-plugin", "--retry", "0"], files)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }
}

fn assert_has(ad: &str, parts: &[&str]) {
    for part in parts {
        assert!(ad.contains(part), "{part}: {ad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_has_its_attempts_and_checksums() {
    let job = Job::new().await;
    job.fake.change(Cache(0), |asked, honest| match asked.path.as_str() {
        path if path.starts_with("/public") => refuse("503 Service Unavailable"),
        _ => honest,
    });
    let (code, ads) = job.plugin(&[("osdf:///public/a b,c", "one"), (&job.fake.name("/protected/f"), "two")]);
    assert_eq!((code, ads.len()), (Some(0), 2), "{ads:?}");
    let [first, second] = [&ads[0], &ads[1]];
    let port = |n| job.fake.server_url(Cache(n)).port().unwrap();
    assert_has(
        first,
        &[
            "TransferSuccess = true",
            "TransferFileBytes = 6",
            "TransferProtocol = \"osdf\"",
            "TransferType = \"download\"",
            "TransferFileName = \"one\"",
            "TransferLocalMachineName = \"",
            "DeveloperData = [ PelicanClientVersion = \"scitoken ",
            "Attempts = 2",
            &format!("Endpoint0 = \"localhost:{}\"", port(0)),
            "TransferFileBytes0 = 0",
            "IsRetryable0 = true",
            "answered 503",
            &format!("Endpoint1 = \"localhost:{}\"", port(1)),
            "TransferFileBytes1 = 6",
            "TimeToFirstByte1 = 0.",
            "TransferTime1 = 0.",
            "TransferEndTime1 = ",
            "DataAge1 = 0; CacheHit1 = false",
            "ClientChecksums = [ ",
            "ServerChecksums = [ ",
            "PelicanErrorCode = 6000; ErrorType = \"Transfer\"; Retryable = true",
        ],
    );
    assert_has(second, &["Attempts = 1", "TransferProtocol = \"pelican\"", "TransferFileBytes0 = 9"]);
    assert!(!second.contains("TransferError") && !second.contains(TOKEN), "{second}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_pelicans_codes() {
    let job = Job::new().await;
    let throttled = |reason: &'static str| {
        move |_: &_, _| {
            let body = format!(r#"{{"error":"{reason}","detail":"busy"}}"#);
            Reply::sized("429 Too Many Requests", &[("Retry-After", "3600")], body)
        }
    };
    let file = |name: &str| [("osdf:///public/a b,c", "f")].map(|(_, target)| (name.to_owned(), target));
    let run = |name: &str| {
        let files = file(name);
        let (code, ads) = job.plugin(&[(&files[0].0, files[0].1)]);
        assert_eq!(ads.len(), 1, "{ads:?}");
        (code, ads[0].clone())
    };
    let (code, ad) = run("osdf:///public/none");
    assert_eq!(code, Some(1), "{ad}");
    assert_has(
        &ad,
        &["TransferRetryable = false", "PelicanErrorCode = 5011", "TransferHTTPStatusCode = 404"],
    );
    let (code, ad) = run("osdf:///nowhere/f");
    assert_eq!(code, Some(1), "{ad}");
    assert_has(
        &ad,
        &["PelicanErrorCode = 5011", "Attempts = 1", "TransferError0 = ", "IsRetryable0 = false"],
    );
    let (code, ad) = run("osdf:///public/a?nonsense");
    assert_eq!(code, Some(1), "{ad}");
    for server in [Cache(0), Cache(1), Origin] {
        job.fake.change(server, throttled("origin_slow"));
    }
    let (code, ad) = run("osdf:///public/a b,c");
    assert_eq!(code, Some(11), "{ad}");
    assert_has(
        &ad,
        &[
            "TransferRetryable = true",
            "PelicanErrorCode = 6009; ErrorType = \"Transfer.OriginSlow\"; Retryable = true",
            "RetryAfterSeconds = 3600; ThrottleReason = \"origin_slow\"",
            "{ [ ErrorType = \"Transfer\"; DeveloperData = [ ",
        ],
    );
    job.fake.change(Director, |_, _| refuse("503 Service Unavailable"));
    let (code, ad) = run("osdf:///public/a b,c");
    assert_eq!(code, Some(11), "{ad}");
    assert_has(&ad, &["PelicanErrorCode = 2000; ErrorType = \"Resolution\"; Retryable = true"]);
    job.fake.change(Director, |asked, honest| {
        if asked.path.starts_with("/.well") { honest } else { refuse("503 Service Unavailable") }
    });
    let (_, ad) = run("osdf:///public/a b,c");
    assert_has(&ad, &["PelicanErrorCode = 3001; ErrorType = \"Contact.Director\"; Retryable = true"]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn under_pelicans_names_all_files_have_its_exit_codes() {
    let job = Job::new().await;
    let link = job.path().join("osdf_plugin");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_scitoken"), &link).unwrap();
    let origin = job.fake.server_url(Origin);
    let run =
        |path: &str| job.run(link.to_str().unwrap(), &[], &[(origin.join(path).unwrap().as_str(), "f")]);
    assert_eq!(run("public/a%20b,c").0, Some(0));
    assert_eq!(run("public/none").0, Some(1));
    let (code, ads) = job.run(link.to_str().unwrap(), &["--retry", "0"], &[("https://localhost:9/f", "f")]);
    assert_eq!(code, Some(11), "{ads:?}");
    let mixed = [("https://localhost:9/f", "f"), ("osdf:///public/none", "g")];
    assert_eq!(job.run(link.to_str().unwrap(), &["--retry", "0"], &mixed).0, Some(1), "one will not pass");
    let mut command = Command::new(&link);
    let output = command.args(["-infile", "in", "-outfile", "missing/out"]).current_dir(job.path()).output();
    assert_eq!(output.unwrap().status.code(), Some(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_are_not_uploaded_to_one_url() {
    let job = Job::new().await;
    fs_err::write(job.path().join("a"), "a").unwrap();
    fs_err::write(job.path().join("b"), "b").unwrap();
    let program = env!("CARGO_BIN_EXE_scitoken");
    let files = [("osdf:///protected/result", "a"), ("osdf:///protected/result", "b")];
    let (code, ads) = job.run(program, &["condor-plugin", "-upload"], &files);
    assert_ne!(code, Some(0), "{ads:?}");
    assert_has(&ads[0], &["TransferSuccess = true"]);
    assert_has(&ads[1], &["TransferSuccess = false", "same target"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_orders_are_not_overwritten_by_the_results() {
    let job = Job::new().await;
    let orders = "[ Url = \"osdf:///public/a%20b,c\"; LocalFileName = \"f\" ]\n";
    fs_err::write(job.path().join("in"), orders).unwrap();
    std::os::unix::fs::symlink("in", job.path().join("link")).unwrap();
    for outfile in ["in", "./in", "link"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_scitoken"));
        command.args(["condor-plugin", "-infile", "in", "-outfile", outfile]).current_dir(job.path());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{outfile}: {told}");
        assert!(told.contains("cannot be both `-infile` and `-outfile`"), "{told}");
        assert_eq!(fs_err::read_to_string(job.path().join("in")).unwrap(), orders);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_has_its_attempts_too() {
    let job = Job::new().await;
    fs_err::write(job.path().join("result"), "a result").unwrap();
    let program = env!("CARGO_BIN_EXE_scitoken");
    let files = [("osdf:///protected/result", "result")];
    let (code, ads) = job.run(program, &["condor-plugin", "-upload"], &files);
    assert_eq!(code, Some(0), "{ads:?}");
    let endpoint = format!("Endpoint0 = \"localhost:{}\"", job.fake.server_url(Origin).port().unwrap());
    assert_has(&ads[0], &["TransferType = \"upload\"", "Attempts = 1", "TransferFileBytes0 = 8", &endpoint]);
    let (code, ads) = job.run(program, &["condor-plugin", "-upload"], &[("osdf:///readonly/f", "result")]);
    assert_eq!(code, Some(1), "{ads:?}");
    assert_has(&ads[0], &["TransferSuccess = false", "Contact.Director", "TransferType = \"upload\""]);
}
