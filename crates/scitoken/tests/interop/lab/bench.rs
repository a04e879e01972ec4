//! The lab, seen from outside: made once for a test process, with servers started when a test first asks for them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::namespace::{Namespace, UNPRIVILEGED, is_root};
use super::{DIRECTORY, Keys, Lab, Pki, Server};
use crate::support::met;

/// The lab of this test process; `Err` where the machine does not permit one.
static BENCH: OnceLock<Result<Bench, String>> = OnceLock::new();

#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) directory: PathBuf,
    pub(crate) namespace: Namespace,
    /// Whether each server runs.
    running: [Mutex<bool>; Server::ALL],
}

/// Runs one test of this binary inside, with `servers` at work and these variables in its environment.
pub(crate) fn run<const N: usize>(
    servers: &[Server],
    test: &str,
    environment: impl FnOnce(&Lab) -> [(&'static str, OsString); N],
) {
    for server in servers {
        if met(server.name(), server.installed()).is_none() {
            return;
        }
    }
    let Some(bench) = met("namespaces", bench()) else { return };
    for &server in servers {
        bench.start(server);
    }
    let this_program = std::env::current_exe().expect("a test knows its own program");
    let output = bench
        .namespace
        .command(this_program)
        .args([test, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, &bench.directory)
        .envs(environment(&Lab { directory: bench.directory.clone() }))
        .output()
        .expect("a process can be started inside");
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "it failed inside the lab:\n{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "there is no test `{test}` to run inside the lab");
}

fn bench() -> Result<&'static Bench, String> {
    BENCH.get_or_init(Bench::open).as_ref().map_err(Clone::clone)
}

impl Bench {
    fn open() -> Result<Self, String> {
        // not below TMPDIR: the user `nobody` has to reach it, and XRootD's sockets have short names
        let directory = tempfile::Builder::new().prefix("scitoken-lab-").tempdir_in("/tmp");
        let directory = directory.map_err(|err| format!("no directory for the lab: {err}"))?;
        let namespace = Namespace::open(directory.path())?;
        // from here on it is the namespace that removes it
        let bench = Self { directory: directory.keep(), namespace, running: Default::default() };
        bench.furnish().map_err(|err| format!("{err:#}"))?;
        Ok(bench)
    }

    fn furnish(&self) -> anyhow::Result<()> {
        fs_err::create_dir_all(self.directory.join("log"))?;
        Pki::create(&self.directory)?;
        Keys::create(&self.directory)?;
        self.hand_over()
    }

    /// Gives all files but the clients' tokens to the user that the servers run as: a client refuses tokens of another user.
    pub(crate) fn hand_over(&self) -> anyhow::Result<()> {
        if is_root() {
            let owner = format!("{UNPRIVILEGED}:{UNPRIVILEGED}");
            let mut entries = Vec::new();
            for entry in fs_err::read_dir(&self.directory)? {
                entries.push(entry?.path());
            }
            entries.retain(|path| !path.ends_with("tokens"));
            let status = Command::new("chown").arg("-R").arg(&owner).args(&entries).status()?;
            anyhow::ensure!(status.success(), "`chown` failed");
            let status = Command::new("chown").arg(&owner).arg(&self.directory).status()?;
            anyhow::ensure!(status.success(), "`chown` failed");
        }
        Ok(())
    }

    /// Starts a server unless it runs; two tests that ask at once wait for the same start.
    fn start(&self, server: Server) {
        // a panic below fails the test that asked; the next one shall try again
        let mut running = self.running[server as usize].lock().unwrap_or_else(PoisonError::into_inner);
        if !*running {
            if let Err(err) = server.start(self) {
                panic!("{} did not start: {err:#}", server.name());
            }
            *running = true;
        }
    }
}
