//! One request as a server received it.

use bytes::Bytes;

use super::listener::Transport;

/// What a server received, header names in the case and order of the wire (lower case in HTTP/2).
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    pub version: http::Version,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// 1 for the first connection that the server accepted.
    pub connection: usize,
    pub transport: Transport,
}

impl Seen {
    /// All values of a header, whatever the case of its name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = |(there, _): &&(String, String)| there.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str()).collect()
    }

    /// The only value of a header. Fails the test if there are several.
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{} values of `{name}`", all.len());
        all.first().copied()
    }

    /// The only `Authorization`.
    pub fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    /// The value of a header whose name was written exactly so, the last of several: how XRootD 5.5 looks.
    pub fn exact(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(there, _)| there == name).map(|(_, value)| value.as_str())
    }

    /// The path, without the query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The value of a query parameter, as sent.
    pub fn query(&self, key: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').filter_map(|pair| pair.split_once('=')).find(|(k, _)| *k == key).map(|(_, v)| v)
    }

    /// Everything but the `Authorization` header and the connection: what a replay must not change.
    pub fn without_authorization(&self) -> (String, String, Vec<(String, String)>, Bytes) {
        let kept = |(name, _): &&(String, String)| !name.eq_ignore_ascii_case("authorization");
        let headers = self.headers.iter().filter(kept).cloned().collect();
        (self.method.clone(), self.target.clone(), headers, self.body.clone())
    }
}
