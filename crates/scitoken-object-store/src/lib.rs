//! Science data in place, with bearer tokens, for programs that read through [`object_store`].
//!
//! `DataFusion`, Parquet, Zarr and others read through the trait [`ObjectStore`](object_store::ObjectStore). Its HTTP store knows no
//! credentials. This crate gives it those of [`reqwest_scitokens`]: found where batch systems leave them, read again when the
//! file changes, replaced once after a `401`, and sent to no other server than the one that was named.
//!
//! | item | what it does |
//! |---|---|
//! | [`ScitokenStore`] | a store for WebDAV and XRootD servers, and for names in Pelican federations (`osdf://`, `pelican://`) |
//! | `DataFusionStore` | the same for `object_store` 0.13, which `DataFusion` 55 takes (feature `datafusion`) |
//! | [`ScitokenConnector`] | gives tokens to `object_store`'s own `HttpStore`, or to any of its stores that takes an [`HttpConnector`] |
//!
//! ```no_run
//! use object_store::{ObjectStoreExt, path::Path};
//! use reqwest_scitokens::Session;
//! use scitoken_object_store::ScitokenStore;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let store = ScitokenStore::open(&Session::new()?, "https://xrootd.example.org:1094/vo")?;
//! let tail = store.get_range(&Path::from("run1/events.parquet"), 0..8).await?;
//! # let _ = tail;
//! # Ok(())
//! # }
//! ```
//!
//! `docs/object-store.md` in the repository, "Reading data in place with tokens", shows Parquet, Zarr and `DataFusion`.
//!
//! # Retries
//! Reads and `put` are retried by `object_store` ([`RetryConfig`](object_store::RetryConfig)), other changes and listings by
//! [`RetryPolicy`](scitoken_transfer::RetryPolicy); no request by both. The middleware sends a request once more after a `401`, with
//! another token.
//!
//! # What happened to a request
//! [`GetResult::extensions`](object_store::GetResult::extensions) has the [`AuthTrace`](reqwest_scitokens::auth::AuthTrace) of the
//! response. Each request is a `tracing` span `object_store_request` with its method, URL and status.
//!
//! [`HttpConnector`]: object_store::client::HttpConnector
#![cfg_attr(docsrs, feature(doc_cfg))]

mod answer;
mod connector;
#[cfg(feature = "datafusion")]
#[cfg_attr(docsrs, doc(cfg(feature = "datafusion")))]
mod datafusion;
mod error;
mod federated_directory;
mod federation;
mod hidden;
mod location;
mod pause;
mod payload;
mod preconditions;
mod refusal;
mod request_url;
mod server;
mod server_state;
mod service;
mod several;
mod store;
mod verify;

pub use connector::ScitokenConnector;
#[cfg(feature = "datafusion")]
#[cfg_attr(docsrs, doc(cfg(feature = "datafusion")))]
pub use datafusion::DataFusionStore;
pub use error::OpenError;
pub use store::ScitokenStore;

/// The examples of the Markdown pages, compiled as those of the docs are.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/object-store.md")]
    struct ReadingDataInPlace;
}
