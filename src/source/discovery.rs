//! The default source: where batch systems and login tools leave tokens.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::chain::BestSoFar;
use super::choose::{self, Choice, Misfit};
use super::file::Memory;
use super::survey::{Finding, Found, Place, Step, Survey};
use super::{FileProblem, SourceError, TokenRequest, TokenSource, condor, text};
use crate::error::with_causes;
use crate::sys::{self, Env};
use crate::token::{AccessToken, Mistake};

/// Looks where tokens are by convention, in this order:
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
/// * White space around a token goes (C99 `isspace`). What is empty then, or not there, leads to the next step.
/// * Something that is no bearer token ends the search with an error that names the step, except among HTCondor's
///   files, where a warning is given and the next one tried.
/// * A file that a variable names and that is missing or unreadable is a warning with its path, then the next step.
/// * A token that has ended, or that ends within the [wanted time](TokenRequest::min_validity), is only used up to
///   its end and when no later step has a better one.
/// * The token of steps 1 to 6 is used as found, whatever its claims say, as the WLCG specification asks. Among
///   HTCondor's files the first that is meant for the server, allows what is asked for and lives long enough wins.
///
/// * When a server refuses the token of steps 1 to 6, the search ends there: no other identity is tried.
///
/// Nothing is verified and nothing but these places is touched. [`survey`](Self::survey) tells about all of them.
#[derive(Debug)]
pub struct Discovery {
    env: Env,
    user: Option<u32>,
    tmp: PathBuf,
    memory: Memory,
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
            memory: Memory::default(),
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

    /// Looks at every place and tells what is there and which token a request would get.
    pub fn survey(&self, request: &TokenRequest<'_>) -> Survey {
        let findings: Vec<_> = Step::ALL.iter().flat_map(|step| self.look(*step, request)).collect();
        let answer = Self::decide(findings.iter(), request);
        Survey::new(findings, answer, request.now())
    }

    /// The file where tools of the WLCG put a token for the user: `BEARER_TOKEN_FILE`, else in `$XDG_RUNTIME_DIR`,
    /// else in `/tmp`.
    pub fn default_file(&self) -> Option<PathBuf> {
        let named = self.env.get_non_empty("BEARER_TOKEN_FILE").map(PathBuf::from);
        let runtime = self.env.get_non_empty("XDG_RUNTIME_DIR").map(PathBuf::from);
        named.or_else(|| Some(runtime.unwrap_or_else(|| self.tmp_directory()).join(self.file_name()?)))
    }

    /// What one step finds; HTCondor's can be many files.
    fn look(&self, step: Step, request: &TokenRequest<'_>) -> Vec<Finding> {
        let now = request.now();
        match step {
            Step::BearerToken | Step::SciToken => {
                let name = step.variable().unwrap_or_default();
                let place = Place::Variable(name);
                vec![Finding::new(step, place, self.variable(name))]
            }
            Step::BearerTokenFile | Step::SciTokenFile => {
                let name = step.variable().unwrap_or_default();
                vec![match self.env.get_non_empty(name) {
                    Some(path) => self.file(step, PathBuf::from(path), now),
                    None => Finding::new(step, Place::Variable(name), Found::Unset),
                }]
            }
            Step::RuntimeDirectory => {
                vec![match (self.env.get_non_empty("XDG_RUNTIME_DIR"), self.file_name()) {
                    (Some(directory), Some(name)) => self.file(step, Path::new(&directory).join(name), now),
                    _ => Finding::new(step, Place::Variable("XDG_RUNTIME_DIR"), Found::Unset),
                }]
            }
            Step::Tmp => self
                .file_name()
                .map(|name| self.file(step, self.tmp_directory().join(name), now))
                .into_iter()
                .collect(),
            Step::CondorCreds => self.condor(request),
        }
    }

    fn variable(&self, name: &'static str) -> Found {
        let Some(value) = self.env.get(name) else { return Found::Unset };
        match text::read(value.as_encoded_bytes(), None) {
            Ok(token) => Found::Token(token.with_found_in(format!("variable {name}"))),
            Err(invalid) if invalid.mistake() == Mistake::Empty => Found::Empty,
            Err(invalid) => Found::NoToken(invalid),
        }
    }

    fn file(&self, step: Step, path: PathBuf, now: SystemTime) -> Finding {
        let found = match self.memory.read(&path, now) {
            Ok(token) => Found::Token(token),
            Err(problem) if problem.is_empty_file() => Found::Empty,
            Err(FileProblem::NoToken(invalid)) => Found::NoToken(invalid),
            Err(problem) => Found::Unusable(problem),
        };
        Finding::new(step, Place::File(path), found)
    }

    fn condor(&self, request: &TokenRequest<'_>) -> Vec<Finding> {
        let step = Step::CondorCreds;
        let Some(directory) = self.env.get_non_empty("_CONDOR_CREDS").map(PathBuf::from) else {
            return vec![Finding::new(step, Place::Variable("_CONDOR_CREDS"), Found::Unset)];
        };
        let files = match condor::token_files(&directory) {
            Ok(files) => files,
            Err(error) => {
                let found = Found::Unusable(FileProblem::Unreadable(error));
                return vec![Finding::new(step, Place::File(directory), found)];
            }
        };
        if files.is_empty() {
            return vec![Finding::new(step, Place::File(directory), Found::Empty)];
        }
        let mut findings: Vec<_> =
            files.into_iter().map(|path| self.file(step, path, request.now())).collect();
        let usable =
            |finding: &Finding| finding.token().is_some_and(|token| !token.is_expired_at(request.now()));
        let choice =
            if findings.iter().filter(|f| usable(f)).count() > 1 { Choice::Several } else { Choice::Single };
        for finding in &mut findings {
            finding.judge(|token| choose::misfit(token, request, choice));
        }
        // Stable: of those that answer the challenge equally well, the order of the files decides.
        findings.sort_by_key(|f| !f.token().is_some_and(|token| choose::answers_challenge(token, request)));
        findings
    }

    /// The search itself, over whatever has been found.
    fn decide<'f>(
        findings: impl Iterator<Item = &'f Finding>,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        let mut best = BestSoFar::default();
        for finding in findings {
            let answer = match &finding.found {
                Found::Token(token) => Ok(Some(token.clone())),
                Found::NoToken(invalid) if finding.step != Step::CondorCreds => {
                    Err(no_token(&finding.place, *invalid))
                }
                Found::Unusable(FileProblem::TooLarge) if finding.step != Step::CondorCreds => {
                    Err(no_token(&finding.place, FileProblem::TooLarge))
                }
                _ => Ok(None),
            };
            request.note(|| format!("{}: {}", finding.place, finding.describe(request.now())));
            if let Some(token) = best.consider(answer, request)? {
                return Ok(Some(token));
            }
        }
        best.conclude()
    }

    /// Says once what stands in the way at places that somebody named.
    fn warn(&self, finding: &Finding) {
        let Place::File(path) = &finding.place else { return };
        let trouble: &(dyn std::error::Error + 'static) = match &finding.found {
            Found::Unusable(FileProblem::Missing) if !finding.step.names_its_file() => return,
            Found::Unusable(problem) => problem,
            Found::NoToken(invalid) if finding.step == Step::CondorCreds => invalid,
            _ => return,
        };
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(path.clone()) {
            let trouble = with_causes(trouble);
            tracing::warn!(path = %path.display(), "{}: {trouble}; looking further", finding.step);
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
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        // Lazily: a step is looked at only when those before it had nothing.
        let mut best = BestSoFar::default();
        for step in Step::ALL {
            let findings = self.look(step, request);
            for finding in &findings {
                self.warn(finding);
            }
            let answer = Self::decide(findings.iter(), request);
            if let (Ok(Some(token)), false) = (&answer, step == Step::CondorCreds)
                && request.rejected() == Some(token)
            {
                // A server's refusal is no reason to show it one token after the other.
                return answer;
            }
            if let Some(token) = best.consider(answer, request)? {
                return Ok(Some(token));
            }
        }
        best.conclude()
    }
}

fn no_token(place: &Place, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> SourceError {
    SourceError::caused_by(format!("no bearer token in {place}"), why)
        .with_hint("put the token itself there, or take the variable or file away to look further")
}

impl Finding {
    fn judge(&mut self, misfit: impl Fn(&AccessToken) -> Option<Misfit>) {
        if let Found::Token(token) = &self.found
            && let Some(misfit) = misfit(token)
        {
            self.found = Found::Misfit(token.clone(), misfit);
        }
    }
}

/// Each row of the peers' comparison of discovery, with the outcome that was chosen here.
#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::time::Duration;

    use tempfile::TempDir;
    use url::Url;

    use super::*;

    /// A user 4711 with a directory that stands for `/tmp` and an environment, both empty at first.
    struct Desk {
        tmp: TempDir,
        variables: Vec<(&'static str, String)>,
    }

    impl Desk {
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
        format!("e30.{}.sig", base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload))
    }

    fn ending_in(seconds: i64) -> String {
        use crate::sys::{Clock, SystemClock};
        let now = i64::try_from(sys::epoch_seconds(SystemClock.now())).unwrap();
        jwt(&format!(r#"{{"exp":{}}}"#, now + seconds))
    }

    #[tokio::test]
    async fn the_four_steps_of_the_specification_are_taken_in_order() {
        let desk = Desk::new().file("bt_u4711", "tmp");
        assert_eq!(desk.token().await, "tmp");
        let desk = desk.file("run/bt_u4711", "runtime").set_path("XDG_RUNTIME_DIR", "run");
        assert_eq!(desk.token().await, "runtime");
        let desk = desk.file("named", "named").set_path("BEARER_TOKEN_FILE", "named");
        assert_eq!(desk.token().await, "named");
        let desk = desk.set("BEARER_TOKEN", "variable");
        assert_eq!(desk.token().await, "variable");
    }

    #[tokio::test]
    async fn igwn_and_htcondor_come_after_the_specification() {
        let desk = Desk::new().file("creds/a.use", "condor").set_path("_CONDOR_CREDS", "creds");
        assert_eq!(desk.token().await, "condor");
        let desk = desk.file("sci", "scifile").set_path("SCITOKEN_FILE", "sci");
        assert_eq!(desk.token().await, "scifile");
        let desk = desk.set("SCITOKEN", "scitoken");
        assert_eq!(desk.token().await, "scitoken");
        assert_eq!(desk.file("bt_u4711", "tmp").token().await, "tmp");
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
            let desk = Desk::new().set("BEARER_TOKEN", blank).file("bt_u4711", "\n tok \n");
            assert_eq!(desk.token().await, "tok", "{blank:?}");
        }
        assert_eq!(Desk::new().set("SCITOKEN", " ").file("bt_u4711", "tok").token().await, "tok");
    }

    #[tokio::test]
    async fn an_empty_or_blank_file_leads_to_the_next_step() {
        for blank in ["", " \n"] {
            let desk = Desk::new().file("named", blank).set_path("BEARER_TOKEN_FILE", "named");
            assert_eq!(desk.file("bt_u4711", "tok").token().await, "tok");
        }
    }

    /// Mistake 37: in igwn-auth-utils one `SCITOKEN_FILE` that is missing ends the search.
    #[tokio::test]
    async fn a_named_file_that_is_missing_or_no_file_leads_to_the_next_step() {
        let desk = || Desk::new().file("bt_u4711", "tok").file("directory/x", "");
        for name in ["missing", "directory", "missing/deeper"] {
            assert_eq!(desk().set_path("BEARER_TOKEN_FILE", name).token().await, "tok", "{name}");
            assert_eq!(
                Desk::new()
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
        let desk = Desk::new().set_path("XDG_RUNTIME_DIR", "run").file("bt_u4711", "tmp");
        assert_eq!(desk.token().await, "tmp");
        assert_eq!(Desk::new().set("XDG_RUNTIME_DIR", "").file("bt_u4711", "tmp").token().await, "tmp");
    }

    #[tokio::test]
    async fn what_is_no_token_ends_the_search_and_names_the_step() {
        let good = || Desk::new().file("bt_u4711", "tok");
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
        let desk = Desk::new().file("bt_u4711", r#"{"access_token": "abc", "expires_in": 600.0}"#);
        assert_eq!(desk.token().await, "abc");
        assert_eq!(Desk::new().set("BEARER_TOKEN", "x").token().await, "x");
    }

    #[tokio::test]
    async fn loose_permissions_are_reported_and_the_token_used() {
        use std::os::unix::fs::PermissionsExt;
        let desk = Desk::new().file("bt_u4711", "tok");
        fs_err::set_permissions(desk.path("bt_u4711"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(desk.token().await, "tok");
        let url = Url::parse("https://h").unwrap();
        let survey = desk.discovery().survey(&TokenRequest::new(&url).unwrap());
        assert_eq!(survey.winner().unwrap().loose_mode(), Some(0o644));
        assert!(survey.to_string().contains("`chmod 600` it"), "{survey}");
        fs_err::set_permissions(desk.path("bt_u4711"), std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(
            desk.discovery().survey(&TokenRequest::new(&url).unwrap()).winner().unwrap().loose_mode(),
            None
        );
    }

    #[tokio::test]
    async fn a_survey_names_each_step_and_says_why_a_token_wins() {
        let desk =
            Desk::new().file("mine", "tok").set_path("BEARER_TOKEN_FILE", "mine").file("bt_u4711", "other");
        let url = Url::parse("https://h").unwrap();
        let shown = desk.discovery().survey(&TokenRequest::new(&url).unwrap()).to_string();
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines[0], "  BEARER_TOKEN      not set");
        assert!(
            lines[1].starts_with("* BEARER_TOKEN_FILE `/") && lines[1].contains("/mine`: a token that"),
            "{shown}"
        );
        let last = lines.last().unwrap();
        assert!(last.contains("/mine` is used: it is the first that will do"), "{shown}");
    }

    #[tokio::test]
    async fn an_expired_token_makes_room_for_a_later_step() {
        let desk = Desk::new().set("BEARER_TOKEN", ending_in(-10)).file("bt_u4711", "tok");
        assert_eq!(desk.token().await, "tok");
        let error = Desk::new().set("BEARER_TOKEN", ending_in(-10)).finds().await.unwrap_err();
        assert!(error.starts_with("the token in variable BEARER_TOKEN expired 1"), "{error}");
        let short = ending_in(30);
        assert_eq!(Desk::new().set("BEARER_TOKEN", short.clone()).token().await, short);
        assert_eq!(Desk::new().set("BEARER_TOKEN", short).file("bt_u4711", "tok").token().await, "tok");
    }

    #[tokio::test]
    async fn the_single_token_of_the_specification_is_used_whatever_its_audience() {
        let other = jwt(r#"{"aud":"https://other.example"}"#);
        assert_eq!(Desk::new().set("BEARER_TOKEN", other.clone()).token().await, other);
    }

    #[tokio::test]
    async fn among_htcondors_files_the_one_for_this_server_is_chosen() {
        let (here, there) = (jwt(r#"{"aud":"https://data.example"}"#), jwt(r#"{"aud":"https://other"}"#));
        let desk = Desk::new()
            .file("creds/scitokens.use", &there)
            .file("creds/b.use", &here)
            .file("creds/a.use", "not a token")
            .set_path("_CONDOR_CREDS", "creds");
        assert_eq!(desk.token().await, here);
        let url = Url::parse("https://data.example/f").unwrap();
        let survey = desk.discovery().survey(&TokenRequest::new(&url).unwrap());
        let shown = survey.to_string();
        assert!(shown.contains("meant for other servers") && shown.contains("not a token"), "{shown}");
        assert!(!shown.contains(&here) && !format!("{survey:?}").contains(&here));
        let single = Desk::new().file("creds/a.use", &there).set_path("_CONDOR_CREDS", "creds");
        assert_eq!(single.token().await, there);
    }

    #[tokio::test]
    async fn a_replaced_file_is_seen_at_once() {
        let desk = Desk::new().file("bt_u4711", "first");
        let discovery = desk.discovery();
        let url = Url::parse("https://h").unwrap();
        let ask = async || discovery.token(&TokenRequest::new(&url).unwrap()).await.unwrap().unwrap();
        assert_eq!(ask().await.expose_secret(), "first");
        let desk = desk.file("bt_u4711", "again");
        assert_eq!(ask().await.expose_secret(), "again");
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let set_old = || {
            let file = fs_err::OpenOptions::new().write(true).open(desk.path("bt_u4711")).unwrap();
            file.set_modified(old).unwrap();
        };
        set_old();
        assert_eq!(ask().await.expose_secret(), "again");
        fs_err::write(desk.path("new"), "third").unwrap();
        fs_err::rename(desk.path("new"), desk.path("bt_u4711")).unwrap();
        set_old();
        assert_eq!(ask().await.expose_secret(), "third");
    }

    #[tokio::test]
    async fn nothing_anywhere_is_no_token() {
        assert_eq!(Desk::new().finds().await, Ok(None));
        assert_eq!(Desk::new().set("_CONDOR_CREDS", "/nonexistent").finds().await, Ok(None));
        let desk = Desk::new().file("f", "x").set_path("_CONDOR_CREDS", "f");
        assert_eq!(desk.finds().await, Ok(None));
    }
}
