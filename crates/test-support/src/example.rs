//! The programs in a package's `examples`.

use std::env::consts::EXE_SUFFIX;
use std::process::Command;

/// From where discovery takes a token.
const TOKENS: [&str; 6] =
    ["BEARER_TOKEN", "BEARER_TOKEN_FILE", "SCITOKEN", "SCITOKEN_FILE", "_CONDOR_CREDS", "XDG_RUNTIME_DIR"];

/// Returns the command of an example of the package that is tested, without the environment's tokens and proxies.
///
/// `cargo test` builds examples before it runs tests. With `--test` or the name of a test it does not: then this is the
/// example as it was built last.
pub fn example(name: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    // The test is in `deps`, beside `examples`.
    let program = test.parent().unwrap().with_file_name("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(program.exists(), "`{}` is missing: run `cargo build --examples`", program.display());
    let mut command = Command::new(program);
    for variable in TOKENS {
        command.env_remove(variable);
    }
    command.env("NO_PROXY", "*");
    command
}
