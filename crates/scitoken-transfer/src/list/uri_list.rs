//! Lists of files to download, in the format of aria2c.

use std::io::BufRead;
use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::address::parse_location;
use crate::digest::checksum::Checksum;
use crate::download::job::Download;
use crate::download::root::DownloadRoot;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use crate::name::file_name::file_name;
use scitoken_types::{SafeUrl, redact};

/// The longest line, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// One file of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListEntry {
    /// The line where it begins, counted from one.
    pub line: u64,
    /// The file's URLs.
    pub urls: Vec<Url>,
    /// Its name, below the directory of the download.
    pub out: Option<PathBuf>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// Its length in bytes; only a Metalink has it.
    pub length: Option<u64>,
}

impl ListEntry {
    /// Creates the download of this file below `directory`, for a list that the caller wrote. Without `out` the name comes
    /// from the URL. A list of others is downloaded [below a root](Self::into_download_below).
    ///
    /// # Errors
    /// [`FailureKind::Usage`] when it has no URL, or one without a safe name.
    pub fn into_download(self, directory: impl AsRef<Path>) -> Result<Download, TransferError> {
        self.prepare(|url, name| Download::new(url, directory.as_ref().join(name)))
    }

    /// Creates the download of this file below a root, which its name does not leave.
    ///
    /// # Errors
    /// As [`into_download`](Self::into_download), and those of [`Download::below`].
    pub fn into_download_below(self, root: &DownloadRoot) -> Result<Download, TransferError> {
        self.prepare(|url, name| Download::below(url, root, name))
    }

    fn prepare(
        self,
        download: impl FnOnce(Url, PathBuf) -> Result<Download, TransferError>,
    ) -> Result<Download, TransferError> {
        let refuse = |message: String| TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message);
        let mut urls = self.urls.into_iter();
        let url = urls.next().ok_or_else(|| refuse(format!("line {} has no URL", self.line)))?;
        let name = match self.out {
            Some(name) => name,
            None => PathBuf::from(file_name(&url).map_err(|error| {
                refuse(format!("`{}`: {error}", SafeUrl::new(&url))).with_hint(TransferHint::NameListedFile)
            })?),
        };
        let mut download = urls.try_fold(download(url, name)?, Download::with_mirror)?;
        if let Some(checksum) = self.checksum {
            download = download.with_checksum(checksum);
        }
        Ok(match self.length {
            Some(length) => download.with_length(length),
            None => download,
        })
    }
}

/// A malformed line. Other entries are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ListError {
    line: u64,
    problem: String,
}

impl ListError {
    /// Returns the line, counted from one.
    pub fn line(&self) -> u64 {
        self.line
    }
}

/// Reads a list: a line with one or more URLs of the same file, separated by tabs, then indented lines with options.
///
/// ```text
/// # a comment
/// https://h/run1.root    https://mirror/run1.root
///   out=first.root
///   checksum=adler32:355f0612
/// https://h/run2.root
/// ```
///
/// Reads one entry at a time, so a list may have any length.
///
/// ```
/// use scitoken_transfer::DownloadList;
///
/// let text = "https://h/run1.root\thttps://mirror/run1.root\n  checksum=adler32:355f0612\n";
/// for entry in DownloadList::new(text.as_bytes()) {
///     let download = entry?.into_download("data")?;
///     assert_eq!(download.target(), Some("data/run1.root".as_ref()));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct DownloadList<R> {
    lines: R,
    line: u64,
    ahead: Option<Line>,
    ended: bool,
}

/// A line of a list, or what is wrong with it.
#[derive(Debug)]
struct Line {
    /// Whether it is indented, and belongs to the entry before it.
    is_option: bool,
    text: Result<String, ListError>,
}

impl<R: BufRead> DownloadList<R> {
    /// Creates a list that reads from `lines`.
    pub fn new(lines: R) -> Self {
        Self { lines, line: 0, ahead: None, ended: false }
    }

    /// Returns the next line that is neither empty nor a comment; `None` at the end.
    fn next_line(&mut self) -> Option<Line> {
        if let Some(line) = self.ahead.take() {
            return Some(line);
        }
        loop {
            let mut bytes = Vec::new();
            self.line += 1;
            let read = self.read_line(&mut bytes);
            let is_option = matches!(bytes.first(), Some(b' ' | b'\t'));
            match read {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Line { is_option, text: Err(error) }),
            }
            let line = match std::str::from_utf8(&bytes) {
                Ok(line) => line,
                Err(error) => {
                    let column = error.valid_up_to() + 1;
                    let problem = self.problem(format!("it is not UTF-8 from byte {column} on"));
                    return Some(Line { is_option, text: Err(problem) });
                }
            };
            // A byte order mark is no part of an entry; lists that were joined have some in the middle.
            let line = line.trim_start_matches('\u{feff}').trim_end();
            if !line.is_empty() && !line.trim_start().starts_with('#') {
                return Some(Line { is_option, text: Ok(line.to_owned()) });
            }
        }
    }

    fn read_line(&mut self, bytes: &mut Vec<u8>) -> Result<usize, ListError> {
        let mut total = 0;
        loop {
            let buffer = match self.lines.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) => {
                    self.ended = true;
                    return Err(ListError { line: self.line, problem: format!("failed to read: {error}") });
                }
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = end.map_or(buffer.len(), |end| end + 1);
            // The rest of an overlong line is skipped.
            let space = (LONGEST_LINE + 1).saturating_sub(bytes.len());
            bytes.extend_from_slice(&buffer[..piece.min(space)]);
            self.lines.consume(piece);
            total += piece;
            if end.is_some() || piece == 0 {
                break;
            }
        }
        if bytes.len() > LONGEST_LINE {
            return Err(self.problem("it is longer than 64 KiB"));
        }
        Ok(total)
    }

    fn problem(&self, problem: impl Into<String>) -> ListError {
        ListError { line: self.line, problem: problem.into() }
    }

    /// Reads one entry with its options, to its end even if it is malformed.
    fn entry(&mut self) -> Option<Result<ListEntry, ListError>> {
        let Some(first) = self.next_line() else {
            self.ended = true;
            return None;
        };
        let is_option = first.is_option;
        let first = match first.text {
            Ok(text) => text,
            Err(error) => return Some(Err(error)),
        };
        let mut problem = None;
        let mut entry =
            ListEntry { line: self.line, urls: Vec::new(), out: None, checksum: None, length: None };
        if is_option {
            return Some(Err(self.problem("an option precedes any URL")));
        }
        for text in first.split('\t').map(str::trim).filter(|text| !text.is_empty()) {
            match parse_location(text) {
                Ok(url) => entry.urls.push(url),
                Err(error) => problem = Some(self.problem(error.to_string())),
            }
        }
        while let Some(line) = self.next_line() {
            match line {
                Line { is_option: true, text: Ok(text) } => {
                    if let Err(what) = option(&mut entry, text.trim()) {
                        problem.get_or_insert(self.problem(what));
                    }
                }
                Line { is_option: true, text: Err(error) } => drop(problem.get_or_insert(error)),
                // The list cannot be read, so options of this entry may be missing.
                Line { text: Err(error), .. } if self.ended => drop(problem.get_or_insert(error)),
                next => {
                    self.ahead = Some(next);
                    break;
                }
            }
        }
        Some(problem.map_or(Ok(entry), Err))
    }
}

impl<R: BufRead> Iterator for DownloadList<R> {
    type Item = Result<ListEntry, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { self.entry() }
    }
}

fn option(entry: &mut ListEntry, text: &str) -> Result<(), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("`{}` is not an option", redact::text(text)))?;
    match name.trim() {
        "out" => {
            let path = PathBuf::from(value);
            let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
            if value.is_empty() || !is_below || value.chars().any(char::is_control) {
                return Err(format!("`{}` is not a name below the download directory", redact::text(value)));
            }
            entry.out = Some(path);
        }
        // aria2c writes `checksum=adler32=…`.
        "checksum" => {
            let value = if value.contains(':') { value.to_owned() } else { value.replacen('=', ":", 1) };
            entry.checksum = Some(value.parse().map_err(|error: crate::InvalidDigest| error.to_string())?);
        }
        other => return Err(format!("`{}` is not an option (`out`, `checksum`)", redact::text(other))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<ListEntry, String>> {
        DownloadList::new(text.as_bytes()).map(|entry| entry.map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn urls_mirrors_and_options_are_read() {
        let text = "# list\n\nhttps://h/a\thttps://m/a\n  out=d/first\n  checksum=adler32=1\r\nhttps://h/b\n";
        let entries: Vec<_> = read(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].urls.len(), 2);
        assert_eq!(entries[0].out.as_deref(), Some(Path::new("d/first")));
        assert_eq!(entries[0].checksum, Some("adler32:00000001".parse().unwrap()));
        assert_eq!((entries[1].line, entries[1].out.as_ref()), (6, None));
    }

    #[test]
    fn a_bad_entry_is_named_by_its_line_and_does_not_touch_the_others() {
        let text = "https://h/a\nnonsense\n  out=x\n  out=../../etc/passwd\nhttps://h/b\n  colour=red\nhttps://h/c\n";
        let entries = read(text);
        assert_eq!(entries.len(), 4);
        assert!(entries[0].is_ok() && entries[3].is_ok());
        assert!(entries[1].as_ref().unwrap_err().starts_with("line 2: `nonsense`"));
        assert!(entries[2].as_ref().unwrap_err().starts_with("line 6: `colour`"));
    }

    #[test]
    fn names_stay_below_the_directory() {
        for out in ["/etc/passwd", "../x", "a/../../x", "", "a\u{7}b", "./x"] {
            let entries = read(&format!("https://h/a\n out={out}\n"));
            assert!(entries[0].is_err(), "{out}");
        }
    }

    #[test]
    fn overlong_lines_and_malformed_bytes_are_errors() {
        assert!(read(&"x".repeat(LONGEST_LINE + 1))[0].is_err());
        let bytes: &[u8] = b"\xff\xfe\nhttps://h/a\n";
        let entries: Vec<_> = DownloadList::new(bytes).collect();
        assert!(entries[0].is_err() && entries[1].is_ok());
        assert!(read(" out=x\nhttps://h/a\n")[0].is_err());
        assert_eq!(read(""), []);
    }

    #[test]
    fn a_byte_order_mark_is_ignored_and_a_wrong_encoding_is_located() {
        for text in ["\u{feff}https://h/a\n", "\u{feff}# comment\nhttps://h/a\n", "\u{feff}\r\nhttps://h/a"] {
            let entries = read(text);
            assert_eq!(entries.len(), 1, "{text}");
            assert_eq!(entries[0].as_ref().unwrap().urls[0].as_str(), "https://h/a");
        }
        let bytes: &[u8] = b"https://h/a\nhttps://h/\xfcber\n";
        let errors: Vec<_> = DownloadList::new(bytes).filter_map(Result::err).collect();
        assert_eq!(errors[0].to_string(), "line 2: it is not UTF-8 from byte 11 on");
    }

    #[test]
    fn a_malformed_line_takes_no_other_entry_with_it() {
        let long = "x".repeat(LONGEST_LINE + 1);
        for bad in [&b"https://h/\xfcber"[..], b"\0\0", b"\xef\xbb\xbfnonsense", long.as_bytes()] {
            let list = [b"https://h/a\n", bad, b"\n\xef\xbb\xbfhttps://h/b\n out=c"].concat();
            let entries: Vec<_> = DownloadList::new(&*list).collect();
            assert_eq!(entries.len(), 3);
            assert_eq!(entries[0].as_ref().unwrap().urls[0].as_str(), "https://h/a");
            assert_eq!(entries[1].as_ref().unwrap_err().line(), 2);
            assert_eq!(entries[2].as_ref().unwrap().out.as_deref(), Some(Path::new("c")));
        }
        // An option that cannot be read is one of its entry.
        let list: &[u8] = b"https://h/a\n out=\xfc\n checksum=adler32:1\nhttps://h/b\n";
        let entries: Vec<_> = DownloadList::new(list).collect();
        assert_eq!(entries.len(), 2);
        assert!(entries[0].as_ref().is_err_and(|error| error.line() == 2) && entries[1].is_ok());
    }
}
