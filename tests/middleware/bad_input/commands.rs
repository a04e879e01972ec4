//! Token commands that give no usable token.

use super::*;

/// What comes of a token command: no token, an error that tells `reason` if one is required.
async fn useless_command(command: CommandSource, reason: &str) {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = SharedTokenSource::from(command);
    for attach in [Attach::WhenFound, Attach::Required] {
        let session = session(source.clone()).attach(attach).build().unwrap();
        let sent = tokio::time::timeout(Duration::from_secs(20), session.get(server.url("/f")).send()).await;
        match (attach, sent.expect("it hangs")) {
            (Attach::WhenFound, sent) => assert_eq!(sent.unwrap().status(), StatusCode::OK),
            (_, sent) => {
                let shown = chain(&sent.unwrap_err());
                assert!(shown.contains(reason), "no `{reason}` in: {shown}");
                assert!(!shown.contains(TOKEN), "{shown}");
            }
        }
    }
    assert_eq!(server.tokens(), ["-"]);
}

#[cfg(unix)]
mod shell {
    use super::*;

    fn shell(line: &str) -> CommandSource {
        CommandSource::shell(line).with_time_limit(Duration::from_secs(2))
    }

    #[tokio::test]
    async fn one_that_hangs() {
        useless_command(CommandSource::shell("sleep 60").with_time_limit(Duration::from_millis(200)), "")
            .await;
    }

    #[tokio::test]
    async fn one_whose_child_holds_its_output_open() {
        let line = "(sleep 60 &) ; echo the vault is sealed >&2; exit 1";
        useless_command(CommandSource::shell(line), "the vault is sealed").await;
    }

    #[tokio::test]
    async fn one_that_floods_its_output() {
        useless_command(shell("exec yes"), "").await;
    }

    #[tokio::test]
    async fn one_that_floods_its_error_output() {
        useless_command(shell("yes >&2; true"), "").await;
    }

    #[tokio::test]
    async fn one_that_fails() {
        useless_command(shell("echo the vault is sealed >&2; exit 42"), "42").await;
        useless_command(shell("echo the vault is sealed >&2; exit 42"), "the vault is sealed").await;
    }

    #[tokio::test]
    async fn one_that_is_killed() {
        useless_command(shell("kill -9 $$"), "").await;
    }

    #[tokio::test]
    async fn one_that_says_nothing() {
        useless_command(shell("true"), "").await;
    }

    #[tokio::test]
    async fn one_that_says_something_else() {
        useless_command(shell(&format!("echo the token is {TOKEN}")), "").await;
        useless_command(shell(&format!("echo {TOKEN}; echo {TOKEN}")), "line").await;
        useless_command(shell("printf '\\377\\376'"), "").await;
    }

    #[tokio::test]
    async fn one_that_does_not_exist() {
        useless_command(CommandSource::new("/nowhere/token-tool"), "/nowhere/token-tool").await;
    }

    #[tokio::test]
    async fn and_one_that_works() {
        let server = Server::protected(TOKEN).await;
        let session = session(shell(&format!("echo '  {TOKEN}  '"))).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(server.tokens(), texts(&[TOKEN]));
    }
}
