//! The credentials that HTCondor keeps in a job's directory.

use std::io;
use std::path::{Path, PathBuf};

/// The access tokens in a `$_CONDOR_CREDS` directory: its `*.use` files, `scitokens.use` first, the others by name.
///
/// Hidden files are half-written ones and left out. A directory that is not there has none.
pub(super) fn token_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".use") && !bytes.starts_with(b".") {
            files.push(directory.join(name));
        }
    }
    files.sort_by_key(|path| (path.file_name().is_none_or(|name| name != "scitokens.use"), path.clone()));
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mistake 37: igwn-auth-utils takes HTCondor's files in whatever order the directory has them.
    #[test]
    fn scitokens_come_first_then_the_others_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.use", "scitokens.use", "a.use", ".hidden.use", "a.top", "use", "zz_1.use"] {
            fs_err::write(dir.path().join(name), "x").unwrap();
        }
        let files = token_files(dir.path()).unwrap();
        let names: Vec<_> = files.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["scitokens.use", "a.use", "b.use", "zz_1.use"]);
    }

    #[test]
    fn a_missing_directory_has_none_and_a_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(token_files(&dir.path().join("none")).unwrap(), Vec::<PathBuf>::new());
        let file = dir.path().join("file");
        fs_err::write(&file, "").unwrap();
        assert!(token_files(&file).unwrap_err().to_string().contains("file"));
    }
}
