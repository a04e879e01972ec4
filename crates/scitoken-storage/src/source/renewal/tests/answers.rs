//! What is taken from an answer.

use super::*;

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let scene = scene(stored(entry("AT1", 1_000)), [answer("AT2", ""), answer("AT3", "")]);
    scene.ask(None).await.unwrap();
    assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt1")));
    scene.clock.advance(Duration::from_secs(600));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
    assert_eq!(scene.fake.seen(), [with("rt1"), with("rt1")]);
}

#[tokio::test]
async fn the_only_token_of_an_answer_is_stored_under_the_name_of_the_entry() {
    let renamed = answer("AT2", r#", "refresh_token": "rt2", "resource_server": "x""#);
    let scene = scene(stored(entry("AT1", 1_000)), [renamed]);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
    let data = scene.storage.get_token_data("rs").unwrap().unwrap();
    assert_eq!(data.resource_server(), "rs");
}

#[tokio::test]
async fn a_rotated_refresh_token_is_kept_even_if_the_rest_of_the_answer_is_invalid() {
    let foreign = r#", "refresh_token": "rt2", "id_token": "e30.e30.sig""#;
    let unusable = rotated("no bearer\u{7f}", "rt3");
    let scene = scene(stored(entry("AT1", 1_000)), [answer("AT2", foreign), unusable]);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
    scene.clock.advance(Duration::from_secs(600));
    assert!(scene.ask(None).await.is_err());
    assert_eq!(scene.kept().1, some("rt3"));
}

#[tokio::test]
async fn a_rotated_refresh_token_is_stored_even_if_the_answer_has_no_usable_token() {
    let several = r#", "resource_server": "x", "refresh_token": "rt2",
        "other_tokens": [{"access_token": "AT3", "expires_in": 600, "resource_server": "y"}]"#;
    for reply in [
        answer("AT2", several),
        Reply::json(200, r#"{"refresh_token": "rt2"}"#),
        Reply::json(200, r#"{"access_token": "AT2", "token_type": "DPoP", "refresh_token": "rt2"}"#),
        Reply::json(200, r#"{"refresh_token": "rt2", "access_token": "AT"#),
        Reply::json(200, r#"{"access_token": NaN, "x": 'y', "refresh_token": "rt2"}"#),
        Reply::json(200, "refresh_token=rt2"),
        Reply::html(200, "\u{feff}token_type=bearer&refresh_token=rt2&access_token=\r\n"),
        Reply::json(200, "refresh_token=rt2&error=&access_token=AT2&token_type=mac"),
    ] {
        let scene = scene(stored(entry("AT1", 1_000)), [reply, rotated("AT4", "rt3")]);
        assert!(scene.ask(None).await.is_err());
        assert_eq!(scene.kept(), ("AT1".to_owned(), some("rt2")));
        assert_eq!(scene.ask(None).await.unwrap(), some("AT4"), "the next one needs no new login");
        assert_eq!(scene.fake.seen(), [with("rt1"), with("rt2")]);
    }
}

#[tokio::test]
async fn an_entry_without_a_usable_access_token_is_renewed_with_its_refresh_token() {
    for text in ["", "two words", "line\nline"] {
        for end in [0, 1_000_000] {
            let scene = scene(stored(entry(text, end)), [rotated("AT2", "rt2")]);
            assert_eq!(scene.ask(None).await.unwrap(), some("AT2"), "{text}");
            assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
            let alone = StoredSource::new(stored(entry(text, end)), "rs");
            let error = ask(&alone, &scene.clock, None).await.unwrap_err();
            assert!(error.is_expired() && error.to_string().contains("no valid bearer token"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_answer_for_several_others_is_not_stored() {
    let others = r#", "resource_server": "x",
        "other_tokens": [{"access_token": "AT3", "expires_in": 600, "resource_server": "y"}]"#;
    let scene = scene(stored(entry("AT1", 1_000)), [answer("AT2", others)]);
    let error = scene.ask(None).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("is for `x`, `y`"), "{cause}");
    assert_eq!(scene.kept().0, "AT1");
}

#[tokio::test]
async fn an_answer_as_a_form_renews_like_one_in_json() {
    for form in [
        "access_token=AT2&refresh_token=rt2",
        "refresh_token=rt2&access_token=AT2&expires_in=600&token_type=bearer\r\n",
        "\u{feff}scope=a+b&access_token=AT2&error=&refresh_token=rt2&expires_in=soon",
        " access_token=old&access_token=AT2&refresh_token=&refresh_token=rt2&expires_in=-1",
    ] {
        for reply in [Reply::json(200, form), Reply::html(200, form)] {
            let scene = scene(stored(entry("AT1", 1_000)), [reply]);
            assert_eq!(scene.ask(None).await.unwrap(), some("AT2"), "{form}");
            assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")), "{form}");
        }
    }
}

#[tokio::test]
async fn an_answer_in_utf_16_renews_as_one_in_utf_8() {
    let text = r#"{"access_token": "AT2", "refresh_token": "rt2", "expires_in": 600}"#;
    for mark in [&[][..], &[0xff, 0xfe]] {
        let body = mark.iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let reply = Reply::Answer { status: 200, content_type: "application/json", body };
        let scene = scene(stored(entry("AT1", 1_000)), [reply]);
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
        assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_says_what_it_is_instead() {
    let gzip_cut_off = Reply::Answer {
        status: 200,
        content_type: "application/json",
        body: vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3],
    };
    for (reply, words) in [
        (Reply::json(200, ""), "with an empty document instead of JSON"),
        (Reply::html(200, "<a href='/login?x=1&error=foo'>"), "with a web page instead of JSON"),
        (Reply::json(200, "<a href='/login?x=1&error=foo'>"), "with HTML or XML instead of JSON"),
        (Reply::json(200, "-----BEGIN CERTIFICATE-----"), "with PEM instead of JSON"),
        (Reply::json(200, "[1]"), "with something other than JSON"),
        (Reply::Encoded { encoding: "br", body: b"xyz".to_vec() }, "with content encoded as `br`"),
        (gzip_cut_off, "with an empty document instead of JSON"),
    ] {
        let scene = scene(stored(entry("AT1", 1_000)), [reply]);
        let error = scene.ask(None).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(words), "{cause}");
    }
}
