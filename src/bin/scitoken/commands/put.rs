//! `scitoken put`: upload a file.

use std::path::PathBuf;

use clap::Args;
use reqwest_scitokens::download::{DigestAlgorithm, Overwrite, Upload, Verification};
use serde_json::json;
use url::Url;

use super::address::parse_url;
use crate::connect::Connect;
use crate::engine::{Tries, block_on};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logging::Loudness;
use crate::print;
use crate::settings::Settings;
use crate::signals;

/// Upload a file, and check that the server has it right
///
/// The server is asked for length and checksum afterwards. The token must be there before the first byte is sent:
/// servers such as XRootD refuse an upload by breaking the connection.
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to; a URL that ends in `/` gets the file's name
    #[arg(value_name = "URL")]
    url: String,
    /// The checksum to send along and to compare, or `none`
    #[arg(long, value_name = "ALGORITHM", default_value = "adler32")]
    checksum: String,
    /// Fail if there is something already
    #[arg(long)]
    no_clobber: bool,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

impl Put {
    /// Uploads.
    pub(crate) fn run(self, settings: &Settings, loudness: Loudness) -> Result<Exit, Failure> {
        let algorithm = match self.checksum.as_str() {
            "none" => None,
            name => Some(
                name.parse::<DigestAlgorithm>().map_err(|error| Failure::from_error(Exit::Usage, &error))?,
            ),
        };
        let upload = Upload::new(&self.file, self.target()?)
            .map_err(|error| self.tries.failure(&error))?
            .with_algorithm(algorithm)
            .with_overwrite(if self.no_clobber { Overwrite::Refuse } else { Overwrite::Allow });
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        signals::watch(engine.downloader.stopper().clone());
        let uploaded =
            block_on(engine.downloader.upload(&upload))?.map_err(|error| self.tries.failure(&error))?;
        let verified = match &uploaded.verification {
            Verification::Verified(digest) => Some(digest.to_string()),
            Verification::NotAvailable => None,
        };
        if self.json {
            print::line(&json!({ "length": uploaded.length, "verified": verified }).to_string());
        } else if !loudness.is_quiet() {
            let verified = verified
                .map_or("the server gives no checksum".to_owned(), |digest| format!("verified by {digest}"));
            print::note(&format!("{}: {} bytes, {verified}", self.file.display(), uploaded.length));
        }
        Ok(Exit::Ok)
    }

    fn target(&self) -> Result<Url, Failure> {
        let mut url = parse_url(&self.url)?;
        if !url.path().ends_with('/') {
            return Ok(url);
        }
        let name = self.file.file_name().and_then(|name| name.to_str());
        let name = name
            .ok_or_else(|| Failure::new(Exit::Usage, "the file's name is not UTF-8; name it in the URL"))?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push(name);
        }
        Ok(url)
    }
}
