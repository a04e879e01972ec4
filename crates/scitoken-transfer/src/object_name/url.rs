//! URLs of objects in federations.

use std::fmt;
use std::str::FromStr;

use scitoken_types::{AccessToken, redact};
use url::Url;

use crate::object_name::invalid_url::InvalidFederationUrl;
use crate::object_name::object_path::ObjectPath;
use crate::object_name::query::QueryKind;

/// The name of an object or collection in a federation: `pelican://HOST[:PORT]/path`, `osdf:///path` or
/// `stash:///path`.
///
/// `osdf://a/b` means `osdf:///a/b`. A token name may precede the scheme (`igwn+osdf:///x`). In the path, `#` and a `%`
/// without two hexadecimal digits are literal; `?` starts the parameters, so a `?` in a name is written `%3F`.
///
/// ```
/// use scitoken_transfer::federation::FederationUrl;
///
/// let url: FederationUrl = "osdf://ospool/PROTECTED/a b.root".parse()?;
/// assert_eq!(url.path().as_encoded(), "/ospool/PROTECTED/a%20b.root");
/// assert_eq!(url.to_string(), "osdf:///ospool/PROTECTED/a%20b.root");
/// # Ok::<(), scitoken_transfer::federation::InvalidFederationUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederationUrl {
    host: Option<FederationHost>,
    scheme: Scheme,
    path: ObjectPath,
    token_name: Option<String>,
    parameters: ObjectParameters,
    shared_token: Option<AccessToken>,
}

/// The host that publishes the discovery document of a federation: a name or address with an optional port.
///
/// ```
/// use scitoken_transfer::federation::FederationHost;
///
/// assert_eq!("osg-htc.org".parse::<FederationHost>()?.to_string(), "osg-htc.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FederationHost(Url);

/// The parameters of a [`FederationUrl`]: each is set by its presence, whatever its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ObjectParameters {
    recursive: bool,
    skip_stat: bool,
    read: QueryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Pelican,
    Osdf,
    Stash,
}

impl FederationUrl {
    /// Returns whether a text has one of the schemes of federations, with or without a token name.
    pub fn has_scheme(text: &str) -> bool {
        text.split_once(':').is_some_and(|(scheme, _)| Scheme::split(scheme).is_some())
    }

    /// Returns the host of the federation; `None` for `osdf` and `stash`, whose host is a setting.
    pub fn host(&self) -> Option<&FederationHost> {
        self.host.as_ref()
    }

    /// Returns the path of the object.
    pub fn path(&self) -> &ObjectPath {
        &self.path
    }

    /// Returns the token name in front of the scheme: `igwn` in `igwn+osdf:///x`.
    pub fn token_name(&self) -> Option<&str> {
        self.token_name.as_deref()
    }

    /// Returns the token of a shared link (`?authz=TOKEN`). It is sent as a header, never in a URL.
    pub fn shared_token(&self) -> Option<&AccessToken> {
        self.shared_token.as_ref()
    }

    /// Returns whether the URL asks for all objects below a collection (`?recursive`).
    pub fn is_recursive(&self) -> bool {
        self.parameters.recursive
    }

    /// Returns whether the URL asks for the origin instead of caches (`?directread`).
    pub fn is_direct_read(&self) -> bool {
        self.parameters.read == QueryKind::ReadDirectly
    }

    /// Returns the same URL for another path, without a shared token and `?recursive`.
    pub fn with_path(&self, path: ObjectPath) -> Self {
        let parameters = ObjectParameters { recursive: false, ..self.parameters };
        Self { path, parameters, shared_token: None, ..self.clone() }
    }

    /// Returns the name as a URL, for [`Download::new`](crate::Download::new), without a shared token.
    #[expect(clippy::missing_panics_doc, reason = "the text that is shown is a URL")]
    pub fn to_url(&self) -> Url {
        self.to_string().parse().expect("scheme, host and encoded path are those of a URL")
    }

    pub(crate) fn query_kind(&self) -> QueryKind {
        self.parameters.read
    }
}

impl FromStr for FederationUrl {
    type Err = InvalidFederationUrl;

    fn from_str(text: &str) -> Result<Self, InvalidFederationUrl> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidFederationUrl::Scheme)?;
        let (token_name, scheme) = Scheme::split(scheme).ok_or(InvalidFederationUrl::Scheme)?;
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
        let (host, path) = match scheme {
            Scheme::Pelican => {
                let start = rest.find('/').ok_or(InvalidFederationUrl::RelativePath)?;
                (
                    Some(rest[..start].parse().map_err(|_| InvalidFederationUrl::Host)?),
                    ObjectPath::parse(&rest[start..])?,
                )
            }
            Scheme::Osdf | Scheme::Stash => (None, ObjectPath::parse(&format!("/{rest}"))?),
        };
        let (parameters, shared_token) = read_query(query.unwrap_or_default())?;
        Ok(Self { host, scheme, path, token_name: token_name.map(str::to_owned), parameters, shared_token })
    }
}

impl TryFrom<&Url> for FederationUrl {
    type Error = InvalidFederationUrl;

    fn try_from(url: &Url) -> Result<Self, InvalidFederationUrl> {
        url.as_str().parse()
    }
}

impl fmt::Display for FederationUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.token_name {
            write!(f, "{}+", redact::text(name))?;
        }
        match &self.host {
            Some(host) => write!(f, "pelican://{host}{}", self.path.as_encoded())?,
            None => write!(f, "{}://{}", self.scheme.as_str(), self.path.as_encoded())?,
        }
        let ObjectParameters { recursive, skip_stat, read } = self.parameters;
        let named = [
            (recursive, "recursive"),
            (read == QueryKind::ReadDirectly, "directread"),
            (skip_stat, "skipstat"),
            (read == QueryKind::ReadCached, "prefercached"),
        ];
        let mut separator = '?';
        for (_, name) in named.into_iter().filter(|(is_set, _)| *is_set) {
            write!(f, "{separator}{name}")?;
            separator = '&';
        }
        Ok(())
    }
}

impl FederationHost {
    /// Returns `https://HOST[:PORT]/`.
    pub(crate) fn base(&self) -> &Url {
        &self.0
    }
}

impl FromStr for FederationHost {
    type Err = InvalidFederationUrl;

    fn from_str(text: &str) -> Result<Self, InvalidFederationUrl> {
        const INVALID: InvalidFederationUrl = InvalidFederationUrl::FederationHost;

        // Pelican's own setting is the URL of the host.
        let host = text.strip_prefix("https://").map_or(text, |host| host.strip_suffix('/').unwrap_or(host));
        if host.is_empty() || host.contains(['/', '\\', '?', '#', '@']) {
            return Err(INVALID);
        }
        let url = Url::parse(&format!("https://{host}/")).map_err(|_| INVALID)?;
        if url.host().is_none() || url.path() != "/" {
            return Err(INVALID);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for FederationHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.host_str().unwrap_or_default())?;
        self.0.port().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Scheme {
    /// Splits `NAME+SCHEME`; the name is everything before the last `+`.
    fn split(text: &str) -> Option<(Option<&str>, Self)> {
        let (name, scheme) = match text.rsplit_once('+') {
            Some((name, scheme)) if !name.is_empty() => (Some(name), scheme),
            Some(_) => return None,
            None => (None, text),
        };
        let known = [Self::Pelican, Self::Osdf, Self::Stash];
        let scheme = known.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(scheme))?;
        Some((name, scheme))
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Pelican => "pelican",
            Self::Osdf => "osdf",
            Self::Stash => "stash",
        }
    }
}

fn read_query(query: &str) -> Result<(ObjectParameters, Option<AccessToken>), InvalidFederationUrl> {
    let mut parameters = ObjectParameters::default();
    let (mut token, mut names) = (None, Vec::new());
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "recursive" => parameters.recursive = true,
            "skipstat" => parameters.skip_stat = true,
            "directread" => parameters.read = QueryKind::ReadDirectly,
            "prefercached" => parameters.read = QueryKind::ReadCached,
            "authz" => {
                let value = value.strip_prefix("Bearer ").unwrap_or(&value).to_owned();
                token = Some(AccessToken::new(value).map_err(|_| InvalidFederationUrl::InvalidToken)?);
            }
            "pack" => return Err(InvalidFederationUrl::Pack),
            other => return Err(InvalidFederationUrl::UnknownParameter(redact::text(other))),
        }
        if names.contains(&name) {
            return Err(InvalidFederationUrl::RepeatedParameter(name.into_owned()));
        }
        names.push(name);
    }
    if ["directread", "prefercached"].iter().all(|name| names.iter().any(|known| known == name)) {
        return Err(InvalidFederationUrl::Contradiction);
    }
    Ok((parameters, token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<FederationUrl, InvalidFederationUrl> {
        text.parse()
    }

    #[test]
    fn all_forms_of_names_are_read() {
        for (text, shown, host) in [
            ("pelican://h.example/a/b", "pelican://h.example/a/b", Some("h.example")),
            ("pelican://h:8444/a", "pelican://h:8444/a", Some("h:8444")),
            ("PELICAN://[::1]:8444/a", "pelican://[::1]:8444/a", Some("[::1]:8444")),
            ("osdf:///a/b", "osdf:///a/b", None),
            ("osdf://a/b", "osdf:///a/b", None),
            ("osdf://foo/a%20b", "osdf:///foo/a%20b", None),
            ("osdf://foo:bar/x", "osdf:///foo%3Abar/x", None),
            ("stash:///a", "stash:///a", None),
            ("igwn+osdf:///x", "igwn+osdf:///x", None),
            ("tok+osdf://foo/bar", "tok+osdf:///foo/bar", None),
            ("a+b+pelican://h/x", "a+b+pelican://h/x", Some("h")),
            ("osdf:///a#b", "osdf:///a%23b", None),
            ("osdf:///a?directread", "osdf:///a?directread", None),
            ("osdf:///a?recursive=false&skipstat", "osdf:///a?recursive&skipstat", None),
        ] {
            let url = parsed(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(url.to_string(), shown, "{text}");
            assert_eq!(url.host().map(ToString::to_string).as_deref(), host, "{text}");
            assert!(FederationUrl::has_scheme(text), "{text}");
            assert_eq!(parsed(&url.to_string()).as_ref(), Ok(&url), "what is shown can be typed");
            assert_eq!(FederationUrl::try_from(&url.to_url()).as_ref(), Ok(&url), "{text}");
        }
        assert_eq!(parsed("a+b+osdf:///x").unwrap().token_name(), Some("a+b"));
        assert!(!FederationUrl::has_scheme("https://h/x") && !FederationUrl::has_scheme("file"));
        assert!(!FederationUrl::has_scheme("+osdf:///x"));
    }

    #[test]
    fn what_is_not_the_name_of_an_object_is_rejected_with_its_reason() {
        use InvalidFederationUrl as Invalid;
        for (text, expected) in [
            ("https://h/x", Invalid::Scheme),
            ("osdf:/x", Invalid::Scheme),
            ("+osdf:///x", Invalid::Scheme),
            ("pelican:///x", Invalid::Host),
            ("pelican://user@h/x", Invalid::Host),
            ("pelican://h:port/x", Invalid::Host),
            ("pelican://h", Invalid::RelativePath),
            ("osdf:///a/../b", Invalid::DotOrNul),
            ("osdf:///a?b", Invalid::UnknownParameter("b".to_owned())),
            ("osdf:///a?directread&directread", Invalid::RepeatedParameter("directread".to_owned())),
            ("osdf:///a?directread&prefercached", Invalid::Contradiction),
            ("osdf:///a?recursive&pack=tar", Invalid::Pack),
            ("osdf:///a?authz=a%0Ab", Invalid::InvalidToken),
        ] {
            assert_eq!(parsed(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_shared_token_is_kept_and_never_shown() {
        let url = parsed("osdf:///a?authz=Bearer%20s3cret").unwrap();
        assert_eq!(url.shared_token().map(AccessToken::expose_secret), Some("s3cret"));
        assert!(!format!("{url} {url:?}").contains("s3cret"));
        assert_eq!(url.with_path(ObjectPath::parse("/b").unwrap()).shared_token(), None);
    }
}
