//! Two storage servers that copy from each other by `COPY`, over TLS on loopback, with the manners of real ones.
//!
//! | manners | XRootD 5.5 | XRootD 6 | dCache |
//! |---|---|---|---|
//! | status of `COPY` | 201 before the outcome | 202 | 202 |
//! | headers for the other server | `Copy-Header`, `TransferHeader…` with its capitals | both, in any case | `TransferHeader…` in any case |
//! | refused by the other server | a line in the body, and an empty file stays | 403 at once | a line in the body |
//! | without a token | 401 without a challenge | 403 | 401 |
//!
//! Files below `/public` are read without a token. Each site answers honestly until [`CopySites::change`] replaces its
//! answers.

mod copy;
mod site;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use url::Url;

use self::copy::copy;
pub use self::site::{Manners, chunked, marker};
use self::site::{Site, World, permits, refusal, server_name, text};
use crate::chaos_server::{Asked, ChaosServer, Reply};
use crate::federation::{decode, multistatus};

/// The tokens that the sites accept.
pub const TOKENS: [&str; 2] = ["token-of-the-first-site", "token-of-the-second-site"];

/// The two sites; they end when this is dropped.
pub struct CopySites {
    world: World,
    servers: [ChaosServer; 2],
}

impl CopySites {
    /// Starts two empty sites.
    pub async fn start(manners: [Manners; 2]) -> Self {
        let world: World = Arc::default();
        let start = |site: usize| {
            let world = Arc::clone(&world);
            ChaosServer::start(move |asked| answer(&world, site, asked))
        };
        let servers = [start(0).await, start(1).await];
        for (n, site) in world.iter().enumerate() {
            let mut site = site.lock().unwrap();
            site.manners = Some(manners[n]);
            TOKENS[n].clone_into(&mut site.token);
            servers[n].https_url("").as_str().trim_end_matches('/').clone_into(&mut site.origin);
        }
        Self { world, servers }
    }

    /// Returns the URL of a path at a site.
    pub fn url(&self, site: usize, path: &str) -> Url {
        self.servers[site].https_url(path.trim_start_matches('/'))
    }

    /// Stores a file, with its directories.
    pub fn store(&self, site: usize, path: &str, content: &[u8]) {
        let mut site = self.world[site].lock().unwrap();
        add_directories(&mut site, path);
        site.files.insert(path.to_owned(), content.to_vec());
    }

    /// Returns the content of a file.
    pub fn file(&self, site: usize, path: &str) -> Option<Vec<u8>> {
        self.world[site].lock().unwrap().files.get(path).cloned()
    }

    /// Returns the paths of all directories that were made or stored into.
    pub fn directories(&self, site: usize) -> Vec<String> {
        self.world[site].lock().unwrap().directories.iter().cloned().collect()
    }

    /// Sets the token that a site accepts.
    pub fn accept(&self, site: usize, token: &str) {
        token.clone_into(&mut self.world[site].lock().unwrap().token);
    }

    /// Replaces the answers of a site: `change` gets the request and the honest answer, after it had its effect.
    pub fn change(&self, site: usize, change: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static) {
        self.world[site].lock().unwrap().change = Some(Arc::new(change));
    }

    /// Returns the requests that a site received.
    pub fn seen(&self, site: usize) -> Vec<Asked> {
        self.servers[site].seen()
    }

    /// Returns the `COPY` requests that a site received.
    pub fn copies(&self, site: usize) -> Vec<Asked> {
        self.seen(site).into_iter().filter(|asked| asked.method == "COPY").collect()
    }

    /// Returns the `Authorization` of each request, each once.
    pub fn authorizations(&self, site: usize) -> BTreeSet<String> {
        self.seen(site).iter().filter_map(|asked| asked.headers.get("authorization").cloned()).collect()
    }
}

fn answer(world: &World, number: usize, asked: &Asked) -> Reply {
    let honest =
        if asked.method == "COPY" { copy(world, number, asked) } else { one_site(world, number, asked) };
    let change = world[number].lock().unwrap().change.clone();
    change.map_or_else(|| honest.clone(), |change| change(asked, honest.clone()))
}

fn one_site(world: &World, number: usize, asked: &Asked) -> Reply {
    let mut site = world[number].lock().unwrap();
    let path = decode(asked.path.split('?').next().unwrap_or_default());
    let authorization = asked.headers.get("authorization").map(String::as_str);
    if !permits(&site, &asked.method, &path, authorization) {
        return refusal(&site, &asked.method, &path);
    }
    match asked.method.as_str() {
        "OPTIONS" => text(&site, "200 OK", ""),
        "PROPFIND" => propfind(&site, &path, asked),
        "MKCOL" => make_directory(&mut site, &path),
        "PUT" => {
            add_directories(&mut site, &path);
            site.files.insert(path, asked.body.clone());
            text(&site, "201 Created", ":-)")
        }
        "DELETE" => match site.files.remove(&path) {
            Some(_) => text(&site, "204 No Content", ""),
            None => text(&site, "404 Not Found", "no such file\n"),
        },
        _ => match site.files.get(&path) {
            Some(content) => {
                let digest = format!("adler32={:08x}", simd_adler32::adler32(&content.as_slice()));
                let mut headers = vec![("Server", server_name(site.manners.unwrap()))];
                if asked.headers.contains_key("want-digest") {
                    headers.push(("Digest", &digest));
                }
                Reply::honest(asked, content, &headers)
            }
            None => text(&site, "404 Not Found", "no such file or directory\n"),
        },
    }
}

fn add_directories(site: &mut Site, path: &str) {
    let mut parent = path.trim_end_matches('/');
    while let Some((above, _)) = parent.rsplit_once('/') {
        site.directories.insert(format!("{above}/"));
        parent = above;
    }
}

fn make_directory(site: &mut Site, path: &str) -> Reply {
    let path = format!("{}/", path.trim_end_matches('/'));
    let parent =
        path.trim_end_matches('/').rsplit_once('/').map_or("/".to_owned(), |(above, _)| format!("{above}/"));
    if site.directories.contains(&path) {
        text(site, "405 Method Not Allowed", "exists\n")
    } else if parent != "/" && !site.directories.contains(&parent) {
        text(site, "409 Conflict", "no parent\n")
    } else {
        site.directories.insert(path);
        text(site, "201 Created", ":-)")
    }
}

fn propfind(site: &Site, path: &str, asked: &Asked) -> Reply {
    let mut entries = BTreeMap::new();
    let directory = format!("{}/", path.trim_end_matches('/'));
    if let Some(content) = site.files.get(path) {
        entries.insert(path.to_owned(), Some(content.len()));
    } else if site.directories.contains(&directory) {
        entries.insert(directory.clone(), None);
        if asked.headers.get("depth").is_some_and(|depth| depth == "1") {
            let is_child = |path: &&String| {
                path.strip_prefix(&directory).is_some_and(|rest| {
                    let rest = rest.trim_end_matches('/');
                    !rest.is_empty() && !rest.contains('/')
                })
            };
            entries.extend(site.directories.iter().filter(is_child).map(|path| (path.clone(), None)));
            let files = site.files.iter().filter(|(path, _)| is_child(path));
            entries.extend(files.map(|(path, content)| (path.clone(), Some(content.len()))));
        }
    } else {
        return text(site, "404 Not Found", "no such file or directory\n");
    }
    multistatus(&entries)
}
