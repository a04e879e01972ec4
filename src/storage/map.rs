//! Token data by resource server: what goes into a storage at once, and what comes out.

use indexmap::IndexMap;

use super::data::{InvalidTokenData, TokenStorageData};

/// Token data by resource server, in the order in which it was put in.
///
/// What was read from a storage also tells which entries could not be understood. They stay in the storage as
/// they are; one bad entry hides no good one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenDataMap {
    tokens: IndexMap<String, TokenStorageData>,
    unreadable: Vec<BadEntry>,
}

/// An entry of a storage that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry `{resource_server}` cannot be used")]
pub struct BadEntry {
    resource_server: String,
    #[source]
    problem: InvalidTokenData,
}

impl BadEntry {
    pub(super) fn new(resource_server: impl Into<String>, problem: InvalidTokenData) -> Self {
        Self { resource_server: resource_server.into(), problem }
    }

    /// The resource server under which the entry stands.
    pub fn resource_server(&self) -> &str {
        &self.resource_server
    }

    /// What is wrong with it.
    pub fn problem(&self) -> &InvalidTokenData {
        &self.problem
    }
}

impl TokenDataMap {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts in an entry under a name; usually the entry's own [resource server](TokenStorageData::resource_server).
    pub fn insert(&mut self, resource_server: impl Into<String>, data: TokenStorageData) {
        self.tokens.insert(resource_server.into(), data);
    }

    /// Takes an entry out; `false` when there was none.
    pub fn remove(&mut self, resource_server: &str) -> bool {
        self.tokens.shift_remove(resource_server).is_some()
    }

    /// The entry of a resource server.
    pub fn get(&self, resource_server: &str) -> Option<&TokenStorageData> {
        self.tokens.get(resource_server)
    }

    /// Resource servers and their entries.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &TokenStorageData)> {
        self.tokens.iter().map(|(resource_server, data)| (resource_server.as_str(), data))
    }

    /// How many entries there are, the unreadable ones not counted.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The entries that could not be understood.
    pub fn unreadable(&self) -> &[BadEntry] {
        &self.unreadable
    }

    pub(super) fn take_up(&mut self, resource_server: &str, json: &str) {
        match TokenStorageData::from_json(json) {
            Ok(data) => self.insert(resource_server, data),
            Err(problem) => self.unreadable.push(BadEntry::new(resource_server, problem)),
        }
    }
}

impl FromIterator<TokenStorageData> for TokenDataMap {
    fn from_iter<I: IntoIterator<Item = TokenStorageData>>(data: I) -> Self {
        data.into_iter().map(|data| (data.resource_server().to_owned(), data)).collect()
    }
}

impl FromIterator<(String, TokenStorageData)> for TokenDataMap {
    fn from_iter<I: IntoIterator<Item = (String, TokenStorageData)>>(data: I) -> Self {
        Self { tokens: data.into_iter().collect(), unreadable: Vec::new() }
    }
}

impl From<TokenStorageData> for TokenDataMap {
    fn from(data: TokenStorageData) -> Self {
        Self::from_iter([data])
    }
}

impl IntoIterator for TokenDataMap {
    type Item = (String, TokenStorageData);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.tokens.into_iter().collect::<Vec<_>>().into_iter()
    }
}
