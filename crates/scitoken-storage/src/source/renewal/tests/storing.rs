//! How the renewed token reaches the storage.

use super::*;

#[tokio::test]
async fn a_logout_during_a_renewal_stands() {
    let storage = stored(entry("AT1", 1_000));
    let theirs = storage.clone();
    let logout = move || assert!(theirs.remove_token_data("rs").unwrap());
    let scene = scene(storage, [Reply::After(Arc::new(logout), Box::new(rotated("AT2", "rt2")))]);
    assert_eq!(scene.ask(None).await.unwrap(), None);
    assert_eq!(scene.storage.get_token_data("rs").unwrap(), None);
}

/// A storage whose disk is full until told otherwise.
#[derive(Clone, Debug)]
struct FullDisk(MemoryTokenStorage, Arc<std::sync::atomic::AtomicBool>);

impl TokenStorage for FullDisk {
    fn namespace(&self) -> &str {
        self.0.namespace()
    }
    fn label(&self) -> String {
        "full disk".to_owned()
    }
    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        if self.1.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(StorageError::new(self.label(), "no space left on device"));
        }
        self.0.store_token_data_by_resource_server(tokens)
    }
    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        self.0.get_token_data_by_resource_server()
    }
    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        self.0.get_token_data(resource_server)
    }
    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
        self.0.remove_token_data(resource_server)
    }
    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        self.0.try_lock_for_renewal()
    }
}

#[tokio::test]
async fn a_renewed_token_that_cannot_be_stored_is_used_and_stored_as_soon_as_possible() {
    use std::sync::atomic::{AtomicBool, Ordering};
    let full = Arc::new(AtomicBool::new(true));
    let storage = FullDisk(stored(entry("AT1", 1_000)), Arc::clone(&full));
    let scene = scene(storage, [rotated("AT2", "rt2"), rotated("AT3", "rt3")]);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    assert_eq!(scene.kept(), ("AT1".to_owned(), some("rt1")));
    scene.clock.advance(Duration::from_secs(600));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT3"), "renewed with what could not be stored");
    full.store(false, Ordering::SeqCst);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
    assert_eq!(scene.kept(), ("AT3".to_owned(), some("rt3")));
    assert_eq!(scene.fake.seen(), [with("rt1"), with("rt2")]);
}
