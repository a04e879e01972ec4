//! The default source: where batch systems and login tools leave tokens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::chain::BestSoFar;
use super::file::FileCache;
use super::finding::{DiscoveryFinding, DiscoveryLocation, DiscoveryResult, DiscoveryStep};
use super::report::DiscoveryReport;
use super::{SourceError, TokenFileError, TokenRequest, TokenSource, condor};
use scitoken_types::ErrorChain;
use scitoken_types::files::FileProblem;
use scitoken_types::sys;
use scitoken_types::sys::Env;
use scitoken_types::{AccessToken, InvalidTokenKind, TokenText, redact};

/// Searches the places where tokens are by convention, in this order:
///
/// | step | place | by |
/// |---|---|---|
/// | 1 | the text of `BEARER_TOKEN` | WLCG Bearer Token Discovery |
/// | 2 | the file that `BEARER_TOKEN_FILE` names | the same |
/// | 3 | `$XDG_RUNTIME_DIR/bt_u<uid>` | the same; the uid is the effective one |
/// | 4 | `/tmp/bt_u<uid>` | the same; `/tmp` literally, not `$TMPDIR` |
/// | 5 | the text of `SCITOKEN` | igwn-auth-utils |
/// | 6 | the file that `SCITOKEN_FILE` names | the same |
/// | 7 | `$_CONDOR_CREDS/*.use`, `scitokens.use` first, the others by name | HTCondor |
///
/// * White space around a token is ignored (C99 `isspace`). An empty or missing value leads to the next step.
/// * Something that is not a bearer token ends the search with an error that names the step, except among HTCondor's
///   files, where a warning is given and the next one tried.
/// * A file that a variable names and that is missing or unreadable is a warning with its path, then the next step.
/// * A token that expires within the [required lifetime](TokenRequest::min_validity) is only used when no later step has
///   a better one.
/// * The token of steps 1 to 6 is used as found, whatever its claims say, as the WLCG specification asks. Among
///   HTCondor's files the first that is meant for the server, allows what is asked for and is valid for long enough wins.
///
/// * When a server refuses the token of steps 1 to 6, the search ends there: no other identity is tried.
///
/// No token is verified, and no other place is read. [`report`](Self::report) lists what is in all of them.
///
/// ```
/// use reqwest_scitokens::Discovery;
/// use reqwest_scitokens::types::sys::Env;
///
/// let source = Discovery::new().with_env(Env::given([("BEARER_TOKEN_FILE", "/run/job/token")]));
/// # let _ = source;
/// ```
#[derive(Debug)]
pub struct Discovery {
    env: Env,
    user: Option<u32>,
    tmp: PathBuf,
    cache: FileCache,
    warned: Mutex<BTreeSet<PathBuf>>,
}

impl Default for Discovery {
    fn default() -> Self {
        Self::new()
    }
}

impl Discovery {
    /// Looks in the environment of the process, for its effective user.
    pub fn new() -> Self {
        Self {
            env: Env::process(),
            user: sys::effective_uid(),
            tmp: PathBuf::from("/tmp"),
            cache: FileCache::default(),
            warned: Mutex::default(),
        }
    }

    /// Looks in this environment instead.
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Looks for this user's files instead.
    pub fn with_uid(mut self, uid: u32) -> Self {
        self.user = Some(uid);
        self
    }

    /// Takes another directory for `/tmp`.
    pub fn with_tmp(mut self, directory: impl Into<PathBuf>) -> Self {
        self.tmp = directory.into();
        self
    }

    /// Reads every place and reports what is there and which token a request would get.
    pub fn report(&self, request: &TokenRequest<'_>) -> DiscoveryReport {
        let findings: Vec<_> = DiscoveryStep::ALL.iter().flat_map(|step| self.look(*step, request)).collect();
        let answer = Self::decide(findings.iter(), request);
        DiscoveryReport::new(findings, answer, request)
    }

    /// The file where tools of the WLCG put a token for the user: `BEARER_TOKEN_FILE`, else in `$XDG_RUNTIME_DIR`,
    /// else in `/tmp`.
    pub fn default_file(&self) -> Option<PathBuf> {
        let named = self.env.get_non_empty("BEARER_TOKEN_FILE").map(PathBuf::from);
        let runtime = self.env.get_non_empty("XDG_RUNTIME_DIR").map(PathBuf::from);
        named.or_else(|| Some(runtime.unwrap_or_else(|| self.tmp_directory()).join(self.file_name()?)))
    }

    /// What one step finds; HTCondor's can be many files.
    fn look(&self, step: DiscoveryStep, request: &TokenRequest<'_>) -> Vec<DiscoveryFinding> {
        let now = request.now();
        match step {
            DiscoveryStep::BearerToken | DiscoveryStep::SciToken => {
                let name = step.variable().unwrap_or_default();
                let location = DiscoveryLocation::Variable(name);
                vec![DiscoveryFinding::new(step, location, self.variable(name))]
            }
            DiscoveryStep::BearerTokenFile | DiscoveryStep::SciTokenFile => {
                let name = step.variable().unwrap_or_default();
                vec![match self.env.get_non_empty(name) {
                    Some(path) => self.file(step, PathBuf::from(path), now),
                    None => {
                        DiscoveryFinding::new(step, DiscoveryLocation::Variable(name), DiscoveryResult::Unset)
                    }
                }]
            }
            DiscoveryStep::RuntimeDirectory => {
                vec![match (self.env.get_non_empty("XDG_RUNTIME_DIR"), self.file_name()) {
                    (Some(directory), Some(name)) => self.file(step, Path::new(&directory).join(name), now),
                    _ => DiscoveryFinding::new(
                        step,
                        DiscoveryLocation::Variable("XDG_RUNTIME_DIR"),
                        DiscoveryResult::Unset,
                    ),
                }]
            }
            DiscoveryStep::Tmp => self
                .file_name()
                .map(|name| self.file(step, self.tmp_directory().join(name), now))
                .into_iter()
                .collect(),
            DiscoveryStep::CondorCreds => self.condor(request),
        }
    }

    fn variable(&self, name: &'static str) -> DiscoveryResult {
        let Some(value) = self.env.get(name) else { return DiscoveryResult::Unset };
        match TokenText::read(value.as_encoded_bytes(), None) {
            Ok(read) => DiscoveryResult::Token(read.token.with_origin_label(format!("variable {name}"))),
            Err(invalid) if invalid.kind() == InvalidTokenKind::Empty => DiscoveryResult::Empty,
            Err(invalid) => DiscoveryResult::NoToken(invalid),
        }
    }

    fn file(&self, step: DiscoveryStep, path: PathBuf, now: SystemTime) -> DiscoveryFinding {
        let found = match self.cache.read(&path, now) {
            Ok(token) => DiscoveryResult::Token(token),
            Err(TokenFileError::NotAToken(invalid)) if invalid.kind() == InvalidTokenKind::Empty => {
                DiscoveryResult::Empty
            }
            Err(TokenFileError::NotAToken(invalid)) => DiscoveryResult::NoToken(invalid),
            Err(TokenFileError::File(problem)) => DiscoveryResult::Unusable(problem),
        };
        DiscoveryFinding::new(step, DiscoveryLocation::File(path), found)
    }

    fn condor(&self, request: &TokenRequest<'_>) -> Vec<DiscoveryFinding> {
        let step = DiscoveryStep::CondorCreds;
        let Some(directory) = self.env.get_non_empty("_CONDOR_CREDS").map(PathBuf::from) else {
            return vec![DiscoveryFinding::new(
                step,
                DiscoveryLocation::Variable("_CONDOR_CREDS"),
                DiscoveryResult::Unset,
            )];
        };
        let files = match condor::token_files(&directory) {
            Ok(files) => files,
            Err(error) => {
                let found = DiscoveryResult::Unusable(FileProblem::Io { action: "list", error });
                return vec![DiscoveryFinding::new(step, DiscoveryLocation::File(directory), found)];
            }
        };
        if files.is_empty() {
            return vec![DiscoveryFinding::new(
                step,
                DiscoveryLocation::File(directory),
                DiscoveryResult::Empty,
            )];
        }
        let mut findings: Vec<_> =
            files.into_iter().map(|path| self.file(step, path, request.now())).collect();
        condor::choose(&mut findings, request);
        findings
    }

    /// The search itself, over whatever has been found.
    fn decide<'f>(
        findings: impl Iterator<Item = &'f DiscoveryFinding>,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        let mut best = BestSoFar::default();
        for finding in findings {
            let answer = match &finding.result {
                DiscoveryResult::Token(token) => Ok(Some(token.clone())),
                DiscoveryResult::NoToken(invalid) if finding.step != DiscoveryStep::CondorCreds => {
                    Err(no_token(&finding.location, *invalid))
                }
                DiscoveryResult::Unusable(FileProblem::TooLarge { limit })
                    if finding.step != DiscoveryStep::CondorCreds =>
                {
                    Err(no_token(&finding.location, FileProblem::TooLarge { limit: *limit }))
                }
                _ => Ok(None),
            };
            request.note(|| format!("{}: {}", finding.location, finding.describe(request.now())));
            if let Some(token) = best.consider(answer, request)? {
                return Ok(Some(token));
            }
        }
        best.conclude()
    }

    /// Warns once about a file that the user named and that cannot be used.
    fn warn(&self, finding: &DiscoveryFinding) {
        let DiscoveryLocation::File(path) = &finding.location else { return };
        let problem: &(dyn std::error::Error + 'static) = match &finding.result {
            DiscoveryResult::Unusable(FileProblem::Missing) if !finding.step.names_its_file() => return,
            DiscoveryResult::Unusable(problem) => problem,
            DiscoveryResult::NoToken(invalid) if finding.step == DiscoveryStep::CondorCreds => invalid,
            _ => return,
        };
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(path.clone()) {
            let problem = ErrorChain::new(problem);
            let repair = finding.repair().map(|repair| format!(" ({repair})")).unwrap_or_default();
            tracing::warn!(
                path = %redact::path(path),
                "{}: {problem}{repair}; searching the next place",
                finding.step
            );
        }
    }

    /// `bt_u<uid>`.
    fn file_name(&self) -> Option<String> {
        #[cfg(unix)]
        {
            self.user.map(|uid| format!("bt_u{uid}"))
        }
        // Untested: Windows has no uid; this is igwn-auth-utils' name there.
        #[cfg(not(unix))]
        {
            self.env.get_non_empty("USERNAME").map(|name| format!("bt_{}", name.to_string_lossy()))
        }
    }

    fn tmp_directory(&self) -> PathBuf {
        #[cfg(unix)]
        {
            self.tmp.clone()
        }
        #[cfg(not(unix))]
        {
            match self.env.get_non_empty("SYSTEMROOT") {
                Some(root) => PathBuf::from(root).join("Temp"),
                None => self.tmp.clone(),
            }
        }
    }
}

impl TokenSource for Discovery {
    fn is_cheap(&self, _: &TokenRequest<'_>) -> bool {
        true
    }

    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        // Lazily: a step is looked at only when those before it had nothing.
        let mut best = BestSoFar::default();
        for step in DiscoveryStep::ALL {
            let findings = self.look(step, request);
            for finding in &findings {
                self.warn(finding);
            }
            let answer = Self::decide(findings.iter(), request);
            if let (Ok(Some(token)), false) = (&answer, step == DiscoveryStep::CondorCreds)
                && request.rejected() == Some(token)
            {
                // A server that refused a token is not sent the others.
                return answer;
            }
            if let Some(token) = best.consider(answer, request)? {
                return Ok(Some(token));
            }
        }
        best.conclude()
    }
}

fn no_token(
    location: &DiscoveryLocation,
    why: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SourceError {
    SourceError::caused_by(format!("no bearer token in {location}"), why).with_hint(
        "put the token itself there, or unset the variable or remove the file to search the next place",
    )
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use std::error::Error as _;
    use std::time::Duration;

    use tempfile::TempDir;
    use url::Url;

    use super::*;

    /// A user 4711 with a directory that stands for `/tmp` and an environment, both empty at first.
    struct Setup {
        tmp: TempDir,
        variables: Vec<(&'static str, String)>,
    }

    impl Setup {
        fn new() -> Self {
            Self { tmp: tempfile::tempdir().unwrap(), variables: Vec::new() }
        }

        fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
            self.variables.push((name, value.into()));
            self
        }

        fn path(&self, name: &str) -> String {
            self.tmp.path().join(name).to_str().unwrap().to_owned()
        }

        fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
            let path = self.tmp.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, content).unwrap();
            self
        }

        fn set_path(self, name: &'static str, file: &str) -> Self {
            let path = self.path(file);
            self.set(name, path)
        }

        fn discovery(&self) -> Discovery {
            Discovery::new()
                .with_env(Env::given(self.variables.iter().cloned()))
                .with_uid(4711)
                .with_tmp(self.tmp.path())
        }

        async fn finds(&self) -> Result<Option<String>, String> {
            let url = Url::parse("https://data.example:8443/f").unwrap();
            let answer = self.discovery().token(&TokenRequest::new(&url).unwrap()).await;
            answer.map(|token| token.map(|t| t.expose_secret().to_owned())).map_err(|error| {
                format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default())
            })
        }

        async fn token(&self) -> String {
            self.finds().await.unwrap().unwrap_or_else(|| "none".to_owned())
        }
    }

    fn jwt(payload: &str) -> String {
        format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    fn ending_in(seconds: i64) -> String {
        use scitoken_types::sys::{Clock, SystemClock};
        let now = i64::try_from(sys::epoch_seconds(SystemClock.now())).unwrap();
        jwt(&format!(r#"{{"exp":{}}}"#, now + seconds))
    }

    #[tokio::test]
    async fn the_four_steps_of_the_specification_are_taken_in_order() {
        let setup = Setup::new().file("bt_u4711", "tmp");
        assert_eq!(setup.token().await, "tmp");
        let setup = setup.file("run/bt_u4711", "runtime").set_path("XDG_RUNTIME_DIR", "run");
        assert_eq!(setup.token().await, "runtime");
        let setup = setup.file("named", "named").set_path("BEARER_TOKEN_FILE", "named");
        assert_eq!(setup.token().await, "named");
        let setup = setup.set("BEARER_TOKEN", "variable");
        assert_eq!(setup.token().await, "variable");
    }

    #[tokio::test]
    async fn igwn_and_htcondor_come_after_the_specification() {
        let setup = Setup::new().file("creds/a.use", "condor").set_path("_CONDOR_CREDS", "creds");
        assert_eq!(setup.token().await, "condor");
        let setup = setup.file("sci", "scifile").set_path("SCITOKEN_FILE", "sci");
        assert_eq!(setup.token().await, "scifile");
        let setup = setup.set("SCITOKEN", "scitoken");
        assert_eq!(setup.token().await, "scitoken");
        assert_eq!(setup.file("bt_u4711", "tmp").token().await, "tmp");
    }

    #[test]
    fn the_user_is_the_effective_one_and_tmp_is_literal() {
        let discovery = Discovery::new().with_env(Env::given([("TMPDIR", "/elsewhere")]));
        let uid = sys::effective_uid().unwrap();
        assert_eq!(discovery.default_file(), Some(PathBuf::from(format!("/tmp/bt_u{uid}"))));
    }

    #[tokio::test]
    async fn an_empty_or_blank_variable_leads_to_the_next_step() {
        for blank in ["", "  ", " \u{b}\n"] {
            let setup = Setup::new().set("BEARER_TOKEN", blank).file("bt_u4711", "\n tok \n");
            assert_eq!(setup.token().await, "tok", "{blank:?}");
        }
        assert_eq!(Setup::new().set("SCITOKEN", " ").file("bt_u4711", "tok").token().await, "tok");
    }

    #[tokio::test]
    async fn an_empty_or_blank_file_leads_to_the_next_step() {
        for blank in ["", " \n"] {
            let setup = Setup::new().file("named", blank).set_path("BEARER_TOKEN_FILE", "named");
            assert_eq!(setup.file("bt_u4711", "tok").token().await, "tok");
        }
    }

    #[tokio::test]
    async fn a_named_file_that_is_missing_or_no_file_leads_to_the_next_step() {
        let setup = || Setup::new().file("bt_u4711", "tok").file("directory/x", "");
        for name in ["missing", "directory", "missing/deeper"] {
            assert_eq!(setup().set_path("BEARER_TOKEN_FILE", name).token().await, "tok", "{name}");
            assert_eq!(
                Setup::new()
                    .set_path("SCITOKEN_FILE", name)
                    .file("creds/x.use", "tok")
                    .set_path("_CONDOR_CREDS", "creds")
                    .token()
                    .await,
                "tok"
            );
        }
    }

    #[tokio::test]
    async fn a_runtime_directory_without_a_file_leads_to_tmp() {
        let setup = Setup::new().set_path("XDG_RUNTIME_DIR", "run").file("bt_u4711", "tmp");
        assert_eq!(setup.token().await, "tmp");
        assert_eq!(Setup::new().set("XDG_RUNTIME_DIR", "").file("bt_u4711", "tmp").token().await, "tmp");
    }

    #[tokio::test]
    async fn what_is_no_token_ends_the_search_and_names_the_step() {
        let good = || Setup::new().file("bt_u4711", "tok");
        let error = good().set("BEARER_TOKEN", "/tmp/bt_u4711").finds().await.unwrap_err();
        assert!(error.contains("`BEARER_TOKEN`") && error.contains("it is a path"), "{error}");
        let error = good().set("BEARER_TOKEN", "Bearer abc").finds().await.unwrap_err();
        assert!(error.contains("starts with the word `Bearer`"), "{error}");
        for (content, expected) in [
            (&b"one\ntwo\n"[..], "more than one line"),
            (b"\xef\xbb\xbftoken", "not plain ASCII"),
            (b"\xff\xfe", "not plain ASCII"),
            (b"-----BEGIN CERTIFICATE-----\nMII", "X.509"),
            (b"hvs.CAESIJ", "vault token"),
            (b"{\"refresh_token\":\"x\"}", "without an `access_token`"),
        ] {
            let error = good()
                .file("named", content)
                .set_path("BEARER_TOKEN_FILE", "named")
                .finds()
                .await
                .unwrap_err();
            assert!(error.contains("named") && error.contains(expected), "{error}");
        }
        let error = good().file("bt_u4711", "x".repeat(100_000)).finds().await.unwrap_err();
        assert!(error.contains("longer than"), "{error}");
    }

    #[tokio::test]
    async fn a_json_file_is_opened_and_one_character_is_a_token() {
        let setup = Setup::new().file("bt_u4711", r#"{"access_token": "abc", "expires_in": 600.0}"#);
        assert_eq!(setup.token().await, "abc");
        assert_eq!(Setup::new().set("BEARER_TOKEN", "x").token().await, "x");
    }

    #[tokio::test]
    async fn loose_permissions_are_reported_and_the_token_used() {
        use std::os::unix::fs::PermissionsExt;
        let setup = Setup::new().file("bt_u4711", "tok");
        fs_err::set_permissions(setup.path("bt_u4711"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(setup.token().await, "tok");
        let url = Url::parse("https://h").unwrap();
        let report = setup.discovery().report(&TokenRequest::new(&url).unwrap());
        assert_eq!(report.chosen().unwrap().loose_mode(), Some(0o644));
        assert!(report.to_string().contains("`chmod 600` it"), "{report}");
        fs_err::set_permissions(setup.path("bt_u4711"), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(
            setup.discovery().report(&TokenRequest::new(&url).unwrap()).chosen().unwrap().loose_mode(),
            None
        );
    }

    #[tokio::test]
    async fn a_report_names_each_step_and_says_why_a_token_is_used() {
        let setup =
            Setup::new().file("mine", "tok").set_path("BEARER_TOKEN_FILE", "mine").file("bt_u4711", "other");
        let url = Url::parse("https://h").unwrap();
        let shown = setup.discovery().report(&TokenRequest::new(&url).unwrap()).to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], "  BEARER_TOKEN      not set");
        assert!(
            lines[1].starts_with("* BEARER_TOKEN_FILE `/") && lines[1].contains("/mine`: a token whose"),
            "{shown}"
        );
        let last = lines.last().unwrap();
        assert!(last.contains("/mine` is used: it is the first that fits"), "{shown}");
    }

    #[tokio::test]
    async fn an_expired_token_leads_to_the_next_step() {
        let setup = Setup::new().set("BEARER_TOKEN", ending_in(-10)).file("bt_u4711", "tok");
        assert_eq!(setup.token().await, "tok");
        let error = Setup::new().set("BEARER_TOKEN", ending_in(-10)).finds().await.unwrap_err();
        assert!(error.starts_with("the token in variable BEARER_TOKEN expired 1"), "{error}");
        let short = ending_in(30);
        assert_eq!(Setup::new().set("BEARER_TOKEN", short.clone()).token().await, short);
        assert_eq!(Setup::new().set("BEARER_TOKEN", short).file("bt_u4711", "tok").token().await, "tok");
    }

    #[tokio::test]
    async fn the_single_token_of_the_specification_is_used_whatever_its_audience() {
        let other = jwt(r#"{"aud":"https://other.example"}"#);
        assert_eq!(Setup::new().set("BEARER_TOKEN", other.clone()).token().await, other);
    }

    #[tokio::test]
    async fn among_htcondors_files_the_one_for_this_server_is_chosen() {
        let (here, there) = (jwt(r#"{"aud":"https://data.example"}"#), jwt(r#"{"aud":"https://other"}"#));
        let setup = Setup::new()
            .file("creds/scitokens.use", &there)
            .file("creds/b.use", &here)
            .file("creds/a.use", "not a token")
            .set_path("_CONDOR_CREDS", "creds");
        assert_eq!(setup.token().await, here);
        let url = Url::parse("https://data.example/f").unwrap();
        let report = setup.discovery().report(&TokenRequest::new(&url).unwrap());
        let shown = report.to_string();
        assert!(shown.contains("meant for other servers") && shown.contains("not a token"), "{shown}");
        assert!(!shown.contains(&here) && !format!("{report:?}").contains(&here));
        let single = Setup::new().file("creds/a.use", &there).set_path("_CONDOR_CREDS", "creds");
        assert_eq!(single.token().await, there);
    }

    #[tokio::test]
    async fn among_htcondors_files_the_named_one_comes_first_where_it_fits() {
        let reads =
            |path: &str| jwt(&format!(r#"{{"aud":"ANY","scope":"storage.read:{path}","iss":"https://i"}}"#));
        let setup = Setup::new()
            .file("creds/scitokens.use", reads("/f"))
            .file("creds/igwn.use", reads("/"))
            .file("creds/site_a.use", reads("/"))
            .file("creds/other.use", reads("/other"))
            .set_path("_CONDOR_CREDS", "creds");
        let url = Url::parse("https://data.example/f").unwrap();
        let scopes = ["storage.read:/f".parse().unwrap()];
        for (name, file) in [
            (None, "scitokens.use"),
            (Some("igwn"), "igwn.use"),
            (Some("site.a"), "site_a.use"),
            (Some("other"), "scitokens.use"),
            (Some("missing"), "scitokens.use"),
        ] {
            let mut request = TokenRequest::new(&url).unwrap().with_scopes(&scopes);
            if let Some(name) = name {
                request = request.with_credential_name(name);
            }
            let token = setup.discovery().token(&request).await.unwrap().unwrap();
            assert!(token.origin_label().unwrap().ends_with(file), "{name:?}: {token:?}");
        }
    }

    #[tokio::test]
    async fn among_htcondors_files_a_bare_host_fits_and_the_path_decides() {
        let here = |scope: &str| jwt(&format!(r#"{{"aud":"data.example","scope":"{scope}"}}"#));
        let setup = Setup::new()
            .file("creds/a.use", here("storage.read:/other"))
            .file("creds/b.use", here("storage.read:/another"))
            .file("creds/c.use", here("storage.read:/chtc"))
            .file("creds/d.use", jwt(r#"{"aud":"https://elsewhere","scope":"storage.read:/chtc"}"#))
            .set_path("_CONDOR_CREDS", "creds");
        let discovery = setup.discovery();
        let ask = async |path: &str, rejected: Option<&AccessToken>| {
            let url = Url::parse(&format!("https://data.example:8443{path}")).unwrap();
            let mut request = TokenRequest::new(&url).unwrap().with_method(&http::Method::GET);
            if let Some(rejected) = rejected {
                request = request.with_rejected(rejected);
            }
            discovery.token(&request).await.unwrap().unwrap()
        };
        let chosen = ask("/chtc/staging/f", None).await;
        assert_eq!(chosen.expose_secret(), here("storage.read:/chtc"));
        assert_eq!(chosen.max_age(), Some(Duration::ZERO));
        assert_eq!(ask("/another/f", None).await.expose_secret(), here("storage.read:/another"));
        // The server that refuses the token for this path gets no token for another one.
        assert_eq!(ask("/chtc/staging/f", Some(&chosen)).await, chosen);
        // No scope covers the path: the first file, as without scopes.
        assert_eq!(ask("/f", None).await.expose_secret(), here("storage.read:/other"));
        let url = Url::parse("https://data.example:8443/chtc/f").unwrap();
        let request = TokenRequest::new(&url).unwrap().with_method(&http::Method::GET);
        let shown = discovery.report(&request).to_string();
        assert!(shown.contains("but another token covers the method and the path"), "{shown}");
    }

    #[tokio::test]
    async fn a_replaced_file_is_seen_at_once() {
        let setup = Setup::new().file("bt_u4711", "first");
        let discovery = setup.discovery();
        let url = Url::parse("https://h").unwrap();
        let ask = async || discovery.token(&TokenRequest::new(&url).unwrap()).await.unwrap().unwrap();
        assert_eq!(ask().await.expose_secret(), "first");
        let setup = setup.file("bt_u4711", "again");
        assert_eq!(ask().await.expose_secret(), "again");
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let set_old = || {
            let file = fs_err::OpenOptions::new().write(true).open(setup.path("bt_u4711")).unwrap();
            file.set_modified(old).unwrap();
        };
        set_old();
        assert_eq!(ask().await.expose_secret(), "again");
        fs_err::write(setup.path("new"), "third").unwrap();
        fs_err::rename(setup.path("new"), setup.path("bt_u4711")).unwrap();
        set_old();
        assert_eq!(ask().await.expose_secret(), "third");
    }

    #[tokio::test]
    async fn nothing_anywhere_is_no_token() {
        assert_eq!(Setup::new().finds().await, Ok(None));
        assert_eq!(Setup::new().set("_CONDOR_CREDS", "/nonexistent").finds().await, Ok(None));
        let setup = Setup::new().file("f", "x").set_path("_CONDOR_CREDS", "f");
        assert_eq!(setup.finds().await, Ok(None));
    }
}
