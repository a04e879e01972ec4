//! Names that others give to files: servers with `-J`, and Metalinks.

use crate::support::{DIGEST, HELLO, get, serve};
use scitoken_test_support::chaos_server::Reply;

#[test]
fn the_server_names_the_file_and_replaces_none() {
    let (_runtime, server) = serve(|asked| {
        let name = match asked.path.as_str() {
            "/plain" => "attachment; filename=\"run 1.root\"",
            "/dash" => "attachment; filename=-rf",
            "/dot" => "attachment; filename=.profile",
            "/evil" => "attachment; filename=\"../../escape\"",
            "/nul" => "attachment; filename*=UTF-8''a%00b",
            "/part" => "attachment; filename=x.part",
            _ => "inline",
        };
        Reply::honest(asked, HELLO, &[DIGEST[0], ("Content-Disposition", name)])
    });
    let directory = tempfile::tempdir().unwrap();
    let there = |name: &str| directory.path().join(name).exists();
    for (path, name) in [("plain", "run 1.root"), ("dash", "_-rf"), ("dot", "_.profile"), ("none", "none")] {
        let ended = get(directory.path(), &["-J", server.url(path).as_str()]);
        assert_eq!(ended.code, 0, "{path}: {}", ended.err);
        assert!(there(name), "{path}");
    }
    for (path, code) in [("evil", 13), ("nul", 13), ("part", 3)] {
        let ended = get(directory.path(), &["-J", server.url(path).as_str()]);
        assert_eq!(ended.code, code, "{path}: {}", ended.err);
        assert!(ended.err.contains("hint: "), "{path}: {}", ended.err);
    }
    assert!(!directory.path().parent().unwrap().join("escape").exists());
    fs_err::write(directory.path().join("run 1.root"), "mine").unwrap();
    let ended = get(directory.path(), &["-J", server.url("plain").as_str()]);
    assert_eq!(ended.code, 15, "{}", ended.err);
    assert!(ended.err.contains("`run 1.root` already exists"), "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("run 1.root")).unwrap(), b"mine");
    let kept = get(directory.path(), &["-J", "--skip-existing=checksum", server.url("none").as_str()]);
    assert_eq!(kept.code, 0, "{}", kept.err);
}

#[test]
fn two_files_that_servers_give_one_name_are_not_mixed_up() {
    let (_runtime, server) =
        serve(|asked| Reply::honest(asked, HELLO, &[("Content-Disposition", "attachment; filename=same")]));
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &["-J", "-j", "1", server.url("a").as_str(), server.url("b").as_str()]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("file 1 of this run"), "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("same")).unwrap(), HELLO);
}

#[test]
fn a_server_that_answers_no_head_leaves_the_name_of_the_address() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "HEAD" => Reply::sized("405 Method Not Allowed", &[], ""),
        _ => Reply::honest(asked, HELLO, &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &["-J", server.url("f").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(directory.path().join("f").exists());
}

#[test]
fn a_metalink_names_files_mirrors_lengths_and_checksums() {
    let (_down_runtime, down) = serve(|_| Reply::sized("503 Service Unavailable", &[], ""));
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/wrong" => Reply::honest(asked, b"hello scitokenz\n", &[]),
        "/long" => Reply::honest(asked, b"hello scitokens, and more\n", &[]),
        _ => Reply::honest(asked, HELLO, &[]),
    });
    let file = |name: &str, path: &str, hash: &str| {
        format!(
            "<file name=\"{name}\"><size>16</size>{hash}<url priority=\"2\">{}</url>\
             <url priority=\"1\">{}</url></file>",
            server.url(path),
            down.url("f"),
        )
    };
    let adler32 = "<hash type=\"adler32\">355f0612</hash>";
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\">{}{}{}</metalink>",
        file("d/good", "good", adler32),
        file("wrong", "wrong", adler32),
        file("long", "long", ""),
    );
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("list.meta4"), text).unwrap();
    let ended = get(directory.path(), &["-i", "list.meta4", "-j", "1", "--retry", "1"]);
    assert_eq!(ended.code, 12, "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("d/good")).unwrap(), HELLO);
    assert!(!directory.path().join("wrong").exists() && !directory.path().join("long").exists());
    assert!(ended.err.contains("2 failed"), "{}", ended.err);
    assert!(!down.seen().is_empty(), "the first mirror was asked first");
    fs_err::write(directory.path().join("bad.meta4"), "<metalink><file name=\"../x\"></file></metalink>")
        .unwrap();
    let ended = get(directory.path(), &["-i", "bad.meta4"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("`bad.meta4`: `../x` is not a name below"), "{}", ended.err);
}
