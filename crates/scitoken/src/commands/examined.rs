//! The server that `explain` and `doctor` examine: of a URL its own, of the name of an object one of its servers.

use std::time::Duration;

use scitoken_transfer::federation::{FederationUrl, ResolvedObject};
use scitoken_types::{SafeUrl, Scope};
use url::Url;

use super::remote::{object_name, wait};
use crate::args::{ConnectionArgs, FederationArgs, Operation, RetryArgs, parse_url};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::sessions::SessionFactory;

/// A server, and how it is reached as the operation itself would reach it.
#[derive(Debug)]
pub(super) struct ExaminedServer {
    pub(super) url: Url,
    pub(super) sessions: SessionFactory,
    /// The scopes of which the token of a namespace has one; `None` for a URL.
    pub(super) accepted: Option<Vec<Scope>>,
    /// Why the operation itself would end before it reaches the server: no token fits.
    pub(super) failure: Option<Failure>,
}

/// How a server is found and reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route<'a> {
    pub(super) federation: &'a FederationArgs,
    pub(super) retry: &'a RetryArgs,
    pub(super) connection: &'a ConnectionArgs,
    /// How long the server may send nothing.
    pub(super) read_timeout: Duration,
}

impl ExaminedServer {
    /// Finds the server for an operation; of a name, it shows the namespace and the servers first.
    pub(super) fn find(
        context: &Context,
        text: &str,
        operation: Operation,
        route: Route<'_>,
    ) -> Result<Self, Failure> {
        let sessions = SessionFactory::new(context, route.connection, route.read_timeout)?;
        match object_name(text)? {
            Some(name) => Self::of_object(context, &name, operation, route, sessions),
            None => Ok(Self { url: parse_url(text)?, sessions, accepted: None, failure: None }),
        }
    }

    fn of_object(
        context: &Context,
        name: &FederationUrl,
        operation: Operation,
        route: Route<'_>,
        sessions: SessionFactory,
    ) -> Result<Self, Failure> {
        let engine = Engine::new(context, route.retry, route.connection, 1)?;
        let federation = engine.federation(context, route.federation)?;
        let object = match operation {
            Operation::Read | Operation::List => wait(route.retry, federation.resolve(name)),
            Operation::Write => wait(route.retry, federation.resolve_for_writing(name)),
            Operation::Delete => wait(route.retry, federation.resolve_for_removal(name)),
        }?;
        if !context.output.json {
            show(context, &object, operation)?;
        }
        let url = match operation {
            Operation::List => object.listing_url().ok_or_else(|| no_listing(&object))?,
            _ => object.servers()[0].clone(),
        };
        let access = operation.object_access();
        // As the operation itself: the token is chosen by the facts about the namespace, before any server is asked.
        let (tokens, failure) = match wait(route.retry, federation.tokens_for(&object, access)) {
            Ok(tokens) => (federation.needs_token(&object, access).then_some(tokens), None),
            // The report shows the rest, which needs no token.
            Err(failure) if failure.exit() == Exit::NoToken => (None, Some(failure)),
            Err(failure) => return Err(failure),
        };
        let accepted = access.accepted(&object);
        Ok(Self {
            url,
            sessions: sessions.for_object(tokens),
            accepted: Some(accepted.into_iter().flat_map(|accepted| accepted.scopes).collect()),
            failure,
        })
    }
}

/// Shows the namespace and the servers of an object.
fn show(context: &Context, object: &ResolvedObject, operation: Operation) -> Result<(), Failure> {
    let (name, namespace, access) = (object.url(), object.namespace(), operation.object_access());
    let needs = if namespace.requires_token() { "requires a token" } else { "public, no token is sent" };
    let needs = if operation.is_change() { "a change requires a token" } else { needs };
    context.output.text(&format!("name       {name}"))?;
    context.output.text(&format!("namespace  {} ({needs})", namespace.prefix()))?;
    for issuer in namespace.issuers() {
        context.output.text(&format!("issuer     {}", SafeUrl::new(issuer.url())))?;
    }
    let accepted = access.accepted(object);
    if let (true, Some(scope)) = (
        namespace.requires_token() || operation.is_change(),
        accepted.first().and_then(|accepted| accepted.scopes.first()),
    ) {
        context.output.text(&format!("scope      {scope}"))?;
    }
    let servers = object.servers().iter().cloned();
    let listing = object.listing_url().filter(|_| operation == Operation::List);
    for server in listing.map_or_else(|| servers.collect(), |url| vec![url]) {
        context.output.text(&format!("server     {}", SafeUrl::new(&server)))?;
    }
    Ok(())
}

fn no_listing(object: &ResolvedObject) -> Failure {
    let prefix = object.namespace().prefix();
    Failure::new(Exit::Server, format!("the namespace `{prefix}` does not allow listings"))
}
