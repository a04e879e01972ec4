//! The servers: what each needs, its files, and how it is known to be ready.

mod cluster;
mod dav;
pub(super) mod files;
mod running;
mod web;
mod xrootd;

use std::path::Path;

use super::bench::Bench;
use crate::support::find;

/// Something that a test can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// One XRootD server with its SciTokens plugin: [`XROOTD`](super::XROOTD).
    XRootD,
    /// A second one, for third-party copies: [`PARTNER`](super::PARTNER).
    Partner,
    /// Two clusters: [`MANAGER`](super::MANAGER) and [`HTTPS_MANAGER`](super::HTTPS_MANAGER), each with a data server.
    Cluster,
    /// [`LONELY_MANAGER`](super::LONELY_MANAGER), to which no data server came.
    LonelyManager,
    /// [`APACHE`](super::APACHE), [`NGINX`](super::NGINX), and the issuer that nginx serves.
    Web,
    /// [`APACHE_DAV`](super::APACHE_DAV) and [`NGINX_DAV`](super::NGINX_DAV).
    Dav,
    /// [`WSGIDAV`](super::WSGIDAV).
    WsgiDav,
}

impl Server {
    /// How many there are.
    pub(crate) const ALL: usize = 7;

    /// The name in messages and in the ledger.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::XRootD => "xrootd",
            Self::Partner => "xrootd-partner",
            Self::Cluster => "xrootd-cluster",
            Self::LonelyManager => "xrootd-manager",
            Self::Web => "apache-and-nginx",
            Self::Dav => "webdav-apache-and-nginx",
            Self::WsgiDav => "wsgidav",
        }
    }

    /// Returns whether the machine has it.
    pub(crate) fn installed(self) -> Result<(), String> {
        find("openssl")?;
        match self {
            Self::XRootD | Self::Partner | Self::Cluster | Self::LonelyManager => {
                find("xrootd")?;
                find("cmsd")?;
                library("libXrdHttp-5.so")?;
                library("libXrdHttpTPC-5.so")?;
                library("libXrdAccSciTokens-5.so")
            }
            Self::Web => {
                find("nginx")?;
                library("nginx/modules/ngx_http_dav_ext_module.so")?;
                find("apache2")?;
                library("apache2/modules/mod_auth_openidc.so")?;
                library("apache2/modules/mod_oauth2.so")
            }
            Self::Dav => {
                find("nginx")?;
                find("apache2")?;
                library("apache2/modules/mod_dav_fs.so")?;
                library("nginx/modules/ngx_http_dav_ext_module.so")
            }
            Self::WsgiDav => dav::has_wsgidav(),
        }
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(self, bench: &Bench) -> anyhow::Result<()> {
        match self {
            Self::XRootD => xrootd::start(bench),
            Self::Partner => xrootd::start_partner(bench),
            Self::Cluster => cluster::start(bench),
            Self::LonelyManager => cluster::start_lonely(bench),
            Self::Web => web::start(bench),
            Self::Dav => dav::start(bench),
            Self::WsgiDav => dav::start_wsgidav(bench),
        }
    }
}

/// A plugin, below `/usr/lib` or one of Debian's directories for the machine's architecture.
fn library(name: &str) -> Result<(), String> {
    let root = Path::new("/usr/lib");
    let multiarch = fs_err::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    if multiarch.chain([root.to_owned()]).any(|directory| directory.join(name).exists()) {
        Ok(())
    } else {
        Err(format!("there is no `{name}` below `/usr/lib`"))
    }
}
