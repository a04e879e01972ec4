//! `scitoken login` killed, or refused by the system, at each of its system calls that change a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use scitoken_storage::{JsonTokenStorage, SqliteTokenStorage, TokenStorage, TokenStorageData};
use scitoken_test_support::issuer::FakeIssuer;
use scitoken_test_support::tls;
use scitoken_types::sys::Env;

use crate::support::{find, met};

/// The system calls that write, sync, lock, rename and remove.
const CHANGES: &str = "write,pwrite64,fsync,fdatasync,flock,fcntl,rename,renameat,renameat2,unlink,unlinkat,mkdir,ftruncate,fchmod";
/// More of them than a login makes.
const MOST: usize = 400;
/// How many logins run at once.
const WORKERS: usize = 8;

/// What came of an injected fault.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    Call,
    /// The call that failed wakes the runtime.
    WakeUp,
    /// Calls of several threads failed: strace counts those of each.
    Several,
}

struct Desk {
    runtime: tokio::runtime::Runtime,
    issuer: FakeIssuer,
    home: tempfile::TempDir,
}

impl Desk {
    fn met() -> Option<Self> {
        met("strace", find("strace"))?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let issuer = runtime.block_on(FakeIssuer::start());
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        fs_err::write(home.path().join("ca.pem"), tls::ca_pem()).unwrap();
        Some(Self { runtime, issuer, home })
    }

    /// Logs in for a scope of this number, with a fault at the call of this number; returns what came of the fault.
    fn log_in(&self, directory: &Path, storage: &str, fault: &str, number: usize) -> (Fault, Output) {
        let log = directory.join("calls");
        let output = Command::new("strace")
            .args(["-f", "-qq", "-y", "-e", &format!("trace={CHANGES}"), "-o"])
            .arg(&log)
            .args(["-e", &format!("inject={CHANGES}:{fault}:when={number}")])
            .arg(env!("CARGO_BIN_EXE_scitoken"))
            .args(["login", "--client-id", "public", "--resource-server", "rs", "--storage", storage])
            .args(["--issuer", self.issuer.url().as_str(), "--scope", &format!("run:{number}")])
            .env_clear()
            .env("PATH", Env::process().get("PATH").unwrap_or_default())
            .env("HOME", directory)
            .env("SCITOKEN_CACERT", self.home.path().join("ca.pem"))
            .env("NO_PROXY", "*")
            .current_dir(directory)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let calls = fs_err::read_to_string(log).unwrap();
        let mut hits = calls.lines().filter(|call| call.contains("INJECTED"));
        let fault = match hits.next() {
            Some(_) if hits.next().is_some() => Fault::Several,
            // A wake-up of the runtime itself, which is no file and fails in no other way.
            Some(call) if call.contains("anon_inode:[eventfd]") => Fault::WakeUp,
            Some(_) => Fault::Call,
            None if calls.contains("killed by SIGKILL") => Fault::Call,
            None => Fault::None,
        };
        (fault, output)
    }

    /// Returns whether the issuer has given a token to the login of this number.
    fn gave_token_to(&self, number: usize) -> bool {
        use scitoken_types::AccessToken;
        let scope = format!("run:{number}");
        self.issuer.access_tokens().iter().any(|token| {
            let token = AccessToken::new(token.as_str()).unwrap();
            token.claims().unwrap().scopes().any(|given| given.as_str() == scope)
        })
    }

    /// Runs a login for each number of a call, until one has no such call. `check` gets the directory, the storage and the
    /// login's output.
    fn for_each_call(
        &self,
        kind: &str,
        fault: &str,
        check: impl Fn(&dyn TokenStorage, &Path, &Output) -> &'static str + Sync,
    ) -> BTreeMap<&'static str, usize> {
        let next = std::sync::atomic::AtomicUsize::new(1);
        let ends = std::sync::Mutex::new(BTreeMap::new());
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        let directory = self.home.path().join(format!("{kind}{number}"));
                        fs_err::create_dir(&directory).unwrap();
                        let path = directory.join("tokens");
                        let storage: Box<dyn TokenStorage> = match kind {
                            "json" => Box::new(JsonTokenStorage::new(&path)),
                            _ => Box::new(SqliteTokenStorage::new(&path).unwrap()),
                        };
                        let old =
                            TokenStorageData::new("rs", "old", "OLD", 1_000).with_refresh_token("OLD-RT");
                        storage.store_token_data(old).unwrap();
                        let (came, output) =
                            self.log_in(&directory, &format!("{kind}:tokens"), fault, number);
                        let end = match check(&*storage, &directory, &output) {
                            "not logged in" if came == Fault::WakeUp => "not woken",
                            "not logged in" if came == Fault::Several => "several faults",
                            end => end,
                        };
                        if end == "not logged in" {
                            let said = String::from_utf8_lossy(&output.stderr);
                            assert!(
                                !self.gave_token_to(number),
                                "{kind} {fault} {number} lost a token: {said}"
                            );
                        }
                        *ends.lock().unwrap().entry(end).or_default() += 1;
                        assert!(number < MOST, "there is no end of the calls");
                        if came == Fault::None {
                            return;
                        }
                    }
                });
            }
        });
        ends.into_inner().unwrap()
    }

    /// Returns whether the storage has the old tokens or the new ones, and fails for anything else.
    fn state(&self, storage: &dyn TokenStorage) -> &'static str {
        let data = storage.get_token_data("rs").unwrap().unwrap();
        match data.expose_refresh_token().unwrap() {
            "OLD-RT" => "old",
            new if self.issuer.knows(new) => "new",
            other => panic!("{other}"),
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        // The issuer's listener ends inside its runtime.
        let _inside = self.runtime.enter();
    }
}

#[test]
fn a_login_that_is_killed_at_any_call_leaves_the_old_tokens_or_the_new_ones() {
    let Some(desk) = Desk::met() else { return };
    for kind in ["json", "sqlite"] {
        let ends = desk.for_each_call(kind, "signal=KILL", |storage, directory, _| {
            let state = desk.state(storage);
            // The next login is not disturbed by what was left.
            storage.store_token_data(TokenStorageData::new("rs2", "s", "AT", 5)).unwrap();
            let left = fs_err::read_dir(directory).unwrap().count();
            assert!(left <= 6, "{left} files are left");
            state
        });
        assert!(ends["old"] > 10 && ends["new"] > 1, "{kind}: {ends:?}");
    }
}

#[test]
fn a_login_whose_call_fails_loses_no_token() {
    let Some(desk) = Desk::met() else { return };
    for (kind, fault) in [("json", "error=EIO"), ("sqlite", "error=EIO"), ("json", "error=ENOSPC")] {
        desk.issuer.forget_tokens();
        let ends = desk.for_each_call(kind, fault, |storage, directory, output| {
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            if desk.state(storage) == "new" {
                return "new";
            }
            // What the issuer has given is in a file that is named, or on standard output.
            if let Some((_, rest)) = said.split_once("the tokens are in `") {
                let kept = JsonTokenStorage::new(directory.join(rest.split('`').next().unwrap()));
                assert_eq!(desk.state(&kept), "new");
                return "kept";
            }
            if said.contains("the tokens are on standard output") {
                return "printed";
            }
            // Each thread has a call of this number: a second fault can hit the line that names the file.
            if let Some(kept) = kept_file(directory) {
                assert_eq!(desk.state(&JsonTokenStorage::new(kept)), "new");
                return "kept, not named";
            }
            assert!(!output.status.success(), "{said}");
            "not logged in"
        });
        assert!(ends["new"] > 1 && ends["not logged in"] > 1, "{kind} {fault}: {ends:?}");
        for entry in fs_err::read_dir(desk.home.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                fs_err::remove_dir_all(path).unwrap();
            }
        }
    }
}

/// The file in which a login keeps tokens that could not be stored.
fn kept_file(directory: &Path) -> Option<std::path::PathBuf> {
    let mut paths = fs_err::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("scitoken-login-"))
}
