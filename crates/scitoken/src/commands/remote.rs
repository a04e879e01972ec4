//! What the commands that describe and change remote files share.

use percent_encoding::percent_decode_str;
use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{EntryKind, FailureKind, RemoteEntry, TransferError};
use serde_json::{Value, json};
use url::Url;

use crate::args::{AuthorityArgs, ConnectionArgs, FederationArgs, RetryArgs, parse_location};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;

/// Runs an operation on each URL, reports those that failed, and returns the most severe exit code.
pub(super) fn for_each(
    context: &Context,
    urls: &[String],
    mut operation: impl FnMut(&str) -> Result<(), Failure>,
) -> Result<Exit, Failure> {
    let mut exit = Exit::Ok;
    for url in urls {
        match operation(url) {
            Ok(()) => {}
            Err(failure) if urls.len() == 1 || failure.is_closed_pipe() => return Err(failure),
            Err(failure) => exit = exit.more_severe(failure.report(context.output)),
        }
    }
    Ok(exit)
}

/// Waits for one operation of the engine.
pub(super) fn wait<T>(
    retry: &RetryArgs,
    operation: impl Future<Output = Result<T, TransferError>>,
) -> Result<T, Failure> {
    block_on(operation)?.map_err(|error| retry.failure(&error))
}

/// Returns the name of an object in a federation, if the text is one.
pub(super) fn object_name(text: &str) -> Result<Option<FederationUrl>, Failure> {
    if !FederationUrl::has_scheme(text) {
        return Ok(None);
    }
    let url = parse_location(text)?;
    Ok(FederationUrl::try_from(&url).ok())
}

/// Returns what resolves names of objects, for a command that transfers nothing.
pub(super) fn resolver(
    context: &Context,
    flags: &FederationArgs,
    authorities: &AuthorityArgs,
) -> Result<Federation, Failure> {
    let connection = ConnectionArgs { authorities: authorities.clone(), ..ConnectionArgs::default() };
    Engine::new(context, &RetryArgs::default(), &connection, 1)?.federation(context, flags)
}

/// Returns an entry under its name in the federation.
pub(super) fn named(name: &FederationUrl, entry: RemoteEntry) -> RemoteEntry {
    let mut entry = entry;
    entry.url = name.to_url();
    entry
}

/// Returns the last part of the path, cleaned for a terminal; directories end with a slash.
pub(super) fn name(entry: &RemoteEntry) -> String {
    let last = entry.url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = percent_decode_str(last).decode_utf8_lossy();
    let name: String = name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if entry.kind == EntryKind::Directory { format!("{name}/") } else { name }
}

/// Returns the members of an entry in JSON.
pub(super) fn as_json(entry: &RemoteEntry) -> Value {
    let mut members = json!(entry);
    members["name"] = name(entry).into();
    members
}

/// Creates a directory; one that exists is a failure unless `with_parents`. Returns whether it is new.
pub(super) fn make_directory(
    retry: &RetryArgs,
    engine: &Engine,
    url: &Url,
    with_parents: bool,
) -> Result<bool, Failure> {
    if with_parents {
        return ensure_directory(retry, engine, url, true);
    }
    let Err(error) = block_on(engine.downloader.make_directory(url))? else { return Ok(true) };
    let failure = retry.failure(&error);
    Err(match error.kind() {
        FailureKind::Exists => failure.with_hint("`--parents` accepts existing directories"),
        _ if lacks_parent(&error) => {
            failure.with_hint("the parent directory does not exist; `--parents` creates it")
        }
        _ => failure,
    })
}

/// Creates a directory unless it exists, and its missing parents if `with_parents`. Returns whether it is new.
pub(super) fn ensure_directory(
    retry: &RetryArgs,
    engine: &Engine,
    url: &Url,
    with_parents: bool,
) -> Result<bool, Failure> {
    match block_on(engine.downloader.ensure_directory(url))? {
        Err(error) if lacks_parent(&error) && with_parents => {
            wait(retry, engine.downloader.make_directories(url)).map(|()| true)
        }
        Err(error) if lacks_parent(&error) => Err(retry
            .failure(&error)
            .with_hint("the parent directory does not exist; `--create-dirs` creates it")),
        ensured => ensured.map_err(|error| retry.failure(&error)),
    }
}

fn lacks_parent(error: &TransferError) -> bool {
    matches!(error.status().map(|status| status.as_u16()), Some(404 | 409))
}

/// Returns the parent directory, if the URL is not the root.
pub(super) fn parent(url: &Url) -> Option<Url> {
    let path = url.path().trim_end_matches('/');
    let (parent, _) = path.rsplit_once('/')?;
    let mut url = url.clone();
    url.set_path(&format!("{parent}/"));
    (!path.is_empty()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parent_of_a_directory_is_found_up_to_the_root() {
        let parent = |url: &str| parent(&url.parse().unwrap()).map(String::from);
        assert_eq!(parent("https://h/a/b%2Fc/").as_deref(), Some("https://h/a/"));
        assert_eq!(parent("https://h/a").as_deref(), Some("https://h/"));
        assert_eq!(parent("https://h/"), None);
    }
}
