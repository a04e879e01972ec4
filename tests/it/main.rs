//! Integration tests.
mod gafaelfawr;
mod gafaelfawr_client;
