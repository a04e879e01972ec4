//! Which certificate authorities a session trusts.

use std::path::PathBuf;

use crate::authorities::TrustAnchors;
use crate::error::Error;
#[cfg(feature = "named-certificates")]
use crate::error::Kind;
#[cfg(feature = "named-certificates")]
use crate::named_certificates;
use scitoken_types::sys::Env;

pub(super) enum NamedAuthority {
    Pem(Vec<u8>),
    File(PathBuf),
    Directory(PathBuf),
}

/// Whether a [`Session`](super::Session) trusts the certificate authorities of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SystemAuthorities {
    /// It trusts the system's, the grid's, and those that were added.
    #[default]
    Trusted,
    /// It trusts only those that were added.
    Ignored,
}

pub(super) fn with_authorities(
    http: reqwest::ClientBuilder,
    named: Vec<NamedAuthority>,
    system: SystemAuthorities,
    env: &Env,
) -> Result<reqwest::ClientBuilder, Error> {
    let mut authorities = TrustAnchors::default();
    for place in named {
        match place {
            NamedAuthority::Pem(pem) => authorities.add_pem(&pem)?,
            NamedAuthority::File(path) => authorities.add_file(&path)?,
            NamedAuthority::Directory(path) => authorities.add_directory(&path)?,
        }
    }
    #[cfg(feature = "named-certificates")]
    let of_servers = named_certificates::of_servers(authorities.certificates());
    let trusts_system = system == SystemAuthorities::Trusted;
    if trusts_system {
        // What is read is the variable of the process, whatever the environment that the caller gave.
        TrustAnchors::check_system(&Env::process())?;
        authorities.add_grid(env);
    }
    #[cfg(feature = "named-certificates")]
    if !of_servers.is_empty() {
        let roots = authorities.certificates().map(|der| der.to_vec().into()).collect();
        let config = named_certificates::config(roots, of_servers, trusts_system).map_err(Kind::Tls)?;
        return Ok(http.tls_backend_preconfigured(config));
    }
    Ok(if trusts_system {
        http.tls_certs_merge(authorities.into_certificates())
    } else {
        http.tls_certs_only(authorities.into_certificates())
    })
}
