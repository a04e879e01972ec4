//! A WebDAV storage that authorizes requests by WLCG tokens: capabilities, groups, areas.
//!
//! ```text
//! cargo run --example storage_server --features tower -- --root /srv/data --issuer https://issuer.example \
//!     --jwks jwks.json --audience https://data.example:8443 --prefix /wlcg --readers /wlcg --writers /wlcg \
//!     --area /protected=/wlcg/test
//! scitoken token create --profile wlcg --key key.pem --issuer https://issuer.example \
//!     --audience https://data.example:8443 --scope storage.read:/ > token
//! curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/wlcg/file
//! ```
//!
//! Plain HTTP on this machine only; elsewhere with `--cert` and `--key`. The rules are those of `StorageRules`.

mod storage;
mod storage_tls;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use scitoken_authz::{Enforcer, Issuer, OfflineVerifier, StorageRules};
use scitoken_jwt::keys::{Algorithm, JwkSet, KeyKind};
use scitoken_types::ResourcePath;
use storage::{Storage, listen};

/// Serve a directory by WebDAV to clients with WLCG tokens
#[derive(Debug, Parser)]
struct Arguments {
    /// Directory to serve
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Issuer of the tokens: an https URL, or http on this machine
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// File with the issuer's keys (a JWK set)
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// Audience of this server; repeatable
    #[arg(long, value_name = "URL", required = true)]
    audience: Vec<String>,
    /// Address to listen at
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Path of the URL that stands for the directory; paths in tokens are relative to it
    #[arg(long, value_name = "PATH", default_value = "/")]
    prefix: ResourcePath,
    /// Group that reads everything; repeatable
    #[arg(long, value_name = "GROUP")]
    readers: Vec<String>,
    /// Group that reads everything, and writes outside of areas; repeatable
    #[arg(long, value_name = "GROUP")]
    writers: Vec<String>,
    /// Directory in which this group alone writes, relative to the prefix; repeatable
    #[arg(long, value_name = "PATH=GROUP", value_parser = area)]
    area: Vec<(ResourcePath, String)>,
    /// Tolerated difference of clocks
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    leeway: u64,
    /// Certificate chain for TLS, in PEM
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Key of the certificate, in PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

fn area(text: &str) -> Result<(ResourcePath, String), String> {
    let (path, group) = text.split_once('=').ok_or("expected PATH=GROUP")?;
    Ok((path.parse().map_err(|error| format!("{error}"))?, group.to_owned()))
}

impl Arguments {
    fn issuer(&self) -> anyhow::Result<Issuer> {
        let issuer = self.issuer.parse().or_else(|_| Issuer::insecure_over_loopback_http(&self.issuer));
        issuer.with_context(|| format!("`{}` is no issuer", self.issuer))
    }

    fn verifier(&self) -> anyhow::Result<OfflineVerifier> {
        let keys = JwkSet::parse(fs_err::read(&self.jwks)?)?;
        let algorithms =
            Algorithm::ALL.iter().copied().filter(|algorithm| algorithm.key_kind() != KeyKind::Secret);
        let leeway = Duration::from_secs(self.leeway);
        Ok(OfflineVerifier::new(self.issuer()?, keys).algorithms(algorithms).leeway(leeway))
    }

    fn storage(&self) -> anyhow::Result<Storage> {
        let root = fs_err::canonicalize(&self.root)?;
        let mut rules = StorageRules::new();
        rules = self.readers.iter().fold(rules, StorageRules::readers);
        rules = self.writers.iter().fold(rules, StorageRules::writers);
        rules = self.area.iter().fold(rules, |rules, (path, group)| rules.area(path, group));
        let enforcer = Enforcer::builder(self.issuer()?).leeway(Duration::from_secs(self.leeway));
        let enforcer =
            self.audience.iter().fold(enforcer, |enforcer, audience| enforcer.audience(audience.as_str()));
        Ok(Storage { root, prefix: self.prefix.clone(), rules, enforcer: enforcer.build() })
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let tls = match (&arguments.cert, &arguments.key) {
        (Some(cert), Some(key)) => Some(storage_tls::acceptor(cert, key)?),
        _ if arguments.listen.ip().is_loopback() => None,
        _ => anyhow::bail!("`{}` is not on this machine: pass --cert and --key", arguments.listen),
    };
    let service = arguments.storage()?.service(arguments.verifier()?);
    let listener = tokio::net::TcpListener::bind(arguments.listen).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    #[expect(clippy::print_stdout, reason = "tells the user where to go")]
    {
        println!("listening on {scheme}://{}{}", listener.local_addr()?, arguments.prefix);
    }
    listen::serve(listener, tls, service).await?;
    Ok(())
}
