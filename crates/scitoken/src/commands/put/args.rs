//! The arguments of `scitoken put`.

use std::path::PathBuf;
use std::sync::OnceLock;

use clap::Args;
use clap::builder::StringValueParser;
use scitoken_transfer::federation::Federation;

use crate::args::{ALGORITHMS, suggested};
use crate::commands::transfer::TransferArgs;

/// Upload files, and verify that the server has them
///
/// After the upload, the length and checksum of the file on the server are compared with those of the local file. The
/// token must be known before the first byte is sent: servers such as XRootD refuse an upload by closing the connection.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scitoken put run1.root https://data.example.org/vo/run1.root
  scitoken put run1.root run2.root https://data.example.org/vo/runs/
  scitoken put -r runs https://data.example.org/vo/
  tar c runs | scitoken put - https://data.example.org/vo/runs.tar")]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub(crate) struct Put {
    /// Files to upload, directories with `--recursive`, or `-` for standard input
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Target; the names of files and directories are appended to a URL that ends in `/`
    #[arg(value_name = "URL", required = true)]
    pub(super) url: String,
    /// Upload directories with everything below them, empty directories included (WebDAV)
    #[arg(short, long)]
    pub(super) recursive: bool,
    /// Checksum algorithm to send and to compare, or `none`
    #[arg(long, value_name = "ALGORITHM", default_value = "adler32", hide_possible_values = true,
          value_parser = suggested(ALGORITHMS, StringValueParser::new()))]
    pub(super) checksum: String,
    /// Fail if the target exists (exit code 15)
    #[arg(long)]
    pub(super) no_clobber: bool,
    /// Create the parent directory of the target (WebDAV)
    #[arg(long)]
    pub(super) create_dirs: bool,
    /// Fail if the server answers with an error, which is the default
    #[arg(short, long, hide = true)]
    pub(super) fail: bool,
    #[command(flatten)]
    pub(crate) transfer: TransferArgs,
    /// What resolves names of objects, made when the first one is uploaded.
    #[arg(skip)]
    pub(super) resolver: OnceLock<Federation>,
}
