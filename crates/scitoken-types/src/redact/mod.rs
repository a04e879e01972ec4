//! What may be shown: texts and URLs without the secrets in them.
//!
//! | item | use |
//! |---|---|
//! | [`Redactor`] | masks secrets by their value, in every form that they travel in, and by their shape |
//! | [`without_tokens`] | a text of another program: words that look like tokens are masked |
//! | [`looks_like_token`], [`is_secret_name`] | a word that stands where no token belongs; the name of a parameter or header |
//! | [`text`], [`ending`] | a text from a server, cleaned for a terminal: masked by shape, without control characters, shortened |
//! | [`path`] | a path; a token that was given in place of a path is masked |
//! | [`SafeUrl`](crate::SafeUrl) | a URL without user info, fragment and secret query values |
//! | [`parameters`] | a text with the values of `token=` and its like masked |
//! | [`masked`] | the same as a URL, for errors that require one |

mod encoded;
mod escape;
mod index;
mod misplaced;
mod needle;
mod path;
mod redactor;
mod scan;
mod shape;
mod text;
pub(crate) mod url;

pub use crate::terminal::clean_char;
pub use misplaced::{looks_like_token, without_tokens};
pub use path::path;
pub use redactor::{Redacted, Redactor};
pub use text::{ending, text};
pub use url::{is_secret_name, masked, parameters};
