//! Errors with their causes in one line.

use std::error::Error;
use std::fmt;

/// An error and its causes in one line, separated by colons.
///
/// A cause that its parent repeats word for word at its end is left out.
///
/// ```
/// use scitoken_types::ErrorChain;
///
/// let error = std::io::Error::other("permission denied");
/// assert_eq!(ErrorChain::new(&error).to_string(), "permission denied");
/// ```
#[derive(Clone, Copy)]
pub struct ErrorChain<'e>(&'e (dyn Error + 'static));

impl<'e> ErrorChain<'e> {
    /// Wraps an error for display.
    pub fn new(error: &'e (dyn Error + 'static)) -> Self {
        Self(error)
    }

    /// Returns the error and its causes, outermost first.
    pub fn iter(&self) -> impl Iterator<Item = &'e (dyn Error + 'static)> + use<'e> {
        std::iter::successors(Some(self.0), |&error| error.source())
    }
}

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = String::new();
        for error in self.iter() {
            let text = error.to_string();
            if shown.is_empty() {
                shown = text;
            } else if !text.is_empty() && !shown.ends_with(&text) {
                shown.push_str(": ");
                shown.push_str(&text);
            }
        }
        f.write_str(&shown)
    }
}

impl fmt::Debug for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        #[source]
        source: Option<Box<Self>>,
    }

    fn layer(text: &'static str, source: Option<Layer>) -> Layer {
        Layer { text, source: source.map(Box::new) }
    }

    #[test]
    fn causes_follow_their_error_and_none_is_shown_twice() {
        let error = layer("failed to open `f`", Some(layer("permission denied", None)));
        assert_eq!(ErrorChain::new(&error).to_string(), "failed to open `f`: permission denied");
        let repeated = layer("failed: permission denied", Some(layer("permission denied", None)));
        assert_eq!(ErrorChain::new(&repeated).to_string(), "failed: permission denied");
        assert_eq!(ErrorChain::new(&error).iter().count(), 2);
    }
}
