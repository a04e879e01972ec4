//! Queries a table of Parquet files in place by SQL, with the token that discovery finds.
//!
//! ```text
//! just datafusion osdf:///ospool/uc-shared/public/t.parquet "SELECT count(*) FROM t"
//! ```
//!
//! The table is called `t`. Its URL names a file, or a directory if it ends in a slash: `https`, `http` on this machine,
//! `osdf` or `pelican`. Each further argument is a statement; statements may name other tables on the same host.

use std::sync::Arc;

use anyhow::Context as _;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use reqwest_scitokens::Session;
use scitoken_object_store::{DataFusionStore, ScitokenStore};
use url::Url;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let table = arguments.next().context("usage: datafusion-tables URL [SQL]...")?;
    let mut statements: Vec<String> = arguments.collect();
    if statements.is_empty() {
        statements.push("SELECT * FROM t LIMIT 10".to_owned());
    }

    // DataFusion finds a store by the scheme, host and port of a table's URL.
    let root = Url::parse(&table).and_then(|url| url.join("/"));
    let root = root.with_context(|| format!("`{table}` is not the URL of a table"))?;
    let store = ScitokenStore::open(&Session::new()?, root.as_str())?;
    let context = SessionContext::new();
    context.register_object_store(&root, Arc::new(DataFusionStore::from(store)));
    context.register_parquet("t", &table, ParquetReadOptions::default()).await?;
    for statement in &statements {
        context.sql(statement).await?.show().await?;
    }
    Ok(())
}
