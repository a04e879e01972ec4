//! Names and addresses: what a name resolves to, and which of it can be reached.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::Serialize;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::words::fit;

/// No more addresses than this are tried.
const MOST: usize = 8;

/// What a name resolves to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Names {
    pub(crate) host: String,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) error: Option<String>,
    pub(crate) milliseconds: u128,
}

/// The two families of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// An address that a connection was tried to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Reached {
    pub(crate) address: SocketAddr,
    pub(crate) error: Option<String>,
    pub(crate) milliseconds: u128,
}

impl Family {
    pub(crate) fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => write!(f, "{} in {} ms", self.address, self.milliseconds),
            Some(error) => write!(f, "{}: {error}", self.address),
        }
    }
}

/// Asks the system's resolver, which also knows `/etc/hosts`.
pub(super) async fn resolve(host: &str, port: u16, limit: Duration) -> Names {
    let begun = Instant::now();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let (addresses, error) = match timeout(limit, tokio::net::lookup_host((bare, port))).await {
        Ok(Ok(found)) => (found.map(|address| address.ip()).collect(), None),
        Ok(Err(error)) => (Vec::new(), Some(fit(&error.to_string()))),
        Err(_) => (Vec::new(), Some(format!("no answer within {} s", limit.as_secs_f64()))),
    };
    let mut names =
        Names { host: bare.to_owned(), addresses, error, milliseconds: begun.elapsed().as_millis() };
    // One entry for each kind of socket is usual.
    let mut seen = std::collections::HashSet::new();
    names.addresses.retain(|address| seen.insert(*address));
    names
}

/// Tries a connection to each address, all at once, and closes it again.
pub(super) async fn reach(
    addresses: impl Iterator<Item = IpAddr>,
    port: u16,
    limit: Duration,
) -> Vec<Reached> {
    let mut tries = tokio::task::JoinSet::new();
    for (place, address) in addresses.take(MOST).enumerate() {
        tries.spawn(async move { (place, connect(SocketAddr::new(address, port), limit).await) });
    }
    let mut reached = tries.join_all().await;
    reached.sort_by_key(|(place, _)| *place);
    reached.into_iter().map(|(_, reached)| reached).collect()
}

async fn connect(address: SocketAddr, limit: Duration) -> Reached {
    let begun = Instant::now();
    let error = match timeout(limit, TcpStream::connect(address)).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(fit(&error.to_string())),
        Err(_) => Some(format!("no answer within {} s", limit.as_secs_f64())),
    };
    Reached { address, error, milliseconds: begun.elapsed().as_millis() }
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
        let open = reach(here(), address.port(), LIMIT).await;
        assert_eq!((open.len(), open[0].error.as_deref()), (1, None));
        drop(listener);
        let closed = reach(here(), address.port(), LIMIT).await;
        assert!(closed[0].error.as_ref().unwrap().contains("refused"), "{closed:?}");
    }

    #[tokio::test]
    async fn an_address_resolves_to_itself_once_also_with_brackets() {
        assert_eq!(resolve("[::1]", 1, LIMIT).await.addresses, ["::1".parse::<IpAddr>().unwrap()]);
        let unknown = resolve("no-such-name.invalid", 1, LIMIT).await;
        assert!(unknown.addresses.is_empty() && unknown.error.is_some());
    }
}
