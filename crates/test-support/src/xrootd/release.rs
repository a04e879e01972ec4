//! What the answers depend on.

/// A release, and with it its behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// Debian 12's: header names in their case, `PUT` answers 200, `COPY` may answer 401.
    V5_5_3,
    /// The newest: header names in any case, `PUT` answers 201.
    V6_1,
}

/// What happens to the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Keep,
    Close,
}
