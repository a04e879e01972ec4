//! Parquet by columns and Zarr by chunks from a real XRootD, compared with local reading.

use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::lab::{self, Server, XROOTD};
use crate::object_store::store;

#[path = "../../../scitoken-object-store/tests/it/science_files.rs"]
mod science_files;

use self::science_files::{COLUMNS, compare_cube, cube, local_column, remote_column, table, walk, whole};

#[test]
fn a_parquet_file_is_read_by_columns_and_a_zarr_array_by_chunks_from_xrootd() {
    lab::inside(&[Server::XRootD], async |lab| {
        let file = table();
        let xrootd = store(&lab, &format!("{XROOTD}/vo/formats"));
        xrootd.put(&Path::from("run1/events.parquet"), file.clone().into()).await.unwrap();
        let remote = Arc::new(xrootd.clone()) as Arc<dyn ObjectStore>;
        for (column, title) in COLUMNS.iter().enumerate() {
            let read = remote_column(Arc::clone(&remote), "run1/events.parquet", column).await;
            assert!(whole(&read) == whole(&local_column(&file, column)), "{title}");
        }
        let directory = tempfile::tempdir().unwrap();
        let array = cube(directory.path()).await;
        for entry in walk(directory.path()) {
            let name = entry.strip_prefix(directory.path()).unwrap().to_str().unwrap();
            xrootd.put(&Path::from(name), fs_err::read(&entry).unwrap().into()).await.unwrap();
        }
        compare_cube(xrootd, &array).await;
    });
}
