//! A table in Parquet and an array in Zarr, and how they are read locally and from a store.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_select::concat::concat_batches;
use futures_util::TryStreamExt as _;
use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::file::properties::WriterProperties;
use zarrs::array::{Array, ArrayBuilder, data_type};
use zarrs_object_store::AsyncObjectStore;

use self::parquet_reader::ParquetObject;

#[path = "../../examples/parquet_reader/mod.rs"]
mod parquet_reader;

/// An array in a local directory.
pub(crate) type LocalArray = Array<AsyncObjectStore<LocalFileSystem>>;

const ROWS: i64 = 200_000;
pub(crate) const COLUMNS: [&str; 4] = ["event", "energy", "angle", "detector"];

/// Returns a table of 4 columns in 4 row groups, about 5 MB, without compression.
pub(crate) fn table() -> Vec<u8> {
    let rows = 0..i32::try_from(ROWS).unwrap();
    let of_rows = |value: fn(f64) -> f64| {
        Arc::new(rows.clone().map(|row| value(f64::from(row))).collect::<Float64Array>()) as ArrayRef
    };
    let columns: [ArrayRef; 4] = [
        Arc::new((0..ROWS).collect::<Int64Array>()),
        of_rows(|row| row * 0.37),
        of_rows(f64::sin),
        Arc::new((0..ROWS).map(|row| Some(format!("detector-{}", row % 17))).collect::<StringArray>()),
    ];
    let batch = RecordBatch::try_from_iter(COLUMNS.into_iter().zip(columns)).unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(50_000)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Reads one column of a file in memory.
pub(crate) fn local_column(file: &[u8], column: usize) -> Vec<RecordBatch> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(file)).unwrap();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
    builder.with_projection(mask).build().unwrap().collect::<Result<_, _>>().unwrap()
}

/// Returns all rows as one batch.
pub(crate) fn whole(batches: &[RecordBatch]) -> RecordBatch {
    let batch = concat_batches(&batches[0].schema(), batches).unwrap();
    assert_eq!(i64::try_from(batch.num_rows()).unwrap(), ROWS);
    batch
}

/// Reads one column of a file in a store.
pub(crate) async fn remote_column(
    store: Arc<dyn ObjectStore>,
    name: &str,
    column: usize,
) -> Vec<RecordBatch> {
    let object = ParquetObject { store, path: object_store::path::Path::from(name) };
    let builder = ParquetRecordBatchStreamBuilder::new(object).await.unwrap();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), [column]);
    builder.with_projection(mask).build().unwrap().try_collect().await.unwrap()
}

/// Creates `cube.zarr` below a directory: an array of 4 by 3 chunks, one of which is not stored.
pub(crate) async fn cube(directory: &Path) -> LocalArray {
    let local = Arc::new(AsyncObjectStore::new(LocalFileSystem::new_with_prefix(directory).unwrap()));
    let array = ArrayBuilder::new(vec![64, 48], vec![16, 16], data_type::float32(), -1.0_f32)
        .build(local, "/cube.zarr")
        .unwrap();
    array.async_store_metadata().await.unwrap();
    for (x, y) in (0..4).flat_map(|x| (0..3).map(move |y| (x, y))).filter(|chunk| *chunk != (2, 1)) {
        let base = u16::try_from(x * 1000 + y * 300).unwrap();
        let values: Vec<f32> = (0..256).map(|n| f32::from(base + n)).collect();
        array.async_store_chunk(&[x, y], values).await.unwrap();
    }
    array
}

/// Compares chunks and a window of the array in a store with the local one.
pub(crate) async fn compare_cube(store: impl ObjectStore, array: &LocalArray) {
    let remote = Arc::new(AsyncObjectStore::new(store));
    let remote = Array::async_open(remote, "/cube.zarr").await.unwrap();
    // Chunk (2, 1) was not stored: it has the fill value.
    for (x, y) in (0..4).flat_map(|x| (0..3).map(move |y| (x, y))) {
        let read: Vec<f32> = remote.async_retrieve_chunk(&[x, y]).await.unwrap();
        let expected: Vec<f32> = array.async_retrieve_chunk(&[x, y]).await.unwrap();
        assert_eq!(read, expected, "({x}, {y})");
    }
    let window = [10..40, 5..20];
    let read: Vec<f32> = remote.async_retrieve_array_subset(&window).await.unwrap();
    let expected: Vec<f32> = array.async_retrieve_array_subset(&window).await.unwrap();
    assert_eq!((read.len(), read), (450, expected));
}

/// Returns all files below a directory.
pub(crate) fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
