//! The data of a result.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::{Attributes, GetResult, GetResultPayload, ObjectMeta, Result};

/// Returns the result with other data.
pub(crate) fn with_data(
    result: GetResult,
    change: impl FnOnce(BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>>,
) -> GetResult {
    let (meta, range) = (result.meta.clone(), result.range.clone());
    let (attributes, extensions) = (result.attributes.clone(), result.extensions.clone());
    let payload = GetResultPayload::Stream(change(result.into_stream()));
    GetResult { payload, meta, range, attributes, extensions }
}

/// Returns a result without data, at the end of the object.
pub(crate) fn empty(meta: ObjectMeta) -> GetResult {
    GetResult {
        payload: GetResultPayload::Stream(futures_util::stream::empty().boxed()),
        range: meta.size..meta.size,
        meta,
        attributes: Attributes::new(),
        extensions: http::Extensions::new(),
    }
}

/// The longest data that is read before it is handed over, in bytes, so that it can be read again when it breaks off.
const LONGEST_IN_MEMORY: u64 = 8 * 1024 * 1024;

/// Reads the data of a result where it is short: it then comes as a whole, or is an error.
pub(crate) async fn in_memory_if_short(result: GetResult) -> Result<GetResult> {
    if result.range.end - result.range.start > LONGEST_IN_MEMORY {
        return Ok(result);
    }
    let (meta, range) = (result.meta.clone(), result.range.clone());
    let (attributes, extensions) = (result.attributes.clone(), result.extensions.clone());
    let data = result.bytes().await?;
    let payload = GetResultPayload::Stream(futures_util::stream::iter([Ok(data)]).boxed());
    Ok(GetResult { payload, meta, range, attributes, extensions })
}
