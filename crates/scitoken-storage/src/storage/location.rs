//! The paths of `globus_sdk`'s files, so that a Rust program and a Python script use the same ones.

use std::path::PathBuf;

use scitoken_types::sys::Env;

/// The path of an app's token files, by the rules of `globus_sdk.GlobusApp`.
///
/// `<base>/<client id>/<slug of the app's name>/tokens.json`, where the base is `~/.globus/app`, on Windows
/// `%LOCALAPPDATA%\globus\app` (or `%APPDATA%\…`). An environment of Globus other than production is prefixed to the
/// file name: `sandbox-tokens.json`.
///
/// ```
/// use scitoken_storage::StorageLocation;
/// use scitoken_types::sys::Env;
///
/// let location = StorageLocation::new("0000-id", "My App 1.0")?.with_environment("sandbox");
/// # if cfg!(unix) {
/// let path = location.sqlite_path(&Env::given([("HOME", "/home/me")]));
/// assert_eq!(path.unwrap().to_str(), Some("/home/me/.globus/app/0000-id/my-app-1-0/sandbox-tokens.db"));
/// # }
/// # Ok::<(), scitoken_storage::InvalidAppName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageLocation {
    client_id: String,
    slug: String,
    environment: Option<String>,
}

/// An app name that is not usable as a directory name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the app name `{name}` results in {} (choose a different name)", match .slug.as_str() {
    "" => "the empty string".to_owned(),
    slug => format!("the reserved file name `{slug}`"),
})]
pub struct InvalidAppName {
    name: String,
    slug: String,
}

impl StorageLocation {
    /// Creates the location of the app `app_name` of the OAuth client `client_id`.
    ///
    /// # Errors
    /// [`InvalidAppName`] when the slug of the name is empty, or a name that Windows reserves (`con`, `lpt1`).
    pub fn new(client_id: impl Into<String>, app_name: &str) -> Result<Self, InvalidAppName> {
        let slug = slug(app_name);
        if slug.is_empty() || is_reserved(&slug) {
            return Err(InvalidAppName { name: scitoken_types::redact::text(app_name), slug });
        }
        Ok(Self { client_id: client_id.into(), slug, environment: None })
    }

    /// Sets the environment of Globus; `production` adds no prefix.
    pub fn with_environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into()).filter(|environment| environment != "production");
        self
    }

    /// Returns the app's name as the path has it.
    pub fn slug(&self) -> &str {
        &self.slug
    }

    /// Returns the path of the JSON file; `None` when the user has no home directory.
    pub fn json_path(&self, env: &Env) -> Option<PathBuf> {
        self.path(System::OURS, env, "json")
    }

    /// Returns the path of the SQLite database; `None` when the user has no home directory.
    pub fn sqlite_path(&self, env: &Env) -> Option<PathBuf> {
        self.path(System::OURS, env, "db")
    }

    fn path(&self, system: System, env: &Env, extension: &str) -> Option<PathBuf> {
        let prefix = self.environment.as_ref().map(|name| format!("{name}-")).unwrap_or_default();
        let file = format!("{prefix}tokens.{extension}");
        Some(base(system, env)?.join(&self.client_id).join(&self.slug).join(file))
    }
}

#[derive(Clone, Copy)]
enum System {
    Windows,
    Other,
}

impl System {
    const OURS: Self = if cfg!(windows) { Self::Windows } else { Self::Other };
}

fn base(system: System, env: &Env) -> Option<PathBuf> {
    match system {
        System::Other => Some(home(env)?.join(".globus").join("app")),
        System::Windows => {
            let data = match env.get("LOCALAPPDATA") {
                // Empty means the default; `APPDATA` counts only if the variable is not set.
                Some(data) if data.is_empty() => home(env)?.join("AppData").join("Local"),
                Some(data) => data.into(),
                None => env.get("APPDATA")?.into(),
            };
            Some(data.join("globus").join("app"))
        }
    }
}

/// `~` as Python's `expanduser` has it: `HOME` (Windows: `USERPROFILE`), else what the system knows of the user.
fn home(env: &Env) -> Option<PathBuf> {
    match env.get(if cfg!(windows) { "USERPROFILE" } else { "HOME" }) {
        Some(home) if home.is_empty() => Some("/".into()),
        Some(home) => Some(home.into()),
        None => std::env::home_dir(),
    }
}

fn slug(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*' => '+',
            '.' | ' ' => '-',
            other => other,
        })
        .filter(|&c| is_printable(c))
        .collect::<String>()
        .to_lowercase()
}

/// Python's `str.isprintable`. The standard library's escapes follow the same rule (nothing of the Unicode
/// categories "other" and "separator" but the blank), after a first character, where accents are no exception.
fn is_printable(c: char) -> bool {
    let mut shown = String::from('a');
    shown.push(c);
    matches!(c, '\'' | '"' | '\\') || shown.escape_debug().eq(shown.chars())
}

fn is_reserved(slug: &str) -> bool {
    let numbered = |prefix| {
        let digit = slug.strip_prefix(prefix).map(|rest| rest.chars().collect::<Vec<_>>());
        matches!(digit.as_deref(), Some([digit]) if digit.is_numeric())
    };
    matches!(slug, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_those_of_the_sdk() {
        let cases = [
            ("a. b", "a--b"),
            ("glob<>:\"/\\|?*us", "glob+++++++++us"),
            ("COM", "com"),
            ("com10", "com10"),
            ("lpt", "lpt"),
            ("Ünïcode É", "ünïcode-é"),
            ("zero\u{200b}width\u{0}\n", "zerowidth"),
            ("e\u{301}'\"", "e\u{301}'+"),
        ];
        for (name, expected) in cases {
            assert_eq!(StorageLocation::new("id", name).unwrap().slug(), expected, "{name}");
        }
    }

    #[test]
    fn reserved_and_empty_names_are_refused() {
        for name in ["PRN\n", "nul", "Com1", "com\u{661}", "lpt9", "", "\u{200b}"] {
            assert!(StorageLocation::new("id", name).is_err(), "{name:?}");
        }
        assert_eq!(
            StorageLocation::new("id", "NUL").unwrap_err().to_string(),
            "the app name `NUL` results in the reserved file name `nul` (choose a different name)"
        );
    }

    #[test]
    fn the_environment_goes_before_the_name_unless_it_is_production() {
        let env = Env::given([("HOME", "/h"), ("USERPROFILE", "/h")]);
        let location = StorageLocation::new("id", "app").unwrap();
        let path = |location: &StorageLocation| location.path(System::Other, &env, "json").unwrap();
        assert_eq!(path(&location), PathBuf::from("/h/.globus/app/id/app/tokens.json"));
        assert_eq!(path(&location.clone().with_environment("production")), path(&location));
        assert_eq!(
            path(&location.with_environment("sandbox")),
            PathBuf::from("/h/.globus/app/id/app/sandbox-tokens.json")
        );
    }

    #[test]
    fn windows_has_its_own_base() {
        let base = |variables: &[(&'static str, &'static str)]| {
            base(System::Windows, &Env::given(variables.iter().copied()))
        };
        assert_eq!(base(&[("LOCALAPPDATA", "L"), ("APPDATA", "A")]), Some("L/globus/app".into()));
        assert_eq!(base(&[("APPDATA", "A")]), Some("A/globus/app".into()));
        assert_eq!(
            base(&[("LOCALAPPDATA", ""), ("APPDATA", "A"), ("HOME", "/h"), ("USERPROFILE", "/h")]),
            Some("/h/AppData/Local/globus/app".into())
        );
        assert_eq!(base(&[]), None);
    }
}
