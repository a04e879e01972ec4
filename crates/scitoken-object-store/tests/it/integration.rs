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
