//! Creating, removing and renaming.

use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};
use scitoken_transfer::{FailureKind, Overwrite, TransferHint};

use super::support::{downloader, multistatus, resource};

fn described(path: &str, is_directory: bool) -> Reply {
    Reply::sized("207 Multi-Status", &[], multistatus(&[resource(path, is_directory, "")]))
}

fn methods(server: &ChaosServer) -> Vec<(String, String)> {
    server.seen().into_iter().map(|asked: Asked| (asked.method, asked.path)).collect()
}

#[tokio::test]
async fn nothing_that_may_be_a_directory_is_removed_as_a_file() {
    for refusal in ["405 Method Not Allowed", "403 Forbidden", "501 Not Implemented", "401 Unauthorized", ""]
    {
        let server = ChaosServer::start(move |asked| match asked.method.as_str() {
            "PROPFIND" if refusal.is_empty() => described("/d", true),
            "PROPFIND" => Reply::sized(refusal, &[], ""),
            _ => Reply::sized("204 No Content", &[], ""),
        })
        .await;
        let failure = downloader().remove_file(&server.url("d")).await.unwrap_err();
        assert_eq!(failure.hint(), Some(&TransferHint::RemoveRecursively), "{refusal}");
        assert_eq!(failure.kind(), FailureKind::Usage);
        let slash = downloader().remove_file(&server.url("d/")).await.unwrap_err();
        assert_eq!(slash.hint(), Some(&TransferHint::RemoveRecursively));
        assert!(server.seen().iter().all(|asked| asked.method != "DELETE"), "{refusal}");
        assert!(!server.seen().is_empty());
    }
}

#[tokio::test]
async fn a_file_is_removed_by_one_request() {
    let server = ChaosServer::start(|asked| match asked.method.as_str() {
        "PROPFIND" => described("/f", false),
        _ => Reply::sized("204 No Content", &[], ""),
    })
    .await;
    downloader().remove_file(&server.url("f")).await.unwrap();
    assert_eq!(methods(&server), [("PROPFIND".into(), "/f".into()), ("DELETE".into(), "/f".into())]);
}

#[tokio::test]
async fn collections_are_named_with_a_trailing_slash() {
    let server = ChaosServer::start(|asked| match asked.method.as_str() {
        "PROPFIND" if asked.path.starts_with("/e") => Reply::sized("404 Not Found", &[], ""),
        "PROPFIND" => described("/d", true),
        _ => Reply::sized("201 Created", &[], ""),
    })
    .await;
    let downloader = downloader();
    downloader.make_directory(&server.url("d")).await.unwrap();
    downloader.remove_recursively(&server.url("d")).await.unwrap();
    downloader.rename(&server.url("d"), &server.url("e"), Overwrite::Refuse).await.unwrap();
    let changes: Vec<_> = server.seen().into_iter().filter(|asked| asked.method != "PROPFIND").collect();
    let paths: Vec<_> = changes.iter().map(|asked| (asked.method.as_str(), asked.path.as_str())).collect();
    assert_eq!(paths, [("MKCOL", "/d/"), ("DELETE", "/d/"), ("MOVE", "/d/")]);
    assert_eq!(changes[2].headers["destination"], server.url("e/").as_str());
    assert_eq!(changes[2].headers["overwrite"], "F");
}

#[tokio::test]
async fn missing_parents_are_created_from_the_top() {
    let made = std::sync::Mutex::new(vec!["/".to_owned()]);
    let server = ChaosServer::start(move |asked| {
        let mut made = made.lock().unwrap();
        let parent = format!("{}/", asked.path.trim_end_matches('/').rsplit_once('/').unwrap().0);
        if made.contains(&asked.path) {
            Reply::sized("405 Method Not Allowed", &[], "")
        } else if made.contains(&parent) {
            made.push(asked.path.clone());
            Reply::sized("201 Created", &[], "")
        } else {
            Reply::sized("409 Conflict", &[], "")
        }
    })
    .await;
    downloader().make_directories(&server.url("a/b/c")).await.unwrap();
    let made: Vec<_> = methods(&server).into_iter().map(|(_, path)| path).collect();
    assert_eq!(made, ["/a/b/c/", "/a/b/", "/a/", "/a/b/", "/a/b/c/"]);
    downloader().make_directories(&server.url("a/b")).await.unwrap();
}

#[tokio::test]
async fn a_server_that_misses_a_parent_which_it_made_is_not_asked_for_ever() {
    for parent in ["201 Created", "405 Method Not Allowed"] {
        let server = ChaosServer::start(move |asked| match asked.path.as_str() {
            "/a/" => Reply::sized(parent, &[], ""),
            _ => Reply::sized("409 Conflict", &[], "no parent"),
        })
        .await;
        let failure = downloader().make_directories(&server.url("a/b")).await.unwrap_err();
        assert_eq!(failure.status().map(|status| status.as_u16()), Some(409), "{failure}");
        let asked: Vec<_> = methods(&server)
            .into_iter()
            .filter(|(method, _)| method == "MKCOL")
            .map(|(_, path)| path)
            .collect();
        assert_eq!(asked, ["/a/b/", "/a/", "/a/b/"], "{parent}");
    }
}

#[tokio::test]
async fn a_removal_that_failed_for_a_member_names_it() {
    let server = ChaosServer::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", path) => described(path, true),
        (_, "/d/") => {
            Reply::sized("207 Multi-Status", &[], multistatus(&[resource("/d/locked", false, "423 Locked")]))
        }
        _ => Reply::sized("207 Multi-Status", &[], multistatus(&[resource("/e/f", false, "204 No Content")])),
    })
    .await;
    let failure = downloader().remove_recursively(&server.url("d")).await.unwrap_err();
    assert!(failure.to_string().contains("423 Locked for `/d/locked`"), "{failure}");
    downloader().remove_recursively(&server.url("e")).await.unwrap();
}

#[tokio::test]
async fn a_name_that_is_taken_has_its_own_kind() {
    let server = ChaosServer::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("MKCOL", _) => Reply::sized("405 Method Not Allowed", &[], ""),
        ("MOVE", _) => Reply::sized("412 Precondition Failed", &[], ""),
        ("PROPFIND", "/hidden/") => Reply::sized("403 Forbidden", &[], ""),
        ("PROPFIND", "/d/") => described("/d", true),
        ("PROPFIND", "/f" | "/f/") => described("/f", false),
        _ => Reply::sized("404 Not Found", &[], ""),
    })
    .await;
    let downloader = downloader();
    for path in ["d", "d/", "f", "hidden"] {
        let failure = downloader.make_directory(&server.url(path)).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Exists, "{path}: {failure}");
    }
    // A server without WebDAV has no such name.
    let failure = downloader.make_directory(&server.url("none")).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Rejected, "{failure}");
    let failure = downloader.make_directories(&server.url("f")).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Exists, "a file is no directory: {failure}");
    downloader.make_directories(&server.url("d")).await.unwrap();
    for (overwrite, kind) in
        [(Overwrite::Refuse, FailureKind::Exists), (Overwrite::Allow, FailureKind::Rejected)]
    {
        let failure = downloader.rename(&server.url("f"), &server.url("g"), overwrite).await.unwrap_err();
        assert_eq!(failure.kind(), kind, "{failure}");
    }
}

#[tokio::test]
async fn what_exists_is_not_replaced_by_a_server_that_ignores_overwrite() {
    for target in ["f", "d"] {
        let server = ChaosServer::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
            ("PROPFIND", "/old" | "/f") => described(&asked.path, false),
            ("PROPFIND", "/d") => described("/d", true),
            ("PROPFIND", _) => Reply::sized("404 Not Found", &[], ""),
            _ => Reply::sized("201 Created", &[], ""),
        })
        .await;
        let (old, to) = (server.url("old"), server.url(target));
        let failure = downloader().rename(&old, &to, Overwrite::Refuse).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Exists, "{target}: {failure}");
        assert!(server.seen().iter().all(|asked| asked.method == "PROPFIND"), "{target}");
        downloader().rename(&old, &server.url("free"), Overwrite::Refuse).await.unwrap();
        let replaced = downloader().rename(&old, &to, Overwrite::Allow).await;
        let moves = server.seen().iter().filter(|asked| asked.method == "MOVE").count();
        if target == "f" {
            replaced.unwrap();
            assert_eq!(moves, 2);
        } else {
            // A server removes what is in the directory.
            let failure = replaced.unwrap_err();
            assert_eq!(failure.hint(), Some(&TransferHint::MoveIntoDirectory), "{failure}");
            assert_eq!((failure.kind(), moves), (FailureKind::Exists, 1));
        }
    }
}

#[tokio::test]
async fn nothing_is_moved_to_itself() {
    let server = ChaosServer::start(|_| Reply::sized("201 Created", &[], "")).await;
    let url = server.url("f");
    for same in [url.clone(), server.url("%66"), server.url("/f")] {
        let failure = downloader().rename(&url, &same, Overwrite::Allow).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Usage, "{same}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn what_the_server_does_not_call_a_file_is_not_removed_as_one() {
    let missing = "<D:propstat><D:prop><D:resourcetype/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>";
    let length = "<D:propstat><D:prop><D:getetag>\"x\"</D:getetag></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat>";
    for properties in [missing, length, ""] {
        let xml = multistatus(&[format!("<D:response><D:href>/d</D:href>{properties}</D:response>")]);
        let server = ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], xml.clone())).await;
        let failure = downloader().remove_file(&server.url("d")).await.unwrap_err();
        assert_eq!(failure.hint(), Some(&TransferHint::RemoveRecursively), "{properties}");
        assert_eq!(server.seen().len(), 1, "{properties}");
    }
}

#[tokio::test]
async fn a_removal_is_done_only_where_the_server_says_so_for_each_member() {
    for (member, words) in [
        ("<D:response><D:href>/d/f</D:href></D:response>", "does not say what became of `/d/f`"),
        (
            "<D:response><D:href>/d/f</D:href><D:status>done</D:status></D:response>",
            "does not say what became",
        ),
        (
            "<D:response><D:href>/d/f</D:href><D:status>HTTP/1.1 403 Forbidden</D:status>\
             <D:responsedescription>tape</D:responsedescription></D:response>",
            "reports 403 Forbidden for `/d/f`",
        ),
    ] {
        let xml = multistatus(&[member.to_owned()]);
        let server = ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], xml.clone())).await;
        let failure = downloader().remove_recursively(&server.url("d/")).await.unwrap_err();
        assert!(failure.to_string().contains(words), "{failure}");
        let cause = std::error::Error::source(&failure).map(ToString::to_string);
        assert_eq!(cause.is_some(), member.contains("tape"), "{cause:?}");
    }
}

#[tokio::test]
async fn a_server_that_removes_only_empty_directories_gets_one_request_for_each_entry() {
    let left = std::sync::Mutex::new(vec!["/d/", "/d/a", "/d/e/", "/d/e/f"]);
    let server = ChaosServer::start(move |asked| {
        let mut left = left.lock().unwrap();
        let path = asked.path.as_str();
        let is_member = |name: &&str| {
            name.strip_prefix(path)
                .is_some_and(|rest| !rest.is_empty() && !rest.trim_end_matches('/').contains('/'))
        };
        let members: Vec<&str> = left.iter().copied().filter(is_member).collect();
        if asked.method == "PROPFIND" {
            let mut found = vec![resource(path, true, "")];
            if asked.headers["depth"] == "1" {
                found.extend(members.iter().map(|name| resource(name, name.ends_with('/'), "")));
            }
            return Reply::sized("207 Multi-Status", &[], multistatus(&found));
        }
        if !members.is_empty() {
            let text = format!("Unable to remove {path}; directory not empty");
            return Reply::sized("500 Internal Server Error", &[], text);
        }
        left.retain(|name| *name != path);
        Reply::sized("200 OK", &[], "")
    })
    .await;
    downloader().remove_recursively(&server.url("d")).await.unwrap();
    let removed: Vec<_> =
        server.seen().into_iter().filter(|asked| asked.method == "DELETE").map(|asked| asked.path).collect();
    assert_eq!(removed, ["/d/", "/d/a", "/d/e/f", "/d/e/", "/d/"]);
}

#[tokio::test]
async fn a_resource_that_contradicts_itself_about_being_a_file_is_not_removed_as_one() {
    let file = "<D:propstat><D:prop><D:resourcetype/></D:prop></D:propstat>";
    let by_type = "<D:propstat><D:prop><D:getcontentlength>4096</D:getcontentlength>\
                   <D:getcontenttype>httpd/unix-directory</D:getcontenttype></D:prop></D:propstat>";
    let by_flag = "<D:propstat><D:prop><D:getcontentlength>4096</D:getcontentlength>\
                   <D:iscollection>true</D:iscollection></D:prop></D:propstat>";
    for (href, properties) in [("/d/", file), ("/d", by_type), ("/d", by_flag)] {
        let xml = multistatus(&[format!("<D:response><D:href>{href}</D:href>{properties}</D:response>")]);
        let server = ChaosServer::start(move |_| Reply::sized("207 Multi-Status", &[], xml.clone())).await;
        let failure = downloader().remove_file(&server.url("d")).await.unwrap_err();
        assert_eq!(failure.hint(), Some(&TransferHint::RemoveRecursively), "{href} {properties}");
        assert_eq!(methods(&server), [("PROPFIND".into(), "/d".into())], "{href} {properties}");
    }
}

#[tokio::test]
async fn a_move_whose_answer_was_lost_is_done_only_if_the_target_is_there() {
    for is_there in [true, false] {
        let server = ChaosServer::start(move |asked| {
            let is_moved = asked.number > 2;
            match (asked.method.as_str(), asked.path.as_str()) {
                ("MOVE", _) if asked.number == 2 => Reply::default(),
                ("PROPFIND", "/f") if !is_moved => described("/f", false),
                ("PROPFIND", "/g") if is_moved && is_there => described("/g", false),
                _ => Reply::sized("404 Not Found", &[], ""),
            }
        })
        .await;
        let moved = downloader().rename(&server.url("f"), &server.url("g"), Overwrite::Refuse).await;
        let kind = moved.err().map(|failure| failure.kind());
        assert_eq!(kind, (!is_there).then_some(FailureKind::NotFound));
        let asked: Vec<_> =
            methods(&server).into_iter().map(|(method, path)| format!("{method} {path}")).collect();
        assert_eq!(asked, ["PROPFIND /f", "PROPFIND /g", "MOVE /f", "MOVE /f", "PROPFIND /g"]);
    }
}

#[tokio::test]
async fn a_directory_is_ensured_only_where_no_file_has_its_name() {
    for (is_directory, expected) in [(true, None), (false, Some(FailureKind::Exists))] {
        let server = ChaosServer::start(move |asked| match asked.method.as_str() {
            "MKCOL" => Reply::sized("405 Method Not Allowed", &[], ""),
            _ => described("/d", is_directory),
        })
        .await;
        let ensured = downloader().ensure_directory(&server.url("d")).await;
        assert_eq!(ensured.as_ref().ok(), is_directory.then_some(&false));
        assert_eq!(ensured.err().map(|failure| failure.kind()), expected);
        let made = downloader().make_directories(&server.url("d")).await;
        assert_eq!(made.err().map(|failure| failure.kind()), expected);
        let asked: Vec<_> = methods(&server).into_iter().map(|(method, _)| method).collect();
        assert_eq!(asked, ["MKCOL", "PROPFIND", "MKCOL", "PROPFIND"]);
    }
}
