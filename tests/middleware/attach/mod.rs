//! When a token is attached, and what happens after a refusal, as the server sees it.

mod bodies;
mod callers_options;
mod first_send;
mod forbidden;
mod replaced_tokens;
mod replay;
mod trace;
mod transport;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Extensions, HeaderMap, Method, StatusCode, header};
use reqwest::{Body, Request, Response};
use reqwest_middleware::{Middleware, Next};
use reqwest_scitokens::auth::{Attempt, Placement};
use reqwest_scitokens::{
    Attach, AuthMiddleware, Error, FileSource, RequestBuilderExt as _, ResponseExt as _,
};
use scitoken_types::sys::ManualClock;
use scitoken_types::{AccessToken, Scope};
use serde_json::json;

use scitoken_test_support::clients::{around, foreign, session, session_knowing, wrapped};
use scitoken_test_support::server::Place;
use scitoken_test_support::sources::Step;
use scitoken_test_support::texts;
use scitoken_test_support::{Reply, Script, Server, tokens};

/// A body that can be sent once.
fn stream(parts: &'static [&'static str]) -> Body {
    Body::wrap_stream(futures_util::stream::iter(parts.iter().map(|part| Ok::<_, std::io::Error>(*part))))
}
