//! Tokens on their way. An issuer does not issue them again, so the program waits for them before it ends.

use std::sync::{LazyLock, Mutex, PoisonError, mpsc};
use std::time::Duration;

use scitoken_storage::StoredSource;
use scitoken_types::sys::Env;
use tokio::runtime::Runtime;
use tokio::sync::{RwLock, RwLockReadGuard, Semaphore};

use crate::output;
use crate::settings::StoredTokenSettings;
use crate::storage::{StoragePlace, rescue_renewed};

/// How long the end of a command waits for tokens.
pub(crate) const FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// The name of the thread of the renewals.
pub(crate) const THREAD: &str = "renewal";

/// How long a wait may be before it is reported.
const SILENT_WAIT: Duration = Duration::from_secs(2);

/// The runtime of all renewals. It outlives those of the commands: once an issuer has rotated a refresh token, the new one must
/// reach the storage, also when the transfer that needed it has ended.
static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).thread_name(THREAD).enable_all().build().ok()
});

/// Read by each login and renewal while it runs.
static RUNNING: RwLock<()> = RwLock::const_new(());

/// Closed when the program ends.
static ENDING: Semaphore = Semaphore::const_new(0);

/// The sources that have renewed a token in this run.
static RENEWED: Mutex<Vec<RenewedSource>> = Mutex::new(Vec::new());

#[derive(Clone)]
struct RenewedSource {
    source: StoredSource,
    settings: StoredTokenSettings,
}

/// Returns the runtime of renewals.
pub(crate) fn runtime() -> Option<&'static Runtime> {
    RUNTIME.as_ref()
}

/// A login or a renewal that runs: the end of the program waits until it is dropped.
#[derive(Debug)]
pub(crate) struct Obtaining(#[expect(dead_code, reason = "held, never read")] RwLockReadGuard<'static, ()>);

/// Begins a login, unless the program ends.
pub(crate) fn begin() -> Option<Obtaining> {
    RUNNING.try_read().ok().map(Obtaining)
}

/// As [`begin`], for a renewal, which waits here when the program ends.
pub(crate) async fn begin_renewal() -> Obtaining {
    Obtaining(RUNNING.read().await)
}

/// Returns when the program ends: what has not been sent is not sent any more.
pub(crate) async fn program_ends() {
    drop(ENDING.acquire().await);
}

/// Adds a source whose renewed tokens the end of the program stores.
pub(crate) fn add(source: StoredSource, settings: StoredTokenSettings) {
    RENEWED.lock().unwrap_or_else(PoisonError::into_inner).push(RenewedSource { source, settings });
}

/// Waits for logins and renewals that run, at most for this long, and keeps the tokens that no storage takes. No renewal starts
/// afterwards.
pub(crate) fn finish(env: &Env, limit: Duration) {
    ENDING.close();
    let is_idle = RUNNING.try_write().is_ok();
    if is_idle && RENEWED.lock().unwrap_or_else(PoisonError::into_inner).is_empty() {
        return;
    }
    let Some(runtime) = RUNTIME.as_ref() else { return };
    let (finished, is_finished) = mpsc::channel();
    let env = env.clone();
    runtime.spawn(async move {
        let _none_runs = RUNNING.write().await;
        let sources = RENEWED.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for RenewedSource { source, settings } in sources {
            if let Err(tokens) = source.finish().await {
                let place = StoragePlace { address: settings.storage, namespace: &settings.namespace };
                rescue_renewed(&env, &tokens, &place);
            }
        }
        let _ = finished.send(());
    });
    let silent = limit.min(SILENT_WAIT);
    if is_finished.recv_timeout(silent) == Err(mpsc::RecvTimeoutError::Timeout) {
        output::remark("scitoken: waiting for the answer of the issuer, so that no token is lost …");
        let _ = is_finished.recv_timeout(limit.saturating_sub(silent));
    }
}
