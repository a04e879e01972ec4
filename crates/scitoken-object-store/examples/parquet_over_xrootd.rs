//! Reads columns of a Parquet file in place, from XRootD or any other server, with the token that discovery finds.
//!
//! ```text
//! cargo run --example parquet_over_xrootd -- https://xrootd.example.org:1094/vo run1/events.parquet energy angle
//! ```

mod parquet_reader;

use std::sync::Arc;

use anyhow::Context as _;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use parquet::arrow::ProjectionMask;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet_reader::ParquetObject;
use reqwest_scitokens::Session;
use scitoken_object_store::ScitokenStore;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: parquet_over_xrootd URL FILE COLUMN...";
    let (url, file) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    let columns: Vec<String> = arguments.collect();

    let store = Arc::new(ScitokenStore::open(&Session::new()?, &url)?);
    let object = ParquetObject { store, path: Path::parse(&file)? };
    let builder = ParquetRecordBatchStreamBuilder::new(object).await?;
    let there: Vec<_> =
        builder.parquet_schema().columns().iter().map(|column| column.path().string()).collect();
    let is_there =
        |name: &&String| there.iter().any(|column| column.split('.').next() == Some(name.as_str()));
    if let Some(unknown) = columns.iter().find(|name| !is_there(name)) {
        anyhow::bail!("`{file}` has no column `{unknown}`; its columns: {}", there.join(", "));
    }
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().map(String::as_str));
    let mut batches = builder.with_projection(mask).build()?;
    while let Some(batch) = batches.try_next().await? {
        show(&format!("{} rows of {} columns", batch.num_rows(), batch.num_columns()));
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the result")]
fn show(line: &str) {
    println!("{line}");
}
