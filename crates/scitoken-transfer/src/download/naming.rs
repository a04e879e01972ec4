//! How a server's name for a file becomes a target.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::download::root::DownloadRoot;
use crate::download::target::Target;

/// The error of a caller's function.
pub(crate) type NamingError = Box<dyn StdError + Send + Sync>;

/// A caller's function.
type Choose = dyn Fn(&str) -> Result<PathBuf, NamingError> + Send + Sync;

/// Chooses the target of a file by the name that its server gives it.
#[derive(Clone)]
pub(crate) struct Naming {
    choose: Arc<Choose>,
    root: Option<DownloadRoot>,
}

impl Naming {
    pub(crate) fn new(choose: impl Fn(&str) -> Result<PathBuf, NamingError> + Send + Sync + 'static) -> Self {
        Self { choose: Arc::new(choose), root: None }
    }

    /// Sets the root that the chosen names lie below.
    pub(crate) fn below(self, root: DownloadRoot) -> Self {
        Self { root: Some(root), ..self }
    }

    /// Returns the target for a name, without a path.
    pub(crate) fn choose(&self, name: &str) -> Result<Target, NamingError> {
        let path = (self.choose)(name)?;
        match &self.root {
            Some(root) => Ok(Target::below(root, path)?),
            None => Ok(Target::Path(path)),
        }
    }
}

impl fmt::Debug for Naming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Naming")
    }
}
