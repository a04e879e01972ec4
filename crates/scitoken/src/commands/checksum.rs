//! `scitoken checksum`.

use clap::Args;
use scitoken_transfer::{DigestAlgorithm, InvalidDigest};
use scitoken_types::SafeUrl;
use serde_json::json;

use super::remote::{for_each, object_name, wait};
use crate::args::{ALGORITHMS, ConnectionArgs, FederationArgs, RetryArgs, parse_url, suggested};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;

/// Show the server's checksums of remote files, without downloading them
#[derive(Debug, Args)]
pub(crate) struct Checksum {
    /// Files
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// Checksum algorithm [default: what the server has]
    #[arg(short, long, value_name = "ALGORITHM", hide_possible_values = true,
          value_parser = suggested(ALGORITHMS, parse_algorithm))]
    algorithm: Option<DigestAlgorithm>,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

fn parse_algorithm(text: &str) -> Result<DigestAlgorithm, InvalidDigest> {
    text.parse()
}

impl Checksum {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let engine = Engine::new(context, &self.retry, &self.connection, 1)?;
        let wanted = self
            .algorithm
            .map_or(scitoken_transfer::Checksum::Auto, scitoken_transfer::Checksum::RequireAlgorithm);
        for_each(context, &self.urls, |text| {
            let (digest, shown) = if let Some(name) = object_name(text)? {
                let federation = engine.federation(context, &self.federation)?;
                let asked = federation.checksum(&engine.downloader, &name, &wanted);
                (wait(&self.retry, asked)?, name.to_string())
            } else {
                let url = parse_url(text)?;
                let digest = wait(&self.retry, engine.downloader.checksum(&url, &wanted))?;
                (digest, SafeUrl::new(&url).to_string())
            };
            let members =
                json!({ "url": shown, "algorithm": digest.algorithm().name(), "value": digest.to_hex() });
            Ok(context.output.result(&format!("{digest}  {shown}"), members)?)
        })
    }
}
