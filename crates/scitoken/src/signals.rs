//! `SIGINT`, `SIGTERM`, `SIGHUP` and closed pipes.
//!
//! At the first signal transfers save their state, a login stops to wait, and the command ends: by `SIGINT` itself, so that a shell's loop ends
//! too, or with code 11 after `SIGTERM`, which a batch system sends, and `SIGHUP`, which a terminal sends that is closed. A login or renewal
//! whose request was sent is awaited and stored first, in every command. The second signal ends the program after a short wait for that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use scitoken_transfer::CancellationToken;
use scitoken_types::sys::Env;

use crate::obtaining;

/// How long the second signal waits for tokens that are on their way.
const LAST_WAIT: Duration = Duration::from_secs(10);

static WAS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

static FIRST_SIGNAL: Mutex<FirstSignal> = Mutex::new(FirstSignal::Awaited(Vec::new()));

/// What the first signal does. Without a call it ends the program.
enum FirstSignal {
    Awaited(Vec<Box<dyn FnOnce() + Send>>),
    Arrived,
}

/// Cancels the transfers at the first signal; the command then ends by itself.
pub(crate) fn cancel_at_first(token: CancellationToken) {
    at_first(move || token.cancel());
}

/// Calls `stop` at the first signal; the command then ends by itself.
pub(crate) fn at_first(stop: impl FnOnce() + Send + 'static) {
    let mut first = FIRST_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *first {
        FirstSignal::Awaited(calls) => calls.push(Box::new(stop)),
        FirstSignal::Arrived => stop(),
    }
}

/// Returns the calls that the first signal makes.
fn take_calls() -> Vec<Box<dyn FnOnce() + Send>> {
    let mut first = FIRST_SIGNAL.lock().unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *first, FirstSignal::Arrived) {
        FirstSignal::Awaited(calls) => calls,
        FirstSignal::Arrived => Vec::new(),
    }
}

/// Starts to watch for signals, once for all commands.
pub(crate) fn start(env: &Env) {
    let (registered, is_registered) = std::sync::mpsc::channel();
    let env = env.clone();
    let watching = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async {
                let Some(mut signals) = Signals::register() else { return };
                let _ = registered.send(());
                let Some(signal) = signals.next().await else { return };
                WAS_INTERRUPTED.store(signal == Received::Interrupt, Ordering::SeqCst);
                let calls = take_calls();
                if calls.is_empty() {
                    end_after_tokens(signal, env.clone());
                }
                for call in calls {
                    call();
                }
                if let Some(signal) = signals.next().await {
                    obtaining::finish(&env, LAST_WAIT);
                    exit_now(signal);
                }
            });
        }
    });
    // Without the thread the signals keep their default effect.
    if watching.is_ok() {
        let _ = is_registered.recv();
    }
}

/// Ends a command that saves no state, on a thread of its own, so that a second signal is still received.
fn end_after_tokens(signal: Received, env: Env) {
    let ending = std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        obtaining::finish(&env, obtaining::FINISH_TIMEOUT);
        exit_now(signal);
    });
    if ending.is_err() {
        exit_now(signal);
    }
}

/// Dies of `SIGINT` if that is what ended the command.
pub(crate) fn die_if_interrupted() {
    if WAS_INTERRUPTED.load(Ordering::SeqCst) {
        die_of_interrupt();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Received {
    Interrupt,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only Unix has this signal"))]
    Terminate,
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    /// `None` where the signal is to be ignored, as below `nohup`.
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    fn register() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt()).ok()?, signal(SignalKind::terminate()).ok()?);
        let hang_up = if ignores_hang_up() { None } else { Some(signal(SignalKind::hangup()).ok()?) };
        Some(Self { interrupt, terminate, hang_up })
    }

    async fn next(&mut self) -> Option<Received> {
        let Self { interrupt, terminate, hang_up } = self;
        let hung_up = async {
            match hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            got = interrupt.recv() => got.map(|()| Received::Interrupt),
            got = terminate.recv() => got.map(|()| Received::Terminate),
            got = hung_up => got.map(|()| Received::Terminate),
        }
    }
}

/// Returns whether the program was started with `SIGHUP` ignored, as `nohup` does. Where the system does not say, `nohup` has
/// left no output on a terminal.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    use std::io::IsTerminal as _;
    match fs_err::read_to_string("/proc/self/status") {
        Ok(status) => ignored_signals(&status).is_some_and(|ignored| ignored & 1 != 0),
        Err(_) => !std::io::stdout().is_terminal() && !std::io::stderr().is_terminal(),
    }
}

/// Returns the mask of the ignored signals in the status of a process; the lowest bit is that of signal 1, `SIGHUP`.
#[cfg(unix)]
fn ignored_signals(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn register() -> Option<Self> {
        Some(Self)
    }

    async fn next(&mut self) -> Option<Received> {
        tokio::signal::ctrl_c().await.ok().map(|()| Received::Interrupt)
    }
}

#[cfg(unix)]
fn die_of_interrupt() {
    // Returns only if the signal cannot be raised; the exit code then says what happened.
    let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGINT);
}

#[cfg(not(unix))]
fn die_of_interrupt() {}

/// Dies of `SIGPIPE`, as a program in a pipe whose reader has closed it.
#[cfg(unix)]
pub(crate) fn die_of_closed_pipe() {
    let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGPIPE);
}

#[cfg(not(unix))]
pub(crate) fn die_of_closed_pipe() {}

#[expect(clippy::exit, reason = "the command has no state to save, or has had the time to do it")]
fn exit_now(signal: Received) -> ! {
    if signal == Received::Interrupt {
        die_of_interrupt();
    }
    std::process::exit(i32::from(crate::exit::Exit::TryLater as u8))
}
