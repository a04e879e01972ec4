//! What is written beside an unfinished file, so that another process can go on with it.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};
use url::Url;

use super::file_id::FileId;
use super::identity::Identity;
use super::position::{no_follow, open_no_follow, remove_if_there};
use super::ranges::RangeSet;
use super::{Digest, DigestAlgorithm, hasher};
use crate::SafeUrl;

/// More than any sidecar has.
const LONGEST: u64 = 1024 * 1024;
const FORMAT: u32 = 2;

/// The state of an unfinished file. It holds no credential: the URL stands in it as a SHA-256 and in its shown form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sidecar {
    format: u32,
    /// The unfinished file that it is about.
    part: FileId,
    /// For people who look into the file.
    url: String,
    url_sha256: String,
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
    /// The state of a file whose length is known; `None` for one whose length is not, which cannot be gone on with.
    pub(super) fn new(source: &Url, identity: &Identity, done: &RangeSet) -> Option<Self> {
        Some(Self {
            format: FORMAT,
            part: FileId::default(),
            url: SafeUrl::new(source).to_string(),
            url_sha256: fingerprint(source),
            etag: identity.etag.clone(),
            last_modified: identity.last_modified.clone(),
            length: identity.length?,
            digests: identity.digests.iter().map(Digest::to_string).collect(),
            done: done.clone(),
        })
    }

    /// Reads a sidecar; `None` when there is none, or none that makes sense for this file.
    pub(super) fn read(path: &Path, part_length: u64, part: &FileId) -> Option<Self> {
        let mut text = String::new();
        let file = open_no_follow(path).ok()?;
        if !is_ours(&file.metadata().ok()?, crate::sys::effective_uid()) {
            return None;
        }
        file.take(LONGEST).read_to_string(&mut text).ok()?;
        let sidecar: Self = serde_json::from_str(&text).ok()?;
        let in_bounds = sidecar.done.end() <= sidecar.length.min(part_length);
        let fits = sidecar.format == FORMAT && sidecar.part == *part && in_bounds;
        (fits && sidecar.done.total() > 0).then_some(sidecar)
    }

    /// Binds it to its unfinished file: beside another one of the same name it says nothing.
    pub(super) fn belongs_to(&mut self, part: &FileId) {
        self.part = part.clone();
    }

    /// Writes it whole or not at all, for the owner only.
    ///
    /// Only who holds the unfinished file's lock may do so: the name that it has meanwhile is always the same, so that
    /// runs that are killed leave no heap of them.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".part");
        let unfinished = Path::new(&unfinished);
        remove_if_there(unfinished)?;
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        no_follow(&mut options);
        let mut file = BufWriter::new(options.open(unfinished)?);
        serde_json::to_writer(&mut file, self)?;
        file.write_all(b"\n")?;
        file.into_inner()?.sync_data()?;
        fs_err::rename(unfinished, path)
    }

    /// What is there.
    pub(super) fn done(&self) -> &RangeSet {
        &self.done
    }

    /// What the content was, and from which of `sources` it came. A file whose address is none of them is of another
    /// download, whatever its name.
    pub(super) fn identity(&self, sources: &[Url]) -> Option<Identity> {
        let source = sources.iter().position(|source| fingerprint(source) == self.url_sha256)?;
        Some(Identity {
            source,
            etag: self.etag.clone(),
            last_modified: self.last_modified.clone(),
            length: Some(self.length),
            digests: self.digests.iter().filter_map(|digest| digest.parse().ok()).collect(),
        })
    }
}

/// A state that somebody else laid there could make us take their bytes for the file's.
fn is_ours(metadata: &Metadata, us: Option<u32>) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        metadata.is_file() && us.is_none_or(|uid| uid == metadata.uid())
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
        Sidecar::new(&url(), &identity, &done).unwrap()
    }

    #[test]
    fn what_was_written_is_read_again_and_holds_no_secret() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.part.json");
        sidecar().write(&path).unwrap();
        assert_eq!(Sidecar::read(&path, 1_000, &FileId::default()), Some(sidecar()));
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
        assert_eq!(sidecar().identity(&[mirror.clone(), same]).unwrap().source, 1);
        assert_eq!(sidecar().identity(&[mirror]), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_state_that_somebody_else_laid_there_is_not_believed() {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = tempfile::tempfile().unwrap().metadata().unwrap();
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
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f.part.json");
        sidecar().write(&path).unwrap();
        assert_eq!(Sidecar::read(&path, 499, &FileId::default()), None);
        for damage in ["", "{", "null", "[]", r#"{"format":1}"#] {
            fs_err::write(&path, damage).unwrap();
            assert_eq!(Sidecar::read(&path, 1_000, &FileId::default()), None, "{damage}");
        }
    }
}
