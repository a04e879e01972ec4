//! Integration tests.
mod gafaelfawr;
