//! What each capability and group allows.

use super::*;

#[tokio::test]
async fn storage_read_reads_its_path_and_changes_nothing() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let read = server.token("storage.read:/d", &[]);
    let answer = server.ask("GET", "/d/f", &read).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "old"));
    assert_eq!(server.status("GET", "/d/absent", &read).await, 404);
    assert_eq!(server.status("HEAD", "/d", &read).await, 200, "a directory, without a redirect");
    let listing = server.ask("PROPFIND", "/d", &read).await;
    assert!(listing.status == 207 && listing.body.contains("/area/d/f"), "{listing:?}");
    for (method, path) in [
        ("GET", "/dd"),
        ("GET", "/e"),
        ("GET", "/"),
        ("PROPFIND", "/"),
        ("PUT", "/d/f"),
        ("PUT", "/d/new"),
        ("DELETE", "/d/f"),
        ("MKCOL", "/d/new"),
        ("PROPPATCH", "/d/f"),
    ] {
        assert_eq!(server.status(method, path, &read).await, 403, "{method} {path}");
    }
    assert_eq!(server.to("COPY", "/d/f", "/d/g", &read).await, 403);
    assert_eq!(server.to("MOVE", "/d/f", "/d/g", &read).await, 403);
    assert_eq!(server.read("/d/f").as_deref(), Some("old"));
    assert_eq!(server.read("/d/g"), None);
}

#[tokio::test]
async fn storage_create_neither_overwrites_nor_deletes_nor_reads() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    server.write("/d/other", "other");
    let create = server.token("storage.create:/d", &[]);
    assert_eq!(server.status("PUT", "/d/new", &create).await, 201);
    assert_eq!(server.status("MKCOL", "/d/dir", &create).await, 201);
    assert_eq!(server.to("MOVE", "/d/new", "/d/renamed", &create).await, 201, "a name that replaces nothing");
    for (method, path) in [
        ("PUT", "/d/f"),
        ("PUT", "/d/renamed"),
        ("DELETE", "/d/f"),
        ("DELETE", "/d/dir"),
        ("GET", "/d/f"),
        ("PUT", "/e"),
    ] {
        assert_eq!(server.status(method, path, &create).await, 403, "{method} {path}");
    }
    assert_eq!(server.to("MOVE", "/d/other", "/d/f", &create).await, 403);
    let copy = server.token("storage.create:/d storage.read:/d", &[]);
    assert_eq!(server.to("COPY", "/d/other", "/d/f", &copy).await, 403);
    assert_eq!(server.to("COPY", "/d/other", "/d/copy", &copy).await, 201);
    assert_eq!(server.to("MOVE", "/d/other", "/outside", &create).await, 403);
    for (path, content) in
        [("/d/f", "old"), ("/d/other", "other"), ("/d/renamed", "new"), ("/d/copy", "other")]
    {
        assert_eq!(server.read(path).as_deref(), Some(content), "{path}");
    }
}

#[tokio::test]
async fn of_two_that_create_the_same_file_at_once_one_fails() {
    let server = Server::start().await;
    let create = server.token("storage.create:/", &[]);
    for round in 0..20 {
        let path = format!("/race-{round}");
        let put = || server.request("PUT", &path, &create).body(vec![b'x'; 200_000]);
        let (one, other) = tokio::join!(send(put()), send(put()));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses[0], 201, "{statuses:?}");
        assert!(matches!(statuses[1], 403 | 412), "{statuses:?}");
    }
}

#[tokio::test]
async fn storage_modify_writes_and_deletes_and_does_not_read() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let modify = server.token("storage.modify:/d", &[]);
    for (method, path, status) in [
        ("PUT", "/d/f", 204),
        ("GET", "/d/f", 403),
        ("HEAD", "/d/f", 403),
        ("PROPFIND", "/d", 403),
        ("PUT", "/d/new", 201),
        ("MKCOL", "/d/dir", 201),
        ("DELETE", "/d/dir", 204),
        ("DELETE", "/d/f", 204),
        ("PUT", "/e", 403),
        ("DELETE", "/", 403),
    ] {
        assert_eq!(server.status(method, path, &modify).await, status, "{method} {path}");
    }
    assert_eq!(server.to("COPY", "/d/new", "/d/copy", &modify).await, 403, "a copy reads");
    assert_eq!(server.to("MOVE", "/d/new", "/d/f", &modify).await, 201);
    assert_eq!((server.read("/d/f").as_deref(), server.read("/d/new")), (Some("new"), None));
}

#[tokio::test]
async fn staging_polling_and_foreign_scopes_allow_nothing() {
    let server = Server::start().await;
    server.write("/f", "old");
    for scope in ["storage.stage:/", "storage.poll:/", "openid", "compute.create", "read:/ write:/"] {
        let token = server.token(scope, &[]);
        for (method, path) in
            [("GET", "/f"), ("PUT", "/f"), ("PUT", "/new"), ("DELETE", "/f"), ("MKCOL", "/d")]
        {
            assert_eq!(server.status(method, path, &token).await, 403, "{scope}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn parents_of_a_granted_path_can_be_made_and_nothing_beside() {
    let server = Server::start().await;
    for scope in ["storage.create:/a/b/c", "storage.modify:/m/b/c"] {
        let top = &scope[scope.len() - 6..scope.len() - 4];
        let token = server.token(scope, &[]);
        assert_eq!(server.status("PUT", &format!("{top}/b/c/f"), &token).await, 409, "no parent yet");
        for (path, status) in
            [("", 201), ("/x", 403), ("/bb", 403), ("/b", 201), ("/b/c", 201), ("/b/d", 403), ("/b/c/e", 201)]
        {
            assert_eq!(
                server.status("MKCOL", &format!("{top}{path}"), &token).await,
                status,
                "{scope}: {top}{path}"
            );
        }
        assert_eq!(server.status("PUT", &format!("{top}/b/c/f"), &token).await, 201);
        assert_eq!(server.status("PUT", &format!("{top}/b/f"), &token).await, 403);
    }
}

#[tokio::test]
async fn the_members_of_a_group_write_where_no_area_belongs_to_another() {
    let server = Server::start().await;
    let (member, tester) =
        (server.token("wlcg.groups", &["/vo"]), server.token("wlcg.groups:/vo/test", &["/vo/test"]));
    for (token, who, method, path, status) in [
        (&member, "member", "PUT", "/f", 201),
        (&member, "member", "GET", "/f", 200),
        (&member, "member", "GET", "/protected/f", 404),
        (&member, "member", "PUT", "/protected/f", 403),
        (&member, "member", "MKCOL", "/protected/d", 403),
        (&tester, "tester", "GET", "/protected/f", 404),
        (&tester, "tester", "PUT", "/protected/f", 201),
        (&member, "member", "GET", "/protected/f", 200),
        (&member, "member", "DELETE", "/protected/f", 403),
        (&member, "member", "DELETE", "/protected", 403),
        (&member, "member", "DELETE", "/protected/", 403),
        (&member, "member", "DELETE", "/", 403),
        (&tester, "tester", "GET", "/f", 403),
        (&tester, "tester", "PUT", "/f", 403),
        (&tester, "tester", "DELETE", "/protected/f", 204),
        (&member, "member", "DELETE", "/f", 204),
    ] {
        assert_eq!(server.status(method, path, token).await, status, "{who}: {method} {path}");
    }
    assert_eq!(server.to("MOVE", "/protected", "/mine", &member).await, 403);
    let both = server.token("storage.read:/d", &["/vo"]);
    assert_eq!(
        server.status("PUT", "/g", &both).await,
        403,
        "its groups do not count beside its capabilities"
    );
    let other = server.token("openid", &["/other", "/vo/sub"]);
    assert_eq!(server.status("GET", "/f", &other).await, 403, "a subgroup is another group");
}
