//! Which users could have written a file.

use std::fs::Metadata;

use crate::sys;

#[cfg(unix)]
const STICKY: u32 = 0o1000;
#[cfg(unix)]
const GROUP_WRITABLE: u32 = 0o020;
#[cfg(unix)]
const OTHERS_WRITABLE: u32 = 0o002;

/// Returns whether a user id is the effective user's or root's.
#[cfg(unix)]
pub(super) fn is_user_or_root(uid: u32) -> bool {
    uid == 0 || Some(uid) == sys::effective_uid()
}

/// The owner, unless it is the effective user or root.
#[cfg(unix)]
pub(super) fn foreign_owner(metadata: &Metadata) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    Some(metadata.uid()).filter(|uid| !is_user_or_root(*uid))
}

#[cfg(not(unix))]
pub(super) fn foreign_owner(_: &Metadata) -> Option<u32> {
    None
}

/// Owner, group and permission bits of a directory or file.
#[cfg(unix)]
#[derive(Clone, Copy, Debug)]
pub(super) struct FileAccess {
    pub(super) owner: u32,
    pub(super) group: u32,
    pub(super) mode: u32,
}

#[cfg(unix)]
impl FileAccess {
    pub(super) fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self { owner: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o7777 }
    }

    /// Returns whether others than the effective user and root can write: its owner, its group, everyone.
    ///
    /// The effective group and root's do not count as others: most systems give each user a group of their own, and make
    /// directories that this group can write to.
    pub(super) fn others_can_write(self) -> bool {
        let foreign_group = self.group != 0 && self.group != rustix::process::getegid().as_raw();
        self.is_foreign()
            || self.mode & OTHERS_WRITABLE != 0
            || (foreign_group && self.mode & GROUP_WRITABLE != 0)
    }

    /// Returns whether files in this directory can be replaced by others than their owners, the effective user and
    /// root.
    pub(super) fn others_can_replace(self) -> bool {
        if self.mode & STICKY != 0 { self.is_foreign() } else { self.others_can_write() }
    }

    fn is_foreign(self) -> bool {
        !is_user_or_root(self.owner) && !sys::is_unmapped_root(self.owner)
    }
}
