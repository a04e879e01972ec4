//! What a panic does: it ends the program, whichever thread it is on.

use std::time::Duration;

use scitoken_types::sys::Env;

use crate::obtaining;

/// How long the end waits for tokens that are on their way.
const LAST_WAIT: Duration = Duration::from_secs(10);

/// The status of a Rust program whose `main` panicked.
const STATUS: i32 = 101;

/// Makes the first panic of any thread end the process: a fault of the program leaves a state that no other thread should go on
/// with, and what was downloaded so far is resumed by the next run.
///
/// Release builds do not unwind. Without this they would end by `SIGABRT`, which leaves a file of the memory where core files are
/// enabled, tokens included, and a refresh token that the issuer has just rotated would not reach its storage.
pub(crate) fn end_the_process(env: &Env) {
    let report = std::panic::take_hook();
    let env = env.clone();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        // A renewal that panicked is not waited for.
        if std::thread::current().name() != Some(obtaining::THREAD) {
            obtaining::finish(&env, LAST_WAIT);
        }
        exit_now();
    }));
}

#[expect(clippy::exit, reason = "the program is at fault and cannot go on")]
fn exit_now() -> ! {
    std::process::exit(STATUS)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// It is the process of the test below.
    #[test]
    #[ignore = "run by the test below"]
    fn a_worker_panics() {
        struct Unwound;
        impl Drop for Unwound {
            fn drop(&mut self) {
                println!("unwound");
            }
        }
        end_the_process(&Env::process());
        let worker = std::thread::spawn(|| {
            let _unwound = Unwound;
            panic!("the worker is at fault");
        });
        println!("survived: {}", worker.join().is_err());
    }

    #[test]
    fn a_panic_of_a_worker_ends_the_process_without_unwinding() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", "panics::tests::a_worker_panics"])
            .output()
            .unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        let reported = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(STATUS), "{shown}{reported}");
        assert!(reported.contains("the worker is at fault"), "{reported}");
        assert!(shown.contains("running 1 test"), "{shown}");
        assert!(!shown.contains("survived") && !shown.contains("unwound"), "{shown}");
    }
}
