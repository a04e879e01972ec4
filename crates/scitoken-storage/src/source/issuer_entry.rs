//! Entries that are named after the issuer of their token and the path that it is for.

use std::fmt;
use std::str::FromStr;

use reqwest_scitokens::TokenRequest;
use scitoken_types::{AccessToken, Capability, IssuerFit, LifetimeFit, Scope, TokenFit};
use url::Url;

use super::criteria::refresh_token;
use crate::{TokenDataMap, TokenStorageData};

/// The name of an entry: the issuer of its token, and the path that the token is for: `https://issuer.example/vo#/data`.
///
/// A storage with such entries has the tokens of any number of logins, of which [`choose`](Self::choose) takes those that fit
/// a request.
///
/// ```
/// use scitoken_storage::IssuerEntry;
///
/// let name: IssuerEntry = "https://issuer.example/vo#/data".parse()?;
/// assert_eq!(name.issuer().as_str(), "https://issuer.example/vo");
/// assert_eq!(name.to_string(), "https://issuer.example/vo#/data");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IssuerEntry {
    issuer: Url,
    path: String,
}

impl IssuerEntry {
    /// Names the token of an issuer for a path.
    pub fn new(issuer: Url, path: impl Into<String>) -> Self {
        Self { issuer, path: path.into() }
    }

    /// Returns the issuer.
    pub fn issuer(&self) -> &Url {
        &self.issuer
    }

    /// Returns the path that the token is for.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns whether the token is for this path or one below it.
    pub fn is_at_or_below(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        self.path
            .trim_end_matches('/')
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Returns the names of the entries that fit a request, the best first: of an issuer of the request, with all of its
    /// scopes, and valid or renewable. An expired token without a refresh token comes last.
    ///
    /// Without issuers the request names no server that such a token is for, so none fits.
    pub fn choose(entries: &TokenDataMap, request: &TokenRequest<'_>) -> Vec<(Self, String)> {
        let unreadable = entries.unreadable().iter();
        let usable = unreadable.filter_map(|entry| Some((entry.resource_server(), entry.usable()?)));
        let named = entries
            .iter()
            .chain(usable)
            .filter_map(|(name, entry)| Some((name.parse::<Self>().ok()?, name, entry)));
        let mut fitting: Vec<_> = named
            .filter_map(|(parsed, name, entry)| {
                let is_accepted = IssuerFit::of(Some(parsed.issuer.as_str()), request.issuers());
                let fit = fit(entry, request)?;
                (is_accepted == IssuerFit::Accepted && fit.has_scopes && fit.issuer.fits())
                    .then(|| (fit, parsed, name.to_owned()))
            })
            .collect();
        fitting.sort_by_key(|(fit, ..)| *fit);
        fitting.into_iter().map(|(_, parsed, name)| (parsed, name)).collect()
    }
}

/// Returns how an entry's token fits, after a renewal if it needs one and has a refresh token.
fn fit(entry: &TokenStorageData, request: &TokenRequest<'_>) -> Option<TokenFit> {
    // A login may have given a refresh token only.
    let renewable = || AccessToken::new("renewable").ok().filter(|_| refresh_token(entry).is_some());
    let token = entry.access_token().ok().or_else(renewable)?.with_expiry(entry.expires_at());
    let mut fit = request.fit(&token);
    if refresh_token(entry).is_some() && fit.lifetime == LifetimeFit::Expired {
        fit.lifetime = LifetimeFit::ExpiresSoon;
    }
    if token.claims().is_none() && !entry.scope().is_empty() {
        // Of an opaque token, the issuer's answer says what it permits.
        fit.has_scopes = request.scopes().iter().all(|scope| entry.scopes().any(|held| permits(held, scope)));
    }
    Some(fit)
}

fn permits(held: &str, wanted: &Scope) -> bool {
    match (held.parse::<Capability>(), wanted.as_str().parse::<Capability>()) {
        (Ok(held), Ok(wanted)) => held.includes(&wanted),
        _ => held == wanted.as_str(),
    }
}

impl FromStr for IssuerEntry {
    type Err = url::ParseError;

    fn from_str(name: &str) -> Result<Self, url::ParseError> {
        let (issuer, path) = name.split_once('#').ok_or(url::ParseError::RelativeUrlWithoutBase)?;
        Ok(Self::new(issuer.parse()?, path))
    }
}

impl fmt::Display for IssuerEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.issuer.as_str().trim_end_matches('/'), self.path)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use base64::prelude::*;

    use super::*;

    const NOW: u64 = 1_000;

    fn jwt(claims: &str) -> String {
        format!("e30.{}.sig", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    /// Returns the chosen names, for `storage.read:/a/f` of issuer `https://i`.
    fn chosen(entries: &[(&str, TokenStorageData)], issuers: &[&str]) -> Vec<String> {
        let map: TokenDataMap =
            entries.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect();
        let url = "https://cache.example/ns/a/f".parse().unwrap();
        let issuers: Vec<Url> = issuers.iter().map(|issuer| issuer.parse().unwrap()).collect();
        let scopes = ["storage.read:/a/f".parse().unwrap()];
        let request = TokenRequest::new(&url).unwrap().at(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
        let request = request.with_issuers(&issuers).with_scopes(&scopes);
        IssuerEntry::choose(&map, &request).into_iter().map(|(_, name)| name).collect()
    }

    fn opaque(scope: &str, end: i64) -> TokenStorageData {
        TokenStorageData::new("x", scope, "opaque", end)
    }

    #[test]
    fn entries_of_the_issuer_with_the_scope_are_chosen_and_expired_ones_come_last() {
        let claims =
            |scope: &str, end: u64| jwt(&format!(r#"{{"iss":"https://i","scope":"{scope}","exp":{end}}}"#));
        let token = |scope: &str, end: u64| {
            TokenStorageData::new("x", scope, claims(scope, end), i64::try_from(end).unwrap())
        };
        let entries = [
            ("https://i#/old", token("storage.read:/a", 900)),
            ("https://i#/renewable", token("storage.read:/a", 900).with_refresh_token("RT")),
            ("https://i#/a", token("storage.read:/a", 5_000)),
            ("https://i#/b", token("storage.read:/b", 5_000)),
            ("https://j#/a", token("storage.read:/a", 5_000)),
            ("https://i", token("storage.read:/a", 5_000)),
            ("no issuer", token("storage.read:/a", 5_000)),
        ];
        assert_eq!(
            chosen(&entries, &["https://i/"]),
            ["https://i#/a", "https://i#/renewable", "https://i#/old"]
        );
        assert_eq!(chosen(&entries, &["https://x"]), [""; 0]);
        assert_eq!(chosen(&entries, &[]), [""; 0], "a request without issuers is not for these");
    }

    #[test]
    fn what_an_opaque_token_permits_is_what_its_entry_says() {
        let entries = [
            ("https://i#/1", opaque("storage.read:/b openid", 5_000)),
            ("https://i#/2", opaque("wlcg storage.read:/a offline_access", 5_000)),
            ("https://i#/3", opaque("", 5_000)),
            ("https://i#/4", opaque("storage.modify:/a", 5_000)),
            ("https://i#/5", TokenStorageData::new("x", "storage.read:/a", "", 0).with_refresh_token("RT")),
            ("https://i#/6", TokenStorageData::new("x", "storage.read:/a", "", 0)),
            ("https://i#/7", TokenStorageData::new("x", "storage.read:/b", "", 0).with_refresh_token("RT")),
        ];
        assert_eq!(chosen(&entries, &["https://i"]), ["https://i#/2", "https://i#/3", "https://i#/5"]);
    }

    #[test]
    fn entries_below_a_path_are_told_by_whole_components() {
        let below = |entry: &str, path: &str| {
            IssuerEntry::new("https://i".parse().unwrap(), entry).is_at_or_below(path)
        };
        for (entry, path) in
            [("/", "/"), ("/a", "/"), ("/a", "/a"), ("/a/b", "/a"), ("/a/b/c", "/a/"), ("/a/", "/a")]
        {
            assert!(below(entry, path), "{entry} {path}");
        }
        for (entry, path) in [("/", "/a"), ("/ab", "/a"), ("/a", "/a/b"), ("/a%2Fb", "/a"), ("/b", "/a")] {
            assert!(!below(entry, path), "{entry} {path}");
        }
    }

    #[test]
    fn names_survive_the_way_through_a_storage() {
        for (name, written) in [
            ("https://i/vo#/a", "https://i/vo#/a"),
            ("https://i/#/", "https://i#/"),
            ("https://i:8443/x#/a%20b", "https://i:8443/x#/a%20b"),
        ] {
            let parsed: IssuerEntry = name.parse().unwrap();
            assert_eq!(parsed.to_string(), written);
            assert_eq!(written.parse::<IssuerEntry>().unwrap(), parsed);
        }
        assert!("https://i".parse::<IssuerEntry>().is_err() && "x#/".parse::<IssuerEntry>().is_err());
    }
}
