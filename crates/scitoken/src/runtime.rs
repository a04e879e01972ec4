//! Running futures.

use crate::exit::Exit;
use crate::failure::Failure;

/// Runs a future to completion on a new single-threaded runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    Ok(new()?.block_on(future))
}

/// Returns a single-threaded runtime.
pub(crate) fn new() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::from_error(Exit::Local, &error))
}
