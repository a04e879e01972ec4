//! Remembered answers of directors.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use url::Url;

use crate::federation::namespace::NamespaceFacts;
use crate::object_name::object_path::ObjectPath;
use crate::object_name::query::QueryKind;

/// How long an answer is used without asking again.
pub(crate) const FRESH: Duration = Duration::from_secs(5 * 60);
/// How long an answer is used when the director does not answer.
pub(crate) const USABLE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many answers are kept; the oldest makes place.
const MAX_ANSWERS: usize = 256;

/// The last answers, one for each director, sort of query and namespace.
#[derive(Debug, Default)]
pub(crate) struct Answers(VecDeque<Remembered>);

#[derive(Debug)]
struct Remembered {
    director: Url,
    kind: QueryKind,
    namespace: NamespaceFacts,
    /// What precedes the path of an object at each server.
    bases: Vec<Url>,
    at: SystemTime,
}

impl Answers {
    /// Keeps an answer for one object, if its servers have the object's path at the end of their URLs, so that the URLs
    /// of other objects of the namespace follow from it.
    pub(crate) fn insert(
        &mut self,
        director: &Url,
        kind: QueryKind,
        path: &ObjectPath,
        servers: &[Url],
        namespace: &NamespaceFacts,
        now: SystemTime,
    ) {
        let bases: Option<Vec<Url>> = servers.iter().map(|server| base(server, path)).collect();
        let Some(bases) = bases.filter(|_| path.is_within(namespace.prefix())) else { return };
        self.0.retain(|known| {
            known.director != *director
                || known.kind != kind
                || known.namespace.prefix() != namespace.prefix()
        });
        if self.0.len() == MAX_ANSWERS {
            self.0.pop_front();
        }
        let (director, namespace) = (director.clone(), namespace.clone());
        self.0.push_back(Remembered { director, kind, namespace, bases, at: now });
    }

    /// Returns the servers of an object by the answer for its longest namespace, if that is young enough.
    pub(crate) fn get(
        &self,
        director: &Url,
        kind: QueryKind,
        path: &ObjectPath,
        max_age: Duration,
        now: SystemTime,
    ) -> Option<(Vec<Url>, NamespaceFacts)> {
        let fits = |known: &&Remembered| {
            known.director == *director
                && known.kind == kind
                && path.is_within(known.namespace.prefix())
                && now.duration_since(known.at).is_ok_and(|age| age < max_age)
        };
        let known = self.0.iter().filter(fits).max_by_key(|known| known.namespace.prefix().depth())?;
        Some((known.bases.iter().map(|base| below(base, path)).collect(), known.namespace.clone()))
    }
}

/// Returns the URL of an object below a base.
pub(crate) fn below(base: &Url, path: &ObjectPath) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}{}", base.path().trim_end_matches('/'), path.as_encoded()));
    url
}

/// Returns the URL without the object's path at its end.
fn base(server: &Url, path: &ObjectPath) -> Option<Url> {
    if server.query().is_some() {
        return None;
    }
    let whole = ObjectPath::parse(server.path()).ok()?;
    let prefix = whole.as_encoded().strip_suffix(path.as_encoded())?;
    let mut base = server.clone();
    base.set_path(prefix);
    Some(base)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;

    fn path(text: &str) -> ObjectPath {
        ObjectPath::parse(text).unwrap()
    }

    fn namespace(prefix: &str) -> NamespaceFacts {
        let mut headers = HeaderMap::new();
        let value = format!("namespace={prefix}, require-token=false");
        headers.insert("x-pelican-namespace", HeaderValue::from_str(&value).unwrap());
        NamespaceFacts::from_headers(&headers).unwrap()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn remember(answers: &mut Answers, prefix: &str, object: &str, server: &str) {
        let servers = [server.parse().unwrap()];
        let director = "https://d/".parse().unwrap();
        answers.insert(&director, QueryKind::Read, &path(object), &servers, &namespace(prefix), at(0));
    }

    fn found(answers: &Answers, object: &str, now: u64) -> Option<String> {
        let director = "https://d/".parse().unwrap();
        let (servers, _) = answers.get(&director, QueryKind::Read, &path(object), FRESH, at(now))?;
        Some(servers[0].as_str().to_owned())
    }

    #[test]
    fn an_answer_serves_the_other_objects_of_its_longest_namespace() {
        let mut answers = Answers::default();
        remember(&mut answers, "/ns", "/ns/a,b", "https://c1/pre/ns/a,b");
        remember(&mut answers, "/ns/deep", "/ns/deep/f", "https://c2:8443/ns/deep/f");
        assert_eq!(found(&answers, "/ns/x y", 10).as_deref(), Some("https://c1/pre/ns/x%20y"));
        assert_eq!(found(&answers, "/ns/deep/g", 10).as_deref(), Some("https://c2:8443/ns/deep/g"));
        assert_eq!(found(&answers, "/nsother/g", 10), None);
        assert_eq!(found(&answers, "/ns/x", 300), None, "too old");
    }

    #[test]
    fn an_answer_is_kept_only_where_other_urls_follow_from_it() {
        let mut answers = Answers::default();
        remember(&mut answers, "/ns", "/ns/f", "https://c1/blob/1234");
        remember(&mut answers, "/ns", "/ns/f", "https://c1/ns/f?signature=1");
        remember(&mut answers, "/other", "/ns/f", "https://c1/ns/f");
        assert_eq!(found(&answers, "/ns/f", 0), None);
    }

    #[test]
    fn the_newest_answers_are_kept() {
        let mut answers = Answers::default();
        for n in 0..300 {
            remember(&mut answers, &format!("/n{n}"), &format!("/n{n}/f"), &format!("https://c/n{n}/f"));
            remember(&mut answers, &format!("/n{n}"), &format!("/n{n}/f"), &format!("https://c/n{n}/f"));
        }
        assert_eq!(answers.0.len(), MAX_ANSWERS);
        assert!(found(&answers, "/n299/g", 0).is_some() && found(&answers, "/n0/g", 0).is_none());
    }
}
