//! Reads a window of a Zarr array in place: only the chunks that it touches are fetched.
//!
//! ```text
//! cargo run --example zarr_over_https -- https://data.example.org/vo /cube.zarr
//! ```

use std::sync::Arc;

use anyhow::Context as _;
use reqwest_scitokens::Session;
use scitoken_object_store::ScitokenStore;
use zarrs::array::Array;
use zarrs_object_store::AsyncObjectStore;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: zarr_over_https URL ARRAY";
    let (url, name) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    // Zarr's names of nodes begin with a slash.
    let name = format!("/{}", name.trim_start_matches('/'));

    let store = ScitokenStore::open(&Session::new()?, &url)?;
    let array = Array::async_open(Arc::new(AsyncObjectStore::new(store)), &name).await?;
    let window: Vec<std::ops::Range<u64>> = array.shape().iter().map(|length| 0..(*length).min(10)).collect();
    let values: Vec<f32> = array.async_retrieve_array_subset(&window).await?;
    show(&format!(
        "{window:?} of {:?}: {} values, the first is {:?}",
        array.shape(),
        values.len(),
        values.first()
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result")]
fn show(line: &str) {
    println!("{line}");
}
