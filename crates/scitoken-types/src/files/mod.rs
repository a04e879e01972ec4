//! Files, opened with care: those that hold secrets, those that a user names, and databases.
//!
//! | function | for |
//! |---|---|
//! | [`SecretFile::open`] | a file that holds a token, a password or a key |
//! | [`replace_secret`] | writing such a file: mode 0600, replaced atomically |
//! | [`open_regular`], [`read_bounded`] | a file that a user or a job names: certificates, lists, settings, uploads |
//! | [`open_output`] | a file, device or fifo that a user or a job names for results |
//! | [`Directory`] | files whose names others influence: below a directory that is opened once |
//! | [`check_database`] | a database, before SQLite opens it |
//! | [`try_lock`] | a lock file, also where the file system cannot lock |
//!
//! Functions that write, lock or check databases, and [`Directory`], need the feature `write-files`.
//!
//! # Rules for files of secrets
//! * It is a regular file. Opening never blocks, so that a fifo cannot hold a request.
//! * It belongs to the effective user or to root, and so does its directory. Files that a user names can be opened with
//!   [`Ownership::Any`] instead.
//! * Other users cannot write to its directory, or the directory is sticky, as `/tmp` is.
//! * A symbolic link in a directory that other users can write to is followed only if it belongs to the effective user or
//!   to root. This is what Linux' `fs.protected_symlinks` allows, and what Kubernetes needs, whose volumes have mode 1777
//!   and the links `token -> ..data/token` and `..data -> ..2026_01_01`.
//! * It has at most as many bytes as its reader accepts.

#[cfg(feature = "write-files")]
mod database;
#[cfg(feature = "write-files")]
mod directory;
mod error;
#[cfg(feature = "write-files")]
mod lock;
mod open;
mod owner;
#[cfg(feature = "write-files")]
mod private;
#[cfg(feature = "write-files")]
mod replace;
mod secret;
#[cfg(unix)]
mod walk;

#[cfg(feature = "write-files")]
pub use database::{DATABASE_COMPANIONS, check_database};
#[cfg(feature = "write-files")]
pub use directory::{Directory, DirectoryEntry, EntryType, FileReaders};
pub use error::{FileError, FileHint, FileKind, FileProblem};
#[cfg(all(feature = "write-files", unix))]
pub use lock::has_record_locks;
#[cfg(feature = "write-files")]
pub use lock::{Lock, is_lock_unsupported, open_lock_file, try_lock};
pub use open::{open_output, open_regular, read_bounded};
#[cfg(feature = "write-files")]
pub use private::{create_private_dir, make_private};
#[cfg(feature = "write-files")]
pub use replace::{Durability, check_replaceable, remove_leftovers, replace_secret, sync_file};
pub use secret::{Ownership, SecretFile};
