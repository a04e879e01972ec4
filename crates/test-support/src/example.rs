//! The programs in a package's `examples`.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;

/// Returns the command of an example of the package that is tested, without an environment.
///
/// `cargo test` builds examples before it runs tests; with `--test`, or with the name of a test, it does not.
pub fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    // The test is in `deps`, beside `examples`.
    let program = test.parent().unwrap().with_file_name("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(program.exists(), "`{}` is missing: run `cargo test` without `--test`", program.display());
    let mut command = Command::new(program);
    command.env_clear().env("NO_PROXY", "*");
    command
}
