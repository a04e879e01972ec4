//! Adds tokens to a client that the program has already, inside its retries.
//!
//! ```text
//! cargo run --example wrap_client -- https://data.example.org/vo/file
//! ```

use reqwest_middleware::ClientBuilder;
use reqwest_retry::RetryTransientMiddleware;
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_scitokens::{ClientBuilderExt, ResponseExt};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "https://data.example.org/vo/file".to_owned());
    let http = reqwest::Client::builder()
        // Redirects are followed by the middleware, which decides about the token at each step.
        .redirect(reqwest::redirect::Policy::none())
        // XRootD before 5.6 knows `Authorization` only in this spelling.
        .http1_title_case_headers()
        .build()?;
    let retries =
        RetryTransientMiddleware::new_with_policy(ExponentialBackoff::builder().build_with_max_retries(3));
    let client = ClientBuilder::new(http).with(retries).with_scitokens().build();

    let response = client.get(url).send().await?;
    #[expect(clippy::print_stdout, reason = "this is a program")]
    {
        println!("{}", response.status());
        if let Some(trace) = response.auth_trace() {
            print!("{trace}");
        }
    }
    Ok(())
}
