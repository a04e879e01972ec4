//! The directory behind the storage: dav-server's files, but no path leads through a link, an upload appears whole or
//! not at all, and nothing is replaced that was not removed before.

use std::fs::Metadata;
use std::io::{self, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use dav_server::davpath::DavPath;
use dav_server::fs::{
    DavDirEntry, DavFile, DavFileSystem, DavMetaData, FsError, FsFuture, FsStream, OpenOptions, ReadDirMeta,
};
use dav_server::localfs::LocalFs;
use futures_util::StreamExt as _;
use tempfile::NamedTempFile;

/// How the names of unfinished uploads begin. Clients see no such name.
const UNFINISHED: &str = ".storage-upload-";

/// The files below a directory.
#[derive(Clone)]
pub(crate) struct StorageFiles {
    root: PathBuf,
    inner: Box<LocalFs>,
}

/// Returns what lies at a relative path below `root`. A link on the way counts as nothing.
pub(crate) fn look_up(root: &Path, path: &Path) -> io::Result<Metadata> {
    let mut file = root.to_owned();
    let mut found = fs_err::symlink_metadata(&file)?;
    for component in path.components() {
        if !found.is_dir() || component.as_os_str().as_encoded_bytes().starts_with(UNFINISHED.as_bytes()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        file.push(component);
        found = fs_err::symlink_metadata(&file)?;
    }
    Ok(found)
}

impl StorageFiles {
    pub(crate) fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), inner: LocalFs::new(root, true, false, false) }
    }

    /// Returns the file of a path whose parent is a directory and no link.
    fn file(&self, path: &DavPath) -> Result<PathBuf, FsError> {
        let path = path.as_rel_ospath();
        if let Some(parent) = path.parent()
            && !look_up(&self.root, parent).is_ok_and(|parent| parent.is_dir())
        {
            return Err(FsError::NotFound);
        }
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if name.starts_with(UNFINISHED.as_bytes()) {
            return Err(FsError::NotFound);
        }
        Ok(self.root.join(path))
    }

    /// As [`file`](Self::file), and the file itself is no link.
    fn existing(&self, path: &DavPath) -> Result<PathBuf, FsError> {
        let file = self.file(path)?;
        match fs_err::symlink_metadata(&file) {
            Ok(found) if found.is_symlink() => Err(FsError::NotFound),
            Ok(_) => Ok(file),
            Err(error) => Err(status(&error)),
        }
    }
}

impl DavFileSystem for StorageFiles {
    fn open<'a>(&'a self, path: &'a DavPath, options: OpenOptions) -> FsFuture<'a, Box<dyn DavFile>> {
        Box::pin(async move {
            if !options.write {
                self.existing(path)?;
                return self.inner.open(path, options).await;
            }
            let target = self.file(path)?;
            let is_there = look_up(&self.root, path.as_rel_ospath()).is_ok();
            match (is_there, options.create_new, options.create) {
                (true, true, _) => return Err(FsError::Exists),
                (false, _, false) => return Err(FsError::NotFound),
                _ => {}
            }
            let upload = Upload::begin(target, &options).map_err(|error| status(&error))?;
            Ok(Box::new(upload) as Box<dyn DavFile>)
        })
    }

    fn read_dir<'a>(
        &'a self,
        path: &'a DavPath,
        meta: ReadDirMeta,
    ) -> FsFuture<'a, FsStream<Box<dyn DavDirEntry>>> {
        Box::pin(async move {
            self.existing(path)?;
            // A listing shows no links; what copies or removes a directory has to see them.
            let hides_links = meta == ReadDirMeta::Data;
            let entries = self.inner.read_dir(path, ReadDirMeta::DataSymlink).await?;
            let shown = entries.filter_map(move |entry| async move {
                match &entry {
                    Ok(entry) if entry.name().starts_with(UNFINISHED.as_bytes()) => return None,
                    Ok(entry) if hides_links && entry.is_symlink().await.unwrap_or(true) => return None,
                    Ok(_) | Err(_) => {}
                }
                Some(entry)
            });
            Ok(Box::pin(shown) as FsStream<Box<dyn DavDirEntry>>)
        })
    }

    fn metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move {
            self.existing(path)?;
            self.inner.metadata(path).await
        })
    }

    fn symlink_metadata<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, Box<dyn DavMetaData>> {
        Box::pin(async move {
            self.file(path)?;
            self.inner.symlink_metadata(path).await
        })
    }

    fn create_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move {
            self.file(path)?;
            self.inner.create_dir(path).await
        })
    }

    fn remove_dir<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move {
            self.file(path)?;
            self.inner.remove_dir(path).await
        })
    }

    fn remove_file<'a>(&'a self, path: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move {
            self.file(path)?;
            self.inner.remove_file(path).await
        })
    }

    fn rename<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move {
            let (from, to) = (self.file(from)?, self.file(to)?);
            in_background(move || rename_to_new(&from, &to)).await
        })
    }

    fn copy<'a>(&'a self, from: &'a DavPath, to: &'a DavPath) -> FsFuture<'a, ()> {
        Box::pin(async move {
            let (from, to) = (self.existing(from)?, self.file(to)?);
            in_background(move || {
                let copy = unfinished_beside(&to)?;
                fs_err::copy(from, copy.path())?;
                copy.persist_noclobber(to)?;
                Ok(())
            })
            .await
        })
    }
}

/// Gives a file or a directory a name that nothing has: dav-server removed what the client may replace.
fn rename_to_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        use rustix::io::Errno;
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The file system has no such flag, or a directory would move into itself, which `rename` tells apart.
            Err(Errno::INVAL | Errno::NOSYS) => {}
            outcome => return Ok(outcome?),
        }
    }
    fs_err::rename(from, to)
}

fn unfinished_beside(target: &Path) -> io::Result<NamedTempFile> {
    let parent = target.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    builder.prefix(UNFINISHED).tempfile_in(parent)
}

/// Returns dav-server's word for an error, by its kind: errors that name a file have no number.
fn status(error: &io::Error) -> FsError {
    use io::ErrorKind;
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => FsError::NotFound,
        ErrorKind::AlreadyExists | ErrorKind::DirectoryNotEmpty => FsError::Exists,
        ErrorKind::PermissionDenied | ErrorKind::IsADirectory | ErrorKind::ReadOnlyFilesystem => {
            FsError::Forbidden
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FsError::InsufficientStorage,
        ErrorKind::FileTooLarge => FsError::TooLarge,
        ErrorKind::InvalidFilename => FsError::PathTooLong,
        _ => FsError::GeneralFailure,
    }
}

async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, FsError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(|error| status(&error)),
        Err(_) => Err(FsError::GeneralFailure),
    }
}

/// A file that is being written, without its name until all of it is there. Dropping it removes it.
#[derive(Debug)]
struct Upload {
    /// `None` once the file has its name.
    unfinished: Option<NamedTempFile>,
    file: Arc<fs_err::File>,
    target: PathBuf,
    replaces: bool,
    expected: Option<u64>,
    written: u64,
}

impl Upload {
    fn begin(target: PathBuf, options: &OpenOptions) -> io::Result<Self> {
        let unfinished = unfinished_beside(&target)?;
        let file = fs_err::File::from_parts(unfinished.as_file().try_clone()?, unfinished.path());
        Ok(Self {
            unfinished: Some(unfinished),
            file: Arc::new(file),
            target,
            replaces: !options.create_new,
            expected: options.size,
            written: 0,
        })
    }
}

impl DavFile for Upload {
    fn metadata(&mut self) -> FsFuture<'_, Box<dyn DavMetaData>> {
        Box::pin(async move {
            let metadata = self.file.metadata().map_err(|error| status(&error))?;
            Ok(Box::new(UploadMetadata(metadata)) as Box<dyn DavMetaData>)
        })
    }

    fn write_buf(&mut self, mut buf: Box<dyn Buf + Send>) -> FsFuture<'_, ()> {
        let bytes = buf.copy_to_bytes(buf.remaining());
        self.write_bytes(bytes)
    }

    fn write_bytes(&mut self, bytes: Bytes) -> FsFuture<'_, ()> {
        Box::pin(async move {
            self.written += bytes.len() as u64;
            let file = Arc::clone(&self.file);
            in_background(move || file.as_ref().write_all(&bytes)).await
        })
    }

    fn read_bytes(&mut self, _: usize) -> FsFuture<'_, Bytes> {
        Box::pin(async { Err(FsError::NotImplemented) })
    }

    fn seek(&mut self, _: SeekFrom) -> FsFuture<'_, u64> {
        Box::pin(async { Err(FsError::NotImplemented) })
    }

    /// Gives the file its name: dav-server calls this when the body has ended.
    fn flush(&mut self) -> FsFuture<'_, ()> {
        Box::pin(async move {
            if self.expected.is_some_and(|expected| expected != self.written) {
                return Err(FsError::GeneralFailure);
            }
            let unfinished = self.unfinished.take().ok_or(FsError::GeneralFailure)?;
            let (target, replaces) = (self.target.clone(), self.replaces);
            in_background(move || {
                let named =
                    if replaces { unfinished.persist(target) } else { unfinished.persist_noclobber(target) };
                Ok(named.map(drop)?)
            })
            .await
        })
    }
}

#[derive(Clone, Debug)]
struct UploadMetadata(Metadata);

impl DavMetaData for UploadMetadata {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn modified(&self) -> Result<std::time::SystemTime, FsError> {
        self.0.modified().map_err(|error| status(&error))
    }

    fn is_dir(&self) -> bool {
        self.0.is_dir()
    }

    /// The tag that dav-server gives the file in all other answers.
    #[cfg(unix)]
    fn etag(&self) -> Option<String> {
        use std::os::unix::fs::MetadataExt as _;
        let modified = self.0.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
        Some(format!("{:x}-{:x}-{:x}", self.0.ino(), self.0.len(), modified.as_micros()))
    }
}
