//! OAuth against a real provider, and tokens that renew themselves for minutes.
//!
//! Peers: Node with `oidc-provider` 8.8.1 in `SCITOKEN_NODE_MODULES`; `oidc-agent-cli` 4.2.6; Python and `script` for
//! the person at the terminal.

mod agent;
mod grants;
mod program;
mod provider;
mod renewal;
