//! When a token is attached.

use std::fmt;
use std::str::FromStr;

/// When a token is attached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Attach {
    /// Attaches a token to the first request, if one is found; otherwise the request is sent without a token. The
    /// default, because servers such as XRootD never ask for one.
    #[default]
    WhenFound,
    /// Attaches a token once the server asked for one by a `401` with a Bearer challenge, as requests-scitokens does.
    /// Later requests to that server carry a token from the start, and so does a request whose body cannot be sent twice.
    OnChallenge,
    /// Attaches a token to the first request; without one the request fails before anything is sent.
    Required,
    /// Attaches none.
    Never,
}

impl Attach {
    const NAMES: [(Self, &'static str); 4] = [
        (Self::WhenFound, "when-found"),
        (Self::OnChallenge, "on-challenge"),
        (Self::Required, "required"),
        (Self::Never, "never"),
    ];
}

/// Writes `when-found`, `on-challenge`, `required` or `never`.
impl fmt::Display for Attach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(attach, _)| attach == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

/// A text that is not an [`Attach`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not one of `when-found`, `on-challenge`, `required`, `never`")]
pub struct InvalidAttach {
    text: String,
}

/// Reads what `Display` writes.
///
/// ```
/// use reqwest_scitokens::Attach;
///
/// assert_eq!("on-challenge".parse(), Ok(Attach::OnChallenge));
/// assert!("sometimes".parse::<Attach>().is_err());
/// ```
impl FromStr for Attach {
    type Err = InvalidAttach;

    fn from_str(text: &str) -> Result<Self, InvalidAttach> {
        let found = Self::NAMES.iter().find(|(_, name)| *name == text).map(|(attach, _)| *attach);
        found.ok_or_else(|| InvalidAttach { text: scitoken_types::redact::text(text) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attach_is_read_as_it_is_written() {
        for attach in [Attach::WhenFound, Attach::OnChallenge, Attach::Required, Attach::Never] {
            assert_eq!(attach.to_string().parse(), Ok(attach));
        }
        assert_eq!(format!("{:>9}", Attach::Never), "    never");
        let error = "always".parse::<Attach>().unwrap_err();
        assert!(error.to_string().starts_with("`always` is not one of"), "{error}");
    }
}
