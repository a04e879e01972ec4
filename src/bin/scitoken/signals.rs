//! `SIGINT` and `SIGTERM`: transfers write their state down, and the program ends with code 11.

use reqwest_scitokens::download::Stopper;

/// Stops the transfers when the program is told to stop. Told a second time, it ends at once.
pub(crate) fn watch(stopper: Stopper) {
    let watching = std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        if let Ok(runtime) = runtime {
            runtime.block_on(async {
                if wait().await {
                    stopper.stop();
                }
                if wait().await {
                    die();
                }
            });
        }
    });
    // Without the thread the signals do what they do by themselves.
    drop(watching);
}

#[cfg(unix)]
async fn wait() -> bool {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return false;
    };
    tokio::select! {
        got = interrupt.recv() => got.is_some(),
        got = terminate.recv() => got.is_some(),
    }
}

#[cfg(not(unix))]
async fn wait() -> bool {
    tokio::signal::ctrl_c().await.is_ok()
}

#[expect(clippy::exit, reason = "the user has asked twice; what could be written down was")]
fn die() -> ! {
    std::process::exit(i32::from(crate::exit::Exit::TryLater as u8))
}
