//! XRootD 5.5 and 6.1: each behaviour that was recorded at a real server, against one that behaves so.

mod challenges;
mod manager;
mod signals;
mod uploads;

use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest::Body;
use reqwest_scitokens::auth::Hint;
use reqwest_scitokens::{Attach, Error, RedirectTrust, ResponseExt as _};
use scitoken_types::{AccessToken, OriginPattern};
use serde_json::json;

use scitoken_test_support::clients::{around, foreign, resolving, session, wrapped};
use scitoken_test_support::listener::Transport;
use scitoken_test_support::server::Place;
use scitoken_test_support::xrootd::Release::{self, V5_5_3, V6_1};
use scitoken_test_support::{Reply, Script, Seen, Server, XRootD, tokens};
use scitoken_test_support::{chain, texts};

const BOTH: [Release; 2] = [V5_5_3, V6_1];

fn trusting(hosts: &[&str]) -> RedirectTrust {
    RedirectTrust::Hosts(hosts.iter().map(|host| host.parse::<OriginPattern>().unwrap()).collect())
}

/// What each request had as `Authorization`, without the scheme; `-` for none.
fn tokens_of(seen: &[Seen]) -> Vec<String> {
    let token = |seen: &Seen| {
        let value = seen.authorization().map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
        value.unwrap_or("-").to_owned()
    };
    seen.iter().map(token).collect()
}
