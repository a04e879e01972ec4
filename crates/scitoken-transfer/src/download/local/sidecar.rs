//! The state file beside an unfinished file, by which another process resumes it.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::{self, BufWriter, Read as _, Write as _};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::hasher;
use crate::digest::value::Digest;
use crate::disk::file_id::FileId;
use crate::download::content::identity::Identity;
use crate::download::ranges::range_set::RangeSet;
use scitoken_types::SafeUrl;
use scitoken_types::files::{Directory, FileReaders};

/// The longest state file that is read, in bytes.
const LONGEST: u64 = 1024 * 1024;
const FORMAT: u32 = 2;

/// The state of an unfinished file. It holds no credential: the URL stands in it as a SHA-256 and in its shown form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sidecar {
    format: u32,
    /// The unfinished file that it is about.
    part: FileId,
    /// For people who look into the file.
    url: String,
    url_sha256: String,
    /// The name of the object in a federation, whose servers change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    object_sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    etag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    last_modified: Option<String>,
    length: u64,
    #[serde(default)]
    digests: Vec<String>,
    done: RangeSet,
}

impl Sidecar {
    /// The state of a file whose length is known; `None` otherwise: such a file cannot be resumed.
    pub(crate) fn new(
        source: &Url,
        object: Option<&Url>,
        identity: &Identity,
        done: &RangeSet,
    ) -> Option<Self> {
        Some(Self {
            format: FORMAT,
            part: FileId::default(),
            url: SafeUrl::new(source).to_string(),
            url_sha256: fingerprint(source),
            object_sha256: object.map(fingerprint),
            etag: identity.etag.clone(),
            last_modified: identity.last_modified.clone(),
            length: identity.length?,
            digests: identity.digests.iter().map(Digest::to_string).collect(),
            done: done.clone(),
        })
    }

    /// Reads a sidecar; `None` when there is none, or none that makes sense for this file.
    pub(crate) fn read(directory: &Directory, name: &OsStr, part_length: u64, part: &FileId) -> Option<Self> {
        let sidecar: Self = serde_json::from_str(&text_of(directory, name)?).ok()?;
        let in_bounds = sidecar.done.end() <= sidecar.length.min(part_length);
        let fits = sidecar.format == FORMAT && sidecar.part == *part && in_bounds;
        (fits && sidecar.done.total() > 0).then_some(sidecar)
    }

    /// Returns whether the state file of this name is ours and belongs to this unfinished file, usable or not.
    pub(crate) fn binds(directory: &Directory, name: &OsStr, part: &FileId) -> bool {
        Binding::read(directory, name).is_some_and(|binding| binding.part == *part)
    }

    /// Returns whether the file of this name is a state file of ours, of whatever unfinished file.
    pub(crate) fn is_state(directory: &Directory, name: &OsStr) -> bool {
        Binding::read(directory, name).is_some_and(|binding| binding.format == FORMAT)
    }

    /// Binds it to its unfinished file: it is not used for another one of the same name.
    pub(crate) fn bind_to(&mut self, part: &FileId) {
        self.part = part.clone();
    }

    /// Writes it atomically, readable by the owner only.
    ///
    /// Only who holds the unfinished file's lock may do so.
    pub(crate) fn write(&self, directory: &Directory, name: &OsStr) -> io::Result<()> {
        write(self, directory, name, true)
    }

    /// What is there.
    pub(crate) fn done(&self) -> &RangeSet {
        &self.done
    }

    /// What the content was, and from which of `sources` it came. A file whose address is none of them is of another
    /// download, whatever its name; but that of an object may come from any server with the same digest.
    pub(crate) fn identity(&self, sources: &[Url], object: Option<&Url>) -> Option<Identity> {
        let mut identity = Identity {
            source: 0,
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
            length: Some(self.length),
            digests: self.digests.iter().filter_map(|digest| digest.parse().ok()).collect(),
        };
        if let Some(source) = sources.iter().position(|source| fingerprint(source) == self.url_sha256) {
            return Some(Identity { source, ..identity });
        }
        // Validators are those of the server that is not asked now.
        (identity.etag, identity.last_modified) = (None, None);
        let is_object = self.object_sha256.is_some() && self.object_sha256 == object.map(fingerprint);
        (is_object && !identity.digests.is_empty()).then_some(identity)
    }
}

/// What every state file says: to which unfinished file it belongs.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Binding {
    format: u32,
    part: FileId,
}

impl Binding {
    pub(crate) fn new(part: &FileId) -> Self {
        Self { format: FORMAT, part: part.clone() }
    }

    fn read(directory: &Directory, name: &OsStr) -> Option<Self> {
        serde_json::from_str(&text_of(directory, name)?).ok()
    }

    /// Writes it atomically. It claims nothing that a power cut could take back.
    pub(crate) fn write(&self, directory: &Directory, name: &OsStr) -> io::Result<()> {
        write(self, directory, name, false)
    }
}

/// Writes a state, which with `sync_data` is on the disk before its name is. The name that it has meanwhile is always the same, so that runs that are killed leave no heap of them;
/// a file of that name that is not ours stays.
fn write(state: &impl Serialize, directory: &Directory, name: &OsStr, sync_data: bool) -> io::Result<()> {
    let mut unfinished = name.to_owned();
    unfinished.push(".part");
    let file = match directory.create_file(&unfinished, FileReaders::Owner) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let left = text_of(directory, &unfinished).ok_or(error)?;
            let is_ours = left.is_empty() || Sidecar::is_state(directory, &unfinished);
            if !is_ours {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            directory.remove_file(&unfinished)?;
            directory.create_file(&unfinished, FileReaders::Owner)?
        }
        result => result?,
    };
    let mut file = BufWriter::new(file);
    serde_json::to_writer(&mut file, state)?;
    file.write_all(b"\n")?;
    let file = file.into_inner()?;
    if sync_data {
        file.sync_data()?;
    }
    directory.rename(&unfinished, name)
}

/// Returns the text of a file of ours, without another name.
fn text_of(directory: &Directory, name: &OsStr) -> Option<String> {
    let file = directory.open_file(name).ok()?;
    if !is_ours(&file.metadata().ok()?, scitoken_types::sys::effective_uid()) {
        return None;
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

/// Refuses a state of another user, which could pass foreign bytes off as the file's.
fn is_ours(metadata: &Metadata, us: Option<u32>) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        metadata.is_file() && metadata.nlink() == 1 && us.is_none_or(|uid| uid == metadata.uid())
    }
    #[cfg(not(unix))]
    {
        let _ = us;
        metadata.is_file()
    }
}

/// The address as a hash, without the credentials and signatures in its query, which change with every run.
fn fingerprint(url: &Url) -> String {
    let mut bare = url.clone();
    let kept: Vec<_> =
        url.query().into_iter().flat_map(|query| query.split('&')).filter(|p| is_lasting(p)).collect();
    let kept = kept.join("&");
    bare.set_query((!kept.is_empty()).then_some(&kept));
    bare.set_fragment(None);
    // User info is refused before a download starts; a failure to remove what is not there is none.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    hasher::digest_of(DigestAlgorithm::Sha256, bare.as_str().as_bytes()).to_hex()
}

/// Whether a part of a query says what the file is, and not who may have it.
fn is_lasting(pair: &str) -> bool {
    const CREDENTIALS: [&str; 7] =
        ["authz", "access_token", "token", "signature", "expires", "awsaccesskeyid", "googleaccessid"];
    let key = pair.split_once('=').map_or(pair, |(key, _)| key).to_ascii_lowercase();
    let is_signed = key.starts_with("x-amz-") || key.starts_with("x-goog-");
    !is_signed && !CREDENTIALS.contains(&key.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "f.part.json";

    fn opened() -> (tempfile::TempDir, Directory) {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::open(temporary.path()).unwrap();
        (temporary, directory)
    }

    fn url() -> Url {
        "https://h/f?authz=Bearer%20secret".parse().unwrap()
    }

    fn sidecar() -> Sidecar {
        let mut done = RangeSet::default();
        done.insert(0..500);
        let identity = Identity {
            etag: Some("\"a\"".to_owned()),
            length: Some(1_000),
            digests: vec!["adler32:1".parse().unwrap()],
            ..Identity::default()
        };
        Sidecar::new(&url(), None, &identity, &done).unwrap()
    }

    #[test]
    fn what_was_written_is_read_again_and_holds_no_secret() {
        let (temporary, directory) = opened();
        let path = temporary.path().join(NAME);
        sidecar().write(&directory, NAME.as_ref()).unwrap();
        assert_eq!(Sidecar::read(&directory, NAME.as_ref(), 1_000, &FileId::default()), Some(sidecar()));
        assert!(!fs_err::read_to_string(&path).unwrap().contains("secret"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs_err::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn another_token_in_the_query_is_the_same_file_and_another_path_is_not() {
        let same = "https://h/f?authz=Bearer%20other".parse().unwrap();
        let mirror: Url = "https://mirror/f".parse().unwrap();
        assert_eq!(sidecar().identity(&[mirror.clone(), same], None).unwrap().source, 1);
        assert_eq!(sidecar().identity(&[mirror], None), None);
        // An object may come from another server of its federation, where a digest proves it.
        let object: Url = "pelican://h/ns/f".parse().unwrap();
        let sidecar = Sidecar { object_sha256: Some(fingerprint(&object)), ..sidecar() };
        let other: Url = "https://cache/ns/f".parse().unwrap();
        let known = sidecar.identity(std::slice::from_ref(&other), Some(&object));
        assert_eq!(known.is_some(), !sidecar.digests.is_empty());
        assert!(known.is_none_or(|known| known.etag.is_none() && known.last_modified.is_none()));
        let unproven = Sidecar { digests: Vec::new(), ..sidecar.clone() };
        assert_eq!(unproven.identity(std::slice::from_ref(&other), Some(&object)), None);
        assert_eq!(sidecar.identity(&[other], Some(&"pelican://h/ns/g".parse().unwrap())), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_state_of_another_user_is_ignored() {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = tempfile::NamedTempFile::new().unwrap().as_file().metadata().unwrap();
        assert!(is_ours(&metadata, Some(metadata.uid())));
        assert!(!is_ours(&metadata, Some(metadata.uid() + 1)));
    }

    #[test]
    fn what_the_query_says_about_the_file_belongs_to_its_address() {
        let print = |url: &str| fingerprint(&url.parse().unwrap());
        let file = print("https://h/get?id=7&authz=a");
        assert_eq!(file, print("https://h/get?authz=b&id=7"));
        assert_eq!(file, print("https://h/get?id=7&X-Amz-Signature=c"));
        assert_ne!(file, print("https://h/get?id=8&authz=a"));
        assert_ne!(file, print("https://h/get"));
    }

    #[test]
    fn a_sidecar_that_says_more_than_its_file_has_is_not_believed() {
        let (temporary, directory) = opened();
        let read = |length| Sidecar::read(&directory, NAME.as_ref(), length, &FileId::default());
        sidecar().write(&directory, NAME.as_ref()).unwrap();
        assert_eq!(read(499), None);
        for damage in ["", "{", "null", "[]", r#"{"format":1}"#] {
            fs_err::write(temporary.path().join(NAME), damage).unwrap();
            assert_eq!(read(1_000), None, "{damage}");
        }
    }

    #[test]
    fn a_file_in_place_of_the_unfinished_state_is_replaced_only_if_it_is_ours() {
        let (temporary, directory) = opened();
        let unfinished = temporary.path().join("f.part.json.part");
        let written = serde_json::to_string(&sidecar()).unwrap();
        for (there, is_ours) in [("", true), (written.as_str(), true), ("mine", false), ("{}", false)] {
            fs_err::write(&unfinished, there).unwrap();
            assert_eq!(sidecar().write(&directory, NAME.as_ref()).is_ok(), is_ours, "{there}");
            assert_eq!(fs_err::read_to_string(&unfinished).ok().as_deref() == Some(there), !is_ours);
        }
    }
}
