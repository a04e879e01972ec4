//! Reading several ranges of one object.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use object_store::{Error, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, Result, coalesce_ranges};

use crate::error::unexpected;

/// Reads ranges, neighbours at once. A range without bytes is empty, and one that goes beyond the end is cut.
///
/// # Errors
/// A read failed, or a range begins beyond the end of the object or ends before it begins.
pub(crate) async fn read<F>(
    ranges: &[Range<u64>],
    fetch: impl Fn(Range<u64>) -> F + Sync,
) -> Result<Vec<Bytes>>
where
    F: Future<Output = Result<Bytes>> + Send,
{
    if let Some(inverted) = ranges.iter().find(|range| range.end < range.start) {
        return Err(unexpected(format!("the range {inverted:?} ends before it begins")));
    }
    let filled: Vec<_> = ranges.iter().filter(|range| !range.is_empty()).cloned().collect();
    let within = |asked: Range<u64>| {
        let reading = fetch(asked.clone());
        let filled = &filled;
        async move {
            let data = reading.await?;
            let end = asked.start + data.len() as u64;
            // `coalesce_ranges` takes for granted that each of them begins in the data.
            match filled.iter().find(|range| (end..asked.end).contains(&range.start)) {
                Some(beyond) => {
                    Err(unexpected(format!("the range {beyond:?} begins beyond the object's {end} bytes")))
                }
                None => Ok(data),
            }
        }
    };
    let mut read = coalesce_ranges(&filled, within, OBJECT_STORE_COALESCE_DEFAULT).await?.into_iter();
    Ok(ranges
        .iter()
        .map(|range| if range.is_empty() { Bytes::new() } else { read.next().unwrap_or_default() })
        .collect())
}

/// What the first range was read from.
pub(crate) struct Version {
    /// The caches of a federation give the same content different tags.
    has_tags: bool,
    first: OnceLock<(u64, Option<String>)>,
}

impl Version {
    pub(crate) fn new(has_tags: bool) -> Self {
        Self { has_tags, first: OnceLock::new() }
    }

    /// Compares the object of a range with that of the first.
    ///
    /// # Errors
    /// It is another version.
    pub(crate) fn check(&self, meta: &ObjectMeta) -> Result<()> {
        // Apache's tags are weak in the first second after a change, and strong later.
        let tag = meta.e_tag.as_deref().filter(|_| self.has_tags);
        let tag = tag.map(|tag| tag.trim_start_matches("W/").to_owned());
        let this = (meta.size, tag);
        let first = self.first.get_or_init(|| this.clone());
        if first.0 == this.0 && (first.1 == this.1 || first.1.is_none() || this.1.is_none()) {
            return Ok(());
        }
        let (path, source) =
            (meta.location.to_string(), "the object changed while its ranges were read".into());
        Err(Error::Precondition { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ranges_that_do_not_lie_in_the_object_do_not_panic() {
        let object = Bytes::from_static(b"0123456789");
        let read_all = |ranges: Vec<Range<u64>>| {
            let object = object.clone();
            async move {
                let fetch = |range: Range<u64>| {
                    let part = range.start.min(10) as usize..range.end.min(10) as usize;
                    let part = object.slice(part);
                    async move { Ok(part) }
                };
                read(&ranges, fetch).await
            }
        };
        assert_eq!(read_all(vec![5..7, 3..3, 0..20, 0..1]).await.unwrap(), ["56", "", "0123456789", "0"]);
        assert_eq!(read_all(vec![]).await.unwrap(), [""; 0]);
        for beyond in [vec![1..2, 10..11], vec![1..2, 500..510], vec![1..2, u64::MAX - 1..u64::MAX]] {
            let error = read_all(beyond).await.unwrap_err().to_string();
            assert!(error.contains("beyond"), "{error}");
        }
        #[expect(clippy::reversed_empty_ranges, reason = "the subject")]
        let inverted = vec![0..1, 7..3];
        assert!(read_all(inverted).await.unwrap_err().to_string().contains("7..3"));
    }
}
