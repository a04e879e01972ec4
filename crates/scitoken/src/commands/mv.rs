//! `scitoken mv`.

use clap::Args;
use scitoken_transfer::{FailureKind, Overwrite, child_url};
use scitoken_types::SafeUrl;
use serde_json::json;
use url::Url;

use crate::args::{ConnectionArgs, RetryArgs, parse_url};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;

/// Rename a remote file or directory on its server (WebDAV)
///
/// Exit code 15: the target exists.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scitoken mv https://data.example.org/vo/run1.root https://data.example.org/vo/run2.root
  scitoken mv https://data.example.org/vo/run1.root https://data.example.org/vo/old/")]
pub(crate) struct Mv {
    /// File or directory
    #[arg(value_name = "SOURCE")]
    source: String,
    /// New URL; the name is appended to one that ends in `/`, unless SOURCE ends in `/` too
    #[arg(value_name = "TARGET")]
    target: String,
    /// Replace the target if it exists
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Mv {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let source = parse_url(&self.source)?;
        let target = into_directory(&source, parse_url(&self.target)?)?;
        let engine = Engine::new(context, &self.retry, &self.connection, 1)?;
        let overwrite = if self.force { Overwrite::Allow } else { Overwrite::Refuse };
        if let Err(error) = block_on(engine.downloader.rename(&source, &target, overwrite))? {
            let failure = self.retry.failure(&error);
            return Err(match (error.kind(), error.status().map(|status| status.as_u16())) {
                (FailureKind::Exists, _) if error.hint().is_none() => {
                    failure.with_hint("`--force` replaces the target")
                }
                (_, Some(409)) => failure.with_hint(
                    "the directory of the target may not exist; `scitoken mkdir --parents URL` creates it",
                ),
                _ => failure,
            });
        }
        let shown = |url: &Url| SafeUrl::new(url).to_string();
        context
            .output
            .object(true, json!({ "from": shown(&source), "url": shown(&target), "moved": true }))?;
        Ok(Exit::Ok)
    }
}

/// Appends the name of the source to a target that is a directory.
fn into_directory(source: &Url, target: Url) -> Result<Url, Failure> {
    if !target.path().ends_with('/') || source.path().ends_with('/') {
        return Ok(target);
    }
    let name = source.path().rsplit('/').next().unwrap_or_default();
    let name: Vec<u8> = percent_encoding::percent_decode_str(name).collect();
    child_url(&target, &name, false).ok_or_else(|| {
        Failure::new(Exit::Usage, "the source has no name")
            .with_hint("write the name of the target in the URL")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_appended_to_a_directory() {
        for (source, target, expected) in [
            ("https://h/a/f", "https://h/b/", "https://h/b/f"),
            ("https://h/a/f%23%20x", "https://h/b/", "https://h/b/f%23%20x"),
            ("https://h/a/f", "https://h/b/g", "https://h/b/g"),
            ("https://h/a/d/", "https://h/b/", "https://h/b/"),
            ("https://h/a/d/", "https://h/b", "https://h/b"),
        ] {
            let result = into_directory(&source.parse().unwrap(), target.parse().unwrap()).unwrap();
            assert_eq!(result.as_str(), expected, "{source} {target}");
        }
        assert!(into_directory(&"https://h".parse().unwrap(), "https://h/b".parse().unwrap()).is_ok());
    }
}
