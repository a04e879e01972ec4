//! A real `oidc-agent`.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest_scitokens::source::AgentSource;
use reqwest_scitokens::{SourceError, TokenRequest, TokenSource};
use scitoken_storage::oauth::{GrantRequest, TokenTypeHint};
use scitoken_types::AccessToken;
use scitoken_types::sys::Env;
use tempfile::TempDir;

use super::provider::Provider;
use crate::support::{find, met};

/// A running agent with the account `lab`; it ends with the value.
struct Agent {
    directory: TempDir,
    pid: String,
    refresh_token: String,
}

#[derive(Clone, Copy)]
enum Reauthentication {
    Off,
    Default,
}

impl Agent {
    async fn met(provider: &Provider, reauthentication: Reauthentication) -> Option<Self> {
        met("oidc-agent", find("oidc-agent").and(find("oidc-gen")))?;
        let client = provider.client("agent").await.with_secret("agent secret");
        let tokens = provider.log_in(&client).await.for_resource_server("rs").token_data().unwrap();
        let refresh_token = tokens.get("rs").unwrap().expose_refresh_token().unwrap().to_owned();
        let directory = tempfile::tempdir().unwrap();
        fs_err::create_dir_all(directory.path().join(".config/oidc-agent")).unwrap();
        let socket = directory.path().join("agent.sock");
        let mut agent = Command::new("oidc-agent");
        agent.arg("--json").arg("-a").arg(&socket).args(["--no-webserver", "--no-scheme", "--no-autoload"]);
        if matches!(reauthentication, Reauthentication::Off) {
            agent.arg("--no-autoreauthenticate");
        }
        let output = agent.env("HOME", directory.path()).stderr(Stdio::null()).output().unwrap();
        let started: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let pid = started["dpid"].as_str().unwrap().to_owned();
        let agent = Self { directory, pid, refresh_token };
        let generated = Command::new("oidc-gen")
            .args([
                "lab",
                "-m",
                "--pw-env",
                "--prompt=none",
                "--confirm-yes",
                "--no-webserver",
                "--no-scheme",
            ])
            .arg(format!("--iss={}", provider.issuer().as_str().trim_end_matches('/')))
            .args(["--client-id=agent", "--client-secret=agent secret"])
            .args(["--scope=openid offline_access storage.read:/", "--redirect-uri=http://localhost:4242"])
            .arg(format!("--rt={}", agent.refresh_token))
            .arg(format!("--cp={}", provider.ca().display()))
            .env("HOME", agent.directory.path())
            .env("OIDC_SOCK", socket)
            .env("OIDC_ENCRYPTION_PW", "pw")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(generated.status.success(), "{}", String::from_utf8_lossy(&generated.stderr));
        Some(agent)
    }

    fn env(&self) -> Env {
        Env::given([("OIDC_SOCK", self.socket())])
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("agent.sock")
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(&self.pid).status();
    }
}

async fn ask(source: &AgentSource, rejected: Option<&AccessToken>) -> Result<AccessToken, SourceError> {
    let url = "https://storage.example.org/f".parse().unwrap();
    let mut request = TokenRequest::new(&url).unwrap();
    if let Some(rejected) = rejected {
        request = request.with_rejected(rejected);
    }
    Ok(source.token(&request).await?.expect("the agent is there"))
}

#[tokio::test]
async fn an_agent_gives_tokens_by_account_and_issuer_and_new_ones_after_a_refusal() {
    let Some(provider) = Provider::met(600) else { return };
    let Some(agent) = Agent::met(&provider, Reauthentication::Off).await else { return };
    let account = AgentSource::account("lab").with_env(agent.env());
    let first = ask(&account, None).await.unwrap();
    assert_eq!(first.claims().unwrap().subject(), Some("alice"));
    assert_eq!(ask(&account, None).await.unwrap(), first, "the agent keeps it");
    assert_ne!(ask(&account, Some(&first)).await.unwrap(), first);
    for issuer in [provider.issuer().as_str(), provider.issuer().as_str().trim_end_matches('/')] {
        ask(&AgentSource::issuer(issuer).with_env(agent.env()), None).await.unwrap();
    }
    let narrow = account.with_scopes(["storage.read:/".parse().unwrap()]);
    assert_eq!(ask(&narrow, None).await.unwrap().claims().unwrap().scope_text(), Some("storage.read:/"));

    let error = ask(&AgentSource::account("nosuch").with_env(agent.env()), None).await.unwrap_err();
    assert!(error.to_string().contains("account not loaded"), "{error}");
    assert!(error.hint().unwrap().to_string().contains("oidc-add nosuch"), "{error:?}");
    let error =
        ask(&AgentSource::issuer("https://nosuch.example").with_env(agent.env()), None).await.unwrap_err();
    assert!(error.to_string().contains("account not loaded"), "{error}");
}

#[tokio::test]
async fn a_void_login_is_told_with_the_agents_own_advice() {
    let Some(provider) = Provider::met(600) else { return };
    let Some(agent) = Agent::met(&provider, Reauthentication::Off).await else { return };
    let source = AgentSource::account("lab").with_env(agent.env());
    let first = void(&provider, &agent, &source).await;
    let error = ask(&source, Some(&first)).await.unwrap_err();
    assert!(error.to_string().contains("invalid_grant"), "{error}");
    assert!(error.hint().unwrap().to_string().contains("oidc-gen lab --reauthenticate"), "{error:?}");
}

#[tokio::test]
async fn an_agent_that_hangs_is_left_after_the_time_limit() {
    let Some(provider) = Provider::met(600) else { return };
    let Some(agent) = Agent::met(&provider, Reauthentication::Default).await else { return };
    let source = AgentSource::account("lab").with_env(agent.env());
    let first = void(&provider, &agent, &source).await;
    let patient = source.with_time_limit(Duration::from_secs(2));
    let error = ask(&patient, Some(&first)).await.unwrap_err();
    assert!(error.to_string().contains("did not answer within 2 s"), "{error}");
    assert!(error.hint().unwrap().to_string().contains("--no-autoreauthenticate"), "{error:?}");
}

/// Makes the agent's refresh token void, by using the one that it has replaced already.
async fn void(provider: &Provider, agent: &Agent, source: &AgentSource) -> AccessToken {
    let first = ask(source, None).await.unwrap();
    let client = provider.client("agent").await.with_secret("agent secret");
    let replayed = client.refresh(&agent.refresh_token, &GrantRequest::new()).await;
    if replayed.is_ok() {
        client.revoke(&agent.refresh_token, TokenTypeHint::RefreshToken).await.unwrap();
    }
    first
}
