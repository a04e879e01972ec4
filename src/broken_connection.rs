//! Connections that the other side closed.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

/// Returns whether the other side closed the connection, as XRootD does when it refuses a request before it read the body.
pub(crate) fn is_broken_connection(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            match error.kind() {
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
                    return true;
                }
                // An `io::Error` hides the error within from `source`.
                _ => match error.get_ref() {
                    Some(within) if is_broken_connection(within) => return true,
                    _ => {}
                },
            }
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_found_however_deep_it_is() {
        let reset = || io::Error::from(ErrorKind::ConnectionReset);
        assert!(is_broken_connection(&reset()));
        assert!(is_broken_connection(&io::Error::other(reset())));
        assert!(is_broken_connection(&crate::SourceError::caused_by("x", reset())));
        assert!(!is_broken_connection(&io::Error::from(ErrorKind::TimedOut)));
    }
}
