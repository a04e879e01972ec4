//! The host map of `scitoken.toml`: each server gets the token that is meant for it, and no other does.

use std::path::Path;

use crate::support::{Ended, HELLO, run, scitoken, serve};
use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};

/// The program with settings and without any other token.
fn with_settings(directory: &Path, settings: &str) -> assert_cmd::Command {
    fs_err::write(directory.join("scitoken.toml"), settings).unwrap();
    let mut command = scitoken(directory);
    command.env_remove("BEARER_TOKEN").env("SCITOKEN_CONFIG", directory.join("scitoken.toml"));
    command.env("BEARER_TOKEN_FILE", directory.join("none"));
    command
}

fn store(directory: &Path, token: &str, end: u64, refresh_token: Option<&str>) {
    let refresh_token =
        refresh_token.map(|token| format!(",\"refresh_token\":\"{token}\"")).unwrap_or_default();
    let entry = format!(
        "{{\"resource_server\":\"vo\",\"scope\":\"s\",\"access_token\":\"{token}\",\"expires_at_seconds\":{end}\
         {refresh_token}}}"
    );
    let stored = scitoken(directory)
        .args(["store", "put", "--storage", "json:tokens.json"])
        .write_stdin(entry)
        .output();
    assert!(stored.unwrap().status.success());
}

fn authorizations(server: &ChaosServer, path: &str) -> Vec<Option<String>> {
    let seen = server.seen();
    let of_path = seen.iter().filter(|asked| asked.path == path);
    of_path.map(|asked| asked.headers.get("authorization").cloned()).collect()
}

fn get(directory: &Path, settings: &str, url: &str) -> Ended {
    run(with_settings(directory, settings).args(["-vvv", "get", "--retry", "0", url]))
}

#[test]
fn a_stored_token_goes_to_the_server_that_the_settings_name_and_not_along_a_redirect() {
    let (_untrusted_runtime, untrusted) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let elsewhere = untrusted.url("moved").to_string();
    let (_runtime, server) = serve(move |asked| match asked.path.as_str() {
        "/moved" => Reply::sized("302 Found", &[("Location", elsewhere.as_str())], ""),
        _ => Reply::honest(asked, HELLO, &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    store(directory.path(), "c3RvcmVk", 4_000_000_000, None);
    // The file lies beside the settings, wherever the program is run.
    let settings = format!(
        "[host.\"http://127.0.0.1:{}\"]\njson = \"tokens.json\"\nresource-server = \"vo\"\n",
        server.url("").port().unwrap()
    );
    for (url, name) in [(server.url("own"), "own"), (server.url("moved"), "moved"), (untrusted.url("x"), "x")]
    {
        let ended = get(directory.path(), &settings, url.as_str());
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(!ended.err.contains("c3RvcmVk") && !ended.out.contains("c3RvcmVk"));
        assert!(directory.path().join(name).exists());
    }
    assert_eq!(authorizations(&server, "/own"), [Some("Bearer c3RvcmVk".to_owned())]);
    assert_eq!(authorizations(&server, "/moved"), [Some("Bearer c3RvcmVk".to_owned())]);
    assert_eq!(authorizations(&untrusted, "/moved"), [None]);
    assert_eq!(authorizations(&untrusted, "/x"), [None]);
    let shown = run(with_settings(directory.path(), &settings).args(["config", "show"]));
    let line = shown.out.lines().find(|line| line.starts_with("host.")).unwrap();
    assert!(
        line.contains("tokens.json, resource-server vo, not refreshed") && line.contains("# file `"),
        "{line}"
    );
}

/// An issuer that gives out one token after the other.
fn issuer(asked: &Asked) -> Option<Reply> {
    let base = format!("http://{}", asked.headers["host"]);
    let json = |text: String| Some(Reply::sized("200 OK", &[("Content-Type", "application/json")], text));
    match asked.path.as_str() {
        "/.well-known/openid-configuration" => json(format!(
            "{{\"issuer\":\"{base}/\",\"token_endpoint\":\"{base}/token\",\
             \"device_authorization_endpoint\":\"{base}/device\"}}"
        )),
        "/device" => json(format!(
            "{{\"device_code\":\"dc\",\"user_code\":\"AB-CD\",\"verification_uri\":\"{base}/login\",\
             \"expires_in\":60,\"interval\":1}}"
        )),
        "/token" => {
            let grant = String::from_utf8_lossy(&asked.body).into_owned();
            let token = if grant.contains("refresh_token") { "cmVuZXdlZA" } else { "bG9nZ2Vk" };
            json(format!(
                "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\"expires_in\":3600,\
                 \"refresh_token\":\"cmVmcmVzaC10b2tlbg\",\"scope\":\"storage.read:/\"}}"
            ))
        }
        _ => None,
    }
}

#[test]
fn a_stored_token_that_has_ended_is_renewed_on_the_way_and_stored() {
    let (_runtime, server) = serve(|asked| issuer(asked).unwrap_or_else(|| Reply::honest(asked, HELLO, &[])));
    let directory = tempfile::tempdir().unwrap();
    store(directory.path(), "ZW5kZWQ", 1_700_000_000, Some("b2xkLXJlZnJlc2g"));
    let entry = "[host.\"127.0.0.1\"]\njson = \"tokens.json\"\nresource-server = \"vo\"\n"
        .replace("127.0.0.1", &format!("http://127.0.0.1:{}", server.url("").port().unwrap()));
    let ended = get(directory.path(), &entry, server.url("f").as_str());
    assert_eq!(
        ended.code, 0,
        "without an issuer nothing renews it, and the server asks for none: {}",
        ended.err
    );
    assert_eq!(authorizations(&server, "/f"), [None]);
    let renewed = format!("{entry}issuer = \"{}\"\nclient-id = \"me\"\n", server.url(""));
    let ended = get(directory.path(), &renewed, server.url("g").as_str());
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(authorizations(&server, "/g"), [Some("Bearer cmVuZXdlZA".to_owned())]);
    assert_eq!(authorizations(&server, "/token"), [None], "the issuer gets no bearer token");
    let stored = fs_err::read_to_string(directory.path().join("tokens.json")).unwrap();
    assert!(stored.contains("cmVuZXdlZA") && stored.contains("cmVmcmVzaC10b2tlbg"));
    assert!(!ended.err.contains("cmVuZXdlZA") && !ended.err.contains("cmVmcmVzaC10b2tlbg"));
}

#[test]
fn an_issuer_that_is_down_is_no_trouble_while_the_token_is_good() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    store(directory.path(), "c3RvcmVk", 4_000_000_000, Some("cg"));
    let settings = format!(
        "[host.\"http://127.0.0.1:{}\"]\njson = \"tokens.json\"\nresource-server = \"vo\"\n\
         issuer = \"http://127.0.0.1:9/\"\nclient-id = \"me\"\n",
        server.url("").port().unwrap()
    );
    let ended = get(directory.path(), &settings, server.url("f").as_str());
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(authorizations(&server, "/f"), [Some("Bearer c3RvcmVk".to_owned())]);
}

/// `login` wants a terminal, which `script` gives it.
#[cfg(target_os = "linux")]
#[test]
fn what_login_shows_is_what_the_settings_need() {
    if !Path::new("/usr/bin/script").exists() {
        return;
    }
    let (_runtime, server) = serve(|asked| issuer(asked).unwrap_or_else(|| Reply::honest(asked, HELLO, &[])));
    let directory = tempfile::tempdir().unwrap();
    let program = assert_cmd::cargo::cargo_bin("scitoken");
    let base = server.url("");
    let line = format!(
        "{} login --issuer {base} --client-id me --storage json:tokens.db.json --audience {}",
        program.display(),
        base.as_str().trim_end_matches('/'),
    );
    let output = assert_cmd::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(directory.path())
        .env("HOME", directory.path())
        .timeout(std::time::Duration::from_secs(60))
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert!(output.status.success() && shown.contains("AB-CD"), "{shown}");
    assert!(!shown.contains("bG9nZ2Vk") && !shown.contains("cmVmcmVzaC10b2tlbg"), "{shown}");
    let settings = &shown[shown.find("[host.").unwrap_or_else(|| panic!("{shown}"))..];
    let ended = get(directory.path(), settings, server.url("f").as_str());
    assert_eq!(ended.code, 0, "{settings}\n{}", ended.err);
    assert_eq!(authorizations(&server, "/f"), [Some("Bearer bG9nZ2Vk".to_owned())]);
}

#[cfg(unix)]
#[test]
fn a_running_agent_is_asked_for_the_account_that_the_settings_name() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("agent.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = [0; 4096];
        let length = stream.read(&mut question).unwrap();
        let answer = b"{\"status\":\"success\",\"access_token\":\"YWdlbnQ\",\"expires_at\":4000000000}";
        stream.write_all(answer).unwrap();
        String::from_utf8_lossy(&question[..length]).into_owned()
    });
    let settings = format!(
        "[host.\"http://127.0.0.1:{}\"]\noidc-agent = \"lab\"\naudience = \"https://a\"\n",
        server.url("").port().unwrap()
    );
    let mut command = with_settings(directory.path(), &settings);
    let ended = run(command.env("OIDC_SOCK", &socket).args(["get", server.url("f").as_str()]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(authorizations(&server, "/f"), [Some("Bearer YWdlbnQ".to_owned())]);
    let question = asked.join().unwrap();
    assert!(question.contains("\"account\":\"lab\"") && question.contains("\"audience\":\"https://a\""));
}

#[test]
fn the_search_says_where_the_settings_overrule_it() {
    let directory = tempfile::tempdir().unwrap();
    let settings = "[host.\"*.vo.test\"]\ntoken-file = \"mine\"\n";
    let told = |url: &str, more: &[&str]| {
        run(with_settings(directory.path(), settings).args(["token", "where", url]).args(more))
    };
    let ended = told("https://data.vo.test/f", &[]);
    assert!(
        ended.out.contains("which comes first: host.\"https://*.vo.test\" = token-file "),
        "{}",
        ended.out
    );
    assert_eq!(ended.code, 7, "the file of the settings does not exist");
    let json: serde_json::Value =
        serde_json::from_str(&told("https://data.vo.test/f", &["--json"]).out).unwrap();
    assert_eq!(json["in_settings"].as_array().unwrap().len(), 1);
    scitoken_test_support::write_token(&directory.path().join("mine"), "c2VjcmV0");
    assert_eq!(told("https://data.vo.test/f", &[]).code, 0);
    let ended = told("https://elsewhere.test/f", &[]);
    assert!(!ended.out.contains("comes first") && ended.code == 7, "{}", ended.out);
}
