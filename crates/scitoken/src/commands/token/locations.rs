//! `scitoken token where`.

use clap::Args;
use reqwest_scitokens::source::{DiscoveryReport, RankedToken};
use reqwest_scitokens::{Discovery, TokenRequest};
use scitoken_transfer::federation::FederationUrl;
use scitoken_types::sys::{Clock as _, SystemClock};
use scitoken_types::{AccessFit, AccessToken, AudienceFit, LifetimeFit, TokenFit};
use serde_json::{Value, json};
use url::Url;

use crate::args::{AuthorityArgs, FederationArgs, Operation, parse_url};
use crate::commands::remote::object_name;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::worded;
use crate::settings::{HostEntry, HostToken};
use crate::time;
use crate::token_source::TokenQuery;

/// Show every place that is searched for a token, what it contains, and which token is used
///
/// `*` marks the token that is used. With a URL, the tokens are ranked for it: which one is sent, and why each other one is
/// not; the source that the settings name for the server comes first. For the name of an object in a federation, the director
/// is asked which tokens the namespace accepts, and the tokens of logins are shown too. Exit code 0: a token was found,
/// 7: none, or the search or that source ended at an error, 14: the URL is that of a server without TLS.
#[derive(Debug, Args)]
pub(super) struct Where {
    /// URL or name of an object that the token is for
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Operation that the token is for
    #[arg(long, value_enum, default_value_t = Operation::Read, requires = "url")]
    op: Operation,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

/// An object of a federation that a token is for.
pub(super) struct ObjectQuery<'w> {
    pub(super) name: FederationUrl,
    pub(super) op: Operation,
    pub(super) federation: &'w FederationArgs,
    pub(super) authorities: &'w AuthorityArgs,
}

impl Where {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        match &self.url {
            Some(url) => self.rank(context, &parse_url(url)?),
            None => list(context),
        }
    }

    /// Returns the object of a federation that the token is for, if the URL is the name of one.
    pub(super) fn object(&self) -> Result<Option<ObjectQuery<'_>>, Failure> {
        let name = self.url.as_deref().map(object_name).transpose()?.flatten();
        Ok(name.map(|name| ObjectQuery {
            name,
            op: self.op,
            federation: &self.federation,
            authorities: &self.authorities,
        }))
    }

    /// Shows the search for a URL, and ranks its tokens.
    fn rank(&self, context: &Context, url: &Url) -> Result<Exit, Failure> {
        let query = TokenQuery::new(context, url, Some(self.op.method()))?;
        let request = query.request()?;
        if !request.origin().is_trustworthy() {
            let message = format!("no token is sent to `{}`: the server has no TLS", request.origin());
            return Err(Failure::new(Exit::Policy, message).with_hint("write `https://`"));
        }
        let discovery = query.discover()?;
        let Some(entry) = query.host_entry() else {
            context.output.text(&discovery.to_string())?;
            show_ranking(context, self.op, url, discovery.ranking())?;
            let ranking: Vec<_> = discovery.ranking().iter().map(ranked).collect();
            let members = as_json(&discovery, &request, &ranking);
            return conclude(context, &discovery, members);
        };
        let named = HostSource::ask(&query, entry);
        context.output.text(&format!(
            "the settings name a source for this server, which comes first: {}",
            named.name
        ))?;
        context.output.text(&format!("  {}", named.describe(&request)))?;
        if !context.output.json && !discovery.ranking().is_empty() {
            context.output.text("tokens that the search finds are not sent there:")?;
            context.output.text(discovery.to_string().trim_end())?;
        }
        let mut members = as_json(&discovery, &request, named.ranked(&request).as_slice());
        members["in_settings"] = json!([named.name]);
        members["error"] = json!(named.answer.as_ref().err().map(Failure::message));
        context.output.object(matches!(named.answer, Ok(Some(_))), members)?;
        match named.answer {
            Ok(Some(_)) => Ok(Exit::Ok),
            Err(failure) if !context.output.json => Err(failure),
            _ => Ok(Exit::NoToken),
        }
    }
}

/// Shows the tokens of a search in the order of use.
fn show_ranking(context: &Context, op: Operation, url: &Url, ranking: &[RankedToken]) -> Result<(), Failure> {
    if ranking.is_empty() {
        return Ok(());
    }
    let shown = scitoken_types::SafeUrl::new(url);
    context.output.text(&format!("tokens for {} {shown}, in the order of use:", op.method()))?;
    for (place, token) in ranking.iter().enumerate() {
        context.output.text(&format!("  {}. {token}", place + 1))?;
    }
    Ok(())
}

/// Shows the search without a URL.
fn list(context: &Context) -> Result<Exit, Failure> {
    let placeholder = Url::parse("https://any.server.invalid").expect("a URL");
    let request =
        TokenRequest::new(&placeholder).map_err(|error| Failure::from_error(Exit::Usage, &error))?;
    let discovery = Discovery::new().with_env(context.env.clone()).report(&request);
    context.output.text(&discovery.to_string())?;
    conclude(context, &discovery, as_json(&discovery, &request, &[]))
}

fn conclude(context: &Context, discovery: &DiscoveryReport, members: Value) -> Result<Exit, Failure> {
    let found = matches!(discovery.answer(), Ok(Some(_)));
    context.output.object(found, members)?;
    match discovery.answer() {
        Ok(Some(_)) => Ok(Exit::Ok),
        Err(error) if !context.output.json => {
            let hint = error.hint().map(worded);
            Err(Failure::from_error(Exit::NoToken, error).with_optional_hint(hint))
        }
        _ => Ok(Exit::NoToken),
    }
}

/// The source that the settings name for a server, and its answer.
#[derive(Debug)]
pub(super) struct HostSource {
    name: String,
    sends_none: bool,
    answer: Result<Option<AccessToken>, Failure>,
}

impl HostSource {
    pub(super) fn ask(query: &TokenQuery, entry: &HostEntry) -> Self {
        Self {
            name: format!("host.\"{}\" = {}", entry.pattern, entry.token),
            sends_none: matches!(entry.token, HostToken::None),
            answer: query.ask_settings(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn describe(&self, request: &TokenRequest<'_>) -> String {
        match &self.answer {
            Ok(Some(token)) => {
                let life = match (token.unusable_expiry(), token.expires_at()) {
                    (Some(unusable), None) => unusable.to_string(),
                    (_, None) => "no expiry is known".to_owned(),
                    (_, Some(end)) => format!("expires {}", time::relative(end, SystemClock.now())),
                };
                let fit = request.fit(token);
                match token.claims() {
                    None => format!(
                        "its token is sent; {life}; it is opaque: only the server can tell whether it fits"
                    ),
                    Some(_) => format!("its token is sent; {life}; {}; {}", fit.audience, fit.access),
                }
            }
            Ok(None) if self.sends_none => "no token is sent".to_owned(),
            Ok(None) => "it has no token".to_owned(),
            Err(failure) => failure.message().to_owned(),
        }
    }

    fn ranked(&self, request: &TokenRequest<'_>) -> Option<Value> {
        let token = self.answer.as_ref().ok()?.as_ref()?;
        let place = token.origin_label().unwrap_or(&self.name);
        Some(fit_as_json(
            place,
            true,
            "sent: the settings name its source for this server",
            request.fit(token),
        ))
    }
}

pub(super) fn as_json(discovery: &DiscoveryReport, request: &TokenRequest<'_>, ranking: &[Value]) -> Value {
    let winner = discovery.chosen().map(|finding| finding.location().clone());
    let findings: Vec<_> = discovery
        .findings()
        .iter()
        .map(|finding| {
            json!({
                "step": finding.step().to_string(),
                "place": finding.location().to_string().trim_matches('`'),
                "found": finding.describe(request.now()),
                "loose_mode": finding.loose_mode().map(|mode| format!("{mode:04o}")),
                "wins": winner.as_ref() == Some(finding.location()),
            })
        })
        .collect();
    let error = discovery.answer().err().map(ToString::to_string);
    json!({ "error": error, "findings": findings, "ranking": ranking, "in_settings": [] })
}

fn ranked(token: &RankedToken) -> Value {
    let place = token.location().to_string();
    let standing = token.standing();
    fit_as_json(place.trim_matches('`'), standing.is_sent(), &standing.to_string(), token.fit())
}

pub(super) fn fit_as_json(place: &str, sent: bool, why: &str, fit: TokenFit) -> Value {
    let audience = match fit.audience {
        AudienceFit::Exact => "exact",
        AudienceFit::Host => "host",
        AudienceFit::Any => "any",
        AudienceFit::Unstated => "unstated",
        AudienceFit::Foreign => "foreign",
    };
    let access = match fit.access {
        AccessFit::Covers => "covers",
        AccessFit::CoversEnding => "covers-ending",
        AccessFit::Unknown => "unknown",
        AccessFit::OtherAccess => "other",
    };
    let lifetime = match fit.lifetime {
        LifetimeFit::Valid => "valid",
        LifetimeFit::ExpiresSoon => "expires-soon",
        LifetimeFit::Unreadable => "unreadable",
        LifetimeFit::NotYet => "not-yet",
        LifetimeFit::Expired => "expired",
    };
    json!({
        "place": place, "sent": sent, "why": why,
        "audience": audience, "access": access, "lifetime": lifetime,
    })
}
