//! Redirects: which server receives the token, and where a redirect leads.

mod chains;
mod credentials;
mod followed_below;
mod limits;
mod locations;
mod matrix;
mod methods;
mod trust;

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest::Response;
use reqwest_scitokens::auth::{Attempt, CleartextRedirects, Hint};
use reqwest_scitokens::{Attach, Error, RedirectTrust, RequestBuilderExt as _, ResponseExt as _};
use scitoken_types::{AccessToken, OriginPattern};

use scitoken_test_support::clients::{session, session_knowing, wrapped};
use scitoken_test_support::server::Place;
use scitoken_test_support::texts;
use scitoken_test_support::{Answer, Raw, Reply, Script, Seen, Server, tokens};

type Sent = Result<Response, reqwest_middleware::Error>;

/// A server that redirects `/start` to `location` and answers `200` to the rest.
async fn redirecting(place: Place, status: u16, location: String) -> Server {
    place.start(move |seen| start_redirects(seen, status, &location)).await
}

fn start_redirects(seen: &Seen, status: u16, location: &str) -> Reply {
    match seen.path() {
        "/start" => Reply::redirect(status, location),
        _ => Reply::ok("data"),
    }
}

fn patterns(hosts: &[&str]) -> RedirectTrust {
    RedirectTrust::Hosts(hosts.iter().map(|host| host.parse::<OriginPattern>().unwrap()).collect())
}
