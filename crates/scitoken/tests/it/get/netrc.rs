//! `-n`: names and passwords of `.netrc`, where no token goes.

use std::path::Path;

use crate::support::{Ended, HELLO, TOKEN, run, scitoken, serve};
use scitoken_test_support::chaos_server::{ChaosServer, Reply};

/// `me:s3cret-of-mine`.
const BASIC: &str = "Basic bWU6czNjcmV0LW9mLW1pbmU=";

fn netrc(directory: &Path, text: &str, mode: u32) {
    let path = directory.join(".netrc");
    fs_err::write(&path, text).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
}

fn authorizations(server: &ChaosServer) -> Vec<Option<String>> {
    server.seen().iter().map(|asked| asked.headers.get("authorization").cloned()).collect()
}

fn get(directory: &Path, token: Option<&str>, arguments: &[&str]) -> Ended {
    let mut command = scitoken(directory);
    match token {
        Some(token) => command.env("BEARER_TOKEN", token),
        None => command.env_remove("BEARER_TOKEN").env("XDG_RUNTIME_DIR", directory),
    };
    let ended = run(command.args(["-vvv", "get", "--retry", "0"]).args(arguments));
    for secret in ["s3cret-of-mine", "bWU6czNjcmV0LW9mLW1pbmU", "s3cret%2Dof%2Dmine"] {
        assert!(!ended.err.contains(secret) && !ended.out.contains(secret), "the password is shown");
    }
    ended
}

#[test]
fn the_password_goes_to_its_machine_if_asked_for_and_never_over_a_token() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    netrc(directory.path(), "machine 127.0.0.1 login me password s3cret-of-mine\n", 0o600);
    let url = server.url("f").to_string();
    for (token, arguments, expected) in [
        (None, &[&*url][..], None),
        (None, &["-n", &*url], Some(BASIC.to_owned())),
        (Some(TOKEN), &["-n", &*url], Some(format!("Bearer {TOKEN}"))),
        (Some(TOKEN), &["-n", "--no-auth", &*url], Some(BASIC.to_owned())),
        (None, &["--netrc-file", ".netrc", &*url], Some(BASIC.to_owned())),
    ] {
        let ended = get(directory.path(), token, arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
        assert_eq!(authorizations(&server).last(), Some(&expected), "{arguments:?}");
    }
    let signed = server.url("f?X-Amz-Signature=x").to_string();
    assert_eq!(get(directory.path(), None, &["-n", &signed]).code, 0);
    assert_eq!(authorizations(&server).last(), Some(&None), "an address that is signed has its credential");
}

#[test]
fn a_refused_password_is_told_as_one_and_not_as_a_missing_token() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/basic" => Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=\"r\"")], ""),
        "/bearer" => Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Bearer realm=\"r\"")], ""),
        _ => Reply::sized("403 Forbidden", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    netrc(directory.path(), "machine 127.0.0.1 login me password s3cret-of-mine\n", 0o600);
    for path in ["basic", "bearer", "forbidden"] {
        for attach in ["when-found", "on-challenge"] {
            let url = server.url(path).to_string();
            let ended = get(directory.path(), None, &["-n", "--attach", attach, &url]);
            assert_eq!(ended.code, 8, "{path} {attach}: {}", ended.err);
            assert!(ended.err.contains("the password of `.netrc` was refused"), "{path}: {}", ended.err);
            assert!(!ended.err.contains("no token was sent"), "{path}: {}", ended.err);
        }
        let ended = get(directory.path(), None, &[server.url(path).as_str()]);
        assert_eq!(ended.code, 7, "{path}: {}", ended.err);
    }
}

#[test]
fn the_password_does_not_follow_a_redirect_to_another_port_or_host() {
    let (_other_runtime, other) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let port = other.url("").port().unwrap();
    let (_runtime, server) = serve(move |asked| {
        let host = if asked.path == "/name" { "localhost" } else { "127.0.0.1" };
        Reply::sized("302 Found", &[("Location", &format!("http://{host}:{port}{}", asked.path))], "")
    });
    let directory = tempfile::tempdir().unwrap();
    let entries =
        "machine 127.0.0.1 login me password s3cret-of-mine\ndefault login me password s3cret-of-mine\n";
    netrc(directory.path(), entries, 0o600);
    for path in ["port", "name"] {
        let ended = get(directory.path(), None, &["-n", server.url(path).as_str()]);
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    assert_eq!(authorizations(&server), [Some(BASIC.to_owned()), Some(BASIC.to_owned())]);
    assert_eq!(authorizations(&other), [None, None]);
}

#[test]
fn a_file_that_is_missing_open_to_others_or_no_netrc_is_an_error_before_anything_is_sent() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    let missing = get(directory.path(), None, &["-n", &url]);
    assert_eq!(missing.code, 3);
    assert!(
        missing.err.contains("the file does not exist") && missing.err.contains("hint: "),
        "{}",
        missing.err
    );
    netrc(directory.path(), "machine 127.0.0.1 login me password s3cret-of-mine extra\n", 0o600);
    let wrong = get(directory.path(), None, &["-n", &url]);
    assert_eq!(wrong.code, 3);
    assert!(wrong.err.contains("line 1: "), "{}", wrong.err);
    #[cfg(unix)]
    {
        netrc(directory.path(), "machine 127.0.0.1 login me password s3cret-of-mine\n", 0o644);
        let open = get(directory.path(), None, &["-n", &url]);
        assert_eq!(open.code, 3);
        assert!(open.err.contains("chmod 600"), "{}", open.err);
    }
    assert!(server.seen().is_empty());
}
