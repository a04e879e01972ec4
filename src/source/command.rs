//! Tokens that a program prints.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::{SourceError, TokenRequest, TokenSource};
use scitoken_types::redact::{self, Redactor};
use scitoken_types::{AccessToken, InvalidTokenKind, Scope, TokenText};

/// The token that a program prints, such as `htgettoken`, `oidc-token` or your own.
///
/// # The program's interface
/// * It prints the token, or a JSON object with an `access_token` as OAuth servers do, on standard output and exits
///   with 0. Printing nothing and exiting with 0 means that it has no token for this server.
/// * It exits with another code, and says why on standard error, when something is broken.
/// * It finds the request in `SCITOKEN_ORIGIN` and, where the caller set them, `SCITOKEN_AUDIENCE`,
///   `SCITOKEN_SCOPE` (separated by blanks) and `SCITOKEN_MIN_VALIDITY` (seconds). `SCITOKEN_REJECTED=1` says that a
///   server has refused the last token, so a cached one should not be printed again; the scopes that the server asked
///   for are in `SCITOKEN_CHALLENGE_SCOPE`; the server chose them.
/// * Standard input is empty. The time limit is 30 seconds by default.
///
/// # Helpers that fit
/// | helper | command line | remark |
/// |---|---|---|
/// | `htgettoken` | `htgettoken -q -a VAULT -i ISSUER -o /dev/stdout` | `-q`, because it reports progress on standard output; without `-o` it writes the file that [`Discovery`](super::Discovery) finds, and nothing needs to be run here. Log in once by hand: without a terminal it cannot ask. `--audience`, `--scopes` (separated by commas) and `--minsecs` take what the request wants |
/// | `oidc-token` | `oidc-token --time 60 ACCOUNT` | on Unix, [`AgentSource`](super::AgentSource) asks the agent itself and needs no process |
/// | `scitoken` | `scitoken store get --show-secret --json FILE NAME` | a JSON object with `access_token` is taken too |
/// | your own | `sh -c 'htgettoken … --audience "$SCITOKEN_AUDIENCE" …'` | with [`shell`](Self::shell) |
///
/// A token is kept for five minutes, or as [`with_max_age`](Self::with_max_age) sets, but never beyond its expiry.
///
/// ```
/// use reqwest_scitokens::source::CommandSource;
///
/// let source = CommandSource::new("oidc-token").args(["--time", "120", "wlcg"]);
/// # let _ = source;
/// ```
#[derive(Clone)]
pub struct CommandSource {
    program: OsString,
    arguments: Vec<OsString>,
    time_limit: Duration,
    max_age: Duration,
}

/// The most output that is read, in bytes.
const MOST_OUTPUT: u64 = 1024 * 1024;
/// How long the streams of a program that has ended are read: what it printed is in them already.
const AFTER_END: Duration = Duration::from_millis(200);
/// How much of standard error is kept, in bytes.
const MOST_COMPLAINT: usize = 4 * 1024;

impl CommandSource {
    /// Runs this program, found as a shell would find it.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            time_limit: Duration::from_secs(30),
            max_age: Duration::from_secs(300),
        }
    }

    /// Runs this command line by `sh -c`.
    pub fn shell(command_line: impl Into<OsString>) -> Self {
        Self::new("sh").args([OsString::from("-c"), command_line.into()])
    }

    /// Gives these arguments too.
    pub fn args<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Stops the program after this time, instead of 30 seconds.
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Keeps a token for this long before the program runs again, instead of five minutes.
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = max_age;
        self
    }

    fn command(&self, request: &TokenRequest<'_>) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let stated = [
            ("SCITOKEN_ORIGIN", Some(request.origin().to_string())),
            ("SCITOKEN_AUDIENCE", request.audience().map(ToString::to_string)),
            ("SCITOKEN_SCOPE", scopes(request)),
            ("SCITOKEN_CHALLENGE_SCOPE", challenge_scope(request)),
            ("SCITOKEN_MIN_VALIDITY", Some(request.min_validity().as_secs().to_string())),
            ("SCITOKEN_REJECTED", request.rejected().map(|_| "1".to_owned())),
        ];
        for (name, value) in stated {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    }

    async fn run(&self, request: &TokenRequest<'_>) -> Result<Vec<u8>, SourceError> {
        let name = self.name();
        let mut child = self.command(request).spawn().map_err(|error| {
            SourceError::caused_by(format!("failed to run the token command `{name}`"), error)
        })?;
        let group = Group::of(&child);
        let ended = tokio::time::timeout(self.time_limit, collect(&mut child)).await;
        // Processes that the program started are ended too, also when this future is dropped.
        drop(group);
        let failed = |message: String| SourceError::new(format!("the token command `{name}` {message}"));
        match ended {
            Err(_) => Err(failed(format!("did not end within {} s", self.time_limit.as_secs_f32()))
                .with_hint("run it by hand: it may be asking for something, which it cannot do here")),
            Ok(Err(error)) => {
                Err(SourceError::caused_by(format!("failed to read from the token command `{name}`"), error))
            }
            Ok(Ok(output)) if output.stdout.len() as u64 > MOST_OUTPUT => {
                Err(failed("printed more than 1 MiB, which is not a token".to_owned()))
            }
            Ok(Ok(output)) if !output.status.success() => {
                let complaint = String::from_utf8_lossy(&output.stderr);
                // A shell that traces its commands repeats what they printed.
                let secrets = Redactor::new();
                String::from_utf8_lossy(&output.stdout).split_whitespace().for_each(|word| secrets.add(word));
                let complaint = secrets.redact(&complaint);
                let complaint = redact::ending(&redact::without_tokens(whole_words(&complaint)));
                let said = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
                Err(failed(format!("failed with {}{said}", output.status)))
            }
            Ok(Ok(output)) => Ok(output.stdout),
        }
    }

    /// The program's name; its arguments may be secrets.
    fn name(&self) -> String {
        redact::text(&self.program.to_string_lossy())
    }
}

impl fmt::Debug for CommandSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSource")
            .field("program", &self.name())
            .field("arguments", &self.arguments.len())
            .field("time_limit", &self.time_limit)
            .field("max_age", &self.max_age)
            .finish()
    }
}

impl TokenSource for CommandSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let output = self.run(request).await?;
        let token = match TokenText::read(&output, Some(request.now())) {
            Ok(read) => {
                for note in &read.notes {
                    tracing::debug!(command = self.name(), "in the command's output, {note}");
                }
                read.token.with_origin_label(format!("command {}", self.name())).with_max_age(self.max_age)
            }
            Err(invalid) if invalid.kind() == InvalidTokenKind::Empty => {
                tracing::warn!("the token command `{}` printed nothing", self.name());
                request.note(|| format!("command {} printed no token", self.name()));
                return Ok(None);
            }
            Err(invalid) => {
                let message =
                    format!("the token command `{}` printed something other than a token", self.name());
                return Err(SourceError::caused_by(message, invalid));
            }
        };
        if token.is_expired_at(request.now()) {
            return Err(SourceError::expired(&token, request.now()));
        }
        Ok(Some(token))
    }
}

/// The wanted scopes as one text.
fn scopes(request: &TokenRequest<'_>) -> Option<String> {
    let wanted: Vec<_> = request.scopes().iter().map(Scope::as_str).collect();
    (!wanted.is_empty()).then(|| wanted.join(" "))
}

/// The scopes that the server asked for, those that are scopes (RFC 6749 section 3.3): no line end, quotation mark or
/// control character of a server reaches a shell, and nothing that a program takes for an option.
fn challenge_scope(request: &TokenRequest<'_>) -> Option<String> {
    let asked = request.challenge()?.scopes().map(|scope| scope.to_string());
    let is_scope = |scope: &String| {
        scope.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) && !scope.starts_with('-')
    };
    let asked: Vec<_> = asked.filter(is_scope).collect();
    (!asked.is_empty()).then(|| asked.join(" "))
}

/// Without a word that was cut at the start: half a token is not known as one.
fn whole_words(complaint: &str) -> &str {
    let cut = complaint.len() >= MOST_COMPLAINT;
    let start = complaint.find(char::is_whitespace).filter(|_| cut).unwrap_or(0);
    complaint[start..].trim()
}

struct Output {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// Reads both streams to their bounds until the program ends. A process that it started may keep them open longer (`ssh -f`, an
/// agent that is started on demand): what the program printed is there by then.
async fn collect(child: &mut Child) -> io::Result<Output> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut reading =
        Box::pin(async { tokio::try_join!(bounded(out, MOST_OUTPUT, &mut stdout), tail(err, &mut stderr)) });
    let ended = tokio::select! {
        read = &mut reading => {
            read?;
            None
        }
        status = child.wait() => {
            if let Ok(read) = tokio::time::timeout(AFTER_END, &mut reading).await {
                read?;
            }
            Some(status?)
        }
    };
    drop(reading);
    if ended.is_none() && stdout.len() as u64 > MOST_OUTPUT {
        child.start_kill()?;
    }
    let status = match ended {
        Some(status) => status,
        None => child.wait().await?,
    };
    Ok(Output { status, stdout, stderr })
}

async fn bounded(stream: Option<impl AsyncRead + Unpin>, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
    if let Some(stream) = stream {
        stream.take(most + 1).read_to_end(bytes).await?;
    }
    Ok(())
}

/// The end of a stream, where programs say what went wrong.
async fn tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> io::Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    let mut buffer = [0; MOST_COMPLAINT];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        kept.extend_from_slice(&buffer[..read]);
        kept.drain(..kept.len().saturating_sub(MOST_COMPLAINT));
    }
}

/// The process group of the program, killed when this goes.
struct Group(#[cfg(unix)] Option<rustix::process::Pid>);

impl Group {
    #[cfg(unix)]
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw))
    }

    #[cfg(not(unix))]
    fn of(_: &Child) -> Self {
        Self()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(group) = self.0 {
            // An error means that the group has no process left.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    async fn ask(source: CommandSource) -> Result<Option<String>, SourceError> {
        let url = Url::parse("https://data.example:8443/f").unwrap();
        let token = source.token(&TokenRequest::new(&url).unwrap()).await?;
        Ok(token.map(|t| t.expose_secret().to_owned()))
    }

    #[tokio::test]
    async fn what_it_prints_is_the_token() {
        assert_eq!(ask(CommandSource::shell("echo; echo ' tok '")).await.unwrap(), Some("tok".into()));
        let json = CommandSource::new("echo").args([r#"{"access_token":"x.y"}"#]);
        assert_eq!(ask(json).await.unwrap(), Some("x.y".into()));
        assert_eq!(ask(CommandSource::shell("true")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn it_learns_what_is_asked_for() {
        let source = CommandSource::shell("printf %s \"$SCITOKEN_ORIGIN\" | tr -d :/");
        assert_eq!(ask(source).await.unwrap(), Some("httpsdata.example8443".into()));
    }

    #[tokio::test]
    async fn what_a_server_asks_for_reaches_it_as_scopes_only() {
        use http::HeaderMap;
        use http::header::{HeaderValue, WWW_AUTHENTICATE};

        use crate::challenge::Challenge;

        let url = Url::parse("https://data.example/f").unwrap();
        for (value, expected) in [
            ("scope=\"read:/a  write:/b\"", "read:/a write:/b"),
            ("scope=\"--vaultserver=evil.example -a evil read:/a\"", "evil read:/a"),
            ("scope=\"read:/a \\\"quoted\\\" back\\\\slash write:/b\"", "read:/a write:/b"),
            ("scope=\"caf\u{e9} read:/a\"", "read:/a"),
            ("scope=\"-x --y -\"", "unset"),
            ("scope=\"\"", "unset"),
            ("error=\"invalid_token\"", "unset"),
        ] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(format!("Bearer {value}").as_bytes()).unwrap();
            headers.insert(WWW_AUTHENTICATE, value);
            let challenge = Challenge::from_headers(&headers).unwrap();
            let request = TokenRequest::new(&url).unwrap().with_challenge(&challenge);
            let line = "printf %s \"${SCITOKEN_CHALLENGE_SCOPE-unset}\" | tr ' :/' '_.-'";
            let token = CommandSource::shell(line).token(&request).await.unwrap().unwrap();
            let expected = expected.replace(' ', "_").replace(':', ".").replace('/', "-");
            assert_eq!(token.expose_secret(), expected);
        }
    }

    #[tokio::test]
    async fn a_failure_has_its_code_and_complaint_but_no_token() {
        let line = "echo 'no ticket; eyJhbGciOiJIUzI1NiJ9.e30.abcdef' >&2; exit 7";
        let error = ask(CommandSource::shell(line)).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 7") && error.contains("no ticket; …"), "{error}");
        let error = ask(CommandSource::new("/nonexistent/program")).await.unwrap_err();
        assert!(error.to_string().contains("/nonexistent/program"));
        let error = ask(CommandSource::shell("echo one two")).await.unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("white space"));
    }

    #[tokio::test]
    async fn one_that_hangs_is_stopped_with_all_that_it_started() {
        let dir = tempfile::tempdir().unwrap();
        let pid = dir.path().join("pid");
        let line = format!("sleep 60 & echo $! > {}; wait", pid.display());
        let source = CommandSource::shell(line).with_time_limit(Duration::from_secs(3));
        let error = ask(source).await.unwrap_err();
        assert!(error.to_string().contains("did not end within 3 s"), "{error}");
        let pid = fs_err::read_to_string(pid).unwrap();
        let gone = || {
            fs_err::read_to_string(format!("/proc/{}/stat", pid.trim())).map_or(true, |s| s.contains(") Z "))
        };
        for _ in 0..100 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("process {pid} is still there");
    }

    #[tokio::test]
    async fn a_process_that_outlives_it_with_its_output_open_is_not_waited_for() {
        let hour = Duration::from_secs(3_600);
        let printed = CommandSource::shell("echo tok; sleep 3600 &").with_time_limit(hour);
        assert_eq!(ask(printed).await.unwrap(), Some("tok".into()));
        let failed = CommandSource::shell("echo no ticket >&2; sleep 3600 & exit 3").with_time_limit(hour);
        let error = ask(failed).await.unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("no ticket"), "{error}");
    }

    #[tokio::test]
    async fn one_that_floods_is_stopped() {
        let error = ask(CommandSource::shell("yes x")).await.unwrap_err();
        assert!(error.to_string().contains("more than 1 MiB"), "{error}");
        let error = ask(CommandSource::shell("yes x | head -c 5000000 >&2; exit 1")).await.unwrap_err();
        assert!(error.to_string().len() < 1_000, "{error}");
    }
}
