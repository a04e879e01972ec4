//! The conditions of a read, which some servers ignore.

use chrono::DateTime;
use object_store::{GetOptions, ObjectMeta, Result};

/// Checks the conditions of a read. A condition about a date does not apply to an object whose date is unknown (RFC 9110 sections
/// 13.1.3 and 13.1.4).
pub(crate) fn check(options: &GetOptions, meta: &ObjectMeta) -> Result<()> {
    if options.if_modified_since.is_some() && meta.last_modified == DateTime::UNIX_EPOCH {
        let options = GetOptions { if_modified_since: None, ..options.clone() };
        return options.check_preconditions(meta);
    }
    options.check_preconditions(meta)
}
