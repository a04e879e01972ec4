//! A token source of your own: one file for each server.
//!
//! ```text
//! cargo run --example custom_source -- /etc/tokens https://data.example.org/vo/file
//! ```

use std::path::PathBuf;

use reqwest_scitokens::AccessToken;
use reqwest_scitokens::source::ChainSource;
use reqwest_scitokens::{Discovery, FileSource, Session, SourceError, TokenRequest, TokenSource};

/// Looks for `<directory>/<host>`.
#[derive(Debug)]
struct OneFilePerHost(PathBuf);

impl TokenSource for OneFilePerHost {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let path = self.0.join(request.origin().host());
        if !path.exists() {
            // Nothing here: the next source is asked, and the trace of the request says why.
            request.note(|| format!("there is no `{}`", path.display()));
            return Ok(None);
        }
        // Something is here: if it is broken, that is an error and not a reason to use another token.
        FileSource::new(path).token(request).await
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(directory), Some(url)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: custom_source DIRECTORY URL");
    };
    let source = ChainSource::new().then(OneFilePerHost(directory.into())).then(Discovery::new());
    let session = Session::builder().source(source).build()?;
    let response = session.get(url).send().await?;
    #[expect(clippy::print_stdout, reason = "this is a program")]
    {
        println!("{}", response.status());
    }
    Ok(())
}
