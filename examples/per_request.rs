//! Options for one request: its own token, an audience, and what to do without a token.
//!
//! ```text
//! cargo run --example per_request -- https://data.example.org/vo/file
//! ```

use reqwest_scitokens::AccessToken;
use reqwest_scitokens::{Attach, Error, RequestBuilderExt, ResponseExt, Session};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "https://data.example.org/vo/file".to_owned());
    let session = Session::new()?;

    // Only with a token for this audience, else not at all.
    match session.get(&url).audience("https://data.example.org").attach(Attach::Required).send().await {
        Ok(response) => {
            say(&response.status().to_string());
            // Why it was refused, if it was: the token's claims beside what was asked for.
            if let Some(explanation) = response.explain() {
                say(&explanation.to_string());
            }
        }
        Err(error) => match Error::find(&error) {
            Some(ours) => say(&match ours.hint() {
                Some(hint) => format!("{ours}\nhint: {hint}"),
                None => ours.to_string(),
            }),
            None => say(&error.to_string()),
        },
    }

    // With this very token, whatever is found elsewhere.
    let token = AccessToken::new("gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w")?;
    let request = session.get(&url).token(token).build()?;
    say(&format!("{} {}", request.method(), request.url()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "this is a program")]
fn say(text: &str) {
    println!("{text}");
}
