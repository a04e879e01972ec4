//! Copies whose report is cut or says nothing: the original stays until the copy is there.

use object_store::ObjectStoreExt as _;
use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};

use crate::hostile::store;
use crate::support::path;

/// Has `/vo/f` of 4 bytes, no `MOVE`, answers a `COPY` with this, and tells this length of the copy.
async fn copying(copy: Reply, copied: Option<&'static str>) -> ChaosServer {
    ChaosServer::start(move |asked| match (asked.method.as_str(), asked.path.as_str(), copied) {
        ("PROPFIND", "/vo/f", _) => described("/vo/f", "4"),
        ("PROPFIND", "/vo/g", Some(length)) => described("/vo/g", length),
        ("PROPFIND", ..) => Reply::sized("404 Not Found", &[], ""),
        ("COPY", ..) => copy.clone(),
        ("DELETE", ..) => Reply::sized("204 No Content", &[], ""),
        _ => Reply::sized("501 Not Implemented", &[], ""),
    })
    .await
}

fn described(path: &str, length: &str) -> Reply {
    Reply::sized(
        "207 Multi-Status",
        &[],
        format!(
            "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>{path}</D:href><D:propstat><D:prop><D:resourcetype/>\
             <D:getcontentlength>{length}</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK</D:status>\
             </D:propstat></D:response></D:multistatus>"
        ),
    )
}

fn report(text: &str) -> Reply {
    Reply::chunked("201 Created", &[], text.as_bytes(), 2)
}

const MARKER: &str = "Perf Marker\nTimestamp: 1\nStripe Bytes Transferred: 2\nEnd\n";

#[tokio::test]
async fn a_rename_by_copying_removes_the_original_only_where_the_copy_is_there() {
    let cut = report(&format!("{MARKER}success: Created\n"));
    let end = cut.body.len() - 30;
    for (copy, copied, is_right) in [
        (report(&format!("{MARKER}success: Created\n")), Some("4"), true),
        (report(&format!("{MARKER}success: Created\n")), None, false),
        (cut.clone().cut_after(end), Some("2"), false),
        // A read error, although the copy may be whole.
        (cut.cut_after(end), Some("4"), false),
        (report(MARKER), Some("4"), true),
        (report(MARKER), Some("2"), false),
        (report(MARKER), None, false),
        (Reply::sized("201 Created", &[], "<html>Created</html>"), Some("4"), true),
        (Reply::sized("201 Created", &[], ""), Some("4"), true),
        (Reply::sized("201 Created", &[], ""), None, false),
        (Reply::sized("204 No Content", &[], ""), Some("3"), false),
    ] {
        let case = format!("{copy:?} {copied:?}");
        let server = copying(copy, copied).await;
        let renamed = store(&server).rename(&path("f"), &path("g")).await;
        assert_eq!(renamed.is_ok(), is_right, "{case}: {renamed:?}");
        let seen = server.seen();
        let removed = seen.iter().filter(|asked| asked.method == "DELETE").count();
        assert_eq!(removed, usize::from(is_right), "{case}");
        assert!(seen.iter().any(|asked| asked.method == "COPY"), "{case}");
    }
}

#[tokio::test]
async fn a_copy_without_an_outcome_is_looked_at() {
    let cut = report(&format!("{MARKER}success: Created\n"));
    let end = cut.body.len() - 30;
    for (copy, copied, is_right, looks) in [
        (report("success: Created\n"), None, true, 0),
        (Reply::sized("201 Created", &[], "<html>Created</html>"), None, true, 0),
        (report(MARKER), Some("4"), true, 1),
        (report(MARKER), Some("2"), false, 1),
        (report(MARKER), None, false, 1),
        (cut.cut_after(end), Some("4"), false, 0),
    ] {
        let case = format!("{copy:?} {copied:?}");
        let server = copying(copy, copied).await;
        let done = store(&server).copy(&path("f"), &path("g")).await;
        assert_eq!(done.is_ok(), is_right, "{case}: {done:?}");
        let looked = |asked: &&Asked| asked.method == "PROPFIND" && asked.path == "/vo/g";
        assert_eq!(server.seen().iter().filter(looked).count(), looks, "{case}");
    }
}
