//! `SIGINT`, `SIGTERM` and closed pipes.
//!
//! At the first signal transfers save their state, a login stops to wait, and the command ends: by `SIGINT` itself, so that a shell's loop ends
//! too, or with code 11 after `SIGTERM`, which a batch system sends. The second signal ends the program at once.

use std::sync::atomic::{AtomicBool, Ordering};

use scitoken_transfer::CancellationToken;

static WAS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Cancels the transfers at the first signal, and ends the program at the second.
pub(crate) fn watch(token: CancellationToken) {
    watch_with(move || token.cancel());
}

/// Calls `at_first` at the first signal, and ends the program at the second.
pub(crate) fn watch_with(at_first: impl FnOnce() + Send + 'static) {
    let (registered, is_registered) = std::sync::mpsc::channel();
    let watching = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async {
                let Some(mut signals) = Signals::register() else { return };
                let _ = registered.send(());
                if let Some(signal) = signals.next().await {
                    WAS_INTERRUPTED.store(signal == Received::Interrupt, Ordering::SeqCst);
                    at_first();
                }
                if let Some(signal) = signals.next().await {
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

/// Dies of `SIGINT` if that is what ended the command.
pub(crate) fn die_if_interrupted() {
    if WAS_INTERRUPTED.load(Ordering::SeqCst) {
        die_of_interrupt();
    }
}

/// Ends the program with code 11 at `SIGTERM`: a command that saves no state has nothing else to do.
#[cfg(unix)]
pub(crate) fn end_at_termination() {
    let always = std::sync::Arc::new(AtomicBool::new(true));
    let code = i32::from(crate::exit::Exit::TryLater as u8);
    // Without the handler the signal keeps its default effect.
    drop(signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGTERM, code, always));
}

#[cfg(not(unix))]
pub(crate) fn end_at_termination() {}

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
}

#[cfg(unix)]
impl Signals {
    fn register() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (interrupt, terminate) =
            (signal(SignalKind::interrupt()).ok()?, signal(SignalKind::terminate()).ok()?);
        Some(Self { interrupt, terminate })
    }

    async fn next(&mut self) -> Option<Received> {
        tokio::select! {
            got = self.interrupt.recv() => got.map(|()| Received::Interrupt),
            got = self.terminate.recv() => got.map(|()| Received::Terminate),
        }
    }
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

#[expect(clippy::exit, reason = "the second signal ends the program; the first one saved the state")]
fn exit_now(signal: Received) -> ! {
    if signal == Received::Interrupt {
        die_of_interrupt();
    }
    std::process::exit(i32::from(crate::exit::Exit::TryLater as u8))
}
