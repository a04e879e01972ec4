//! A network of its own, with nothing in it but loopback, and a process namespace that ends with the test process.
//!
//! XRootD binds to every interface of the machine, and here the machine has none that anybody else could reach.
//! Ports can be fixed, too: two test runs at once do not see each other's. A shell holds the namespaces and waits
//! on its standard input. When the test process ends, however it ends, that input closes, the shell goes, and
//! the kernel ends whatever still runs inside.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};

use scitoken_types::sys::effective_uid;

use crate::support::find;

/// Debian's `nobody` and `nogroup`: the servers run as these where the tests run as root, since XRootD refuses root.
pub(crate) const UNPRIVILEGED: u32 = 65534;

/// The host name is one that always resolves: XRootD looks up its own at start.
const INSIDE: &str = "hostname localhost && ip link set lo up && read -r pid rest </proc/self/stat \
                      && echo $pid && read -r end";

/// Holds the namespaces, and removes the directory (`$1`) when they are gone.
const HOLD: &str = r#"trap '' INT HUP; directory=$1; shift; "$@"; rm -rf -- "$directory""#;

#[derive(Debug)]
pub(crate) struct Namespace {
    /// Has the pipe whose end is the end of the namespaces.
    _holder: Child,
    pid: String,
}

impl Namespace {
    /// Makes the namespaces; `directory` is removed when they end.
    pub(crate) fn open(directory: &Path) -> Result<Self, String> {
        for program in ["unshare", "nsenter", "setpriv", "ip", "hostname"] {
            find(program)?;
        }
        let mut command = Command::new("sh");
        command.args(["-c", HOLD, "lab"]).arg(directory).arg("unshare");
        if !is_root() {
            command.args(["--user", "--map-current-user", "--keep-caps"]);
        }
        command.args(["--net", "--pid", "--uts", "--fork", "--kill-child", "sh", "-c", INSIDE]);
        let mut holder = command
            .env("PATH", search_path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|err| format!("cannot run `sh`: {err}"))?;
        let (stdout, stderr) = (holder.stdout.take(), holder.stderr.take());
        match first_line(stdout) {
            Some(pid) => Ok(Self { _holder: holder, pid }),
            None => Err(format!("no namespace of its own for the test: {}", all_of(stderr))),
        }
    }

    /// A command that runs inside, with the environment and the user of the test process.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.pid, "--net", "--pid", "--uts"]);
        if !is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program.as_ref()).stdin(Stdio::null());
        command
    }

    /// A command that runs inside, as `nobody` if the test process is root's, with an empty environment: what the
    /// machine sets for its own clients (`SSL_CERT_FILE`, `CURL_CA_BUNDLE`, proxies) is none of the servers' business.
    pub(crate) fn server(&self, program: impl AsRef<Path>) -> Command {
        let mut command = if is_root() {
            let user = UNPRIVILEGED.to_string();
            let mut command = self.command("setpriv");
            command.args(["--reuid", &user, "--regid", &user, "--clear-groups"]).arg(program.as_ref());
            command
        } else {
            self.command(program)
        };
        command.env_clear().env("PATH", search_path());
        command
    }
}

pub(crate) fn is_root() -> bool {
    effective_uid() == Some(0)
}

fn search_path() -> &'static str {
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

fn first_line(stdout: Option<ChildStdout>) -> Option<String> {
    let mut line = String::new();
    BufReader::new(stdout?).read_line(&mut line).ok()?;
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

fn all_of(stderr: Option<ChildStderr>) -> String {
    stderr
        .map(|stderr| std::io::read_to_string(stderr).unwrap_or_default())
        .unwrap_or_default()
        .trim()
        .to_owned()
}
