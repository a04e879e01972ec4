//! What requests to a server taught about it.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use scitoken_types::Origin;
use url::Url;

use crate::pause::Pauses;

/// Of how many servers of a federation something is remembered.
const MOST_SERVERS: usize = 64;

/// What holds for all requests to a server.
#[derive(Debug, Default)]
pub(crate) struct ServerState {
    pub(crate) pauses: Pauses,
    /// Whether the server refused to be asked for a digest.
    pub(crate) without_digests: AtomicBool,
}

/// The states of the servers of a federation.
#[derive(Debug, Default)]
pub(crate) struct ServerStates(Mutex<VecDeque<(Origin, Arc<ServerState>)>>);

impl ServerStates {
    /// Returns the state of the server of a URL. Where there are too many, the one that was not used for longest is forgotten.
    pub(crate) fn of(&self, url: &Url) -> Arc<ServerState> {
        let Ok(origin) = Origin::try_from(url) else { return Arc::default() };
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = states.iter().position(|(known, _)| *known == origin);
        let (origin, state) =
            known.and_then(|known| states.remove(known)).unwrap_or_else(|| (origin, Arc::default()));
        states.truncate(MOST_SERVERS - 1);
        states.push_front((origin, Arc::clone(&state)));
        drop(states);
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_has_one_state_and_the_states_are_bounded() {
        let states = ServerStates::default();
        let url = |n: usize| format!("https://h{n}/d").parse::<Url>().unwrap();
        let first = states.of(&url(0));
        for n in 1..1_000 {
            let other = states.of(&url(n));
            assert!(!Arc::ptr_eq(&other, &first) && Arc::ptr_eq(&other, &states.of(&url(n))));
            if n < MOST_SERVERS {
                assert!(Arc::ptr_eq(&first, &states.of(&"https://h0:443/e".parse().unwrap())), "{n}");
            }
        }
        assert_eq!(states.0.lock().unwrap().len(), MOST_SERVERS);
        assert!(!Arc::ptr_eq(&first, &states.of(&url(0))), "forgotten");
    }
}
