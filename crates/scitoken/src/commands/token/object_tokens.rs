//! `scitoken token where NAME`: the tokens for an object of a federation.

use reqwest_scitokens::TokenRequest;
use reqwest_scitokens::source::{DiscoveryReport, RankedToken};
use scitoken_storage::{IssuerEntry, TokenDataMap, TokenStorageData};
use scitoken_transfer::federation::{AcceptedTokens, FederationUrl, ObjectAccess, ResolvedObject};
use scitoken_types::sys::{Clock as _, SystemClock};
use scitoken_types::{AccessToken, SafeUrl, Scope, same_issuer};
use serde_json::{Value, json};
use url::Url;

use super::locations::{HostSource, ObjectQuery, as_json, fit_as_json};
use crate::args::{Operation, RetryArgs};
use crate::commands::remote::{resolver, wait};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::sanitize;
use crate::time;
use crate::token_source::TokenQuery;

/// An entry of a login for a namespace of the object's issuers.
struct Login {
    name: String,
    data: TokenStorageData,
}

/// Shows the search for an object, ranks its tokens, and says which one is sent.
pub(super) fn rank(context: &Context, query: &ObjectQuery<'_>) -> Result<Exit, Failure> {
    let ObjectQuery { name, op, federation, authorities } = query;
    let retry = RetryArgs::default();
    let federation = resolver(context, federation, authorities)?;
    let access = op.object_access();
    let object = match access {
        ObjectAccess::Read => wait(&retry, federation.resolve(name))?,
        _ => wait(&retry, federation.resolve_for_writing(name))?,
    };
    let accepted = access.accepted(&object);
    show_requirement(context, &object, &accepted, access)?;
    let url = object.servers()[0].clone();
    let query = TokenQuery::new(context, &url, Some(op.method()))?;
    let is_public =
        access == ObjectAccess::Read && !object.namespace().requires_token() && name.shared_token().is_none();
    if is_public {
        context.output.text("the namespace is public: no token is sent")?;
        let members = json!({ "error": null, "findings": [], "ranking": [], "in_settings": [] });
        context.output.object(false, members)?;
        return Ok(Exit::NoToken);
    }
    if name.shared_token().is_some() {
        context.output.text("the token in the name is sent")?;
        context
            .output
            .object(true, json!({ "error": null, "findings": [], "ranking": [], "in_settings": [] }))?;
        return Ok(Exit::Ok);
    }
    let sent = block_on(federation.token_for(&object, access))?;
    let (report, issuers, scopes) = discover(&query, &accepted, name)?;
    let request = required(&query, &issuers, &scopes, name)?;
    let mut ranking = Vec::new();
    let mut in_settings = Vec::new();
    if let Some(entry) = query.host_entry() {
        let named = HostSource::ask(&query, entry);
        context.output.text(&format!(
            "the settings name a source for this server, which comes first: {}",
            named.name()
        ))?;
        context.output.text(&format!("  {}", named.describe(&request)))?;
        in_settings.push(named.name().to_owned());
    } else {
        show_search(context, *op, &url, &report)?;
        ranking.extend(report.ranking().iter().map(|token| {
            let (is_sent, why) = standing(token);
            let place = token.location().to_string();
            fit_as_json(place.trim_matches('`'), is_sent, &why, token.fit())
        }));
    }
    let logins = logins(context, &object)?;
    show_logins(context, &logins, &request, sent.as_ref(), &mut ranking)?;
    context.output.text(&match &sent {
        Some(token) => format!("the token of {} is sent", token.origin_label().unwrap_or("the source")),
        None => "no token is sent: none of those that were found fits the namespace".to_owned(),
    })?;
    let mut members = as_json(&report, &request, &ranking);
    members["in_settings"] = json!(in_settings);
    context.output.object(sent.is_some(), members)?;
    Ok(if sent.is_some() { Exit::Ok } else { Exit::NoToken })
}

fn show_requirement(
    context: &Context,
    object: &ResolvedObject,
    accepted: &[AcceptedTokens],
    access: ObjectAccess,
) -> Result<(), Failure> {
    let namespace = object.namespace();
    context.output.text(&format!("name       {}", object.url()))?;
    context.output.text(&format!("namespace  {}", namespace.prefix()))?;
    context.output.text(&format!("server     {}", SafeUrl::new(&object.servers()[0])))?;
    if access == ObjectAccess::Read && !namespace.requires_token() {
        return Ok(());
    }
    for AcceptedTokens { issuers, scopes, .. } in accepted {
        let issuers: Vec<_> = issuers.iter().map(|issuer| format!("`{}`", SafeUrl::new(issuer))).collect();
        let issuers = if issuers.is_empty() { "any issuer".to_owned() } else { issuers.join(" or ") };
        let scopes: Vec<_> = scopes.iter().map(|scope| format!("`{scope}`")).collect();
        context.output.text(&format!("accepts    tokens of {issuers} with {}", scopes.join(" or ")))?;
    }
    Ok(())
}

/// Shows the places of the search, and its tokens in the order of use.
fn show_search(context: &Context, op: Operation, url: &Url, report: &DiscoveryReport) -> Result<(), Failure> {
    // The last line says which token a server without a namespace would get.
    let shown = report.to_string();
    let places = shown.trim_end().rsplit_once('\n').map_or("", |(places, _)| places);
    let is_sent = report.ranking().iter().any(|token| standing(token).0);
    let lines = places.lines().map(|line| match line.strip_prefix("* ") {
        // The mark of the token that is used.
        Some(unmarked) if !is_sent => format!("  {unmarked}"),
        _ => line.to_owned(),
    });
    context.output.text(&lines.collect::<Vec<_>>().join("\n"))?;
    if report.ranking().is_empty() {
        return Ok(());
    }
    context.output.text(&format!(
        "tokens for {} {}, in the order of use:",
        op.method(),
        SafeUrl::new(url)
    ))?;
    for (place, token) in report.ranking().iter().enumerate() {
        let (_, why) = standing(token);
        context.output.text(&format!(
            "  {}. {}: {why}; {}",
            place + 1,
            token.location(),
            token.fit().access
        ))?;
    }
    Ok(())
}

/// Returns whether a found token is sent, and why: the search takes a token that the user named whatever it says, and the
/// namespace only one of its issuers.
fn standing(token: &RankedToken) -> (bool, String) {
    let (standing, fit) = (token.standing(), token.fit());
    let refused = if !fit.audience.fits() {
        Some("it is meant for other servers")
    } else if !fit.issuer.fits() {
        Some("the namespace accepts tokens of other issuers")
    } else if !fit.has_scopes {
        Some("it does not allow what is asked for")
    } else if !fit.is_valid_now() {
        Some("it is not valid now")
    } else {
        None
    };
    match refused.filter(|_| standing.is_sent()) {
        Some(refused) => (false, format!("not sent: {refused}")),
        None => (standing.is_sent(), standing.to_string()),
    }
}

/// Searches for each token that the namespace accepts, and returns the search that found one, else the first.
fn discover(
    query: &TokenQuery,
    accepted: &[AcceptedTokens],
    name: &FederationUrl,
) -> Result<(DiscoveryReport, Vec<Url>, Vec<Scope>), Failure> {
    let mut first = None;
    for AcceptedTokens { issuers, scopes, .. } in accepted {
        for scope in scopes {
            let scope = std::slice::from_ref(scope);
            let request = required(query, issuers, scope, name)?;
            let report = query.discover_for(&request);
            let fits = report.answer().ok().flatten().is_some_and(|token| request.fit(token).is_valid_now());
            let found = (report, issuers.clone(), scope.to_vec());
            if fits {
                return Ok(found);
            }
            first.get_or_insert(found);
        }
    }
    match first {
        Some(found) => Ok(found),
        None => Ok((query.discover()?, Vec::new(), Vec::new())),
    }
}

fn required<'q>(
    query: &'q TokenQuery,
    issuers: &'q [Url],
    scopes: &'q [Scope],
    name: &'q FederationUrl,
) -> Result<TokenRequest<'q>, Failure> {
    let request = query.request()?.with_issuers(issuers).with_scopes(scopes);
    Ok(match name.token_name() {
        Some(name) => request.with_credential_name(name),
        None => request,
    })
}

/// Returns the entries of logins at the issuers of the object's namespace.
fn logins(context: &Context, object: &ResolvedObject) -> Result<Vec<Login>, Failure> {
    let Some(address) = context.settings()?.federation_storage()? else { return Ok(Vec::new()) };
    if address.file().is_some_and(|path| !path.exists()) {
        return Ok(Vec::new());
    }
    let storage = address.open(scitoken_storage::DEFAULT_NAMESPACE)?;
    let tokens: TokenDataMap =
        storage.get_token_data_by_resource_server().map_err(|error| crate::storage::failure(&error))?;
    let is_of_issuer = |name: &str| {
        name.parse::<IssuerEntry>().is_ok_and(|entry| {
            let issuers = object.namespace().issuers();
            issuers.iter().any(|issuer| same_issuer(issuer.url().as_str(), entry.issuer().as_str()))
        })
    };
    let named = tokens.into_iter().filter(|(name, _)| is_of_issuer(name));
    Ok(named.map(|(name, data)| Login { name, data }).collect())
}

fn show_logins(
    context: &Context,
    logins: &[Login],
    request: &TokenRequest<'_>,
    sent: Option<&AccessToken>,
    ranking: &mut Vec<Value>,
) -> Result<(), Failure> {
    if logins.is_empty() {
        return Ok(());
    }
    context.output.text("tokens of logins, which count where the search finds none that fits:")?;
    for Login { name, data } in logins {
        let shown = sanitize::line(name);
        let label = sent.and_then(AccessToken::origin_label).unwrap_or_default();
        let is_sent = label.contains(&format!("entry `{shown}`"));
        let fit = data.access_token().ok().map(|token| request.fit(&token));
        let why = match fit {
            _ if is_sent => "sent",
            Some(fit) if !fit.has_scopes => "not sent: it does not allow what is asked for",
            Some(fit) if !fit.is_valid_now() && !data.has_refresh_token() => "not sent: it has expired",
            _ => "not sent: another one comes first",
        };
        let expiry = format!("expires {}", time::relative(data.expires_at(), SystemClock.now()));
        let renewable = if data.has_refresh_token() { "; it is refreshed" } else { "" };
        context.output.text(&format!("  `{shown}`: {why}; {expiry}{renewable}"))?;
        ranking.extend(fit.map(|fit| fit_as_json(name, is_sent, why, fit)));
    }
    Ok(())
}
