//! `scitoken copy`: between two servers, and from and to this machine.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::copy_sites::{CopySites, Manners, TOKENS};
use scitoken_test_support::federation::{FakeFederation, FederationServer};
use scitoken_test_support::tokens::expired;
use scitoken_test_support::{secrecy, tls, write_token};

const DATA: &[u8] = b"data of a file that is copied\n";

struct Place {
    sites: CopySites,
    directory: tempfile::TempDir,
}

impl Place {
    async fn new(manners: [Manners; 2]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("ca.pem"), tls::ca_pem()).unwrap();
        for (name, token) in ["a.token", "b.token"].iter().zip(TOKENS) {
            write_token(&directory.path().join(name), token);
        }
        let sites = CopySites::start(manners).await;
        sites.store(0, "/d/f", DATA);
        Self { sites, directory }
    }

    /// Runs the program with a token for each side.
    fn copy(&self, arguments: &[&str]) -> Output {
        let tokens = ["--source-token-file", "a.token", "--destination-token-file", "b.token"];
        self.run(&[&["copy", "--retry-delay", "0.01", "-vv"][..], &tokens, arguments].concat())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::cargo_bin("scitoken").unwrap();
        command.env_clear().env("NO_PROXY", "*").current_dir(self.path());
        command.env("SCITOKEN_CACERT", self.path().join("ca.pem"));
        let output = command.args(arguments).output().unwrap();
        for token in TOKENS {
            secrecy::assert_silent(text(&output.stdout), token);
            secrecy::assert_silent(text(&output.stderr), token);
        }
        output
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn urls(&self) -> [String; 2] {
        [self.sites.url(0, "/d/f").to_string(), self.sites.url(1, "/d/f").to_string()]
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_from_server_to_server_by_all_kinds_of_servers() {
    for manners in [Manners::XRootD5, Manners::XRootD6, Manners::DCache] {
        for (mode, word) in [(&[][..], "pull"), (&["--mode", "push"], "push")] {
            let place = Place::new([manners; 2]).await;
            let [source, destination] = place.urls();
            let output = place.copy(&[mode, &["--json", &source, &destination]].concat());
            assert_eq!(output.status.code(), Some(0), "{manners:?} {mode:?}: {}", text(&output.stderr));
            assert_eq!(place.sites.file(1, "/d/f").as_deref(), Some(DATA));
            let result = text(&output.stdout).lines().find(|line| line.contains("\"mode\"")).unwrap();
            let result: serde_json::Value = serde_json::from_str(result).unwrap();
            assert_eq!((result["mode"].as_str(), result["length"].as_u64()), (Some(word), Some(30)));
            assert!(result["verified"].as_str().unwrap().starts_with("adler32:"), "{result}");
            for (site, token) in TOKENS.iter().enumerate() {
                let sent = place.sites.authorizations(site).into_iter().collect::<Vec<_>>();
                assert_eq!(sent, [format!("Bearer {token}")], "{manners:?} {mode:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_their_exit_codes_and_hints() {
    let place = Place::new([Manners::XRootD5, Manners::XRootD5]).await;
    let [source, destination] = place.urls();
    let missing = source.replace("/d/f", "/d/none");
    place.sites.store(1, "/d/there", b"old");
    let there = destination.replace("/d/f", "/d/there");
    for (arguments, code, words) in [
        (&[missing.as_str(), &destination][..], 9, "404"),
        (&["--no-clobber", &source, &there], 15, "already exists"),
        (&[&source, &source], 2, "both source and destination"),
        (&["--checksum", "adler32:1", &source, &destination], 12, "not adler32:00000001"),
        (&[&source, &source, &destination], 2, "ends in `/`"),
        (&["--transfer-header", "Authorization: x", &source, &destination], 2, "credential"),
        (&["a.token", "b.token"], 2, "use `cp`"),
    ] {
        let output = place.copy(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
    assert_eq!(
        (place.sites.file(1, "/d/f"), place.sites.file(1, "/d/there").as_deref()),
        (None, Some(&b"old"[..]))
    );
    let output = place.run(&["copy", "--no-auth", &source, &destination]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_cannot_copy_need_the_flag_for_this_machine() {
    let place = Place::new([Manners::NoCopy, Manners::NoCopy]).await;
    let [source, destination] = place.urls();
    let output = place.copy(&[&source, &destination]);
    assert_eq!(output.status.code(), Some(13), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("pass `--stream`"), "{}", text(&output.stderr));
    let output = place.copy(&["--stream", &source, &destination]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.sites.file(1, "/d/f").as_deref(), Some(DATA));
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_and_lists_are_copied() {
    let place = Place::new([Manners::DCache, Manners::XRootD6]).await;
    for file in ["/d/sub/a b", "/d/sub/deep/c"] {
        place.sites.store(0, file, file.as_bytes());
    }
    let (source, target) = (place.sites.url(0, "/d").to_string(), place.sites.url(1, "/copy").to_string());
    let output = place.copy(&["-r", "-j", "2", &source, &target]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for file in ["/copy/f", "/copy/sub/a b", "/copy/sub/deep/c"] {
        assert!(place.sites.file(1, file).is_some(), "{file}");
    }
    let list = format!("{source}/f\n  out=one\n{source}/none\n{source}/sub/deep/c\n");
    fs_err::write(place.path().join("list"), list).unwrap();
    let target = place.sites.url(1, "/listed/").to_string();
    let output = place.copy(&["--create-dirs", "-i", "list", &target]);
    assert_eq!(output.status.code(), Some(9), "{}", text(&output.stderr));
    assert_eq!(place.sites.file(1, "/listed/one").as_deref(), Some(DATA));
    assert!(place.sites.file(1, "/listed/c").is_some());
    assert!(text(&output.stderr).contains("2 of 3 files copied"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_copy_says_which_server_refused_which() {
    let place = Place::new([Manners::XRootD6, Manners::XRootD6]).await;
    let [source, destination] = place.urls();
    // The source lets this machine look, and refuses the other server.
    place.sites.change(0, |asked, honest| match asked.method.as_str() {
        "HEAD" => Reply::sized("200 OK", &[], DATA),
        _ => honest,
    });
    write_token(&place.path().join("a.token"), "another-token");
    let output = place.copy(&[&source, &destination]);
    let report = text(&output.stderr);
    assert_eq!(output.status.code(), Some(8), "{report}");
    for words in [&source, &destination, "the token for that server was refused", "remote host returned"] {
        assert!(report.contains(words), "{words}: {report}");
    }
    assert_eq!(place.sites.file(1, "/d/f"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_files_never_go_to_one_url() {
    let place = Place::new([Manners::XRootD6, Manners::XRootD6]).await;
    for file in ["/d/one/f", "/d/two/f", "/d/g"] {
        place.sites.store(0, file, file.as_bytes());
    }
    let url = |path: &str| place.sites.url(0, path).to_string();
    let target = place.sites.url(1, "/l/").to_string();
    for recursive in [&[][..], &["-r"]] {
        let output = place.copy(&[recursive, &[&url("/d/one/f"), &url("/d/two/f"), &target]].concat());
        let report = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{report}");
        assert!(report.contains("have the same target"), "{report}");
        assert!(place.sites.copies(1).is_empty(), "{recursive:?}: which one is meant is not known");
    }
    let list = format!("{}\n out=o\n{}\n out=o\n{}\n", url("/d/one/f"), url("/d/two/f"), url("/d/g"));
    fs_err::write(place.path().join("list"), list).unwrap();
    let output = place.copy(&["-i", "list", &target]);
    let report = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{report}");
    assert!(report.contains("2 of 3 files copied") && report.contains("have the same target"), "{report}");
    assert_eq!(place.sites.file(1, "/l/o").as_deref(), Some(&b"/d/one/f"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_copied_is_said_with_what_to_do() {
    let place = Place::new([Manners::XRootD5, Manners::XRootD5]).await;
    let [source, destination] = place.urls();
    let url = |path: &str| place.sites.url(0, path).to_string();
    place.sites.store(0, "/d/sub/x", b"");
    place.sites.change(0, |asked, honest| match (asked.method.as_str(), asked.path.as_str()) {
        ("HEAD", "/d/sub") => Reply::sized("409 Conflict", &[], ""),
        // The source describes a file that it does not have.
        ("HEAD", "/d/away") => Reply::sized("200 OK", &[], DATA),
        _ => honest,
    });
    for (arguments, code, words) in [
        (&[url("/d/sub"), destination.clone()][..], 2, "is a directory\nhint: pass `--recursive` to copy it"),
        (&["-r".to_owned(), url("/d/sub"), url("/d/sub/copy")], 2, "into itself"),
        (&[url("/d/away"), destination], 9, "check the URL of the source"),
        (&[source.clone(), source.replace("/d/f", "/d//%66")], 2, "both source and destination"),
    ] {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        let output = place.copy(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{arguments:?}: {}", text(&output.stderr));
    }
    assert_eq!((place.sites.file(0, "/d/f").as_deref(), place.sites.file(1, "/d/f")), (Some(DATA), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_compared_is_not_said_to_be_right() {
    let place = Place::new([Manners::DCache, Manners::DCache]).await;
    let [source, destination] = place.urls();
    place.sites.change(1, |asked, honest| match asked.method.as_str() {
        "HEAD" | "PROPFIND" => Reply::sized("403 Forbidden", &[], ""),
        _ => honest,
    });
    let output = place.copy(&[&source, &destination]);
    let report = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(report.contains("cannot be looked at with this token, so nothing was verified"), "{report}");
    assert!(!report.contains("30 bytes"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_has_the_file_already_is_left_as_it_is() {
    let place = Place::new([Manners::XRootD6, Manners::XRootD6]).await;
    let [source, destination] = place.urls();
    for (round, words) in
        [(1, "by pull, verified by adler32"), (2, "not copied, the destination is this file")]
    {
        let output = place.copy(&[&source, &destination]);
        assert_eq!(output.status.code(), Some(0), "{round}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{round}: {}", text(&output.stderr));
    }
    assert_eq!(place.sites.copies(1).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_ends_the_command_before_a_server_is_asked() {
    let place = Place::new([Manners::XRootD6, Manners::XRootD6]).await;
    let [source, destination] = place.urls();
    write_token(&place.path().join("old.token"), &expired("https://localhost"));
    for side in ["--source-token-file", "--destination-token-file"] {
        for more in [&[][..], &["--create-dirs"], &["-r"]] {
            let output =
                place.run(&[&["copy", side, "old.token"][..], more, &[&source, &destination]].concat());
            let report = text(&output.stderr);
            assert_eq!(output.status.code(), Some(7), "{side} {more:?}: {report}");
            assert!(report.contains("expired") && !report.contains("WARN"), "{side} {more:?}: {report}");
        }
    }
    assert!(place.sites.seen(1).is_empty() && place.sites.seen(0).is_empty());
}

/// A federation whose origin is a site: names of `/protected` lead there, with or without a cache.
async fn federation_of(site: &str) -> FakeFederation {
    let fake = FakeFederation::start(&[]).await;
    let site = site.trim_end_matches('/').to_owned();
    fake.change(FederationServer::Director, move |asked, honest| {
        let path = asked.path.split('?').next().unwrap();
        let link = format!("Link: <{site}{path}>; rel=\"duplicate\"; pri=1");
        let lines = honest.head.lines().map(|line| if line.starts_with("Link: ") { &link } else { line });
        Reply { head: lines.map(|line| line.to_owned() + "\r\n").collect(), ..honest }
    });
    fake
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_objects_are_copied_by_the_origins_that_the_director_names() {
    let place = Place::new([Manners::XRootD6, Manners::DCache]).await;
    place.sites.store(0, "/protected/d/f", DATA);
    place.sites.store(0, "/protected/d/sub/g", DATA);
    let [one, two] = [
        federation_of(place.sites.url(0, "").as_str()).await,
        federation_of(place.sites.url(1, "").as_str()).await,
    ];
    let (source, target) = (one.name("/protected/d/f"), two.name("/protected/new/f"));
    let [_, url] = place.urls();
    for (mode, source, target, file) in [
        ("pull", &source, &target, "/protected/new/f"),
        ("push", &source, &target, "/protected/new/f"),
        ("pull", &source, &url, "/d/f"),
        (
            "pull",
            &place.sites.url(0, "/protected/d/f").to_string(),
            &two.name("/protected/again/"),
            "/protected/again/f",
        ),
    ] {
        let output = place.copy(&["--json", "--mode", mode, source, target]);
        assert_eq!(output.status.code(), Some(0), "{mode} {source} {target}: {}", text(&output.stderr));
        assert_eq!(place.sites.file(1, file).as_deref(), Some(DATA), "{mode} {source} {target}");
    }
    let output = place.copy(&["-r", &one.name("/protected/d"), &two.name("/protected/tree/")]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for file in ["/protected/tree/f", "/protected/tree/sub/g"] {
        assert_eq!(place.sites.file(1, file).as_deref(), Some(DATA), "{file}");
    }
    for (site, token) in TOKENS.iter().enumerate() {
        let sent = place.sites.authorizations(site).into_iter().collect::<Vec<_>>();
        assert_eq!(sent, [format!("Bearer {token}")], "site {site}");
    }
    for fake in [&one, &two] {
        let asked = fake.seen(FederationServer::Director);
        assert!(asked.iter().all(|asked| !asked.headers.contains_key("authorization")));
    }
    assert!(
        one.lines(FederationServer::Director).iter().any(|line| line.ends_with("/protected/d/f?directread"))
    );
    assert!(
        two.lines(FederationServer::Director).iter().any(|line| line.starts_with("PUT /protected/new/f"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_objects_that_cannot_be_copied_say_what_to_do() {
    let place = Place::new([Manners::NoCopy, Manners::NoCopy]).await;
    place.sites.store(0, "/protected/f", DATA);
    let [one, two] = [
        federation_of(place.sites.url(0, "").as_str()).await,
        federation_of(place.sites.url(1, "").as_str()).await,
    ];
    let (source, target) = (one.name("/protected/f"), two.name("/protected/g"));
    let output = place.copy(&[&source, &target]);
    assert_eq!(output.status.code(), Some(13), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("pass `--stream`"), "{}", text(&output.stderr));
    let output = place.copy(&["--stream", &source, &target]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.sites.file(1, "/protected/g").as_deref(), Some(DATA));
    let output = place.run(&["copy", &source, &target]);
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_may_name_objects_beside_urls() {
    let place = Place::new([Manners::XRootD6, Manners::XRootD6]).await;
    for path in ["/protected/f", "/protected/a b,c", "/d/f"] {
        place.sites.store(0, path, DATA);
    }
    let federation = federation_of(place.sites.url(0, "").as_str()).await;
    let list = format!(
        "{}\n out=sub/g\n{}\n{}\n{}\n",
        federation.name("/protected/f"),
        federation.name("/protected/a b,c"),
        place.sites.url(0, "/d/f"),
        federation.name("/nowhere/x"),
    );
    fs_err::write(place.path().join("list"), list).unwrap();
    let output = place.copy(&["-i", "list", place.sites.url(1, "/d/").as_str()]);
    assert_eq!(output.status.code(), Some(9), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("3 of 4 files copied"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("/nowhere/x"), "{}", text(&output.stderr));
    for file in ["/d/sub/g", "/d/a b,c", "/d/f"] {
        assert_eq!(place.sites.file(1, file).as_deref(), Some(DATA), "{file}");
    }
    // The director is asked for the first object of the namespace, and for what it does not know.
    let asked = federation.lines(FederationServer::Director);
    let objects: Vec<_> = asked.iter().filter(|line| !line.contains("/.well-known/")).collect();
    assert!(objects[0].ends_with("/protected/f?directread"), "{objects:?}");
    assert!(objects[1..].iter().all(|line| line.contains("/nowhere/x")), "{objects:?}");
    for (site, token) in TOKENS.iter().enumerate() {
        let sent = place.sites.authorizations(site).into_iter().collect::<Vec<_>>();
        assert_eq!(sent, [format!("Bearer {token}")], "site {site}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_from_or_to_this_machine_is_a_download_or_an_upload() {
    let place = Place::new([Manners::XRootD6, Manners::XRootD6]).await;
    let [source, destination] = place.urls();
    let output = place.copy(&[&source, "here"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(fs_err::read(place.path().join("here")).unwrap(), DATA);
    let output = place.copy(
        &["file://".to_owned() + place.path().join("here").to_str().unwrap(), destination]
            .each_ref()
            .map(String::as_str),
    );
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.sites.file(1, "/d/f").as_deref(), Some(DATA));
    assert!(place.sites.copies(0).is_empty() && place.sites.copies(1).is_empty());
    let output = place.copy(&[&source, "-"]);
    assert_eq!(output.stdout, DATA);
}
