//! The arguments of `scitoken copy`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use scitoken_transfer::Checksum;
use scitoken_transfer::copy::CopyMode;

use crate::commands::transfer::TransferArgs;
use crate::wire::ExtraHeader;

/// Copy files between servers, or between a server and this machine
///
/// Between two servers one of them fetches or sends the file (third-party copy), and the data does not pass through this
/// machine. A copy counts only when both servers state the same length and checksum; one that failed is removed. A copy
/// from or to this machine is what `scitoken get` and `scitoken put` do.
#[derive(Debug, Args)]
#[command(
    override_usage = "scitoken copy [OPTIONS] <SOURCE>... <DESTINATION>\n       \
                      scitoken copy [OPTIONS] -i <LIST> <DESTINATION>",
    after_help = "\
Examples:
  scitoken copy https://a.example.org/vo/run1.root https://b.example.org/vo/run1.root
  scitoken copy -r -j 16 davs://a.example.org/vo/runs davs://b.example.org/vo/runs
  scitoken copy --source-token-file a.token --destination-token-file b.token \\
      https://a.example.org/f https://b.example.org/f
  scitoken copy run1.root https://b.example.org/vo/
  scitoken copy osdf:///ospool/uc-shared/public/OSG-Staff/validation/test.txt ."
)]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub(crate) struct Copy {
    /// Files to copy, and last the destination; a destination that ends in `/` is a directory
    #[arg(value_name = "SOURCE... DESTINATION", required = true)]
    pub(super) paths: Vec<String>,
    /// Copy directories with everything below them
    #[arg(short, long, conflicts_with = "input")]
    pub(super) recursive: bool,
    /// Copy the files of a list into the destination, a directory; `-` for standard input
    ///
    /// A list has one URL on each line, followed by indented lines `out=NAME` and `checksum=ALGORITHM:VALUE`.
    #[arg(short, long, value_name = "LIST")]
    pub(super) input: Option<PathBuf>,
    /// Copy N files at once [default: 4]
    #[arg(short, long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
    /// Which server moves the data [default: the destination, or the source if that one cannot]
    #[arg(long, value_name = "MODE")]
    pub(super) mode: Option<ModeArg>,
    /// Copy through this machine if neither server can copy
    #[arg(long)]
    pub(super) stream: bool,
    /// Read the token for the source from this file
    #[arg(long, value_name = "FILE", conflicts_with = "no_auth")]
    pub(super) source_token_file: Option<PathBuf>,
    /// Read the token for the destination from this file
    #[arg(long, value_name = "FILE", conflicts_with = "no_auth")]
    pub(super) destination_token_file: Option<PathBuf>,
    /// Let the server that moves the data send this header to the other one; repeatable
    #[arg(long, value_name = "NAME:VALUE")]
    pub(super) transfer_header: Vec<ExtraHeader>,
    /// Verify by checksum: `auto`, `require`, ALGORITHM, ALGORITHM:VALUE or `none` [default: auto]
    #[arg(long, value_name = "CHECKSUM")]
    pub(super) checksum: Option<Checksum>,
    /// Fail if the target exists (exit code 15)
    #[arg(long)]
    pub(super) no_clobber: bool,
    /// Create the missing directories of the destination
    #[arg(long)]
    pub(super) create_dirs: bool,
    #[command(flatten)]
    pub(super) transfer: TransferArgs,
}

/// Which server moves the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeArg {
    /// The destination fetches the file
    Pull,
    /// The source sends the file
    Push,
}

impl From<ModeArg> for CopyMode {
    fn from(mode: ModeArg) -> Self {
        match mode {
            ModeArg::Pull => Self::Pull,
            ModeArg::Push => Self::Push,
        }
    }
}
