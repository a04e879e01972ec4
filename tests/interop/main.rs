//! Against real servers and other implementations; each file says which program it needs.
//!
//! A peer that is not there is skipped with a message, unless `SCITOKEN_INTEROP=required`.

mod gafaelfawr;
mod gafaelfawr_values;
mod support;
