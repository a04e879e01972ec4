//! New files and directories that are for the user only, whatever the umask.

use std::fs::File;
use std::io;
use std::path::Path;

/// Gives a file that was made with mode 0600 the bits that an odd umask took from it: its owner can read and write it.
///
/// ```
/// use scitoken_types::files::make_private;
///
/// # fn main() -> std::io::Result<()> {
/// let file = tempfile::tempfile()?;
/// make_private(&file)?;
/// # Ok(())
/// # }
/// ```
pub fn make_private(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata()?.permissions().mode() & 0o7777;
        if mode & 0o600 != 0o600 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
    }
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

/// Makes a directory and those above it, for the user only (mode 0700). Those that exist stay as they are.
pub fn create_private_dir(path: impl AsRef<Path>) -> io::Result<()> {
    let path = path.as_ref();
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    match create_one(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let Some(parent) = path.parent() else { return Err(error) };
            create_private_dir(parent)?;
            create_one(path)
        }
        created => created,
    }
}

fn create_one(path: &Path) -> io::Result<()> {
    match builder().create(path) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => restore_mode(path),
    }
}

fn builder() -> std::fs::DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Gives a directory that was just made the bits that an odd umask took from it.
#[cfg(unix)]
fn restore_mode(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let made = fs_err::symlink_metadata(path)?;
    if made.is_dir() && made.permissions().mode() & 0o700 != 0o700 {
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn restore_mode(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs_err::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_gets_back_what_the_umask_took_and_one_that_others_can_read_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        for (before, after) in
            [(0o000, 0o600), (0o200, 0o600), (0o400, 0o600), (0o600, 0o600), (0o644, 0o644)]
        {
            fs_err::write(&path, "x").unwrap();
            let file = File::open(&path).unwrap();
            file.set_permissions(std::fs::Permissions::from_mode(before)).unwrap();
            make_private(&file).unwrap();
            assert_eq!(mode(&path), after, "{before:o}");
            fs_err::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn directories_are_made_for_the_user_only_and_existing_ones_stay() {
        let directory = tempfile::tempdir().unwrap();
        let existing = directory.path().join("a");
        fs_err::create_dir(&existing).unwrap();
        fs_err::set_permissions(&existing, std::fs::Permissions::from_mode(0o755)).unwrap();
        let deep = existing.join("b/c");
        for _ in 0..2 {
            create_private_dir(&deep).unwrap();
            assert_eq!((mode(&existing), mode(&existing.join("b")), mode(&deep)), (0o755, 0o700, 0o700));
        }
        fs_err::write(existing.join("file"), "").unwrap();
        assert!(create_private_dir(existing.join("file")).is_err());
        assert!(create_private_dir(existing.join("file/below")).is_err());
    }
}
