//! Several experiments in one process: another token for each server.
//!
//! ```text
//! cargo run --example host_map -- https://data.ligo.org/f https://eos.cern.ch/f
//! ```

use reqwest_scitokens::source::CommandSource;
use reqwest_scitokens::{Discovery, FileSource, HostMap, ResponseExt, Session};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let tokens = HostMap::new()
        .with("*.ligo.org".parse()?, FileSource::new("/tmp/bt_u1000-ligo"))
        .with("*.cern.ch".parse()?, CommandSource::new("oidc-token").args(["cms"]))
        .without("public.ligo.org".parse()?)
        .otherwise(Discovery::new());
    let session = Session::builder().source(tokens).build()?;
    for url in std::env::args().skip(1) {
        let response = session.get(url).send().await?;
        #[expect(clippy::print_stdout, reason = "this is a program")]
        if let Some(trace) = response.auth_trace() {
            print!("{trace}");
        }
    }
    Ok(())
}
