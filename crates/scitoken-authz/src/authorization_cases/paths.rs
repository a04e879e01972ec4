//! Paths of scopes and of requests.

use super::*;

#[test]
fn a_sibling_that_begins_alike_is_another_path() {
    assert_eq!(read("read:/john", "/johnathan"), Err(AuthorizationError::NotGranted));
}

#[test]
fn a_path_includes_itself_and_what_is_beneath() {
    assert_eq!(read("read:/john", "/john"), Ok(()));
    assert_eq!(read("read:/john", "/john/file"), Ok(()));
}

#[test]
fn a_scope_that_climbs_is_refused() {
    for scope in [
        "read:/home/user1/..",
        "read:/foo/%2e%2e/bar",
        "read:/foo/%2E%2e/bar",
        "read:/foo/.%2e/bar",
        "read:/foo/%2e./bar",
    ] {
        for path in ["/home/user2", "/bar", "/"] {
            assert!(is_malformed(read(scope, path), InvalidPath::DotDot), "{scope} {path}");
        }
    }
}

#[test]
fn a_scope_that_climbs_after_two_decodings_gives_no_acl() {
    let token = scitokens2("read:/foo/%252e%252e/bar");
    assert!(is_malformed(builder().build().acls(&token).map(|_| ()), InvalidPath::DotDot));
    assert!(is_malformed(read("read:/foo/%252e%252e/bar", "/bar"), InvalidPath::DotDot));
}

#[test]
fn an_encoded_slash_is_refused() {
    assert!(is_malformed(read("read:/a%2fb", "/a/b"), InvalidPath::Separator));
}

#[test]
fn escapes_are_decoded_as_utf_8() {
    assert_eq!(read("read:/a%20b", "/a b"), Ok(()));
    assert_eq!(read("read:/%c3%bc", "/ü"), Ok(()));
}

#[test]
fn empty_components_do_not_count() {
    assert_eq!(read("read://foo//bar", "/foo/bar"), Ok(()));
}

#[test]
fn a_slash_at_the_end_means_the_directory_only() {
    assert_eq!(read("read:/foo/", "/foo"), Err(AuthorizationError::NotGranted));
    assert_eq!(read("read:/foo/", "/foo/x"), Ok(()));
    assert_eq!(read("read:/foo/", "/foobar"), Err(AuthorizationError::NotGranted));
    let create = wlcg("storage.create:/foo/bar/");
    let enforcer = builder().build();
    assert_eq!(ask(&enforcer, &create, "storage.create", "/foo/bar"), Err(AuthorizationError::NotGranted));
    assert_eq!(ask(&enforcer, &create, "storage.create", "/foo/bar/x"), Ok(()));
}

#[test]
fn a_request_that_climbs_cannot_even_be_asked() {
    for path in ["/foo/../etc", "/foo/%2E%2E/etc", "/foo/%2e%2e/etc", "/foo/%252e%252e/etc"] {
        assert_eq!(path.parse::<ResourcePath>(), Err(InvalidPath::DotDot), "{path}");
    }
    assert_eq!(ResourcePath::from_decoded("/foo/../etc"), Err(InvalidPath::DotDot));
}

#[test]
fn a_scope_without_the_path_that_it_needs_voids_the_token() {
    for scope in [
        "read",
        "read:",
        "write",
        "storage.read",
        "storage.read:",
        "storage.create",
        "storage.create:",
        "storage.modify",
        "storage.modify:",
        "storage.stage",
        "storage.poll",
    ] {
        let void = Err(AuthorizationError::ScopeWithoutPath { scope: scope.to_owned() });
        for token in
            [scitokens2(&format!("read:/data {scope}")), wlcg(&format!("storage.read:/data {scope}"))]
        {
            assert_eq!(ask(&builder().build(), &token, "read", "/etc/passwd"), void, "{scope}");
            assert_eq!(ask(&compat(), &token, "read", "/data"), void, "{scope}");
            assert_eq!(builder().build().acls(&token).map(|_| ()), void, "{scope}");
        }
    }
}

#[test]
fn a_relative_path_is_refused() {
    assert!(is_malformed(read("read:foo", "/foo"), InvalidPath::Relative));
}

#[test]
fn compute_needs_no_path() {
    let submit = Access::everywhere("compute.create");
    assert_eq!(builder().build().test(&wlcg("compute.create"), submit), Ok(()));
    assert_eq!(
        builder().build().test(&wlcg("compute.create:/a"), submit),
        Err(AuthorizationError::NotGranted)
    );
    assert_eq!(builder().build().test(&wlcg("compute.read"), submit), Err(AuthorizationError::NotGranted));
}

#[test]
fn a_missing_parent_may_be_made_on_the_way_to_what_may_be_created() {
    let enforcer = builder().build();
    let may =
        |scope: &str, path: &str| enforcer.test(&wlcg(scope), Access::make_parent(&path.parse().unwrap()));
    assert_eq!(may("storage.create:/foo/bar", "/foo"), Ok(()));
    assert_eq!(may("storage.modify:/foo/bar", "/foo"), Ok(()));
    assert_eq!(may("storage.create:/foo/bar", "/foo/bar/x"), Ok(()));
    assert_eq!(may("storage.create:/foo/bar", "/fo"), Err(AuthorizationError::NotGranted));
    assert_eq!(may("storage.read:/foo/bar", "/foo"), Err(AuthorizationError::NotGranted));
}
