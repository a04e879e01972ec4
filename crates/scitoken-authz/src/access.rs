//! What a caller asks an enforcer to allow.

use scitoken_types::ResourcePath;

/// One operation at one place, as a question to an [`Enforcer`](crate::Enforcer).
///
/// ```
/// use scitoken_types::ResourcePath;
/// use scitoken_authz::Access;
///
/// let path: ResourcePath = "/vo/data".parse()?;
/// let read = Access::to("storage.read", &path);
/// let submit = Access::everywhere("compute.create");
/// # Ok::<(), scitoken_types::InvalidPath>(())
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
    /// Asks for `authorization` (`read`, `storage.create`) on the resource at `path`.
    ///
    /// The path is parsed, so `/foo/%2E%2E/etc` cannot be asked about: parse a URL's path with `str::parse`, a path
    /// of the file system with [`ResourcePath::from_decoded`].
    pub fn to(authorization: &'a str, path: &'a ResourcePath) -> Self {
        Self { authorization, target: Target::Path(path) }
    }

    /// Asks for `authorization` on every path, which is what `compute.create` and the like mean. A token that is
    /// limited to a path does not allow this.
    pub fn everywhere(authorization: &'a str) -> Self {
        Self { authorization, target: Target::Everywhere }
    }

    /// Asks to create the directory `path` as a parent of a new file.
    ///
    /// `storage.create:/foo/bar` includes creating `/foo` where it is missing (WLCG profile, "Capability based
    /// authorization"), and nothing else in it.
    pub fn make_parent(path: &'a ResourcePath) -> Self {
        Self { authorization: "storage.create", target: Target::Parent(path) }
    }
}
