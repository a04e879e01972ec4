//! Which server sees the token, for each pair of origins and each rule of trust.

use super::*;

/// Where a redirect leads, seen from `https://site.test`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    SameOrigin,
    OtherPort,
    OtherHost,
    SubDomain,
    SchemeUp,
    SchemeDown,
    ThereAndBack,
    Relative,
    UserInfo,
    Presigned,
}

/// Which rule decides.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    SameOrigin,
    /// The token's audience names both servers.
    AudienceMatch,
    /// The token's audience names neither.
    AudienceMismatch,
    /// The second server is among the trusted hosts.
    Hosts,
    /// It is not.
    OtherHosts,
}

/// What happened: the tokens that each server saw (`t`, or `-` for none), and how it ended.
#[derive(Debug, PartialEq)]
struct Outcome {
    first: Vec<&'static str>,
    second: Vec<&'static str>,
    end: &'static str,
}

fn outcome(first: &[&'static str], second: &[&'static str], end: &'static str) -> Outcome {
    Outcome { first: first.to_vec(), second: second.to_vec(), end }
}

async fn run(row: Row, column: Column) -> Outcome {
    // The second server first, since the first one has to know its address.
    let name = match row {
        Row::OtherPort => "site.test",
        Row::SubDomain => "data.site.test",
        _ => "untrusted.test",
    };
    let back = Arc::new(OnceLock::<String>::new());
    let back_to = Arc::clone(&back);
    let second = Place::https(name)
        .start(move |seen| match back_to.get() {
            Some(location) if seen.path() == "/via" => Reply::redirect(302, location),
            _ => Reply::ok("data"),
        })
        .await;
    let location = match row {
        Row::SameOrigin | Row::SchemeUp | Row::SchemeDown | Row::Relative => "/end".to_owned(),
        Row::OtherPort | Row::OtherHost | Row::SubDomain => second.url("/end").to_string(),
        Row::ThereAndBack => second.url("/via").to_string(),
        Row::UserInfo => second.url("/end").to_string().replace("https://", "https://me:pw@"),
        Row::Presigned => second.url("/end?X-Amz-Signature=abcdef&authz=Bearer%20presigned").to_string(),
    };
    // Both schemes on one port, so that nothing but the scheme differs.
    let name = if matches!(row, Row::SchemeUp | Row::SchemeDown) { "localhost" } else { "site.test" };
    let first = Place::https(name)
        .start(move |seen| match (row, seen.path()) {
            (Row::SameOrigin | Row::SchemeUp | Row::SchemeDown, "/start") => {
                let scheme = if row == Row::SchemeDown { "http" } else { "https" };
                let host = seen.header("host").unwrap();
                Reply::redirect(302, format!("{scheme}://{host}{location}"))
            }
            (_, "/start") => Reply::redirect(302, &location),
            _ => Reply::ok("data"),
        })
        .await;
    back.set(first.url("/end").to_string()).unwrap();

    let audience = match column {
        Column::AudienceMismatch => serde_json::json!(["https://elsewhere.test"]),
        // As a token's audience names them: both servers, in every scheme that the row uses.
        _ => serde_json::json!([first.origin(), first.origin().replace("https", "http"), second.origin()]),
    };
    let token = tokens::jwt(&serde_json::json!({
        "wlcg.ver": "1.0", "iss": "https://issuer.test", "aud": audience, "exp": tokens::in_an_hour(),
        "scope": "storage.read:/",
    }));
    let trust = match column {
        Column::SameOrigin => RedirectTrust::SameOrigin,
        Column::AudienceMatch | Column::AudienceMismatch => RedirectTrust::Audience,
        Column::Hosts => patterns(&[second.name(), "localhost", "http://localhost"]),
        Column::OtherHosts => patterns(&["trusted.test", "*.elsewhere.test"]),
    };
    let session = session_knowing(Script::new(&[&token]), &[&first, &second])
        .redirect_trust(trust)
        .http(reqwest::ClientBuilder::http1_only)
        .build()
        .unwrap();
    let start = match row {
        Row::SchemeUp => first.url_as("http", "localhost", "/start"),
        _ => first.url("/start"),
    };
    let sent = session.get(start).send().await;

    let tokens = |server: &Server| {
        let name = |seen: &Seen| match seen.authorization() {
            None => "-",
            Some(value) if value.strip_prefix("Bearer ") == Some(token.as_str()) => "t",
            Some(_) => "something else",
        };
        server.seen().iter().map(name).collect::<Vec<_>>()
    };
    if row == Row::Presigned {
        assert_eq!(second.seen()[0].target, "/end?X-Amz-Signature=abcdef&authz=Bearer%20presigned");
    }
    let end = match &sent {
        Ok(response) => match response.status().as_u16() {
            200 => "200",
            _ => "another status",
        },
        Err(error) if Error::find(error).is_some_and(Error::is_redirect) => "redirect error",
        Err(_) => "another error",
    };
    Outcome { first: tokens(&first), second: tokens(&second), end }
}

/// One test per cell.
macro_rules! matrix {
    ($($name:ident: $row:ident { $($column:ident: $first:expr, $second:expr, $end:expr;)* })*) => {
        $(mod $name {
            use super::*;
            $(
                #[tokio::test]
                #[expect(non_snake_case, reason = "named after the rule")]
                async fn $column() {
                    assert_eq!(run(Row::$row, Column::$column).await, outcome(&$first, &$second, $end));
                }
            )*
        })*
    };
}

matrix! {
    same_origin: SameOrigin {
        SameOrigin: ["t", "t"], [], "200";
        AudienceMatch: ["t", "t"], [], "200";
        AudienceMismatch: ["t", "t"], [], "200";
        Hosts: ["t", "t"], [], "200";
        OtherHosts: ["t", "t"], [], "200";
    }
    other_port: OtherPort {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["t"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["t"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
    other_host: OtherHost {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["t"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["t"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
    sub_domain: SubDomain {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["t"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["t"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
    scheme_up: SchemeUp {
        SameOrigin: ["t", "-"], [], "200";
        AudienceMatch: ["t", "t"], [], "200";
        AudienceMismatch: ["t", "-"], [], "200";
        Hosts: ["t", "t"], [], "200";
        OtherHosts: ["t", "-"], [], "200";
    }
    scheme_down: SchemeDown {
        SameOrigin: ["t", "-"], [], "200";
        AudienceMatch: ["t", "-"], [], "200";
        AudienceMismatch: ["t", "-"], [], "200";
        Hosts: ["t", "-"], [], "200";
        OtherHosts: ["t", "-"], [], "200";
    }
    there_and_back: ThereAndBack {
        SameOrigin: ["t", "-"], ["-"], "200";
        AudienceMatch: ["t", "t"], ["t"], "200";
        AudienceMismatch: ["t", "-"], ["-"], "200";
        Hosts: ["t", "t"], ["t"], "200";
        OtherHosts: ["t", "-"], ["-"], "200";
    }
    relative: Relative {
        SameOrigin: ["t", "t"], [], "200";
        AudienceMatch: ["t", "t"], [], "200";
        AudienceMismatch: ["t", "t"], [], "200";
        Hosts: ["t", "t"], [], "200";
        OtherHosts: ["t", "t"], [], "200";
    }
    user_info: UserInfo {
        SameOrigin: ["t"], [], "redirect error";
        AudienceMatch: ["t"], [], "redirect error";
        AudienceMismatch: ["t"], [], "redirect error";
        Hosts: ["t"], [], "redirect error";
        OtherHosts: ["t"], [], "redirect error";
    }
    presigned: Presigned {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["-"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["-"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
}
