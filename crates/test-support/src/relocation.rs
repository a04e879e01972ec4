//! `MOVE` and `COPY` (RFC 4918 sections 9.8 and 9.9) of objects in memory.

use std::collections::BTreeMap;

use url::Url;

use crate::chaos_server::{Asked, Reply};

/// Moves or copies an object to the destination of the request; paths are decoded.
pub(crate) fn relocate(objects: &mut BTreeMap<String, Vec<u8>>, asked: &Asked, from: &str) -> Reply {
    let status = |status: &str| Reply::sized(status, &[], "");
    let Some(to) = asked.headers.get("destination").and_then(|to| to.parse::<Url>().ok()) else {
        return status("400 Bad Request");
    };
    let to = percent_encoding::percent_decode_str(to.path()).decode_utf8_lossy().into_owned();
    let Some(content) = objects.get(from).cloned() else { return status("404 Not Found") };
    let exists = objects.contains_key(&to);
    if exists && asked.headers.get("overwrite").is_some_and(|overwrite| overwrite == "F") {
        return status("412 Precondition Failed");
    }
    if asked.method == "MOVE" {
        objects.remove(from);
    }
    objects.insert(to, content);
    status(if exists { "204 No Content" } else { "201 Created" })
}
