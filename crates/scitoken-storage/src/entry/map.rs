//! Token data by resource server.

use indexmap::IndexMap;

use super::data::TokenStorageData;
use super::fields::InvalidTokenData;

/// Token data by resource server, in insertion order.
///
/// A map that was read from a storage also lists the entries that are not valid. They stay in the storage as they
/// are, and do not hide the valid ones.
///
/// ```
/// use scitoken_storage::{TokenDataMap, TokenStorageData};
///
/// let mut tokens = TokenDataMap::new();
/// tokens.insert("rs", TokenStorageData::new("rs", "read", "AT", 1_700_000_000));
/// assert_eq!(tokens.get("rs").map(TokenStorageData::scope), Some("read"));
/// assert!(tokens.unreadable().is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenDataMap {
    tokens: IndexMap<String, TokenStorageData>,
    unreadable: Vec<UnreadableEntry>,
}

/// An entry of a storage that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("failed to read the entry `{resource_server}`")]
pub struct UnreadableEntry {
    resource_server: String,
    #[source]
    problem: InvalidTokenData,
    usable: Option<Box<TokenStorageData>>,
}

impl UnreadableEntry {
    pub(crate) fn new(resource_server: impl Into<String>, problem: InvalidTokenData, json: &str) -> Self {
        let resource_server = resource_server.into();
        let usable = TokenStorageData::usable(&resource_server, json).map(Box::new);
        Self { resource_server, problem, usable }
    }

    /// Returns what can be read of the entry, if it has a token: enough to send or to renew it.
    pub fn usable(&self) -> Option<&TokenStorageData> {
        self.usable.as_deref()
    }

    /// Returns the resource server of the entry.
    pub fn resource_server(&self) -> &str {
        &self.resource_server
    }

    /// Returns the cause.
    pub fn problem(&self) -> &InvalidTokenData {
        &self.problem
    }
}

impl TokenDataMap {
    /// Creates an empty map.
    pub fn new() -> Self {
        Self::default()
    }

    /// Inserts an entry under a name, usually the entry's own [resource server](TokenStorageData::resource_server).
    pub fn insert(&mut self, resource_server: impl Into<String>, data: TokenStorageData) {
        self.tokens.insert(resource_server.into(), data);
    }

    /// Removes an entry; `false` when there was none.
    pub fn remove(&mut self, resource_server: &str) -> bool {
        self.tokens.shift_remove(resource_server).is_some()
    }

    /// Returns the entry of a resource server.
    pub fn get(&self, resource_server: &str) -> Option<&TokenStorageData> {
        self.tokens.get(resource_server)
    }

    /// Returns resource servers and their entries.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &TokenStorageData)> {
        self.tokens.iter().map(|(resource_server, data)| (resource_server.as_str(), data))
    }

    /// Returns the number of entries, without the unreadable ones.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Returns whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Returns the entries that are not valid.
    pub fn unreadable(&self) -> &[UnreadableEntry] {
        &self.unreadable
    }

    pub(crate) fn insert_json(&mut self, resource_server: &str, json: &str) {
        match TokenStorageData::from_json(json) {
            Ok(data) => self.insert(resource_server, data),
            Err(problem) => self.unreadable.push(UnreadableEntry::new(resource_server, problem, json)),
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

impl<'m> IntoIterator for &'m TokenDataMap {
    type Item = (&'m str, &'m TokenStorageData);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter().collect::<Vec<_>>().into_iter()
    }
}

impl IntoIterator for TokenDataMap {
    type Item = (String, TokenStorageData);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.tokens.into_iter().collect::<Vec<_>>().into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_over_a_reference_sees_all_entries_in_order() {
        let names = ["b", "a", "c"];
        let tokens: TokenDataMap =
            names.map(|name| TokenStorageData::new(name, "s", "AT", 7)).into_iter().collect();
        let mut seen = Vec::new();
        for (name, data) in &tokens {
            assert_eq!(name, data.resource_server());
            seen.push(name);
        }
        assert_eq!(seen, names);
    }
}
