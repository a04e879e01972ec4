//! What the scopes of a token grant, and how they are listed.

use super::*;

#[test]
fn the_order_of_scopes_does_not_matter() {
    for scope in ["write:/../x read:/foo", "read:/foo write:/../x"] {
        assert!(is_malformed(read(scope, "/foo/a"), InvalidPath::DotDot), "{scope}");
    }
}

#[test]
fn an_empty_authorization_is_never_granted() {
    assert_eq!(
        ask(&builder().build(), &scitokens2("read:/foo"), "", "/x"),
        Err(AuthorizationError::EmptyAuthorization)
    );
}

#[test]
fn authorizations_are_compared_with_their_case() {
    assert_eq!(read("READ:/foo", "/foo"), Err(AuthorizationError::NotGranted));
}

#[test]
fn storage_create_does_not_allow_overwriting() {
    let token = wlcg("storage.create:/d");
    assert_eq!(ask(&compat(), &token, "create", "/d/f"), Ok(()));
    for authorization in ["write", "modify", "storage.modify"] {
        assert_eq!(ask(&compat(), &token, authorization, "/d/f"), Err(AuthorizationError::NotGranted));
    }
}

#[test]
fn storage_modify_includes_creating() {
    let token = wlcg("storage.modify:/d");
    assert_eq!(ask(&builder().build(), &token, "storage.create", "/d/f"), Ok(()));
    for authorization in ["create", "write", "modify", "storage.create", "storage.modify"] {
        assert_eq!(ask(&compat(), &token, authorization, "/d/f"), Ok(()), "{authorization}");
    }
    assert_eq!(ask(&compat(), &token, "read", "/d/f"), Err(AuthorizationError::NotGranted));
}

#[test]
fn staging_does_not_include_reading() {
    for version in ["1.0", "1.1", "1.2", "1.3"] {
        let token = token(&format!(
            r#""wlcg.ver":"{version}","aud":"https://aud.example","scope":"storage.stage:/d""#
        ));
        assert_eq!(ask(&compat(), &token, "read", "/d"), Err(AuthorizationError::NotGranted));
        assert_eq!(ask(&compat(), &token, "storage.read", "/d"), Err(AuthorizationError::NotGranted));
        assert_eq!(ask(&compat(), &token, "storage.stage", "/d"), Ok(()));
    }
}

#[test]
fn three_compute_scopes_are_condor_write() {
    let token = wlcg("compute.modify compute.create compute.cancel");
    assert_eq!(
        acls(&compat(), &token),
        ["compute.modify:/", "compute.create:/", "compute.cancel:/", "condor:/WRITE"]
    );
    assert_eq!(ask(&compat(), &token, "condor", "/WRITE"), Ok(()));
    assert_eq!(ask(&compat(), &token, "condor", "/WRITEUP"), Err(AuthorizationError::NotGranted));
    assert_eq!(ask(&compat(), &token, "condor", "/READ"), Err(AuthorizationError::NotGranted));
    assert_eq!(ask(&builder().build(), &token, "condor", "/WRITE"), Err(AuthorizationError::NotGranted));
    let two = wlcg("compute.modify compute.create");
    assert_eq!(ask(&compat(), &two, "condor", "/WRITE"), Err(AuthorizationError::NotGranted));
    for whole in ["compute.read", "compute.read:/"] {
        assert_eq!(ask(&compat(), &wlcg(whole), "condor", "/READ"), Ok(()), "{whole}");
    }
    // What is granted in one place is not granted for the whole pool.
    assert_eq!(
        ask(&compat(), &wlcg("compute.read:/x"), "condor", "/READ"),
        Err(AuthorizationError::NotGranted)
    );
    let narrow = wlcg("compute.modify:/ compute.create compute.cancel:/x");
    assert_eq!(ask(&compat(), &narrow, "condor", "/WRITE"), Err(AuthorizationError::NotGranted));
}

#[test]
fn scopes_that_are_no_capabilities_grant_nothing_and_void_nothing() {
    let token = wlcg("openid  offline_access urn:globus:auth:scope:transfer storage.read:/a ");
    assert_eq!(ask(&builder().build(), &token, "storage.read", "/a"), Ok(()));
    assert_eq!(acls(&builder().build(), &token), ["openid:/", "offline_access:/", "storage.read:/a"]);
    assert!(token.has_capabilities());
    assert!(!wlcg("openid profile").has_capabilities());
    let tab = wlcg(r"storage.read:/a\tstorage.read:/");
    assert!(matches!(builder().build().acls(&tab), Err(AuthorizationError::MalformedScope { .. })));
}

#[test]
fn a_token_without_scopes_is_for_its_groups_only() {
    let token = token(r#""wlcg.ver":"1.0","aud":"https://aud.example","wlcg.groups":["/cms/uk","atlas"]"#);
    let enforcer = builder().build();
    assert_eq!(enforcer.acls(&token), Err(AuthorizationError::missing("scope")));
    for group in ["/cms/uk", "cms/uk", "/atlas", "atlas"] {
        assert_eq!(enforcer.test_group(&token, group), Ok(()), "{group}");
    }
    for group in ["/cms", "/cms/uk/x", "", "/", "CMS/uk"] {
        assert!(
            matches!(enforcer.test_group(&token, group), Err(AuthorizationError::NotInGroup { .. })),
            "{group}"
        );
    }
}

#[test]
fn acls_list_each_entry_once_in_the_tokens_order() {
    let token = wlcg("storage.read:/b storage.modify:/a storage.read:/b storage.create:/a");
    assert_eq!(
        acls(&builder().build(), &token),
        ["storage.read:/b", "storage.modify:/a", "storage.create:/a"]
    );
    assert_eq!(
        acls(&compat(), &token),
        [
            "storage.read:/b",
            "read:/b",
            "storage.modify:/a",
            "storage.create:/a",
            "create:/a",
            "modify:/a",
            "write:/a"
        ]
    );
    assert_eq!(
        acls(&compat(), &scitokens2("storage.read:/b")),
        ["storage.read:/b"],
        "only WLCG is translated"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is about the time that it takes")]
fn a_token_full_of_scopes_is_listed_in_no_time() {
    // As many as fit into a token; compared one with another they would take a minute.
    let scopes: Vec<String> = (0..9_000).map(|n| format!("a:/{n:x}")).collect();
    let token = wlcg(&scopes.join(" "));
    let started = std::time::Instant::now();
    assert_eq!(builder().build().acls(&token).unwrap().len(), 9_000);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
