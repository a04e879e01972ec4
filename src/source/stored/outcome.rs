//! What a renewal finds, and how it ends.

use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use super::super::SourceError;
use super::entry::refresh_token;
use super::slot::Slot;
use super::trouble::Trouble;
use crate::storage::{TokenResponse, TokenStorageData};
use crate::token::AccessToken;

/// A renewed entry that could not be stored; its refresh token may be the only one that is valid.
#[derive(Clone)]
pub(super) struct Unsaved {
    pub(super) data: TokenStorageData,
    /// The refresh token that the storage had, and still has unless somebody logged in or out.
    pub(super) replaces: Option<SecretString>,
}

/// A renewed entry, and the one that it follows.
pub(super) struct Successor {
    pub(super) data: TokenStorageData,
    pub(super) of: Option<TokenStorageData>,
}

impl Successor {
    /// The part of the answer that is ours, completed from the old entry.
    pub(super) fn read(
        slot: &Slot,
        answer: TokenResponse,
        old: Option<TokenStorageData>,
    ) -> Result<Self, Trouble> {
        let tokens = answer
            .for_resource_server(&*slot.resource_server)
            .token_data()
            .map_err(|error| Trouble::Answer(error.to_string()))?;
        let ours = match tokens.get(&slot.resource_server).cloned() {
            Some(ours) => ours,
            // The user may have stored it under a name of their own.
            None if tokens.len() == 1 => {
                let (_, only) = tokens.into_iter().next().expect("it has one");
                only.with_resource_server(&*slot.resource_server)
            }
            None => {
                let names: Vec<_> =
                    tokens.iter().map(|(name, _)| format!("`{}`", crate::redact::text(name))).collect();
                let problem = format!("the token endpoint's answer is for {}", names.join(", "));
                return Err(Trouble::Answer(problem));
            }
        };
        let data = match &old {
            Some(old) => ours.completed_from(old),
            None => ours,
        };
        Ok(Self { data, of: old })
    }
}

impl Unsaved {
    /// Whether the storage still has what the entry is to replace.
    pub(super) fn is_awaited_by(&self, stored: Option<&TokenStorageData>) -> bool {
        let replaces = self.replaces.as_ref().map(ExposeSecret::expose_secret);
        stored.is_some_and(|stored| refresh_token(stored) == replaces)
    }
}

/// What a look at the storage says.
pub(super) enum Look {
    Good(TokenStorageData),
    Absent,
    /// There is nothing to renew it with.
    Stuck(TokenStorageData, SystemTime),
    Renew(Option<TokenStorageData>),
}

/// How it ended, and what the trace should say about it.
pub(super) struct Renewed {
    pub(super) token: Option<AccessToken>,
    pub(super) note: Option<String>,
}

impl Renewed {
    pub(super) fn nothing() -> Self {
        Self { token: None, note: None }
    }
}

impl Look {
    /// What to give if nothing more is to be done.
    pub(super) fn into_done(self, slot: &Slot) -> Result<Option<Renewed>, SourceError> {
        match self {
            Self::Renew(_) => Ok(None),
            Self::Absent => {
                Ok(Some(Renewed { token: None, note: Some(format!("{} is empty", slot.place())) }))
            }
            Self::Good(entry) => Ok(Some(Renewed { token: Some(slot.token(&entry)?), note: None })),
            Self::Stuck(entry, now) => {
                let token = slot.token(&entry)?;
                if token.is_expired_at(now) {
                    return Err(SourceError::expired(&token, now)
                        .with_hint("log in again: there is no refresh token to renew it with"));
                }
                let note = format!("{} has no refresh token to renew it with", slot.place());
                Ok(Some(Renewed { token: Some(token), note: Some(note) }))
            }
        }
    }
}
