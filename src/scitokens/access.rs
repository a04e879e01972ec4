//! The question to an enforcer: may this be done, here?

use crate::token::ResourcePath;

/// What somebody wants to do, and where.
///
/// ```
/// use reqwest_scitokens::ResourcePath;
/// use reqwest_scitokens::scitokens::Access;
///
/// let path: ResourcePath = "/vo/data".parse()?;
/// let read = Access::to("storage.read", &path);
/// let submit = Access::everywhere("compute.create");
/// # Ok::<(), reqwest_scitokens::InvalidPath>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    pub(super) authorization: &'a str,
    pub(super) target: Target<'a>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Target<'a> {
    Path(&'a ResourcePath),
    Everywhere,
    Parent(&'a ResourcePath),
}

impl<'a> Access<'a> {
    /// To do `authorization` (`read`, `storage.create`) with what lies at `path`.
    ///
    /// The path has been parsed, so that `/foo/%2E%2E/etc` never gets as far as a question:
    /// take a URL's path with `str::parse`, a path of the file system with [`ResourcePath::from_decoded`].
    pub fn to(authorization: &'a str, path: &'a ResourcePath) -> Self {
        Self { authorization, target: Target::Path(path) }
    }

    /// To do `authorization` wherever it applies: what `compute.create` and its like mean. A token that allows it
    /// beneath some path only does not allow this.
    pub fn everywhere(authorization: &'a str) -> Self {
        Self { authorization, target: Target::Everywhere }
    }

    /// To make the directory `path`, because a file is to be created beneath it.
    ///
    /// `storage.create:/foo/bar` includes making `/foo` where it is missing (WLCG profile, "Capability based
    /// authorization"), and nothing else there.
    pub fn make_parent(path: &'a ResourcePath) -> Self {
        Self { authorization: "storage.create", target: Target::Parent(path) }
    }
}
