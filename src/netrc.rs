//! Passwords of a `.netrc` file, for servers that accept no token.

use base64::prelude::*;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::Chars;

use http::HeaderValue;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use crate::hint::Hint;
use scitoken_types::files::{FileError, FileProblem, Ownership, SecretFile};
use scitoken_types::sys::Env;
use scitoken_types::{Origin, redact};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// The entries of a `.netrc` file, read as `curl`, `ftp` and Python read it: `machine`, `default`, `login` (or `user`), `password`,
/// `account`, `macdef`, words in quotation marks, comments.
///
/// No such file is read by default. An entry goes to its own machine and to no other, only over `https` (or to this
/// machine), and only where there is no token. `default` is for the server that the user named, not for one that a
/// redirect names; a redirect may only lead to the usual port, except between two names of this machine.
///
/// ```
/// use reqwest_scitokens::netrc::Netrc;
/// use reqwest_scitokens::Session;
///
/// let netrc = Netrc::parse("machine urs.example.org login me password s3cret")?;
/// assert!(!format!("{netrc:?}").contains("s3cret"));
/// # #[cfg(feature = "tls")]
/// let session = Session::builder().netrc(netrc).build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Netrc {
    machines: Vec<(String, NetrcEntry)>,
    default: Option<NetrcEntry>,
}

#[derive(Clone, Default)]
struct NetrcEntry {
    login: Option<String>,
    password: Option<SecretString>,
}

/// Why a `.netrc` file is not used.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the passwords of `{}`", redact::path(.path))]
pub struct NetrcError {
    path: PathBuf,
    #[source]
    problem: NetrcProblem,
}

#[derive(Debug, thiserror::Error)]
enum NetrcProblem {
    #[error(transparent)]
    File(#[from] FileProblem),
    #[error("others can read it (mode {0:04o})")]
    Loose(u32),
    #[error(transparent)]
    Text(InvalidNetrc),
    #[error("there is no home directory to search for it")]
    NoHome,
}

impl From<FileError> for NetrcProblem {
    fn from(error: FileError) -> Self {
        Self::File(error.into_problem())
    }
}

/// A text that is not a `.netrc`: the line, and what is wrong there, without its words, which may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct InvalidNetrc {
    line: u64,
    problem: &'static str,
}

/// What named a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedBy {
    User,
    Redirect,
    /// A redirect from one name of this machine to another one.
    LocalRedirect,
    /// Another server that the user named, such as the director of a federation.
    Server,
}

impl Netrc {
    /// Reads `$NETRC`, else `~/.netrc`.
    ///
    /// # Errors
    /// As [`read`](Self::read); where nothing is set and there is no home, too.
    pub fn discover(env: &Env) -> Result<Self, NetrcError> {
        if let Some(path) = env.get_non_empty("NETRC") {
            return Self::read(path);
        }
        let (home, name) = if cfg!(windows) { ("USERPROFILE", "_netrc") } else { ("HOME", ".netrc") };
        match env.get_non_empty(home) {
            Some(home) => Self::read(Path::new(&home).join(name)),
            None => Err(NetrcError { path: name.into(), problem: NetrcProblem::NoHome }),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// The file is not there, no regular file, readable by others, larger than 1 MiB, or no `.netrc`.
    pub fn read(path: impl Into<PathBuf>) -> Result<Self, NetrcError> {
        let path = path.into();
        let read = || {
            let file = SecretFile::open(&path, Ownership::UserOrRoot)?;
            if let Some(mode) = file.loose_mode() {
                return Err(NetrcProblem::Loose(mode));
            }
            let bytes = file.read(LARGEST)?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| NetrcProblem::Text(InvalidNetrc { line: 1, problem: "it is not UTF-8" }))?;
            Self::parse(text).map_err(NetrcProblem::Text)
        };
        read().map_err(|problem| NetrcError { path: path.clone(), problem })
    }

    /// Parses the text of such a file.
    ///
    /// # Errors
    /// An unknown word, a missing value, or a value that no header can carry.
    pub fn parse(text: &str) -> Result<Self, InvalidNetrc> {
        let text = text.trim_start_matches('\u{feff}');
        let mut words = Words { rest: text.chars(), line: 1 };
        let mut netrc = Self::default();
        let mut current = None;
        while let Some(word) = words.keyword()? {
            match word.as_str() {
                "machine" => {
                    let name = words.value()?.trim_matches(['[', ']']).to_ascii_lowercase();
                    netrc.machines.push((name, NetrcEntry::default()));
                    current = netrc.machines.last_mut().map(|(_, entry)| entry);
                }
                "default" => current = Some(netrc.default.insert(NetrcEntry::default())),
                "login" | "user" => {
                    let login = words.value()?.to_string();
                    if login.contains(':') {
                        return Err(words.wrong("a login has a colon, which HTTP cannot carry"));
                    }
                    words.entry(&mut current)?.login = Some(login);
                }
                "password" => {
                    let password = words.value()?;
                    words.entry(&mut current)?.password = Some(password.as_str().into());
                }
                "account" => drop(words.value()?),
                "macdef" => words.skip_macro(),
                _ => return Err(words.wrong("a word is none of `machine`, `default`, `login`, `password`")),
            }
        }
        Ok(netrc)
    }

    /// Returns the header for a server, if it gets one.
    pub(crate) fn header(&self, origin: &Origin, named_by: NamedBy) -> Option<HeaderValue> {
        let is_usual_port = origin.is_https() && origin.port() == 443;
        if !origin.is_trustworthy() || (named_by == NamedBy::Redirect && !is_usual_port) {
            return None;
        }
        let host = origin.host();
        let host = host.trim_matches(['[', ']']);
        let own = self.machines.iter().find(|(machine, _)| machine == host).map(|(_, entry)| entry);
        let default = self.default.as_ref().filter(|_| named_by == NamedBy::User);
        own.or(default)?.header()
    }
}

impl NetrcEntry {
    /// RFC 7617.
    fn header(&self) -> Option<HeaderValue> {
        let (login, password) = (self.login.as_deref()?, self.password.as_ref()?);
        let pair = Zeroizing::new(format!("{login}:{}", password.expose_secret()));
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(pair.as_bytes()));
        let mut value = HeaderValue::try_from(format!("Basic {}", encoded.as_str())).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

/// The words of a text and their lines.
struct Words<'t> {
    rest: Chars<'t>,
    line: u64,
}

impl Words<'_> {
    /// The next word that is no comment.
    fn keyword(&mut self) -> Result<Option<Zeroizing<String>>, InvalidNetrc> {
        loop {
            match self.word()? {
                Some(word) if word.starts_with('#') => self.skip_line(),
                word => return Ok(word),
            }
        }
    }

    /// The next word, whatever it is: a password may begin like a comment.
    fn value(&mut self) -> Result<Zeroizing<String>, InvalidNetrc> {
        let value = self.word()?.ok_or_else(|| self.wrong("a value is missing at the end"))?;
        if value.chars().any(char::is_control) {
            return Err(self.wrong("a value has a control character"));
        }
        Ok(value)
    }

    fn word(&mut self) -> Result<Option<Zeroizing<String>>, InvalidNetrc> {
        let mut word = Zeroizing::new(String::new());
        let first = loop {
            match self.next() {
                Some(c) if c.is_whitespace() => {}
                Some(c) => break c,
                None => return Ok(None),
            }
        };
        if first != '"' {
            word.push(first);
            // A line end stays, for callers that skip the rest of a line.
            while let Some(c) = self.rest.clone().next().filter(|c| !c.is_whitespace()) {
                word.push(c);
                self.next();
            }
            return Ok(Some(word));
        }
        loop {
            match self.next() {
                Some('"') => return Ok(Some(word)),
                Some('\\') => word.extend(self.next()),
                Some(c) if c != '\n' => word.push(c),
                _ => return Err(self.wrong("a quotation mark is not closed")),
            }
        }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest.next();
        if next == Some('\n') {
            self.line += 1;
        }
        next
    }

    fn skip_line(&mut self) {
        while self.next().is_some_and(|c| c != '\n') {}
    }

    /// A macro ends with an empty line.
    fn skip_macro(&mut self) {
        self.skip_line();
        loop {
            let before = self.rest.clone();
            self.skip_line();
            let line = before.as_str().lines().next();
            if line.is_none_or(|line| line.trim().is_empty()) {
                return;
            }
        }
    }

    fn entry<'e>(
        &self,
        current: &'e mut Option<&mut NetrcEntry>,
    ) -> Result<&'e mut NetrcEntry, InvalidNetrc> {
        current.as_deref_mut().ok_or_else(|| self.wrong("it precedes any `machine`"))
    }

    fn wrong(&self, problem: &'static str) -> InvalidNetrc {
        InvalidNetrc { line: self.line, problem }
    }
}

impl NetrcError {
    /// Returns what the user can do about it.
    pub fn hint(&self) -> Option<Hint> {
        match &self.problem {
            NetrcProblem::Loose(_) if is_on_read_only_volume(&self.path) => Some(Hint::RestrictVolume),
            NetrcProblem::Loose(_) => Some(Hint::RestrictPermissions { path: self.path.clone() }),
            NetrcProblem::File(FileProblem::Missing) | NetrcProblem::NoHome => Some(Hint::NameNetrc),
            _ => None,
        }
    }
}

/// Returns whether no command can change the file's mode: a container has it from a volume that is mounted for reading.
#[cfg(unix)]
fn is_on_read_only_volume(path: &Path) -> bool {
    use rustix::fs::{StatVfsMountFlags, statvfs};
    statvfs(path).is_ok_and(|volume| volume.f_flag.contains(StatVfsMountFlags::RDONLY))
}

#[cfg(not(unix))]
fn is_on_read_only_volume(_: &Path) -> bool {
    false
}

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machines: Vec<_> = self.machines.iter().map(|(machine, _)| machine).collect();
        f.debug_struct("Netrc")
            .field("machines", &machines)
            .field("default", &self.default.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, url: &str, named_by: NamedBy) -> Option<String> {
        let origin = Origin::try_from(&url.parse::<url::Url>().unwrap()).unwrap();
        let header = Netrc::parse(text).unwrap().header(&origin, named_by)?;
        assert!(header.is_sensitive());
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap();
        Some(String::from_utf8(BASE64_STANDARD.decode(encoded).unwrap()).unwrap())
    }

    #[test]
    fn a_file_is_read_as_others_read_it() {
        let text = "# mine\nmachine A.example.org login me password #1\nmacdef init\nmachine x login y password z\n\n\
                    machine b.example.org\n\tuser \"m e\" account x\n\tpassword \"a \\\"b\\\\\"\n\
                    machine a.example.org login second password second\nmachine half login x\n\
                    machine [::1] login six password 6\ndefault login any password thing\n";
        for (url, expected) in [
            ("https://a.example.org/", "me:#1"),
            ("https://a.example.org:8443/", "me:#1"),
            ("https://b.example.org/", "m e:a \"b\\"),
            ("https://x/", "any:thing"),
            ("http://[::1]:8080/", "six:6"),
        ] {
            assert_eq!(sent(text, url, NamedBy::User).as_deref(), Some(expected), "{url}");
        }
        assert_eq!(sent(text, "https://half/", NamedBy::User), None, "half an entry is none");
    }

    #[test]
    fn a_byte_order_mark_is_no_word() {
        assert!(Netrc::parse("\u{feff}machine h login me password pw").is_ok());
    }

    #[test]
    fn a_password_goes_to_its_machine_only_and_never_in_clear() {
        let text = "machine h login me password pw default login any password thing";
        for (url, named_by, expected) in [
            ("https://h/", NamedBy::User, Some("me:pw")),
            ("http://h/", NamedBy::User, None),
            ("http://localhost/", NamedBy::User, Some("any:thing")),
            ("https://h.evil/", NamedBy::Redirect, None),
            ("https://h/", NamedBy::Redirect, Some("me:pw")),
            ("https://h:8443/", NamedBy::Redirect, None),
            ("http://h/", NamedBy::Redirect, None),
            ("https://other/", NamedBy::Redirect, None),
        ] {
            assert_eq!(sent(text, url, named_by).as_deref(), expected, "{url} {named_by:?}");
        }
    }

    #[test]
    fn what_is_no_netrc_is_told_by_its_line_and_without_its_words() {
        for (text, line) in [
            ("login me", 1),
            ("machine h\npasswrd s3cret", 2),
            ("machine h login", 1),
            ("machine h\n\nlogin \"me\npassword s3cret", 4),
            ("machine h login a:b password s3cret", 1),
            ("machine h login me password \"s3cret\u{7}\"", 1),
        ] {
            let error = Netrc::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text}");
            assert!(!format!("{error:?} {error}").contains("s3cret"));
        }
        assert!(Netrc::parse("").unwrap().machines.is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_command_that_helps() {
        use std::os::unix::fs::PermissionsExt as _;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("netrc");
        fs_err::write(&path, "machine h login me password s3cret").unwrap();
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let env = Env::given([("NETRC", path.to_str().unwrap())]);
        let error = Netrc::discover(&env).unwrap_err();
        assert!(error.hint().unwrap().to_string().contains("chmod 600"));
        assert!(!is_on_read_only_volume(&path));
        assert!(Hint::RestrictVolume.to_string().contains("`defaultMode: 0400`"));
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Netrc::discover(&env).unwrap().machines.len(), 1);
        let missing = Netrc::discover(&Env::given([("HOME", "/nonexistent")])).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/.netrc"), "{missing}");
    }
}
