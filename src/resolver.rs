//! Resolving names: `localhost` is this machine, whatever DNS says.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names as the system does, except for `localhost`, which always has the loopback addresses.
///
/// A token goes to `localhost` without TLS, so no resolver may send it to another machine (RFC 6761 section 6.3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoopbackResolver;

impl Resolve for LoopbackResolver {
    fn resolve(&self, name: Name) -> Resolving {
        if name.as_str().eq_ignore_ascii_case("localhost") {
            let addresses = [SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), (Ipv6Addr::LOCALHOST, 0).into()];
            return Box::pin(async move { Ok(Box::new(addresses.into_iter()) as Addrs) });
        }
        Box::pin(async move {
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_always_this_machine() {
        for name in ["localhost", "LOCALHOST"] {
            let addresses: Vec<_> = LoopbackResolver.resolve(name.parse().unwrap()).await.unwrap().collect();
            assert_eq!(addresses.len(), 2, "{name}");
            assert!(addresses.iter().all(|address| address.ip().is_loopback()), "{name} {addresses:?}");
        }
    }
}
