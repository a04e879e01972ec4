//! Which certificate authorities a session trusts.

use std::path::PathBuf;

#[cfg(feature = "named-certificates")]
use rustls::pki_types::CertificateDer;

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

/// Which servers sessions trust: certificate authorities that were read once, for several sessions.
///
/// A session reads the authorities of the machine when it is built, which takes some milliseconds of CPU time. A program that
/// builds one for each of its threads reads them once. Such sessions offer HTTP/1.1 only, so
/// `http2_prior_knowledge` does not fit them, and they have none of the TLS settings of [`http`](super::SessionBuilder::http). Clones share the cache of TLS sessions, too.
///
/// ```no_run
/// use reqwest_scitokens::Session;
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let trust = Session::builder().ca_file("/etc/pki/site-ca.pem").read_server_trust()?;
/// let sessions = [
///     Session::builder().server_trust(trust.clone()).build()?,
///     Session::builder().server_trust(trust).build()?,
/// ];
/// # let _ = sessions;
/// # Ok(())
/// # }
/// ```
#[cfg(feature = "named-certificates")]
#[cfg_attr(docsrs, doc(cfg(feature = "named-certificates")))]
#[derive(Clone, Debug)]
pub struct ServerTrust(rustls::ClientConfig);

#[cfg(feature = "named-certificates")]
impl ServerTrust {
    /// Reads the authorities.
    pub(super) fn read(
        named: Vec<NamedAuthority>,
        system: SystemAuthorities,
        env: &Env,
    ) -> Result<Self, Error> {
        let authorities = read_authorities(named)?;
        let of_servers = named_certificates::of_servers(authorities.certificates());
        let authorities = with_system(authorities, system, env)?;
        Self::of(&authorities, of_servers, system)
    }

    fn of(
        authorities: &TrustAnchors,
        of_servers: Vec<CertificateDer<'static>>,
        system: SystemAuthorities,
    ) -> Result<Self, Error> {
        let roots = authorities.certificates().map(|der| der.to_vec().into()).collect();
        let trusts_system = system == SystemAuthorities::Trusted;
        Ok(Self(named_certificates::config(roots, of_servers, trusts_system).map_err(Kind::Tls)?))
    }

    /// Gives it to an HTTP client.
    pub(super) fn apply(self, http: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        http.tls_backend_preconfigured(self.0)
    }
}

pub(super) fn with_authorities(
    http: reqwest::ClientBuilder,
    named: Vec<NamedAuthority>,
    system: SystemAuthorities,
    env: &Env,
) -> Result<reqwest::ClientBuilder, Error> {
    let authorities = read_authorities(named)?;
    #[cfg(feature = "named-certificates")]
    let of_servers = named_certificates::of_servers(authorities.certificates());
    let authorities = with_system(authorities, system, env)?;
    #[cfg(feature = "named-certificates")]
    if !of_servers.is_empty() {
        return Ok(ServerTrust::of(&authorities, of_servers, system)?.apply(http));
    }
    Ok(match system {
        SystemAuthorities::Trusted => http.tls_certs_merge(authorities.into_certificates()),
        SystemAuthorities::Ignored => http.tls_certs_only(authorities.into_certificates()),
    })
}

/// Reads what the caller named.
fn read_authorities(named: Vec<NamedAuthority>) -> Result<TrustAnchors, Error> {
    let mut authorities = TrustAnchors::default();
    for place in named {
        match place {
            NamedAuthority::Pem(pem) => authorities.add_pem(&pem)?,
            NamedAuthority::File(path) => authorities.add_file(&path)?,
            NamedAuthority::Directory(path) => authorities.add_directory(&path)?,
        }
    }
    Ok(authorities)
}

/// Adds the grid's authorities, and checks that the system's can be read, where both are trusted.
fn with_system(
    mut authorities: TrustAnchors,
    system: SystemAuthorities,
    env: &Env,
) -> Result<TrustAnchors, Error> {
    if system == SystemAuthorities::Trusted {
        // What is read is the variable of the process, whatever the environment that the caller gave.
        TrustAnchors::check_system(&Env::process())?;
        authorities.add_grid(env);
    }
    Ok(authorities)
}
