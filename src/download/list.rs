//! Lists of files to download, in the form that aria2c reads.

use std::io::BufRead;
use std::path::{Component, Path, PathBuf};

use url::Url;

use super::Checksum;
use super::error::{FailureKind, Remedy, TransferError};
use super::job::{Download, check_url};
use super::name::file_name;
use crate::{SafeUrl, redact};

/// More than any sensible line, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

/// One file of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListEntry {
    /// The line that it begins at, counted from one.
    pub line: u64,
    /// The file's addresses.
    pub urls: Vec<Url>,
    /// Its name, below the directory of the download.
    pub out: Option<PathBuf>,
    /// Its checksum.
    pub checksum: Option<Checksum>,
    /// Its length; only a Metalink says it.
    pub length: Option<u64>,
}

impl ListEntry {
    /// The download of this file, to its place below `directory`; without a name of its own it has that of its address.
    ///
    /// # Errors
    /// [`FailureKind::Usage`] when it has no address, or one that gives it no safe name.
    pub fn into_download(self, directory: impl AsRef<Path>) -> Result<Download, TransferError> {
        let refuse = |message: String| TransferError::new(FailureKind::Usage, Remedy::Nothing, message);
        let mut urls = self.urls.into_iter();
        let url = urls.next().ok_or_else(|| refuse(format!("line {} has no URL", self.line)))?;
        let name = match self.out {
            Some(name) => name,
            None => PathBuf::from(file_name(&url).map_err(|error| {
                refuse(format!("`{}`: {error}", SafeUrl::new(&url)))
                    .with_hint("name the file with `out=NAME`")
            })?),
        };
        let download = Download::new(url, directory.as_ref().join(name))?;
        let mut download = urls.try_fold(download, Download::with_mirror)?;
        if let Some(checksum) = self.checksum {
            download = download.with_checksum(checksum);
        }
        Ok(match self.length {
            Some(length) => download.with_length(length),
            None => download,
        })
    }
}

/// A line that cannot be understood. The entries around it are not touched by it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct ListError {
    line: u64,
    problem: String,
}

impl ListError {
    /// The line, counted from one.
    pub fn line(&self) -> u64 {
        self.line
    }
}

/// Reads a list: a line with a URL or several of the same file, separated by tabs; then indented lines with options.
///
/// ```text
/// # a comment
/// https://h/run1.root    https://mirror/run1.root
///   out=first.root
///   checksum=adler32:355f0612
/// https://h/run2.root
/// ```
///
/// It holds one entry at a time, so a list may have any length.
///
/// ```
/// use reqwest_scitokens::download::List;
///
/// let text = "https://h/run1.root\thttps://mirror/run1.root\n  checksum=adler32:355f0612\n";
/// for entry in List::new(text.as_bytes()) {
///     let download = entry?.into_download("data")?;
///     assert_eq!(download.target(), Some("data/run1.root".as_ref()));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct List<R> {
    lines: R,
    line: u64,
    ahead: Option<String>,
    ended: bool,
}

impl<R: BufRead> List<R> {
    /// A list that is read from here.
    pub fn new(lines: R) -> Self {
        Self { lines, line: 0, ahead: None, ended: false }
    }

    /// The next line that says something.
    fn next_line(&mut self) -> Result<Option<String>, ListError> {
        if let Some(line) = self.ahead.take() {
            return Ok(Some(line));
        }
        loop {
            let mut bytes = Vec::new();
            self.line += 1;
            let got = self.read_line(&mut bytes)?;
            if got == 0 {
                return Ok(None);
            }
            let line = String::from_utf8(bytes).map_err(|_| self.problem("it is not UTF-8"))?;
            let line = line.trim_end();
            if !line.is_empty() && !line.trim_start().starts_with('#') {
                return Ok(Some(line.to_owned()));
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
                    return Err(ListError { line: self.line, problem: format!("cannot read on: {error}") });
                }
            };
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let piece = end.map_or(buffer.len(), |end| end + 1);
            // The rest of an endless line is read over, not kept.
            let room = (LONGEST_LINE + 1).saturating_sub(bytes.len());
            bytes.extend_from_slice(&buffer[..piece.min(room)]);
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

    /// Reads one entry with its options. All of a bad entry is read, so that the next one begins where it begins.
    fn entry(&mut self) -> Option<Result<ListEntry, ListError>> {
        let first = match self.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => {
                self.ended = true;
                return None;
            }
            Err(error) => return Some(Err(error)),
        };
        let mut problem = None;
        let mut entry =
            ListEntry { line: self.line, urls: Vec::new(), out: None, checksum: None, length: None };
        if first.starts_with([' ', '\t']) {
            return Some(Err(self.problem("an option stands before any URL")));
        }
        for text in first.split('\t').map(str::trim).filter(|text| !text.is_empty()) {
            match parse_url(text) {
                Ok(url) => entry.urls.push(url),
                Err(what) => problem = Some(self.problem(what)),
            }
        }
        loop {
            match self.next_line() {
                Ok(Some(line)) if line.starts_with([' ', '\t']) => {
                    if let Err(what) = option(&mut entry, line.trim()) {
                        problem.get_or_insert(self.problem(what));
                    }
                }
                Ok(line) => {
                    self.ahead = line;
                    break;
                }
                Err(error) => {
                    problem.get_or_insert(error);
                    break;
                }
            }
        }
        Some(problem.map_or(Ok(entry), Err))
    }
}

impl<R: BufRead> Iterator for List<R> {
    type Item = Result<ListEntry, ListError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended { None } else { self.entry() }
    }
}

fn parse_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|_| format!("`{}` is no URL", SafeUrl::unparsed(text)))?;
    check_url(&url).map_err(|error| error.to_string())?;
    Ok(url)
}

fn option(entry: &mut ListEntry, text: &str) -> Result<(), String> {
    let (name, value) =
        text.split_once('=').ok_or_else(|| format!("`{}` is no option", redact::text(text)))?;
    match name.trim() {
        "out" => {
            let path = PathBuf::from(value);
            let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
            if value.is_empty() || !is_below || value.chars().any(char::is_control) {
                return Err(format!("`{}` is no name below the download's directory", redact::text(value)));
            }
            entry.out = Some(path);
        }
        // aria2c writes `checksum=adler32=…`.
        "checksum" => {
            let value = if value.contains(':') { value.to_owned() } else { value.replacen('=', ":", 1) };
            entry.checksum = Some(value.parse().map_err(|error: super::InvalidDigest| error.to_string())?);
        }
        other => return Err(format!("`{}` is no option (`out`, `checksum`)", redact::text(other))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Result<ListEntry, String>> {
        List::new(text.as_bytes()).map(|entry| entry.map_err(|error| error.to_string())).collect()
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
    fn lines_without_end_and_bytes_without_sense_are_errors() {
        assert!(read(&"x".repeat(LONGEST_LINE + 1))[0].is_err());
        let bytes: &[u8] = b"\xff\xfe\nhttps://h/a\n";
        let entries: Vec<_> = List::new(bytes).collect();
        assert!(entries[0].is_err() && entries[1].is_ok());
        assert!(read(" out=x\nhttps://h/a\n")[0].is_err());
        assert_eq!(read(""), []);
    }
}
