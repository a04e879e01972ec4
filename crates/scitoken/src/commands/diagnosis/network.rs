//! Names and addresses: what a name resolves to, and which of it can be reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::sanitize::excerpt;

/// The most addresses that are tried.
const MAX_ADDRESSES: usize = 8;

/// What a name resolves to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ResolvedName {
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) error: Option<String>,
    pub(crate) milliseconds: u128,
}

/// The two families of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressFamily {
    V4,
    V6,
}

/// An address to which a connection was tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ReachedAddress {
    pub(crate) address: SocketAddr,
    pub(crate) error: Option<String>,
    pub(crate) milliseconds: u128,
}

impl AddressFamily {
    pub(crate) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for AddressFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

impl fmt::Display for ReachedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => write!(f, "{} in {} ms", self.address, self.milliseconds),
            Some(error) => write!(f, "{}: {error}", self.address),
        }
    }
}

/// Resolves a name with the system's resolver, which also reads `/etc/hosts`.
pub(super) async fn resolve(host: &str, port: u16, limit: Duration) -> ResolvedName {
    let started = Instant::now();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let (addresses, error) = match timeout(limit, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(found)) => (found.map(|address| address.ip()).collect(), None),
        Ok(Err(error)) => (Vec::new(), Some(excerpt(&error.to_string()))),
        Err(_) => (Vec::new(), Some(format!("no response within {} s", limit.as_secs_f64()))),
    };
    let mut names =
        ResolvedName { host: bare.to_owned(), addresses, error, milliseconds: started.elapsed().as_millis() };
    // Resolvers often return one entry for each kind of socket.
    let mut seen = std::collections::HashSet::new();
    names.addresses.retain(|address| seen.insert(*address));
    names
}

/// Tries a connection to each address, all at once, and closes it again.
pub(super) async fn connect_all(
    addresses: impl Iterator<Item = IpAddr>,
    port: u16,
    limit: Duration,
) -> Vec<ReachedAddress> {
    let mut retry = tokio::task::JoinSet::new();
    for (place, address) in addresses.take(MAX_ADDRESSES).enumerate() {
        retry.spawn(async move { (place, connect(SocketAddr::new(address, port), limit).await) });
    }
    let mut reached = retry.join_all().await;
    reached.sort_by_key(|(place, _)| *place);
    reached.into_iter().map(|(_, reached)| reached).collect()
}

async fn connect(address: SocketAddr, limit: Duration) -> ReachedAddress {
    let started = Instant::now();
    let error = match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(excerpt(&error.to_string())),
        Err(_) => Some(format!("no response within {} s", limit.as_secs_f64())),
    };
    ReachedAddress { address, error, milliseconds: started.elapsed().as_millis() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(3);

    #[tokio::test]
    async fn an_open_port_is_reached_and_a_closed_one_says_why_not() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let here = || std::iter::once(address.ip());
        let open = connect_all(here(), address.port(), LIMIT).await;
        assert_eq!((open.len(), open[0].error.as_deref()), (1, None));
        drop(listener);
        let closed = connect_all(here(), address.port(), LIMIT).await;
        assert!(closed[0].error.as_ref().unwrap().contains("refused"), "{closed:?}");
    }

    #[tokio::test]
    async fn an_address_resolves_to_itself_once_also_with_brackets() {
        assert_eq!(resolve("[::1]", 1, LIMIT).await.addresses, ["::1".parse::<IpAddr>().unwrap()]);
        let unknown = resolve("no-such-name.invalid", 1, LIMIT).await;
        assert!(unknown.addresses.is_empty() && unknown.error.is_some());
    }
}
