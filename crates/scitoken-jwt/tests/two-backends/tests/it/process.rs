//! A test in a process of its own: the provider of `jsonwebtoken` is installed once for the whole process.

use std::process::Command;

const CHILD: &str = "TWO_BACKENDS_CHILD";

/// Runs this test again in a new process, which does `work`.
pub fn alone(test: &str, work: impl FnOnce()) {
    if std::env::var(CHILD).is_ok_and(|name| name == test) {
        return work();
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args([test, "--exact", "--nocapture"]).env(CHILD, test).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "no test has the name {test}: {text}");
}
