//! Runs that are killed without a word, at any moment, and whatever is left of them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;

use crate::chaos_server::{ChaosServer, Reply};

const LENGTH: usize = 24 * 1024 * 1024;
/// The slow server needs so many pieces, and so long for each: 2.9 s in all, and the first checkpoint is after 2 s.
const PIECES: usize = 48;
const PAUSE: Duration = Duration::from_millis(60);
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

fn kill_after(directory: &Path, url: &str, time: Duration) {
    let mut child = start(directory, url);
    std::thread::sleep(time);
    // A run that is done already is one of the cases.
    let _ = child.kill();
    child.wait().expect("it ends");
}

/// Whether the first run came to a checkpoint.
fn round(seed: usize, url: &str, fast: &AtomicBool, content: &[u8]) -> bool {
    let mut rng = Rng::with_seed(seed as u64);
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    kill_after(directory, url, Duration::from_millis(rng.u64(2_200..2_900)));
    let had_state = directory.join("f.part.json").exists();
    match seed % 3 {
        0 => drop(fs_err::remove_file(directory.join("f.part"))),
        1 => drop(fs_err::remove_file(directory.join("f.part.json"))),
        _ => {}
    }
    // This one makes room for the whole file, and comes to no checkpoint.
    kill_after(directory, url, Duration::from_millis(rng.u64(100..1_000)));
    fast.store(true, Ordering::SeqCst);
    let ended = start(directory, url).wait().expect("it ends");
    assert!(ended.success(), "seed {seed}: {ended}");
    let there = fs_err::read(directory.join("f")).unwrap();
    assert!(there == content, "seed {seed}: a wrong file of {} bytes", there.len());
    let left: Vec<_> = fs_err::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["f"], "seed {seed}");
    had_state
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
    let had_state = std::thread::scope(|scope| {
        let rounds: Vec<_> = (0..ROUNDS)
            .map(|n| {
                let (url, fast, content) = (server.url(&format!("f?id={n}")), &fast[n], &content);
                scope.spawn(move || round(n, url.as_str(), fast, content))
            })
            .collect();
        rounds.into_iter().map(|round| round.join().unwrap()).filter(|had| *had).count()
    });
    assert!(had_state > 0, "no run came to its first checkpoint");
}
