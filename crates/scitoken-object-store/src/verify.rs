//! Comparing a whole object with the digest that its server offered.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::{GetResult, Result};
use scitoken_transfer::{Digest, RunningDigest};

use crate::error::unexpected;
use crate::payload::with_data;
use crate::service::OfferedDigest;

/// An object whose content does not have the digest that its server offered.
#[derive(Debug, thiserror::Error)]
#[error("the content of `{location}` has {computed}, and the server says {offered}: the data is damaged")]
struct DigestMismatch {
    location: String,
    computed: Digest,
    offered: Digest,
}

/// Makes the payload of a whole object end with an error if its content is not what the server says.
pub(crate) fn whole(result: GetResult) -> GetResult {
    let Some(OfferedDigest(offered)) = result.extensions.get::<OfferedDigest>().cloned() else {
        return result;
    };
    let location = result.meta.location.to_string();
    with_data(result, |data| compared(data, offered, location))
}

fn compared(
    data: BoxStream<'static, Result<Bytes>>,
    offered: Digest,
    location: String,
) -> BoxStream<'static, Result<Bytes>> {
    let running = RunningDigest::new(offered.algorithm());
    let state = Some((data, running, offered, location));
    futures_util::stream::unfold(state, |state| async move {
        let (mut data, mut running, offered, location) = state?;
        match data.next().await {
            Some(Ok(chunk)) => {
                running.update(&chunk);
                Some((Ok(chunk), Some((data, running, offered, location))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => {
                let computed = running.finish();
                let mismatch = || {
                    unexpected(DigestMismatch {
                        location,
                        computed: computed.clone(),
                        offered: offered.clone(),
                    })
                };
                (computed != offered).then(|| (Err(mismatch()), None))
            }
        }
    })
    .fuse()
    .boxed()
}
