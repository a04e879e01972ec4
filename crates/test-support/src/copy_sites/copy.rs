//! The answer to a `COPY`.

use super::site::{Manners, World, chunked, marker, permits, refusal, server_name, text};
use crate::chaos_server::{Asked, Reply};
use crate::federation::decode;

/// The `Authorization` for the other server, as these manners read it.
fn handed_over(manners: Manners, asked: &Asked) -> Option<String> {
    let line = |name: &str, ignores_case: bool| {
        asked.lines.iter().filter_map(|line| line.split_once(':')).find_map(|(found, value)| {
            let same = if ignores_case { found.eq_ignore_ascii_case(name) } else { found == name };
            same.then(|| value.trim().to_owned())
        })
    };
    let prefixed = line("TransferHeaderAuthorization", manners != Manners::XRootD5);
    let copied = line("Copy-Header", true)
        .and_then(|value| Some(value.strip_prefix("Authorization:")?.trim().to_owned()));
    match manners {
        Manners::DCache => prefixed,
        _ => prefixed.or(copied),
    }
}

pub(super) fn copy(world: &World, number: usize, asked: &Asked) -> Reply {
    let path = decode(&asked.path);
    let (manners, allowed) = {
        let site = world[number].lock().unwrap();
        let authorization = asked.headers.get("authorization").map(String::as_str);
        (site.manners.unwrap(), permits(&site, "COPY", &path, authorization))
    };
    let here = || world[number].lock().unwrap();
    if manners == Manners::NoCopy {
        return text(&here(), "405 Method Not Allowed", "");
    }
    if !allowed {
        return refusal(&here(), "COPY", &path);
    }
    if asked.headers.get("credential").map(String::as_str) != Some("none") {
        return text(&here(), "400 Bad Request", "failure: only the credential `none` is supported\n");
    }
    let (other, is_pull) = match (asked.headers.get("source"), asked.headers.get("destination")) {
        (Some(source), None) => (source.clone(), true),
        (None, Some(destination)) => (destination.clone(), false),
        _ => return text(&here(), "400 Bad Request", "failure: no source\n"),
    };
    let other_number = 1 - number;
    let other_path = {
        let there = world[other_number].lock().unwrap();
        let Some(path) = other.strip_prefix(&there.origin) else {
            return text(&here(), "400 Bad Request", "failure: unknown host\n");
        };
        decode(path)
    };
    let (source, source_path, target, target_path) = if is_pull {
        (other_number, &other_path, number, &path)
    } else {
        (number, &path, other_number, &other_path)
    };
    let token = handed_over(manners, asked);
    let (content, status) = {
        let there = world[other_number].lock().unwrap();
        let method = if is_pull { "GET" } else { "PUT" };
        let permitted = permits(&there, method, &other_path, token.as_deref());
        drop(there);
        let content = world[source].lock().unwrap().files.get(source_path).cloned();
        match (permitted, content) {
            (false, _) => (None, "403 Forbidden"),
            (true, None) => (None, "404 Not Found"),
            (true, content) => (content, "201 Created"),
        }
    };
    let exists = world[target].lock().unwrap().files.contains_key(target_path);
    if exists && asked.headers.get("overwrite").is_some_and(|value| value == "F") {
        return text(&here(), "412 Precondition Failed", "failure: the file exists\n");
    }
    let Some(content) = content else {
        if manners == Manners::XRootD5 && is_pull {
            world[target].lock().unwrap().files.insert(target_path.clone(), Vec::new());
        }
        let failure = match manners {
            Manners::XRootD5 => format!("failure: Remote side failed with status code {}\n", &status[..3]),
            Manners::XRootD6 => format!(
                "failure: HTTP response code said error: remote host returned '{status}' while fetching {other}\n"
            ),
            _ => format!("failure: rejected {}: {status}\n", if is_pull { "GET" } else { "PUT" }),
        };
        return match manners {
            Manners::XRootD6 => text(&here(), status, &failure),
            _ => begun(manners, &(marker(0) + &failure)),
        };
    };
    let length = content.len();
    world[target].lock().unwrap().files.insert(target_path.clone(), content);
    begun(manners, &format!("{}{}success: Created\n", marker(length / 2), marker(length)))
}

/// The answer to a copy that began.
fn begun(manners: Manners, lines: &str) -> Reply {
    let status = if manners == Manners::XRootD5 { "201 Created" } else { "202 Accepted" };
    chunked(status, &[("Server", server_name(manners))], lines)
}
