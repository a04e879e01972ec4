//! Runs that are killed without a word, at any moment, and whatever is left of them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

const LENGTH: usize = 24 * 1024 * 1024;
/// The slow server needs so many pieces, and so long for each: 19 s in all, so that a run on the slowest machine comes to
/// its first checkpoint, after 2 s, long before its end.
const PIECES: usize = 192;
const PAUSE: Duration = Duration::from_millis(100);
const ROUNDS: usize = 6;

fn start(directory: &Path, url: &str) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("scitoken"))
        .args(["get", "-q", url])
        .env_clear()
        .env("HOME", directory)
        .current_dir(directory)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it runs")
}

fn kill(mut child: Child) {
    // A run that is done already is one of the cases.
    let _ = child.kill();
    child.wait().expect("it ends");
}

/// Waits for what the run does at some time, for as long as it may reasonably need.
fn wait_for(what: &str, child: &mut Child, is_so: impl Fn() -> bool) {
    for _ in 0..12_000 {
        if is_so() {
            return;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended without {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("no {what} in a minute");
}

fn round(seed: usize, url: &str, fast: &AtomicBool, content: &[u8]) {
    let mut rng = Rng::with_seed(seed as u64);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let (part, sidecar) = (directory.join("f.part"), directory.join("f.part.json"));

    // Killed at some moment after its first checkpoint, or while that is written.
    let mut first = start(directory, url);
    wait_for("checkpoint", &mut first, || sidecar.exists());
    std::thread::sleep(Duration::from_millis(rng.u64(0..500)));
    kill(first);
    match seed % 3 {
        0 => drop(fs_err::remove_file(&part)),
        1 => drop(fs_err::remove_file(&sidecar)),
        _ => {}
    }

    // Killed at some moment from its start on, mostly before it comes to a checkpoint: it reserves space for the whole file,
    // or resumes what there is.
    let second = start(directory, url);
    std::thread::sleep(Duration::from_millis(rng.u64(100..1_000)));
    kill(second);

    fast.store(true, Ordering::SeqCst);
    let ended = start(directory, url).wait().expect("it ends");
    assert!(ended.success(), "seed {seed}: {ended}");
    let there = fs_err::read(directory.join("f")).unwrap();
    assert!(there == content, "seed {seed}: a wrong file of {} bytes", there.len());
    let left: Vec<_> = fs_err::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["f"], "seed {seed}");
}

#[test]
fn a_killed_run_never_makes_the_next_one_wrong() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut content = vec![0; LENGTH];
    Rng::with_seed(1).fill(&mut content);
    let content = Arc::new(content);
    let sent = Arc::clone(&content);
    // Each round has an address of its own, which is slow until its last run.
    let fast: Arc<[AtomicBool; ROUNDS]> = Arc::default();
    let is_fast = Arc::clone(&fast);
    let server = runtime.block_on(ChaosServer::start(move |asked| {
        // No digest: only the engine's own books can tell what is there.
        let mut reply = Reply::honest(asked, &sent, &[("ETag", "\"v1\"")]);
        let round: usize = asked.path.rsplit('=').next().and_then(|id| id.parse().ok()).expect("a number");
        if !is_fast[round].load(Ordering::SeqCst) {
            reply.trickle = Some((LENGTH / PIECES, PAUSE));
        }
        reply
    }));
    std::thread::scope(|scope| {
        for n in 0..ROUNDS {
            let (url, fast, content) = (server.url(&format!("f?id={n}")), &fast[n], &content);
            scope.spawn(move || round(n, url.as_str(), fast, content));
        }
    });
}
