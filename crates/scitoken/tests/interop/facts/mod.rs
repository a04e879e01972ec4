//! How the real servers behave, seen with a plain client: the facts that the middleware's rules stand on.
//!
//! The numbers in the names are those that the fake servers of `tests/it/` use for the same behaviour, so that
//! a newer server that behaves differently shows which of our rules and fakes are out of date.

mod manager;
mod web;
mod xrootd;

use reqwest::{RequestBuilder, Response, StatusCode};

/// An answer, as far as these tests look at it.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: StatusCode,
    connection: String,
    challenges: Vec<String>,
    location: String,
    body: String,
}

async fn answer(request: RequestBuilder) -> Answer {
    Answer::of(request.send().await.expect("the server answers")).await
}

impl Answer {
    async fn of(response: Response) -> Self {
        let header = |name| {
            response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let challenges = response.headers().get_all("www-authenticate").iter();
        Self {
            status: response.status(),
            connection: header("connection").unwrap_or_default(),
            challenges: challenges.map(|value| value.to_str().expect("text").to_owned()).collect(),
            location: header("location").unwrap_or_default(),
            body: response.text().await.expect("the server sends all of its answer"),
        }
    }
}
