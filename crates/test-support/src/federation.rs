//! A Pelican federation: a host with discovery document and director, two caches and an origin, over TLS on loopback.
//!
//! | namespace | what it is |
//! |---|---|
//! | `/public` | readable without a token, with listings |
//! | `/protected` | requires a token; scopes are relative to `/protected` |
//! | `/nolist` | public, without listings |
//! | `/readonly` | public, without direct reads |
//!
//! Writing, removing, renaming and copying always need the token, and go to the origin; `/readonly` cannot be written to.
//!
//! Each server answers honestly until [`FakeFederation::change`] replaces its answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::prelude::*;
use url::Url;

use crate::chaos_server::{Asked, ChaosServer, Reply};
use crate::relocation::relocate;

/// The token that the servers accept for `/protected`, unless [`FakeFederation::accept`] changes it.
pub const TOKEN: &str = "federation-token";
/// The issuer of tokens for `/protected`.
pub const ISSUER: &str = "https://issuer.example/protected";

/// One of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FederationServer {
    Director,
    Cache(usize),
    Origin,
}

/// When each object was modified.
const MODIFIED: &str = "Sun, 22 Nov 2026 03:10:56 GMT";

type Change = Arc<dyn Fn(&Asked, Reply) -> Reply + Send + Sync>;

#[derive(Default)]
struct World {
    /// Contents by decoded path.
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    token: Mutex<String>,
    issuer: Mutex<String>,
    changes: Mutex<BTreeMap<usize, Change>>,
    servers: Mutex<Vec<Url>>,
}

/// The federation; it ends when it is dropped.
pub struct FakeFederation {
    world: Arc<World>,
    director: ChaosServer,
    caches: [ChaosServer; 2],
    origin: ChaosServer,
}

impl FakeFederation {
    /// Starts all servers with these objects.
    pub async fn start(objects: &[(&str, &[u8])]) -> Self {
        let world = Arc::new(World::default());
        TOKEN.clone_into(&mut world.token.lock().unwrap());
        ISSUER.clone_into(&mut world.issuer.lock().unwrap());
        for (path, content) in objects {
            world.objects.lock().unwrap().insert((*path).to_owned(), content.to_vec());
        }
        let start = |server: FederationServer| {
            let world = Arc::clone(&world);
            ChaosServer::start(move |asked| world.answer(server, asked))
        };
        let caches = [start(FederationServer::Cache(0)).await, start(FederationServer::Cache(1)).await];
        let (origin, director) =
            (start(FederationServer::Origin).await, start(FederationServer::Director).await);
        let servers = vec![caches[0].https_url(""), caches[1].https_url(""), origin.https_url("")];
        *world.servers.lock().unwrap() = servers;
        Self { world, director, caches, origin }
    }

    /// Replaces the answers of a server: `change` gets the request and the honest answer.
    pub fn change(
        &self,
        server: FederationServer,
        change: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static,
    ) {
        self.world.changes.lock().unwrap().insert(index(server), Arc::new(change));
    }

    /// Sets the token that is accepted for `/protected`; `*` is any.
    pub fn accept(&self, token: &str) {
        token.clone_into(&mut self.world.token.lock().unwrap());
    }

    /// Sets the issuer that the director names for `/protected`, followed by further facts: `URL, strategy=Vault`.
    pub fn set_issuer(&self, issuer: &str) {
        issuer.clone_into(&mut self.world.issuer.lock().unwrap());
    }

    /// Returns the content of an object.
    pub fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.world.objects.lock().unwrap().get(path).cloned()
    }

    /// Returns `HOST:PORT` of the discovery host.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.director.https_url("").port().unwrap())
    }

    /// Returns the name of an object: `pelican://HOST:PORT` and the path as it is given.
    pub fn name(&self, path: &str) -> String {
        format!("pelican://{}{path}", self.host())
    }

    /// Returns the URL of a server.
    pub fn server_url(&self, server: FederationServer) -> Url {
        self.server(server).https_url("")
    }

    /// Returns the requests that a server received.
    pub fn seen(&self, server: FederationServer) -> Vec<Asked> {
        self.server(server).seen()
    }

    /// Returns method and path of each request that a server received.
    pub fn lines(&self, server: FederationServer) -> Vec<String> {
        self.seen(server).iter().map(|asked| format!("{} {}", asked.method, asked.path)).collect()
    }

    fn server(&self, server: FederationServer) -> &ChaosServer {
        match server {
            FederationServer::Director => &self.director,
            FederationServer::Cache(n) => &self.caches[n],
            FederationServer::Origin => &self.origin,
        }
    }
}

/// Returns an answer with a status and a short text.
pub fn refuse(status: &str) -> Reply {
    Reply::sized(status, &[("Content-Type", "text/plain")], format!("{status}\n"))
}

fn index(server: FederationServer) -> usize {
    match server {
        FederationServer::Cache(n) => n,
        FederationServer::Origin => 2,
        FederationServer::Director => 3,
    }
}

impl World {
    fn answer(&self, server: FederationServer, asked: &Asked) -> Reply {
        let before = (asked.method == "DELETE").then(|| self.objects.lock().unwrap().clone());
        let honest = match server {
            FederationServer::Director => self.director(asked),
            FederationServer::Cache(_) | FederationServer::Origin => self.object(server, asked),
        };
        let change = self.changes.lock().unwrap().get(&index(server)).cloned();
        let reply = change.map_or_else(|| honest.clone(), |change| change(asked, honest.clone()));
        // What a server refuses to remove stays.
        if let Some(before) = before.filter(|_| !reply.head.starts_with("HTTP/1.1 2")) {
            *self.objects.lock().unwrap() = before;
        }
        reply
    }

    fn director(&self, asked: &Asked) -> Reply {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        if path == "/.well-known/pelican-configuration" {
            let host = &asked.headers["host"];
            let document = format!(
                r#"{{"director_endpoint":"https://{host}","namespace_registration_endpoint":"https://{host}","jwks_uri":"https://{host}/jwks"}}"#
            );
            return Reply::sized("200 OK", &[("Content-Type", "application/json")], document);
        }
        let error = |status: &str, message: &str| {
            let body = format!(r#"{{"status":"error","msg":"{message}: Request ID: 1"}}"#);
            let headers = [("Server", "pelican/7.26.0"), ("Content-Type", "application/json")];
            Reply::sized(status, &headers, body)
        };
        let is_change = matches!(asked.method.as_str(), "PUT" | "DELETE" | "COPY");
        let (path, is_origin_route) = match path.strip_prefix("/api/v1.0/director/origin") {
            Some(path) => (path, true),
            None => (path.strip_prefix("/api/v1.0/director/object").unwrap_or(path), false),
        };
        let decoded = decode(path);
        let namespace = ["/public", "/protected", "/nolist", "/readonly"]
            .into_iter()
            .find(|namespace| decoded == *namespace || decoded.starts_with(&format!("{namespace}/")));
        let Some(namespace) = namespace else {
            return error("404 Not Found", "No sources found for the requested path");
        };
        let servers = self.servers.lock().unwrap().clone();
        let direct = is_change
            || is_origin_route
            || asked.method == "PROPFIND"
            || query.split('&').any(|parameter| parameter.starts_with("directread"));
        if direct && namespace == "/readonly" {
            return error("405 Method Not Allowed", "No origins allow direct reads or writes");
        }
        let chosen = if direct { &servers[2..] } else { &servers[..2] };
        // As Go writes paths: commas and semicolons stay bare.
        let written = path.replace("%2C", ",").replace("%3B", ";").replace("%2B", "+");
        let links: Vec<String> = chosen
            .iter()
            .enumerate()
            .map(|(n, server)| {
                let server = server.as_str().trim_end_matches('/');
                format!("<{server}{written}>; rel=\"duplicate\"; pri={}; depth=1", n + 1)
            })
            .collect();
        let requires_token = namespace == "/protected";
        let mut facts = format!("namespace={namespace}, require-token={requires_token}");
        if namespace != "/nolist" {
            let _ = write!(facts, ", collections-url={}", servers[2].as_str().trim_end_matches('/'));
        }
        let location = format!("{}{written}?{query}", chosen[0].as_str().trim_end_matches('/'));
        let links = links.join(", ");
        let mut headers = vec![
            ("Server", "pelican/7.26.0"),
            ("Link", links.as_str()),
            ("Location", location.as_str()),
            ("X-Pelican-Namespace", facts.as_str()),
            ("X-Pelican-JobId", "7c5bd2a8-2f3f-4a1f-9d1e-1f6d3b9d6f10"),
        ];
        let issuer = self.issuer.lock().unwrap().clone();
        // What follows the URL comes last, and the last of equal facts counts.
        let (url, more) = issuer.split_once(',').unwrap_or((&issuer, ""));
        let generation =
            format!("issuer={url}, max-scope-depth=3, strategy=OAuth2, base-path=/protected,{more}");
        let issuer = format!("issuer={}", issuer.split(',').next().unwrap_or_default());
        if requires_token {
            headers.push(("X-Pelican-Authorization", &issuer));
            headers.push(("X-Pelican-Token-Generation", &generation));
        }
        Reply::sized(
            "307 Temporary Redirect",
            &headers,
            format!("<a href=\"{location}\">Temporary Redirect</a>.\n"),
        )
    }

    fn object(&self, server: FederationServer, asked: &Asked) -> Reply {
        let path = decode(asked.path.split('?').next().unwrap_or_default());
        let token = self.token.lock().unwrap().clone();
        let sent = asked.headers.get("authorization").and_then(|header| header.strip_prefix("Bearer "));
        let is_change = matches!(asked.method.as_str(), "PUT" | "DELETE" | "MKCOL" | "MOVE" | "COPY");
        if (is_change || path.starts_with("/protected"))
            && !sent.is_some_and(|sent| sent == token || token == "*")
        {
            return refuse("403 Forbidden");
        }
        let mut objects = self.objects.lock().unwrap();
        if is_change {
            return match asked.method.as_str() {
                "PUT" => {
                    objects.insert(path, asked.body.clone());
                    refuse("201 Created")
                }
                // Collections are there as soon as they have an object.
                "MKCOL" => refuse("201 Created"),
                "MOVE" | "COPY" => relocate(&mut objects, asked, &path),
                _ if objects.remove(&path).is_some() => Reply::sized("204 No Content", &[], ""),
                _ => refuse("404 Not Found"),
            };
        }
        if asked.method == "PROPFIND" {
            return propfind(server, &path, asked, &objects);
        }
        let Some(content) = objects.get(&path) else {
            return Reply::sized("404 Not Found", &[("Content-Type", "text/plain")], "404: no such file\n");
        };
        let etag = format!("\"{}-{}\"", index(server), content.len());
        let mut headers =
            vec![("ETag", etag.as_str()), ("Age", "0"), ("Content-Type", "application/octet-stream")];
        let digest = digest(content);
        if asked.headers.contains_key("want-digest") {
            headers.push(("Digest", &digest));
        }
        Reply::honest(asked, content, &headers)
    }
}

fn propfind(
    server: FederationServer,
    path: &str,
    asked: &Asked,
    objects: &BTreeMap<String, Vec<u8>>,
) -> Reply {
    let path = path.trim_end_matches('/');
    let below = format!("{path}/");
    let mut entries: BTreeMap<String, Option<usize>> = BTreeMap::new();
    if let Some(content) = objects.get(path) {
        entries.insert(path.to_owned(), Some(content.len()));
    } else if objects.keys().any(|object| object.starts_with(&below)) {
        if matches!(server, FederationServer::Cache(_)) {
            return refuse("409 Conflict");
        }
        entries.insert(below.clone(), None);
        if asked.headers.get("depth").is_some_and(|depth| depth == "1") {
            for (object, content) in objects.iter().filter(|(object, _)| object.starts_with(&below)) {
                match object[below.len()..].split_once('/') {
                    Some((collection, _)) => entries.insert(format!("{below}{collection}/"), None),
                    None => entries.insert(object.clone(), Some(content.len())),
                };
            }
        }
    } else {
        return refuse("404 Not Found");
    }
    multistatus(&entries)
}

/// Returns a `207` in XRootD's style: files with their lengths, collections without one.
pub(crate) fn multistatus(entries: &BTreeMap<String, Option<usize>>) -> Reply {
    let mut body = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\">".to_owned();
    for (path, length) in entries {
        let length = *length;
        let kind = if length.is_none() { "<lp1:resourcetype><D:collection/></lp1:resourcetype>" } else { "" };
        let length = length.unwrap_or(4096);
        let _ = write!(
            body,
            "<D:response xmlns:lp1=\"DAV:\"><D:href>{}</D:href><D:propstat><D:prop><lp1:getcontentlength>{length}\
             </lp1:getcontentlength><lp1:getlastmodified>{MODIFIED}</lp1:getlastmodified>{kind}</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>",
            encode(path)
        );
    }
    body.push_str("</D:multistatus>");
    Reply::sized("207 Multi-Status", &[("Content-Type", "text/xml")], body)
}

pub(crate) fn decode(path: &str) -> String {
    percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned()
}

fn encode(path: &str) -> String {
    let parts = path.split('/').map(|part| {
        percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC).to_string()
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Returns the `Digest` header of a content, as caches send it.
pub fn digest(content: &[u8]) -> String {
    use md5::Digest as _;
    let md5 = BASE64_STANDARD.encode(md5::Md5::digest(content));
    let crc32c = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, content);
    format!("md5={md5},crc32c={crc32c:x}")
}
