//! What the program adds to every request: headers of the user, the lines of `-v`, and the registration of secrets.

mod headers;
mod log;
mod secrets;

pub(crate) use self::headers::{ExtraHeader, HeaderMiddleware, NamedOriginMiddleware};
pub(crate) use self::log::{HeaderLog, RequestLog};
pub(crate) use self::secrets::SecretRecorder;
