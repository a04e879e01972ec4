//! Cookies of a run.

use std::sync::{Arc, Mutex};

use crate::support::{HELLO, run, scitoken, serve};
use scitoken_test_support::chaos_server::{Asked, Reply};

const COOKIE: &str = "sid=s3cret-of-the-server";

fn logged_in(asked: &Asked) -> bool {
    asked.headers.get("cookie").is_some_and(|cookie| cookie.contains(COOKIE))
}

fn answer(asked: &Asked) -> Reply {
    match (asked.path.as_str(), logged_in(asked)) {
        ("/login", _) => Reply::sized(
            "302 Found",
            &[("Location", "/data"), ("Set-Cookie", &format!("{COOKIE}; Path=/"))],
            "",
        ),
        (_, true) => Reply::honest(asked, HELLO, &[]),
        _ => Reply::sized("302 Found", &[("Location", "/login")], ""),
    }
}

#[test]
fn a_login_by_cookie_lets_every_command_in_and_no_text_or_file_has_its_value() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["get", "-o", "f"][..],
        &["get", "-o", "g", "-x", "3"],
        &["get", "-o", "-"],
        &["stat"],
        &["explain"],
        &["doctor"],
    ] {
        for level in ["-v", "-vv", "-vvv"] {
            let (_runtime, server) = serve(answer);
            let url = server.url("data").to_string();
            let mut command = scitoken(directory.path());
            let ended = run(command.arg(level).args(arguments).arg(&url));
            assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
            let shown = format!("{}{}", ended.out, ended.err);
            assert!(!shown.contains("s3cret-of-the-server"), "{arguments:?} {level}: {shown}");
            assert!(level != "-vv" || arguments[0] != "get" || shown.contains("cookie: …"), "{shown}");
        }
    }
    assert_eq!(fs_err::read(directory.path().join("f")).unwrap(), HELLO);
    for file in fs_err::read_dir(directory.path()).unwrap() {
        let path = file.unwrap().path();
        if path.is_file() {
            let text = fs_err::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&text).contains("s3cret"), "{path:?}");
        }
    }
}

#[test]
fn files_of_a_run_share_one_login() {
    let (_runtime, server) = serve(|asked| match (asked.path.as_str(), logged_in(asked)) {
        ("/login", _) => {
            let back = asked.headers.get("referer").map_or("/1", String::as_str).to_owned();
            Reply::sized(
                "302 Found",
                &[("Location", &back), ("Set-Cookie", &format!("{COOKIE}; Path=/"))],
                "",
            )
        }
        (_, true) => Reply::honest(asked, HELLO, &[]),
        _ => Reply::sized("302 Found", &[("Location", "/login")], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    let urls: Vec<_> = ["1", "2", "3", "4"].iter().map(|path| server.url(path).to_string()).collect();
    let ended = run(scitoken(directory.path()).args(["get", "-j", "1"]).args(&urls));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let logins = server.seen().iter().filter(|asked| asked.path == "/login").count();
    assert_eq!(logins, 1, "{:?}", server.seen());
}

/// As NASA's Earthdata does it, with a password of a netrc file for the login server only.
#[test]
fn the_dance_with_a_login_server_works_and_its_password_goes_nowhere_else() {
    const BASIC: &str = "Basic bWU6czNjcmV0LW9mLW1pbmU=";
    let back: Arc<Mutex<String>> = Arc::default();
    let home = Arc::clone(&back);
    let (_login_runtime, login) = serve(move |asked| {
        let allowed = asked.headers.get("authorization").is_some_and(|value| value == BASIC);
        let location = format!("{}back?code=1", home.lock().unwrap());
        if allowed {
            Reply::sized(
                "302 Found",
                &[("Location", &location), ("Set-Cookie", "urs=other-secret; Path=/")],
                "",
            )
        } else {
            Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=\"log in\"")], "")
        }
    });
    let port = login.url("").port().unwrap();
    let (_runtime, data) = serve(move |asked| match (asked.path.as_str(), logged_in(asked)) {
        ("/back?code=1", _) => Reply::sized(
            "302 Found",
            &[("Location", "/data"), ("Set-Cookie", &format!("{COOKIE}; Path=/"))],
            "",
        ),
        ("/data", true) => Reply::honest(asked, HELLO, &[]),
        _ => Reply::sized("302 Found", &[("Location", &format!("http://localhost:{port}/oauth"))], ""),
    });
    *back.lock().unwrap() = data.url("").to_string();
    let directory = tempfile::tempdir().unwrap();
    let netrc = directory.path().join("passwords");
    fs_err::write(&netrc, "machine localhost login me password s3cret-of-mine\n").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::set_permissions(&netrc, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut command = scitoken(directory.path());
    command.env_remove("BEARER_TOKEN");
    let ended = run(command.args(["-vvv", "get", "--netrc-file", "passwords", data.url("data").as_str()]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("data")).unwrap(), HELLO);
    for secret in ["s3cret-of-mine", "s3cret-of-the-server", "other-secret", "czNjcmV0"] {
        assert!(!ended.err.contains(secret), "{secret}: {}", ended.err);
    }
    assert!(data.seen().iter().all(|asked| !asked.headers.contains_key("authorization")));
    assert!(login.seen().iter().all(|asked| !asked.headers.contains_key("cookie")));
    assert!(!login.seen().is_empty());
}
