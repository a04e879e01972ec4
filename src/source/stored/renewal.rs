//! Renewing a stored token: once, however many threads and processes want it.

use std::fmt;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use tokio::sync::Mutex;

use super::super::{SourceError, TokenRequest};
use super::entry::{Need, Verdict, refresh_token};
use super::outcome::{Look, Renewed, Successor, Unsaved};
use super::slot::Slot;
use super::trouble::{Failure, Trouble};
use crate::oauth::{GrantRequest, OAuthClient};
use crate::storage::TokenStorageData;
use crate::token::AccessToken;

/// How a token is renewed, and what is known from earlier renewals.
pub(super) struct Renewal {
    client: OAuthClient,
    grant: Grant,
    /// Held by the one that renews.
    gate: Arc<Mutex<Memory>>,
    usual_lifetime: std::sync::Mutex<Option<Duration>>,
}

enum Grant {
    RefreshToken,
    ClientCredentials(GrantRequest),
}

#[derive(Default)]
struct Memory {
    failure: Option<Failure>,
    unsaved: Option<Unsaved>,
}

impl Renewal {
    pub(super) fn by_refresh_token(client: OAuthClient) -> Self {
        Self::new(client, Grant::RefreshToken)
    }

    pub(super) fn by_client_credentials(client: OAuthClient, wanted: GrantRequest) -> Self {
        Self::new(client, Grant::ClientCredentials(wanted))
    }

    fn new(client: OAuthClient, grant: Grant) -> Self {
        Self { client, grant, gate: Arc::default(), usual_lifetime: std::sync::Mutex::default() }
    }

    pub(super) fn needs_an_entry(&self) -> bool {
        matches!(self.grant, Grant::RefreshToken)
    }

    /// How long the last token lived that was given out here.
    pub(super) fn usual_lifetime(&self) -> Option<Duration> {
        *self.usual_lifetime.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the entry unless somebody else has by now.
    ///
    /// The work goes on when the caller loses interest: once the server has rotated the refresh token, the new one
    /// must reach the storage.
    pub(super) async fn renew(
        self: &Arc<Self>,
        slot: &Slot,
        need: Need,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        let (renewal, slot) = (Arc::clone(self), slot.clone());
        let work = tokio::spawn(async move {
            let mut memory = Arc::clone(&renewal.gate).lock_owned().await;
            renewal.renew_alone(&mut memory, &slot, &need).await
        });
        let done = match work.await {
            Ok(done) => done,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        };
        match &done {
            Ok(Renewed { note: Some(note), .. }) => request.note(|| note.clone()),
            Err(error) => request.note(|| error.to_string()),
            Ok(_) => {}
        }
        done.map(|renewed| renewed.token)
    }

    /// The only one of this process now.
    async fn renew_alone(
        &self,
        memory: &mut Memory,
        slot: &Slot,
        need: &Need,
    ) -> Result<Renewed, SourceError> {
        if let Some(done) = self.look(memory, slot, need).await?.into_done(slot)? {
            return Ok(done);
        }
        let _lock = slot.lock().await?;
        // Another process may have renewed it while we waited for the lock.
        let entry = match self.look(memory, slot, need).await? {
            Look::Renew(entry) => entry,
            done => return Ok(done.into_done(slot)?.expect("only `Renew` is not done")),
        };
        match self.ask(slot, entry.clone()).await {
            Ok(Some(successor)) => self.keep(memory, slot, successor).await,
            // Logged out in the meantime.
            Ok(None) => Ok(Renewed::nothing()),
            Err(failed) => self.failed(memory, slot, need, entry, failed),
        }
    }

    /// Reads the entry and decides.
    async fn look(&self, memory: &mut Memory, slot: &Slot, need: &Need) -> Result<Look, SourceError> {
        let now = self.client.now();
        let entry = self.entry(memory, slot).await?;
        match need.judge(entry.as_ref(), now, self.usual_lifetime()) {
            Verdict::Good => return Ok(Look::Good(entry.expect("good is not absent"))),
            Verdict::Absent if self.needs_an_entry() => return Ok(Look::Absent),
            Verdict::Absent | Verdict::Renew => {}
        }
        if self.needs_an_entry() && entry.as_ref().and_then(refresh_token).is_none() {
            return Ok(Look::Stuck(entry.expect("absent is dealt with"), now));
        }
        if let Some(failure) = memory.failure.as_ref().filter(|failure| failure.counts(entry.as_ref(), now)) {
            let error = failure.error.clone();
            return Ok(match usable(entry, need, now) {
                Some(entry) => Look::Good(entry),
                None => return Err(error),
            });
        }
        Ok(Look::Renew(entry))
    }

    /// The stored entry, or the one that should stand there but could not be stored.
    async fn entry(&self, memory: &mut Memory, slot: &Slot) -> Result<Option<TokenStorageData>, SourceError> {
        let stored = slot.read().await?;
        let Some(unsaved) = memory.unsaved.take() else { return Ok(stored) };
        if self.needs_an_entry() && !unsaved.is_awaited_by(stored.as_ref()) {
            return Ok(stored);
        }
        if let Err(error) = slot.store(unsaved.data.clone()).await {
            tracing::warn!(place = %slot.place(), %error, "a renewed token still cannot be stored");
            memory.unsaved = Some(unsaved.clone());
        }
        Ok(Some(unsaved.data))
    }

    /// Asks the token endpoint; gives the new entry and the one that it follows.
    ///
    /// When the refresh token turns out to be void but the storage has another one by now (a program without our
    /// lock was faster), asks once more with that. `None`: logged out meanwhile.
    async fn ask(&self, slot: &Slot, entry: Option<TokenStorageData>) -> Result<Option<Successor>, Trouble> {
        let wanted = GrantRequest::new();
        if let Grant::ClientCredentials(wanted) = &self.grant {
            let answer = self.client.client_credentials(wanted).await.map_err(Trouble::Server)?;
            return Successor::read(slot, answer, entry).map(Some);
        }
        let Some(first) = entry.as_ref().and_then(refresh_token) else { return Ok(None) };
        let void = match self.client.refresh(first, &wanted).await {
            Ok(answer) => return Successor::read(slot, answer, entry).map(Some),
            Err(error) if error.is_invalid_grant() => error,
            Err(error) => return Err(Trouble::Server(error)),
        };
        let stored = slot.read().await.map_err(Trouble::Storage)?;
        match stored.as_ref().map(refresh_token) {
            None => Ok(None),
            Some(Some(other)) if other != first => {
                let answer = self.client.refresh(other, &wanted).await.map_err(Trouble::Server)?;
                Successor::read(slot, answer, stored).map(Some)
            }
            Some(_) => Err(Trouble::Server(void)),
        }
    }

    /// Writes the new entry back, or remembers it if that cannot be done.
    async fn keep(
        &self,
        memory: &mut Memory,
        slot: &Slot,
        Successor { data, of: old }: Successor,
    ) -> Result<Renewed, SourceError> {
        let now = self.client.now();
        memory.failure = None;
        *self.usual_lifetime.lock().unwrap_or_else(PoisonError::into_inner) =
            data.expires_at().duration_since(now).ok();
        let replaces = match &memory.unsaved {
            Some(unsaved) => unsaved.replaces.clone(),
            None => old.as_ref().and_then(refresh_token).map(SecretString::from),
        };
        // Before anything can fail: the old refresh token is void, and this may be the only one that is not.
        let unsaved = memory.unsaved.insert(Unsaved { data, replaces }).clone();
        match slot.read().await {
            Ok(stored) if self.needs_an_entry() && !unsaved.is_awaited_by(stored.as_ref()) => {
                // Somebody logged in or out while we asked: theirs stands.
                memory.unsaved = None;
                return Ok(Renewed {
                    token: stored.map(|entry| slot.token(&entry)).transpose()?,
                    note: None,
                });
            }
            Ok(_) => match slot.store(unsaved.data.clone()).await {
                Ok(()) => memory.unsaved = None,
                Err(error) => {
                    tracing::warn!(place = %slot.place(), %error, "a renewed token cannot be stored");
                }
            },
            Err(error) => {
                tracing::warn!(place = %slot.place(), %error, "a renewed token cannot be stored yet");
            }
        }
        tracing::debug!(place = %slot.place(), "renewed a token");
        let note = format!("{} was renewed", slot.place());
        let token = slot.token(&unsaved.data)?.with_found_in(format!("{}, renewed just now", slot.place()));
        Ok(Renewed { token: Some(token), note: Some(note) })
    }

    /// Remembers the failure, and falls back on what is stored if that has still some life.
    fn failed(
        &self,
        memory: &mut Memory,
        slot: &Slot,
        need: &Need,
        entry: Option<TokenStorageData>,
        trouble: Trouble,
    ) -> Result<Renewed, SourceError> {
        let now = self.client.now();
        let (error, lasts) = trouble.told(slot);
        tracing::debug!(place = %slot.place(), %error, "a token cannot be renewed");
        memory.failure = Some(Failure {
            credential: entry.as_ref().and_then(refresh_token).map(SecretString::from),
            at: now,
            error: error.clone(),
            lasts,
        });
        match usable(entry, need, now) {
            Some(entry) => Ok(Renewed { token: Some(slot.token(&entry)?), note: Some(error.to_string()) }),
            None => Err(error),
        }
    }
}

/// An entry that should be renewed but can still be sent.
fn usable(entry: Option<TokenStorageData>, need: &Need, now: SystemTime) -> Option<TokenStorageData> {
    entry.filter(|entry| now < entry.expires_at() && !need.refuses(entry))
}

impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grant = match self.grant {
            Grant::RefreshToken => "refresh_token",
            Grant::ClientCredentials(_) => "client_credentials",
        };
        f.debug_struct("Renewal").field("client", &self.client).field("grant", &grant).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::super::super::TokenSource as _;
    use super::super::StoredSource;
    use super::*;
    use crate::oauth::fake::{self, Fake, Reply};
    use crate::storage::{
        JsonTokenStorage, MemoryTokenStorage, RenewalLock, StorageError, TokenDataMap, TokenStorage,
    };
    use crate::sys::ManualClock;

    fn answer(access: &str, more: &str) -> Reply {
        Reply::json(
            200,
            &format!(r#"{{"access_token": "{access}", "token_type": "Bearer", "expires_in": 600{more}}}"#),
        )
    }

    fn rotated(access: &str, refresh: &str) -> Reply {
        answer(access, &format!(", \"refresh_token\": \"{refresh}\""))
    }

    fn void() -> Reply {
        Reply::json(400, r#"{"error": "invalid_grant"}"#)
    }

    /// A form that renews with this refresh token.
    fn with(refresh: &str) -> String {
        format!(
            "POST https://iss.example/token - grant_type=refresh_token&refresh_token={refresh}&client_id=me"
        )
    }

    fn entry(access: &str, end: i64) -> TokenStorageData {
        TokenStorageData::new("rs", "scope", access, end).with_refresh_token("rt1").with_identity_id("A")
    }

    struct Scene<S> {
        storage: S,
        fake: Fake,
        clock: ManualClock,
        source: StoredSource,
    }

    fn scene<S: TokenStorage + Clone>(storage: S, replies: impl IntoIterator<Item = Reply>) -> Scene<S> {
        let (fake, clock) = (Fake::new(replies), ManualClock::at_epoch_seconds(1_000));
        let client = fake::client(&fake).with_clock(clock.clone());
        let source = StoredSource::new(storage.clone(), "rs").with_renewal(client);
        Scene { storage, fake, clock, source }
    }

    fn stored(data: TokenStorageData) -> MemoryTokenStorage {
        let storage = MemoryTokenStorage::new();
        storage.store_token_data(data).unwrap();
        storage
    }

    impl<S: TokenStorage> Scene<S> {
        async fn ask(&self, rejected: Option<&str>) -> Result<Option<String>, SourceError> {
            ask(&self.source, &self.clock, rejected).await
        }

        fn kept(&self) -> (String, Option<String>) {
            let data = self.storage.get_token_data("rs").unwrap().unwrap();
            (data.expose_access_token().to_owned(), data.expose_refresh_token().map(str::to_owned))
        }
    }

    async fn ask(
        source: &StoredSource,
        clock: &ManualClock,
        rejected: Option<&str>,
    ) -> Result<Option<String>, SourceError> {
        use crate::sys::Clock as _;
        let url = "https://h/f".parse().unwrap();
        let rejected = rejected.map(|token| AccessToken::new(token).unwrap());
        let mut request = TokenRequest::new(&url).unwrap().at(clock.now());
        if let Some(rejected) = &rejected {
            request = request.with_rejected(rejected);
        }
        Ok(source.token(&request).await?.map(|token| token.expose_secret().to_owned()))
    }

    #[expect(clippy::unnecessary_wraps, reason = "what it is compared with")]
    fn some(token: &str) -> Option<String> {
        Some(token.to_owned())
    }

    #[tokio::test]
    async fn a_token_with_a_minute_left_is_used_and_one_with_less_is_renewed() {
        let scene = scene(stored(entry("AT1", 1_060)), [rotated("AT2", "rt2")]);
        assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
        scene.clock.advance(Duration::from_secs(1));
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
        assert_eq!(scene.fake.seen(), [with("rt1")]);
        assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
        let data = scene.storage.get_token_data("rs").unwrap().unwrap();
        assert_eq!((data.identity_id(), data.scope()), (Some("A"), "scope"));
        assert_eq!(data.expires_at_seconds(), 1_601);
    }

    #[tokio::test]
    async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
        let scene = scene(stored(entry("AT1", 1_000)), [answer("AT2", ""), answer("AT3", "")]);
        scene.ask(None).await.unwrap();
        assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt1")));
        scene.clock.advance(Duration::from_secs(600));
        assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
        assert_eq!(scene.fake.seen(), [with("rt1"), with("rt1")]);
    }

    #[tokio::test]
    async fn a_refused_token_is_renewed_once_however_many_requests_it_was_refused_to() {
        let late = Reply::Late(Duration::from_millis(20), Box::new(rotated("AT2", "rt2")));
        let scene = scene(stored(entry("AT1", 9_000)), [late]);
        let all = (0..20).map(|_| {
            let (source, clock) = (scene.source.clone(), scene.clock.clone());
            tokio::spawn(async move { ask(&source, &clock, Some("AT1")).await.unwrap() })
        });
        for one in futures_util::future::join_all(all).await {
            assert_eq!(one.unwrap(), some("AT2"));
        }
        assert_eq!(scene.fake.seen().len(), 1);
    }

    #[tokio::test]
    async fn a_cancelled_request_does_not_lose_the_rotated_refresh_token() {
        let late = Reply::Late(Duration::from_millis(20), Box::new(rotated("AT2", "rt2")));
        let scene = scene(stored(entry("AT1", 1_000)), [late]);
        let server_is_asked = async {
            while scene.fake.seen().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            biased;
            () = server_is_asked => {}
            _ = scene.ask(None) => panic!("cancelled before the server has answered"),
        }
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
        assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
        assert_eq!(scene.fake.seen(), [with("rt1")]);
    }

    #[tokio::test]
    async fn two_programs_on_one_file_renew_once() {
        let directory = tempfile::tempdir().unwrap();
        let storage = JsonTokenStorage::new(directory.path().join("tokens.json"));
        storage.store_token_data(entry("AT1", 1_000)).unwrap();
        let late = Reply::Late(Duration::from_millis(20), Box::new(rotated("AT2", "rt2")));
        let scene = scene(storage.clone(), [late]);
        // Another source on the same file has its own gate, as another process would.
        let client = fake::client(&scene.fake).with_clock(scene.clock.clone());
        let other = StoredSource::new(storage, "rs").with_renewal(client);
        let (one, two) = tokio::join!(scene.ask(None), ask(&other, &scene.clock, None));
        assert_eq!((one.unwrap(), two.unwrap()), (some("AT2"), some("AT2")));
        assert_eq!(scene.fake.seen(), [with("rt1")]);
    }

    #[tokio::test]
    async fn a_server_in_trouble_is_left_in_peace_and_the_old_token_used_while_it_lives() {
        let scene = scene(
            stored(entry("AT1", 1_010)),
            [Reply::json(503, ""), Reply::NoConnection, Reply::json(500, ""), rotated("AT2", "rt2")],
        );
        for _ in 0..3 {
            assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
        }
        assert_eq!(scene.fake.seen().len(), 1);
        scene.clock.advance(Duration::from_secs(5));
        assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
        assert_eq!(scene.fake.seen().len(), 2);
        scene.clock.advance(Duration::from_secs(5));
        for _ in 0..2 {
            let error = scene.ask(None).await.unwrap_err();
            assert!(error.to_string().contains("cannot be renewed"), "{error}");
        }
        assert_eq!(scene.fake.seen().len(), 3);
        scene.clock.advance(Duration::from_secs(5));
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    }

    #[tokio::test]
    async fn a_clock_that_jumps_costs_a_renewal_at_most() {
        let far = UNIX_EPOCH + Duration::from_secs(1_000_000);
        let scene = scene(
            stored(entry("AT1", 2_000)),
            [Reply::json(503, ""), rotated("AT2", "rt2"), rotated("AT3", "rt3")],
        );
        scene.clock.set(far);
        assert!(scene.ask(None).await.is_err());
        // Back again: the failure is not one of the future, and the token is good.
        scene.clock.set(UNIX_EPOCH + Duration::from_secs(1_000));
        assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
        assert_eq!(scene.ask(Some("AT1")).await.unwrap(), some("AT2"));
        scene.clock.set(far);
        assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
        assert_eq!(scene.kept().0, "AT3");
    }

    #[tokio::test]
    async fn a_refused_token_is_no_fallback() {
        let scene = scene(stored(entry("AT1", 9_000)), [Reply::json(503, "")]);
        assert!(scene.ask(Some("AT1")).await.is_err());
    }

    #[tokio::test]
    async fn a_void_refresh_token_is_not_tried_again_until_somebody_logs_in() {
        let scene = scene(stored(entry("AT1", 1_000)), [void(), rotated("AT3", "rt3")]);
        for _ in 0..2 {
            let error = scene.ask(None).await.unwrap_err();
            assert!(error.hint().unwrap().contains("scitoken login"), "{error:?}");
            scene.clock.advance(Duration::from_secs(3_600));
        }
        assert_eq!(scene.fake.seen(), [with("rt1")]);
        scene.storage.store_token_data(entry("AT2", 1_000).with_refresh_token("rt2")).unwrap();
        assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
        assert_eq!(scene.fake.seen(), [with("rt1"), with("rt2")]);
    }

    #[tokio::test]
    async fn a_refusal_that_is_not_about_the_refresh_token_is_not_for_ever() {
        let refusal = |code: &str| Reply::json(401, &format!(r#"{{"error": "{code}"}}"#));
        let page = Reply::html(404, "<html>down for maintenance</html>");
        let scene =
            scene(stored(entry("AT1", 1_000)), [refusal("invalid_client"), page, rotated("AT2", "rt2")]);
        for _ in 0..2 {
            assert!(scene.ask(None).await.is_err());
            scene.clock.advance(Duration::from_secs(5));
        }
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
    }

    #[tokio::test]
    async fn when_a_program_without_the_lock_was_faster_its_refresh_token_is_used() {
        let storage = stored(entry("AT1", 1_000));
        let theirs = storage.clone();
        let faster = move || theirs.store_token_data(entry("AT2", 1_000).with_refresh_token("rt2")).unwrap();
        let scene = scene(storage, [Reply::After(Arc::new(faster), Box::new(void())), rotated("AT3", "rt3")]);
        assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
        assert_eq!(scene.fake.seen(), [with("rt1"), with("rt2")]);
        assert_eq!(scene.kept(), ("AT3".to_owned(), some("rt3")));
    }

    #[tokio::test]
    async fn who_logs_out_during_a_renewal_stays_logged_out() {
        let storage = stored(entry("AT1", 1_000));
        let theirs = storage.clone();
        let logout = move || assert!(theirs.remove_token_data("rs").unwrap());
        let scene = scene(storage, [Reply::After(Arc::new(logout), Box::new(rotated("AT2", "rt2")))]);
        assert_eq!(scene.ask(None).await.unwrap(), None);
        assert_eq!(scene.storage.get_token_data("rs").unwrap(), None);
    }

    #[tokio::test]
    async fn without_a_refresh_token_a_token_is_used_to_its_end() {
        let scene = scene(stored(TokenStorageData::new("rs", "s", "AT1", 1_010)), []);
        assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
        scene.clock.advance(Duration::from_secs(10));
        let error = scene.ask(None).await.unwrap_err();
        assert!(error.is_expired() && error.hint().unwrap().contains("no refresh token"), "{error:?}");
    }

    #[tokio::test]
    async fn the_only_token_of_an_answer_is_ours_whatever_the_server_calls_it() {
        let renamed = answer("AT2", r#", "refresh_token": "rt2", "resource_server": "x""#);
        let scene = scene(stored(entry("AT1", 1_000)), [renamed]);
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
        assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
        let data = scene.storage.get_token_data("rs").unwrap().unwrap();
        assert_eq!(data.resource_server(), "rs");
    }

    #[tokio::test]
    async fn a_rotated_refresh_token_is_kept_though_the_rest_of_the_answer_is_of_no_use() {
        let stranger = r#", "refresh_token": "rt2", "id_token": "e30.e30.sig""#;
        let unusable = rotated("no bearer\u{7f}", "rt3");
        let scene = scene(stored(entry("AT1", 1_000)), [answer("AT2", stranger), unusable]);
        assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
        assert_eq!(scene.kept(), ("AT2".to_owned(), some("rt2")));
        scene.clock.advance(Duration::from_secs(600));
        assert!(scene.ask(None).await.is_err());
        assert_eq!(scene.kept().1, some("rt3"));
    }

    #[tokio::test]
    async fn an_answer_for_several_others_is_not_stored() {
        let others = r#", "resource_server": "x",
            "other_tokens": [{"access_token": "AT3", "expires_in": 600, "resource_server": "y"}]"#;
        let scene = scene(stored(entry("AT1", 1_000)), [answer("AT2", others)]);
        let error = scene.ask(None).await.unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("is for `x`, `y`"), "{cause}");
        assert_eq!(scene.kept().0, "AT1");
    }

    #[tokio::test]
    async fn a_client_of_its_own_needs_no_entry() {
        let (fake, clock) =
            (Fake::new([answer("AT1", ""), answer("AT2", "")]), ManualClock::at_epoch_seconds(1_000));
        let client = fake::client(&fake).with_secret("pw").with_clock(clock.clone());
        let storage = MemoryTokenStorage::new();
        let source =
            StoredSource::new(storage.clone(), "rs").with_client_credentials(client, GrantRequest::new());
        assert_eq!(ask(&source, &clock, None).await.unwrap(), some("AT1"));
        assert_eq!(ask(&source, &clock, None).await.unwrap(), some("AT1"));
        assert_eq!(ask(&source, &clock, Some("AT1")).await.unwrap(), some("AT2"));
        assert_eq!(storage.get_token_data("rs").unwrap().unwrap().expose_access_token(), "AT2");
        assert_eq!(fake.seen().len(), 2);
    }

    /// A storage whose disk is full until told otherwise.
    #[derive(Clone, Debug)]
    struct FullDisk(MemoryTokenStorage, Arc<std::sync::atomic::AtomicBool>);

    impl TokenStorage for FullDisk {
        fn namespace(&self) -> &str {
            self.0.namespace()
        }
        fn place(&self) -> String {
            "full disk".to_owned()
        }
        fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
            if self.1.load(std::sync::atomic::Ordering::SeqCst) {
                return Err(StorageError::new(self.place(), "no space left on device"));
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
}
