//! Parquet by columns and Zarr by chunks, compared with local reading.

use std::sync::Arc;

use object_store::ObjectStore;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use scitoken_object_store::ScitokenStore;
use scitoken_test_support::xrootd::Release;
use scitoken_test_support::{Script, XRootD, clients};

use crate::science_files::{COLUMNS, compare_cube, cube, local_column, remote_column, table, walk, whole};
use crate::support::{Counter, Storage};

/// Compares each column, and that reading it took no more than its own bytes and the file's metadata.
async fn compare_columns(store: ScitokenStore, file: &[u8], counter: &Counter, for_length: usize) {
    let (store, name) = (Arc::new(store) as Arc<dyn ObjectStore>, "run1/events.parquet");
    let metadata = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(file)).unwrap();
    let groups = metadata.metadata().row_groups();
    assert_eq!(groups.len(), 4);
    for (column, title) in COLUMNS.iter().enumerate() {
        counter.take();
        let read = remote_column(Arc::clone(&store), name, column).await;
        let (requests, bytes) = counter.take();
        assert!(whole(&read) == whole(&local_column(file, column)), "{title}");
        let own: i64 = groups.iter().map(|group| group.column(column).compressed_size()).sum();
        let own = u64::try_from(own).unwrap();
        // Besides the column: 64 KiB from the end, and the answer that has the length.
        assert!((own..own + 72 * 1024).contains(&bytes), "{title}: {bytes} bytes for a column of {own}");
        // Those for the length, one for the footer, and one for each row group.
        assert_eq!(requests, for_length + 1 + groups.len(), "{title}");
    }
}

#[tokio::test]
async fn a_parquet_file_is_read_column_by_column_from_the_storage() {
    let (storage, file, counter) = (Storage::start().await, table(), Counter::default());
    storage.write("run1/events.parquet", &file);
    let builder = reqwest_scitokens::Session::builder().source(storage.token("storage.read:/run1"));
    let session = builder.with(counter.clone()).http(reqwest::ClientBuilder::no_proxy).build().unwrap();
    let store = ScitokenStore::open(&session, &storage.base).unwrap();
    compare_columns(store, &file, &counter, 1).await;
}

#[tokio::test]
async fn a_parquet_file_is_read_column_by_column_from_xrootd() {
    for release in [Release::V5_5_3, Release::V6_1] {
        let (server, file, counter) = (XRootD::data_server(release, "t").await, table(), Counter::default());
        server.store("/vo/run1/events.parquet", file.clone());
        let session = clients::session(Script::new(&["t"])).with(counter.clone()).build().unwrap();
        let store = ScitokenStore::open(&session, server.url("/vo").as_str()).unwrap();
        // This server answers a PROPFIND with 501, so a HEAD follows.
        compare_columns(store, &file, &counter, 2).await;
    }
}

#[tokio::test]
async fn a_zarr_array_is_read_by_chunks_from_the_storage_and_from_xrootd() {
    let storage = Storage::start().await;
    let array = cube(storage.root.path()).await;
    let xrootd = XRootD::data_server(Release::V5_5_3, "t").await;
    for entry in walk(storage.root.path()) {
        let name = entry.strip_prefix(storage.root.path()).unwrap();
        xrootd.store(&format!("/vo/{}", name.display()), fs_err::read(&entry).unwrap());
    }
    let session = clients::session(Script::new(&["t"])).build().unwrap();
    for store in [
        storage.store("storage.read:/cube.zarr"),
        ScitokenStore::open(&session, xrootd.url("/vo").as_str()).unwrap(),
    ] {
        compare_cube(store, &array).await;
    }
}
