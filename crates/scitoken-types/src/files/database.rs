//! Databases: SQLite replays the journals beside them.

use std::path::Path;

use super::{FileError, FileProblem};

/// The endings of the files beside a database that SQLite reads and may replay into it.
pub const DATABASE_COMPANIONS: [&str; 3] = ["-journal", "-wal", "-shm"];

/// More links than this are not followed.
#[cfg(unix)]
const MOST_LINKS: usize = 40;

/// Checks a database and the files beside it, before SQLite opens it.
///
/// A journal that another user puts beside a database is replayed into it. So the directory must be one that only the
/// effective user and root can write to, even if it is sticky, in directories that others cannot rename, and the database
/// and its journals must be regular files of theirs. A database that does not exist yet is fine.
///
/// # Errors
/// [`FileError`] with the file and the rule that it breaks; [`FileError::hint`] has the `chmod` that helps.
pub fn check_database(path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    #[cfg(unix)]
    check_directory(path)?;
    check_file(path)?;
    // SQLite follows links, and keeps its journals beside what they lead to.
    let real = fs_err::canonicalize(path).ok();
    for database in [Some(path), real.as_deref()].into_iter().flatten() {
        for ending in DATABASE_COMPANIONS {
            let mut companion = database.as_os_str().to_owned();
            companion.push(ending);
            check_file(Path::new(&companion))?;
        }
    }
    Ok(())
}

/// Checks the directory of the database, also where links lead, and those above it: who can rename one of these can put
/// another in its place.
#[cfg(unix)]
fn check_directory(path: &Path) -> Result<(), FileError> {
    let mut database = path.to_owned();
    // SQLite creates what a link leads to.
    for _ in 0..MOST_LINKS {
        check_directories_above(path, &database)?;
        let Ok(target) = fs_err::read_link(&database) else { break };
        database = database.parent().unwrap_or(Path::new("")).join(target);
    }
    match super::walk::open(path) {
        Err(problem @ (FileProblem::ForeignLink { .. } | FileProblem::TooManyLinks)) => {
            Err(FileError::new(path, problem))
        }
        // The rest is checked, and worded, by the other rules.
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn check_directories_above(path: &Path, database: &Path) -> Result<(), FileError> {
    use super::owner::FileAccess;
    let named = database.parent().unwrap_or(Path::new(""));
    let named = if named == Path::new("") { Path::new(".") } else { named };
    // Directories that do not exist yet are made for the user only.
    let mut existing = named;
    let real = loop {
        match (fs_err::canonicalize(existing), existing.parent()) {
            (Ok(real), _) => break real,
            (Err(error), Some(parent)) if error.kind() == std::io::ErrorKind::NotFound => {
                existing = if parent == Path::new("") { Path::new(".") } else { parent };
            }
            (Err(error), _) => return Err(FileError::new(existing, FileProblem::io("open")(error))),
        }
    };
    for (distance, directory) in real.ancestors().enumerate() {
        let metadata = fs_err::metadata(directory);
        let metadata = metadata.map_err(|error| FileError::new(directory, FileProblem::io("open")(error)))?;
        let access = FileAccess::of(&metadata);
        let holds_database = distance == 0 && existing == named;
        if if holds_database { access.others_can_write() } else { access.others_can_replace() } {
            let (mode, owner) = (access.mode, access.owner);
            let shown = if holds_database { named } else { directory };
            let problem = FileProblem::WritableDirectory { directory: shown.to_owned(), mode, owner };
            return Err(FileError::new(path, problem));
        }
    }
    Ok(())
}

fn check_file(path: &Path) -> Result<(), FileError> {
    let metadata = match fs_err::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(FileError::new(path, FileProblem::io("open")(error))),
    };
    if !metadata.is_file() {
        return Err(FileError::new(path, FileProblem::NotRegular(metadata.file_type().into())));
    }
    if let Some(owner) = super::owner::foreign_owner(&metadata) {
        return Err(FileError::new(path, FileProblem::ForeignOwner { owner }));
    }
    #[cfg(unix)]
    {
        let access = super::owner::FileAccess::of(&metadata);
        if access.others_can_write() {
            return Err(FileError::new(path, FileProblem::WritableFile { mode: access.mode }));
        }
    }
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    fn database(mode: u32) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        fs_err::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let path = directory.path().join("keys.sqlite3");
        (directory, path)
    }

    #[test]
    fn a_directory_that_others_can_write_to_is_refused_even_if_it_is_sticky() {
        for (mode, fits) in [(0o700, true), (0o755, true), (0o777, false), (0o1777, false)] {
            let (directory, path) = database(mode);
            let checked = check_database(&path);
            assert_eq!(checked.is_ok(), fits, "{mode:o}");
            if let Err(error) = checked {
                let expected = format!("chmod go-w {}", directory.path().display());
                assert_eq!(error.hint().unwrap().to_string(), expected);
            }
        }
    }

    #[test]
    fn a_directory_above_that_others_can_write_to_is_refused_unless_it_is_sticky() {
        for (mode, fits) in [(0o755, true), (0o1777, true), (0o777, false)] {
            let (directory, _) = database(mode);
            let inner = directory.path().join("inner");
            // Whether it exists already or not.
            assert_eq!(check_database(inner.join("deeper/keys.sqlite3")).is_ok(), fits, "{mode:o}");
            fs_err::create_dir(&inner).unwrap();
            let checked = check_database(inner.join("keys.sqlite3"));
            assert_eq!(checked.is_ok(), fits, "{mode:o}");
            if let Err(error) = checked {
                let expected = format!("chmod go-w {}", directory.path().display());
                assert_eq!(error.hint().unwrap().to_string(), expected);
            }
        }
    }

    #[test]
    fn a_link_counts_where_it_leads_even_to_nothing() {
        let (own, link) = database(0o700);
        let (shared, _) = database(0o777);
        let (target, _) = database(0o700);
        std::os::unix::fs::symlink(shared.path().join("next"), &link).unwrap();
        std::os::unix::fs::symlink(target.path().join("nowhere"), shared.path().join("next")).unwrap();
        let error = check_database(&link).unwrap_err();
        assert!(matches!(error.problem(), FileProblem::WritableDirectory { mode: 0o777, .. }), "{error}");
        fs_err::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(target.path().join("nowhere"), &link).unwrap();
        check_database(&link).unwrap();
        std::os::unix::fs::symlink("round", own.path().join("round")).unwrap();
        assert!(check_database(own.path().join("round")).is_err());
    }

    #[test]
    fn a_file_that_others_can_write_to_is_refused_with_its_name() {
        for name in ["keys.sqlite3", "keys.sqlite3-journal", "keys.sqlite3-wal", "keys.sqlite3-shm"] {
            let (directory, path) = database(0o700);
            let file = directory.path().join(name);
            fs_err::write(&file, "").unwrap();
            check_database(&path).unwrap();
            fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
            let error = check_database(&path).unwrap_err();
            assert_eq!(error.path(), file);
            assert!(matches!(error.problem(), FileProblem::WritableFile { mode: 0o666 }));
        }
    }

    #[test]
    fn a_journal_of_another_user_is_refused() {
        // Only root can give files away.
        if crate::sys::effective_uid() != Some(0) {
            return;
        }
        for ending in DATABASE_COMPANIONS {
            let (directory, path) = database(0o700);
            let journal = directory.path().join(format!("keys.sqlite3{ending}"));
            fs_err::write(&journal, "").unwrap();
            chown(&journal, Some(4711), None).unwrap();
            let error = check_database(&path).unwrap_err();
            assert!(matches!(error.problem(), FileProblem::ForeignOwner { owner: 4711 }), "{error}");
        }
    }

    #[test]
    fn journals_beside_what_a_link_leads_to_count() {
        let (directory, path) = database(0o700);
        let (_other, link) = database(0o700);
        fs_err::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        check_database(&link).unwrap();
        let journal = directory.path().join("keys.sqlite3-journal");
        fs_err::write(&journal, "").unwrap();
        fs_err::set_permissions(&journal, std::fs::Permissions::from_mode(0o622)).unwrap();
        assert!(check_database(&link).is_err());
    }
}
