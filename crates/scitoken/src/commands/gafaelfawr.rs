//! `scitoken gafaelfawr`.

use std::fmt::{Display, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use reqwest_scitokens::auth::Placement;
use reqwest_scitokens::client::ProxyProblem;
use reqwest_scitokens::{Attach, Error, FileSource};
use scitoken_gafaelfawr::{
    ApiError, GafaelfawrClient, GafaelfawrError, Scopes, SuggestedAction, TokenInfo, UserInfo, Username,
};
use scitoken_types::redact;
use serde_json::Value;

use crate::args::{AuthorityArgs, parse_url};
use crate::authorities;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::{of_connection, worded};
use crate::open_session::open_session;
use crate::runtime::block_on;
use crate::sanitize;

/// Query a Gafaelfawr server (Rubin Science Platform) about tokens and users
#[derive(Debug, Args)]
pub(crate) struct Gafaelfawr {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the server's record of the token: user, scopes, expiry
    TokenInfo(GafaelfawrArgs),
    /// Show the server's record of the user: names, ids, groups, quotas
    UserInfo(GafaelfawrArgs),
    /// List the tokens of a user
    Tokens {
        #[command(flatten)]
        server: GafaelfawrArgs,
        /// User [default: the token's user]; other users require the scope `admin:token`
        #[arg(long, value_name = "NAME")]
        username: Option<Username>,
    },
}

#[derive(Debug, Args)]
struct GafaelfawrArgs {
    /// URL of the science platform, or of its API (`…/auth/api/v1`)
    url: String,
    /// Read the token from this file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Send the token as the user name of Basic credentials
    #[arg(long)]
    basic: bool,
    #[command(flatten)]
    authorities: AuthorityArgs,
}

impl Gafaelfawr {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        block_on(self.command.run(context))?
    }
}

impl Command {
    async fn run(self, context: &Context) -> Result<Exit, Failure> {
        let output = context.output;
        match self {
            Self::TokenInfo(server) => {
                let info =
                    server.client(context)?.token_info().await.map_err(|error| token_info_failure(&error))?;
                output.result(&token_lines(&info), members(&info.to_json_without_nulls()))?;
            }
            Self::UserInfo(server) => {
                let info = server.client(context)?.user_info().await.map_err(|error| failure(&error))?;
                output.result(&user_lines(&info), members(&info.to_json_without_nulls()))?;
            }
            Self::Tokens { server, username } => {
                let tokens =
                    list(&server.client(context)?, username).await.map_err(|error| failure(&error))?;
                for (n, info) in tokens.iter().enumerate() {
                    let separator = if n == 0 {
                        ""
                    } else {
                        "
"
                    };
                    let text = format!("{separator}{}", token_lines(info));
                    output.result(&text, members(&info.to_json_without_nulls()))?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}

/// Returns the members of the server's answer.
fn members(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or_default()
}

impl GafaelfawrArgs {
    fn client(&self, context: &Context) -> Result<GafaelfawrClient, Failure> {
        let mut session = authorities::session(context, &self.authorities)?.attach(Attach::Required);
        if let Some(path) = &self.token_file {
            session = session.source(FileSource::new(path));
        }
        if self.basic {
            session = session.auth(|auth| auth.placement(Placement::XOauthBasic));
        }
        let session = open_session(session)?;
        GafaelfawrClient::new(session, &parse_url(&self.url)?)
            .map_err(|error| Failure::from_error(Exit::Usage, &error))
    }
}

/// Returns the tokens of a user; without a name, those of the user of the token.
async fn list(
    client: &GafaelfawrClient,
    username: Option<Username>,
) -> Result<Vec<TokenInfo>, GafaelfawrError> {
    match username {
        Some(username) => client.tokens(&username).await,
        None => client.own_tokens().await,
    }
}

/// Any valid token may ask about itself, so a refusal without a reason does not say more to those who ask again.
fn token_info_failure(error: &GafaelfawrError) -> Failure {
    let failure = failure(error);
    match error.suggested_action() {
        SuggestedAction::InspectToken => failure.with_hint(
            "a server or proxy before Gafaelfawr refused the request without a reason: create another token on the \
             token page of the science platform, or ask its administrators",
        ),
        _ => failure,
    }
}

fn failure(error: &GafaelfawrError) -> Failure {
    let ours = Error::find(error);
    let exit = match (error.api_error(), ours, error.transport_error()) {
        (Some(error), ..) => refused(error),
        (None, Some(ours), _) if ours.is_no_token() => Exit::NoToken,
        (None, Some(ours), _) if ours.is_redirect() || ours.is_insecure_origin() => Exit::Policy,
        (None, Some(ours), _) => match ours.proxy_problem() {
            Some(ProxyProblem::Unsupported) => Exit::Usage,
            Some(_) => Exit::Connect,
            None if ours.is_stale_connection() || ours.is_upload_broken() => Exit::Connect,
            None => Exit::Usage,
        },
        (None, None, Some(error)) if error.is_timeout() => Exit::Timeout,
        (None, None, Some(error)) if error.is_connect() => Exit::Connect,
        (None, None, Some(_)) => Exit::Incomplete,
        (None, None, None) => Exit::Server,
    };
    let hint = hint(error).or_else(|| ours.and_then(Error::hint).map(|hint| worded(&hint)));
    let hint = hint.or_else(|| of_connection(error));
    Failure::from_error(exit, error).with_optional_hint(hint)
}

/// Words what the user can do about an error.
fn hint(error: &GafaelfawrError) -> Option<String> {
    let text = match error.suggested_action() {
        SuggestedAction::AttachToken => {
            "create a token on the token page of the science platform, and pass its file with `--token-file`"
        }
        SuggestedAction::ReplaceToken => {
            "the token expired or was revoked, and cannot be renewed: create another one on the token page of the \
             science platform"
        }
        SuggestedAction::RequestScopes => {
            let scopes =
                error.api_error().map(ApiError::required_scopes).filter(|scopes| !scopes.is_empty())?;
            return Some(format!("use a token with the scopes `{}`", redact::text(&scopes.to_string())));
        }
        SuggestedAction::Wait => "try again later",
        SuggestedAction::SendTokenInsteadOfCookie => {
            "the request was authenticated by a cookie: send a token instead"
        }
        SuggestedAction::InspectToken => {
            "a proxy dropped the reason: see what the token permits with `scitoken gafaelfawr token-info`"
        }
        SuggestedAction::CheckUrl => {
            "check that this is the URL of a science platform with Gafaelfawr: a login page in place of an answer \
             means that no token was sent"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn refused(error: &ApiError) -> Exit {
    match (error.suggested_action(), error.status().as_u16()) {
        (SuggestedAction::Wait, _) => Exit::TryLater,
        (_, 401 | 403) => Exit::TokenRefused,
        (_, 404 | 410) => Exit::NotFound,
        _ => Exit::Server,
    }
}

fn token_lines(info: &TokenInfo) -> String {
    let base = info.base();
    let mut lines = Lines::default();
    lines.add("key", Some(info.key()));
    lines.add("user", Some(base.username()));
    lines.add("type", Some(base.token_type()));
    lines.add("name", info.token_name());
    lines.add("service", base.service());
    lines.add("scopes", Some(base.scopes()).filter(|scopes: &&Scopes| !scopes.is_empty()));
    lines.add("created", Some(time(base.created())));
    lines.add("expires", Some(base.expires().map_or_else(|| "never".to_owned(), time)));
    lines.add("last used", info.last_used().map(time));
    lines.add("parent", info.parent());
    lines.0
}

fn user_lines(info: &UserInfo) -> String {
    let mut lines = Lines::default();
    lines.add("user", Some(info.username()));
    lines.add("name", info.name());
    lines.add("email", info.email());
    lines.add("uid", info.uid());
    lines.add("gid", info.gid());
    for group in info.groups() {
        lines.add("group", Some(format!("{} ({})", group.name(), group.id())));
    }
    if let Some(notebook) = info.quota().and_then(|quota| quota.notebook()) {
        let spawn = if notebook.may_spawn() { "" } else { ", spawning is not permitted" };
        let limits = format!("{} CPU, {} GiB{spawn}", notebook.cpu(), notebook.memory());
        lines.add("notebook", Some(limits));
    }
    lines.0
}

/// Names and values, one a line.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// Adds a value, if there is one, cleaned for a terminal.
    fn add(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            let _ = writeln!(self.0, "{name:<10} {}", sanitize::line(&value.to_string()));
        }
    }
}

fn time(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).map_or_else(|_| "out of range".to_owned(), |time| format!("{time:.0}"))
}
