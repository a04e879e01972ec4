//! Reading several ranges of one object.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::{Error, OBJECT_STORE_COALESCE_DEFAULT, ObjectMeta, Result, coalesce_ranges};
use scitoken_types::Origin;

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

/// In the extensions of a result: the server of a federation that it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CameFrom(pub(crate) Origin);

/// The version of an object that the ranges so far were read from.
#[derive(Default)]
pub(crate) struct Version(Mutex<Option<Seen>>);

struct Seen {
    size: u64,
    /// The first tag of each server: the caches of a federation give the same content different tags.
    tags: Vec<(Option<CameFrom>, String)>,
    /// The first date, and its server.
    date: Option<(Option<CameFrom>, DateTime<Utc>)>,
}

impl Version {
    /// Compares the object of a range with that of the ranges before: its length, its tag with the first one of the same
    /// server, and where that server sent none, its date with the first one of another server.
    ///
    /// # Errors
    /// It is another version.
    pub(crate) fn check(&self, meta: &ObjectMeta, extensions: &http::Extensions) -> Result<()> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.get_or_insert_with(|| Seen { size: meta.size, tags: Vec::new(), date: None });
        if seen.is_same(meta, extensions.get::<CameFrom>()) {
            return Ok(());
        }
        let (path, source) =
            (meta.location.to_string(), "the object changed while its ranges were read".into());
        Err(Error::Precondition { path, source })
    }
}

impl Seen {
    fn is_same(&mut self, meta: &ObjectMeta, server: Option<&CameFrom>) -> bool {
        if meta.size != self.size {
            return false;
        }
        // `object_store` has this date where the server sent none.
        let date = Some(meta.last_modified).filter(|date| *date != DateTime::UNIX_EPOCH);
        let has_other_date = date.is_some_and(|date| {
            let (first_server, first) = self.date.get_or_insert_with(|| (server.cloned(), date));
            first_server.as_ref() != server && *first != date
        });
        // Apache's tags are weak in the first second after a change, and strong later.
        let tag = meta.e_tag.as_deref().map(|tag| tag.trim_start_matches("W/").to_owned());
        let first = self.tags.iter().find(|(known, _)| known.as_ref() == server);
        match (tag, first) {
            (Some(tag), Some((_, first))) => tag == *first,
            (Some(tag), None) => {
                let is_known = self.tags.iter().any(|(_, known)| *known == tag);
                self.tags.push((server.cloned(), tag));
                is_known || !has_other_date
            }
            (None, _) => !has_other_date,
        }
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

    #[test]
    fn a_version_is_told_by_length_tag_and_at_another_server_by_date() {
        // Server, length, tag and date of each answer; the last one is the same version or not.
        type Answer = (&'static str, u64, &'static str, i64);
        let cases: [(&[Answer], bool); 17] = [
            (&[("", 9, "\"1\"", 0), ("", 9, "\"1\"", 0)], true),
            (&[("", 9, "\"1\"", 0), ("", 9, "\"2\"", 0)], false),
            (&[("", 9, "", 0), ("", 8, "", 0)], false),
            (&[("", 9, "", 0), ("", 9, "\"1\"", 0)], true),
            // The first answer has no tag, and the later ones are compared all the same.
            (&[("", 9, "", 0), ("", 9, "\"1\"", 0), ("", 9, "\"2\"", 0)], false),
            (&[("", 9, "\"1\"", 0), ("", 9, "", 0), ("", 9, "\"2\"", 0)], false),
            // The dates of one server may be those of a cache that is being filled.
            (&[("a", 9, "", 1), ("a", 9, "", 2)], true),
            (&[("a", 9, "\"1\"", 1), ("a", 9, "\"2\"", 1)], false),
            (&[("a", 9, "\"1\"", 1), ("b", 9, "\"2\"", 1)], true),
            (&[("a", 9, "\"1\"", 1), ("b", 9, "\"2\"", 2)], false),
            (&[("a", 9, "\"1\"", 1), ("b", 9, "\"1\"", 2)], true),
            (&[("a", 9, "\"1\"", 1), ("b", 8, "\"2\"", 1)], false),
            (&[("a", 9, "\"1\"", 0), ("b", 9, "\"2\"", 2)], true),
            (&[("a", 9, "\"1\"", 1), ("b", 9, "\"2\"", 0)], true),
            (&[("a", 9, "", 1), ("b", 9, "", 2)], false),
            (&[("a", 9, "\"1\"", 1), ("b", 9, "\"2\"", 1), ("a", 9, "\"1\"", 1)], true),
            (&[("a", 9, "\"1\"", 1), ("b", 9, "\"2\"", 1), ("b", 9, "\"3\"", 1)], false),
        ];
        for (answers, is_same) in cases {
            let version = Version::default();
            let checked = answers.iter().map(|(server, size, tag, date)| {
                let meta = ObjectMeta {
                    location: "f".into(),
                    last_modified: DateTime::from_timestamp(*date, 0).unwrap(),
                    size: *size,
                    e_tag: Some((*tag).to_owned()).filter(|tag| !tag.is_empty()),
                    version: None,
                };
                let mut extensions = http::Extensions::new();
                if !server.is_empty() {
                    let url: url::Url = format!("https://{server}").parse().unwrap();
                    extensions.insert(CameFrom(Origin::try_from(&url).unwrap()));
                }
                version.check(&meta, &extensions).is_ok()
            });
            let checked: Vec<_> = checked.collect();
            let (last, before) = checked.split_last().unwrap();
            assert!(before.iter().all(|is_same| *is_same), "{answers:?}: {checked:?}");
            assert_eq!(*last, is_same, "{answers:?}");
        }
    }
}
