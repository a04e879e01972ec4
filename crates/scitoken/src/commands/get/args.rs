//! The arguments of `scitoken get`.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use scitoken_transfer::{Checksum, InvalidDigest};

use crate::args::{CHECKSUMS, suggested};
use crate::commands::transfer::TransferArgs;

/// Download files and verify them
///
/// A file appears under its name only when its length and checksum are right; until then it is NAME.part, and the same
/// command resumes it where that is safe. Tokens are found as `scitoken token where` shows.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scitoken get https://data.example.org/vo/run1.root
  scitoken get --checksum adler32:355f0612 -o first.root https://data.example.org/vo/run1.root
  scitoken get -i list.txt -P data -j 16 --skip-existing=size
  scitoken get -r https://data.example.org/vo/runs/
  scitoken get -o - https://data.example.org/vo/runs.tar | tar x
  scitoken get osdf:///ospool/uc-shared/public/OSG-Staff/validation/test.txt

`scitoken --help` lists the exit codes.")]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub(crate) struct Get {
    /// Files to download
    #[arg(value_name = "URL", required_unless_present = "input")]
    pub(super) urls: Vec<String>,
    /// Write to this file, or to standard output with `-`
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["input", "directory"])]
    pub(super) output: Option<PathBuf>,
    /// Name the file after the URL, which is the default
    #[arg(short = 'O', long, conflicts_with = "output")]
    pub(super) remote_name: bool,
    /// Name the file as the server does (`Content-Disposition`); replaces an existing file only with `--overwrite`
    #[arg(short = 'J', long, conflicts_with_all = ["output", "input", "recursive", "mirror"])]
    pub(super) remote_header_name: bool,
    /// Write into this directory
    #[arg(short = 'P', long, visible_alias = "output-dir", value_name = "DIR")]
    pub(super) directory: Option<PathBuf>,
    /// Create the directory of `-P` or `-o`
    #[arg(long)]
    pub(super) create_dirs: bool,
    /// Resume an unfinished file where that is safe, which is the default; the only OFFSET is `-`
    #[arg(short = 'C', long = "continue-at", value_name = "OFFSET", num_args = 0..=1, default_missing_value = "-",
          value_parser = ["-"], hide_possible_values = true, conflicts_with = "no_resume")]
    pub(super) continue_at: Option<String>,
    /// Download again from the start instead of resuming
    #[arg(long)]
    pub(super) no_resume: bool,
    /// Download the files of a list, or of a Metalink (`.meta4`); `-` for standard input
    ///
    /// A list has one URL on each line, with mirrors after tabs, followed by indented lines `out=NAME` and
    /// `checksum=ALGORITHM:VALUE`. Names stay below the directory of `-P`; links in it are not followed, and names that
    /// begin with a dot are refused if it existed before.
    #[arg(short, long, value_name = "LIST")]
    pub(super) input: Option<PathBuf>,
    /// Another URL of the same file, used if the first one fails; repeatable
    #[arg(long, value_name = "URL", conflicts_with_all = ["input", "recursive"])]
    pub(super) mirror: Vec<String>,
    /// Download a directory with everything below it (WebDAV), into a local one of its name or that of `-P`
    ///
    /// In a directory that existed before, names that begin with a dot are refused. Links in it are not followed.
    #[arg(short, long, conflicts_with_all = ["output", "input"])]
    pub(super) recursive: bool,
    /// Download N files at once [default: 4]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Use up to N connections for each file [default: 1]
    #[arg(short = 'x', long, value_name = "N")]
    pub(super) streams: Option<NonZeroUsize>,
    /// Verify by checksum: `auto`, `require`, ALGORITHM, ALGORITHM:VALUE or `none` [default: auto]
    ///
    /// `auto` compares with the server's checksum if there is one; `require` and ALGORITHM fail if there is none;
    /// ALGORITHM:VALUE compares with the value.
    #[arg(long, value_name = "CHECKSUM", hide_possible_values = true,
          value_parser = suggested(CHECKSUMS, parse_checksum))]
    pub(super) checksum: Option<Checksum>,
    /// Skip existing files of the right `size` or `checksum` [default: checksum]
    #[arg(long, value_name = "BY", num_args = 0..=1, default_missing_value = "checksum", require_equals = true,
          hide_possible_values = true, conflicts_with = "no_clobber")]
    pub(super) skip_existing: Option<SkipBy>,
    /// Fail if the file exists
    #[arg(long)]
    pub(super) no_clobber: bool,
    /// Replace existing files that no earlier run made, where others choose the names
    ///
    /// Others choose them with `-r` and `-J`, in Metalinks, and in lists from standard input. Without this flag such a file
    /// is kept, and is a failure unless its content is right.
    #[arg(long, conflicts_with = "no_clobber")]
    pub(super) overwrite: bool,
    /// Fail if the server answers with an error, which is the default
    #[arg(short, long, hide = true)]
    pub(super) fail: bool,
    /// Accept a web page, or an error message of the server, as data
    #[arg(long)]
    pub(super) allow_html: bool,
    /// Show what would be downloaded, and download nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
}

fn parse_checksum(text: &str) -> Result<Checksum, String> {
    text.parse().map_err(|error: InvalidDigest| {
        let is_value = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let algorithm = match text.len() {
            8 => "adler32",
            32 => "md5",
            40 => "sha",
            64 => "sha-256",
            128 => "sha-512",
            _ => "ALGORITHM",
        };
        if is_value { format!("no algorithm: write `{algorithm}:VALUE`") } else { error.to_string() }
    })
}

/// Returns whether a path is a name of standard output, which may be a file: opened anew it would be written from its start.
fn names_standard_output(path: &Path) -> bool {
    const NAMES: [&str; 4] = ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];
    NAMES.iter().any(|name| path == Path::new(name))
}

/// Returns whether a path names a character device or a FIFO, which cannot be replaced by a file.
#[cfg(unix)]
fn is_device(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    fs_err::metadata(path).is_ok_and(|metadata| {
        let kind = metadata.file_type();
        kind.is_char_device() || kind.is_fifo()
    })
}

#[cfg(not(unix))]
fn is_device(_: &Path) -> bool {
    false
}

/// How an existing file is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SkipBy {
    Size,
    Checksum,
}

impl Get {
    /// Returns whether the data goes to a stream: standard output, or a device or FIFO such as `/dev/null`.
    pub(super) fn is_stream(&self) -> bool {
        self.output.as_deref().is_some_and(|output| names_standard_output(output) || is_device(output))
    }

    /// Returns the device or FIFO to write to, if it is not standard output.
    pub(super) fn device(&self) -> Option<&Path> {
        self.output.as_deref().filter(|output| !names_standard_output(output) && is_device(output))
    }
}
