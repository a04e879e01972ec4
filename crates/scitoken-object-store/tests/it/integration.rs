//! `object_store`'s own tests of a store, against the storage.
//!
//! `put_get_delete_list` is not among them: it stores `a/b%252Fc`, a name with an encoded delimiter, which the storage refuses
//! because the next program could decode it again; nor is `put_opts`, which reads an object while it is replaced, and the
//! storage writes in place. The interop tests run both against other servers.

use object_store::integration;

use crate::support::Storage;

const ALL: &str = "storage.read:/ storage.modify:/";

#[tokio::test]
async fn objects_are_read_with_conditions() {
    integration::get_opts(&Storage::start().await.store(ALL)).await;
}

#[tokio::test]
async fn objects_are_listed_by_directories() {
    let (storage, other) = (Storage::start().await, Storage::start().await);
    integration::list_uses_directories_correctly(&storage.store(ALL)).await;
    integration::list_with_delimiter(&other.store(ALL)).await;
}

#[tokio::test]
async fn listings_start_after_an_offset() {
    integration::list_with_offset_exclusivity(&Storage::start().await.store(ALL)).await;
}

#[tokio::test]
async fn objects_are_copied_and_renamed() {
    let storage = Storage::start().await;
    let store = storage.store(ALL);
    integration::rename_and_copy(&store).await;
    integration::copy_if_not_exists(&store).await;
    integration::copy_rename_nonexistent_object(&store).await;
}

#[tokio::test]
async fn parts_become_one_object_in_any_order_of_polling() {
    integration::stream_get(&Storage::start().await.store(ALL)).await;
}

#[cfg(feature = "datafusion")]
mod datafusion {
    //! The same for `object_store` 0.13.

    use object_store_013::integration;
    use object_store_013::{Error, ObjectStore as _, ObjectStoreExt as _};
    use scitoken_object_store::DataFusionStore;

    use super::{ALL, Storage};

    fn store(storage: &Storage) -> DataFusionStore {
        DataFusionStore::from(storage.store(ALL))
    }

    #[tokio::test]
    async fn a_program_with_object_store_0_13_reads_lists_and_writes_the_same() {
        integration::get_opts(&store(&Storage::start().await)).await;
        integration::list_uses_directories_correctly(&store(&Storage::start().await)).await;
        integration::list_with_delimiter(&store(&Storage::start().await)).await;
        integration::list_with_offset_exclusivity(&store(&Storage::start().await)).await;
        integration::rename_and_copy(&store(&Storage::start().await)).await;
        integration::copy_if_not_exists(&store(&Storage::start().await)).await;
        integration::copy_rename_nonexistent_object(&store(&Storage::start().await)).await;
        integration::stream_get(&store(&Storage::start().await)).await;
    }

    #[tokio::test]
    async fn errors_keep_their_meaning() {
        let storage = Storage::start().await;
        storage.write("f", "data");
        let store = DataFusionStore::from(storage.store("storage.read:/other"));
        let refused = store.get(&"f".into()).await.unwrap_err();
        assert!(matches!(refused, Error::PermissionDenied { .. }), "{refused:?}");
        let absent = super::datafusion::store(&storage).get(&"g".into()).await.unwrap_err();
        assert!(matches!(absent, Error::NotFound { .. }), "{absent:?}");
        let ranges = super::datafusion::store(&storage).get_ranges(&"f".into(), &[1..3, 0..2]).await.unwrap();
        assert_eq!(ranges, ["at", "da"]);
    }
}
