//! Running the program against a scripted server.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use tokio::runtime::Runtime;

use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};
use scitoken_test_support::secrecy;

pub(crate) const HELLO: &[u8] = b"hello scitokens\n";
pub(crate) const DIGEST: [(&str, &str); 1] = [("Digest", "adler32=355f0612")];
pub(crate) const TOKEN: &str = secrecy::OPAQUE;

/// The server runs on a runtime of its own: the tests wait for a process.
pub(crate) fn serve(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Runtime, ChaosServer) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let server = runtime.block_on(ChaosServer::start(answer));
    (runtime, server)
}

/// The program in an environment with one token and nothing else.
pub(crate) fn scitoken(directory: &Path) -> Command {
    let mut command = Command::cargo_bin("scitoken").expect("the program is built");
    command.env_clear().env("BEARER_TOKEN", TOKEN).env("HOME", directory).current_dir(directory);
    command
}

pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(command: &mut Command) -> Ended {
    let output = command.timeout(Duration::from_secs(60)).output().expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let ended = Ended {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    };
    // Raw, percent-encoded, and in base64.
    secrecy::assert_silent(&ended.out, TOKEN);
    secrecy::assert_silent(&ended.err, TOKEN);
    ended
}

pub(crate) fn get(directory: &Path, arguments: &[&str]) -> Ended {
    run(scitoken(directory).args(["-vvv", "get"]).args(arguments))
}

/// A listing; names that end with `/` are directories.
pub(crate) fn listing(base: &str, directory: &str, names: &[&str]) -> Reply {
    let mut xml = "<D:multistatus xmlns:D=\"DAV:\">".to_owned();
    for name in std::iter::once(&"").chain(names) {
        let kind = if name.is_empty() || name.ends_with('/') {
            "<D:resourcetype><D:collection/></D:resourcetype>"
        } else {
            "<D:getcontentlength>16</D:getcontentlength>"
        };
        let _ = write!(
            xml,
            "<D:response><D:href>{base}{directory}{name}</D:href><D:propstat><D:prop>{kind}</D:prop></D:propstat></D:response>"
        );
    }
    xml.push_str("</D:multistatus>");
    Reply::sized("207 Multi-Status", &[("Content-Type", "text/xml")], xml)
}
