//! `scitoken gafaelfawr`: what Rubin's Gafaelfawr knows about tokens and users.

use std::fmt::{Display, Write as _};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use reqwest_scitokens::gafaelfawr::{
    Client, ClientError, Refusal, Remedy, Scopes, TokenInfo, UserInfo, Username,
};
use reqwest_scitokens::{Attach, Error, FileSource, Placement, Session};
use url::Url;

use crate::exit::Exit;
use crate::failure::Failure;

/// Ask a Gafaelfawr (Rubin Science Platform) about tokens and users
#[derive(Debug, Args)]
pub(crate) struct Gafaelfawr {
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Show what the server knows about the token: user, scopes, end
    TokenInfo(Server),
    /// Show what the server knows about the user: names, ids, groups, quotas
    UserInfo(Server),
    /// List the tokens of the user, or of another one
    Tokens {
        #[command(flatten)]
        server: Server,
        /// The user whose tokens are listed; the token needs `admin:token` for others than its own
        #[arg(long, value_name = "NAME")]
        username: Option<Username>,
    },
}

#[derive(Debug, Args)]
struct Server {
    /// The address of the science platform, or of its API (`…/auth/api/v1`)
    url: Url,
    /// Read the token from this file instead of looking for one
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Send the token as Basic credentials, as tools do that cannot send Bearer
    #[arg(long)]
    basic: bool,
    /// Trust the certificate authorities in this PEM file too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Print what the server answered as JSON
    #[arg(long)]
    json: bool,
}

impl Gafaelfawr {
    /// Asks, and prints the answer.
    pub(crate) fn run(self) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::from_error(Exit::Local, &error))?;
        let shown = runtime.block_on(self.question.ask())?;
        print(&shown);
        Ok(Exit::Ok)
    }
}

impl Question {
    async fn ask(self) -> Result<String, Failure> {
        match self {
            Self::TokenInfo(server) => {
                let info = server.client()?.token_info().await.map_err(|error| failure(&error))?;
                Ok(if server.json { info.to_json_without_nulls() + "\n" } else { token_lines(&info) })
            }
            Self::UserInfo(server) => {
                let info = server.client()?.user_info().await.map_err(|error| failure(&error))?;
                Ok(if server.json { info.to_json_without_nulls() + "\n" } else { user_lines(&info) })
            }
            Self::Tokens { server, username } => {
                let tokens = list(&server.client()?, username).await.map_err(|error| failure(&error))?;
                if server.json {
                    let tokens: Vec<_> = tokens.iter().map(TokenInfo::to_json_without_nulls).collect();
                    return Ok(format!("[{}]\n", tokens.join(",")));
                }
                Ok(tokens.iter().map(token_lines).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

impl Server {
    fn client(&self) -> Result<Client, Failure> {
        let mut session = Session::builder().attach(Attach::Required);
        if let Some(path) = &self.token_file {
            session = session.source(FileSource::new(path));
        }
        if let Some(path) = &self.ca_file {
            session = session.ca_file(path);
        }
        if self.basic {
            session = session.auth(|auth| auth.placement(Placement::XOauthBasic));
        }
        let session = session.build().map_err(|error| {
            let failure = Failure::from_error(Exit::Local, &error);
            match error.hint() {
                Some(hint) => failure.with_hint(hint),
                None => failure,
            }
        })?;
        Client::new(session.into(), &self.url).map_err(|error| Failure::from_error(Exit::Usage, &error))
    }
}

/// The tokens of a user; without a name, of the one whom the token belongs to.
async fn list(client: &Client, username: Option<Username>) -> Result<Vec<TokenInfo>, ClientError> {
    match username {
        Some(username) => client.tokens(&username).await,
        None => client.own_tokens().await,
    }
}

fn failure(error: &ClientError) -> Failure {
    let ours = Error::find(error);
    let exit = match (error.refusal(), ours, error.transport_error()) {
        (Some(refusal), ..) => refused(refusal),
        (None, Some(ours), _) if ours.is_no_token() => Exit::NoToken,
        (None, Some(ours), _) if ours.is_redirect() => Exit::Redirect,
        (None, Some(_), _) => Exit::Usage,
        (None, None, Some(error)) if error.is_timeout() => Exit::Timeout,
        (None, None, Some(error)) if error.is_connect() => Exit::Connect,
        (None, None, Some(_)) => Exit::Incomplete,
        (None, None, None) => Exit::Server,
    };
    let failure = Failure::from_error(exit, error);
    match error.hint().or_else(|| ours.and_then(Error::hint).map(str::to_owned)) {
        Some(hint) => failure.with_hint(hint),
        None => failure,
    }
}

fn refused(refusal: &Refusal) -> Exit {
    match (refusal.remedy(), refusal.status().as_u16()) {
        (Remedy::Waiting, _) => Exit::TryLater,
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
        let spawn = if notebook.may_spawn() { "" } else { ", none may be started" };
        let limits = format!("{} CPU, {} GiB{spawn}", notebook.cpu(), notebook.memory());
        lines.add("notebook", Some(limits));
    }
    lines.0
}

/// Names and values, one a line.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// Adds a value if there is one; texts come from a server and are made fit for a terminal.
    fn add(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            let value: String =
                value.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            let _ = writeln!(self.0, "{name:<10} {value}");
        }
    }
}

fn time(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map_or_else(|_| "long ago or far away".to_owned(), |time| format!("{time:.0}"))
}

#[expect(clippy::print_stdout, reason = "this is what the command is for")]
fn print(text: &str) {
    print!("{text}");
}
