//! A token is renewed when it must be, and once.

use super::*;

#[tokio::test]
async fn a_token_with_a_minute_left_is_used_and_one_with_less_is_renewed() {
    let scene = scene(stored(entry("AT1", 1_060)), [rotated("AT2", "rt2")]);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    assert_eq!(scene.fake.seen(), [with("rt1")]);
    assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
    let data = scene.storage.get_token_data("rs").unwrap().unwrap();
    assert_eq!((data.identity_id(), data.scope()), (Some("A"), "scope"));
    assert_eq!(data.expires_at_seconds(), 1_601);
}

#[tokio::test]
async fn a_token_that_was_rejected_in_twenty_requests_is_renewed_once() {
    let late = Reply::Late(Duration::from_millis(20), Box::new(rotated("AT2", "rt2")));
    let scene = scene(stored(entry("AT1", 9_000)), [late]);
    let all = (0..20).map(|_| {
        let (source, clock) = (scene.source.clone(), scene.clock.clone());
        tokio::spawn(async move { ask(&source, &clock, Some("AT1")).await.unwrap() })
    });
    for one in futures_util::future::join_all(all).await {
        assert_eq!(one.unwrap(), some("AT2"));
    }
    assert_eq!(scene.fake.seen().len(), 1);
}

#[tokio::test]
async fn a_cancelled_request_does_not_lose_the_rotated_refresh_token() {
    let late = Reply::Late(Duration::from_millis(20), Box::new(rotated("AT2", "rt2")));
    let scene = scene(stored(entry("AT1", 1_000)), [late]);
    let server_is_asked = async {
        while scene.fake.seen().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        biased;
        () = server_is_asked => {}
        _ = scene.ask(None) => panic!("cancelled before the server has answered"),
    }
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
    assert_eq!(scene.fake.seen(), [with("rt1")]);
}

#[tokio::test]
async fn two_programs_on_one_file_renew_once() {
    let directory = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(directory.path().join("tokens.json"));
    storage.store_token_data(entry("AT1", 1_000)).unwrap();
    let late = Reply::Late(Duration::from_millis(20), Box::new(rotated("AT2", "rt2")));
    let scene = scene(storage.clone(), [late]);
    // Another source on the same file has its own gate, as another process would.
    let client = fake::client(&scene.fake).with_clock(scene.clock.clone());
    let other = StoredSource::new(storage, "rs").with_renewal(client);
    let (one, two) = tokio::join!(scene.ask(None), ask(&other, &scene.clock, None));
    assert_eq!((one.unwrap(), two.unwrap()), (some("AT2"), some("AT2")));
    assert_eq!(scene.fake.seen(), [with("rt1")]);
}

#[tokio::test]
async fn the_refresh_token_of_a_program_without_the_lock_is_used() {
    let storage = stored(entry("AT1", 1_000));
    let theirs = storage.clone();
    let faster = move || theirs.store_token_data(entry("AT2", 1_000).with_refresh_token("rt2")).unwrap();
    let scene =
        scene(storage, [Reply::After(Arc::new(faster), Box::new(invalid_grant())), rotated("AT3", "rt3")]);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
    assert_eq!(scene.fake.seen(), [with("rt1"), with("rt2")]);
    assert_eq!(scene.kept(), ("AT3".to_owned(), some("rt3")));
}

#[tokio::test]
async fn the_refresh_token_that_follows_the_one_of_a_program_without_the_lock_is_kept() {
    for answer in [
        Reply::json(200, r#"{"refresh_token": "rt3"}"#),
        answer("AT3", r#", "refresh_token": "rt3", "token_type": "mac""#),
        rotated("no\u{7f}bearer", "rt3"),
    ] {
        let storage = stored(entry("AT1", 1_000));
        let theirs = storage.clone();
        let faster = move || theirs.store_token_data(entry("AT2", 1_000).with_refresh_token("rt2")).unwrap();
        let scene = scene(storage, [Reply::After(Arc::new(faster), Box::new(invalid_grant())), answer]);
        assert!(scene.ask(None).await.is_err());
        assert_eq!(scene.fake.seen(), [with("rt1"), with("rt2")]);
        assert_eq!(scene.kept().1, some("rt3"));
    }
}

#[tokio::test]
async fn client_credentials_need_no_entry() {
    let (fake, clock) =
        (Fake::new([answer("AT1", ""), answer("AT2", "")]), ManualClock::at_epoch_seconds(1_000));
    let client = fake::client(&fake).with_secret("pw").with_clock(clock.clone());
    let storage = MemoryTokenStorage::new();
    let source =
        StoredSource::new(storage.clone(), "rs").with_client_credentials(client, GrantRequest::new());
    assert_eq!(ask(&source, &clock, None).await.unwrap(), some("AT1"));
    assert_eq!(ask(&source, &clock, None).await.unwrap(), some("AT1"));
    assert_eq!(ask(&source, &clock, Some("AT1")).await.unwrap(), some("AT2"));
    assert_eq!(storage.get_token_data("rs").unwrap().unwrap().expose_access_token(), "AT2");
    assert_eq!(fake.seen().len(), 2);
}

/// A storage whose renewal lock another program holds, with one entry.
fn locked(expires_at: i64) -> (tempfile::TempDir, JsonTokenStorage, RenewalLock) {
    let directory = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(directory.path().join("tokens.json"));
    storage.store_token_data(entry("AT1", expires_at)).unwrap();
    let lock = storage.try_lock_for_renewal().unwrap().unwrap();
    (directory, storage, lock)
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_still_valid_is_used_while_another_program_holds_the_lock() {
    let (_directory, storage, lock) = locked(1_030);
    let scene = scene(storage, [rotated("AT2", "rt2")]);
    let started = tokio::time::Instant::now();
    assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(scene.fake.seen().is_empty());
    drop(lock);
    scene.clock.set(UNIX_EPOCH + Duration::from_secs(1_010));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_another_program_keeps_is_a_failure_that_may_pass() {
    let (_directory, storage, lock) = locked(900);
    let scene = scene(storage, [rotated("AT2", "rt2")]);
    let started = tokio::time::Instant::now();
    for _ in 0..2 {
        let error = scene.ask(None).await.unwrap_err();
        assert!(error.is_transient() && error.to_string().contains("for 30 s"), "{error:?}");
    }
    // The second question within the cooldown does not wait again.
    assert!(started.elapsed() < Duration::from_secs(40), "{:?}", started.elapsed());
    assert!(scene.fake.seen().is_empty());
    drop(lock);
    scene.clock.set(UNIX_EPOCH + Duration::from_secs(1_010));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_given_up_waits_for_no_lock() {
    let (_directory, storage, _lock) = locked(900);
    let scene = scene(storage, []);
    let started = tokio::time::Instant::now();
    tokio::select! {
        _ = scene.ask(None) => panic!("nothing ends the wait"),
        () = tokio::time::sleep(Duration::from_secs(2)) => {}
    }
    scene.source.finish().await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
