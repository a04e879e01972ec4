//! The data of a result.

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{Attributes, GetResult, GetResultPayload, ObjectMeta, Result};

/// Returns the result with other data.
pub(crate) fn with_data(
    result: GetResult,
    change: impl FnOnce(BoxStream<'static, Result<Bytes>>) -> BoxStream<'static, Result<Bytes>>,
) -> GetResult {
    let (data, rest) = split(result);
    GetResult { payload: GetResultPayload::Stream(change(data.into_stream())), ..rest }
}

/// Takes a result apart: its data, and the rest. To copy the rest costs more than to read a short range.
pub(crate) fn split(mut result: GetResult) -> (GetResult, GetResult) {
    let none = GetResultPayload::Stream(futures_util::stream::empty().boxed());
    let data = GetResult {
        payload: std::mem::replace(&mut result.payload, none),
        meta: ObjectMeta {
            location: Path::default(),
            last_modified: result.meta.last_modified,
            size: result.meta.size,
            e_tag: None,
            version: None,
        },
        range: result.range.clone(),
        attributes: Attributes::new(),
        extensions: http::Extensions::new(),
    };
    (data, result)
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
    let (data, rest) = split(result);
    let data = data.bytes().await?;
    let payload = GetResultPayload::Stream(futures_util::stream::iter([Ok(data)]).boxed());
    Ok(GetResult { payload, ..rest })
}
