//! What a URL has that no error may show: a login, and a query, in which servers put tokens.

use std::fmt;

use scitoken_types::Origin;
use url::Url;

/// The parts of a store's URL that `object_store`, whose errors show URLs, does not learn.
#[derive(Clone, Default)]
pub(crate) struct HiddenParts {
    origin: Option<Origin>,
    user: String,
    password: Option<String>,
    query: Option<String>,
}

impl HiddenParts {
    /// Takes them out of a URL.
    pub(crate) fn take(url: &mut Url) -> Self {
        let has_login = !url.username().is_empty() || url.password().is_some();
        if !has_login && url.query().is_none() {
            return Self::default();
        }
        let parts = Self {
            origin: Origin::try_from(&*url).ok(),
            user: url.username().to_owned(),
            password: url.password().map(str::to_owned),
            query: url.query().map(str::to_owned),
        };
        url.set_query(None);
        // A URL with a host takes both.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        parts
    }

    /// Returns a URL with them, if it is one of the same server.
    pub(crate) fn added_to(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if self.origin.as_ref().is_some_and(|origin| origin.is_of(&url)) {
            // What is encoded is not encoded again.
            let _ = url.set_username(&self.user);
            let _ = url.set_password(self.password.as_deref());
            if url.query().is_none() {
                url.set_query(self.query.as_deref());
            }
        }
        url
    }
}

impl fmt::Debug for HiddenParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HiddenParts").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_out_of_a_url_is_added_for_its_server_only() {
        for text in
            ["https://h/d", "https://me:a%40b%25c@h/d?authz=t%20u", "https://me@h:8443/", "https://h/d?x"]
        {
            let whole: Url = text.parse().unwrap();
            let mut url = whole.clone();
            let parts = HiddenParts::take(&mut url);
            assert!(!url.as_str().contains(['@', '?']), "{url}");
            assert_eq!(format!("{parts:?}"), "HiddenParts { .. }");
            let other: Url = "https://other/d".parse().unwrap();
            assert_eq!(parts.added_to(&other), other);
            assert_eq!(parts.added_to(&url), whole);
        }
    }
}
