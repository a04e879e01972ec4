//! Known trouble with the software of servers, recorded with XRootD 5.5.3 and 6.1.

/// What is known about a server that calls itself so.
pub(super) fn trouble(server: &str) -> Vec<&'static str> {
    let lower = server.to_ascii_lowercase();
    let Some(version) = lower.strip_prefix("xrootd/").map(|rest| numbers(rest.trim_start_matches('v')))
    else {
        return Vec::new();
    };
    let mut known = Vec::new();
    if version < [5, 5, 4] {
        known.push("XRootD before 5.5.4 answers ranges without an end with nothing (`curl -C -` leaves a short file); this program states both ends");
        known.push("XRootD before 5.5.4 may send the checksum of another file unless asked for one; this program asks");
        known.push(
            "this XRootD answers 500 to a GET that asks for a checksum by a name that it does not know",
        );
    }
    if version < [5, 6, 0] {
        known.push("XRootD before 5.6 only knows `Authorization` in title case; this program writes it so, other clients may not");
    }
    known.push("XRootD answers 403 to whatever is wrong with a token; its log (`scitokens.trace all`) has the reason");
    known.push("XRootD ignores `If-Range` and `If-None-Match`: a resumed file needs its checksum looked at, and a `PUT` overwrites");
    known
}

/// `5.5.3-rc1` as numbers; what is missing or no number is zero.
fn numbers(version: &str) -> [u32; 3] {
    let mut parts = version.split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..digits].parse().unwrap_or(0)
    });
    [(); 3].map(|()| parts.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_releases_of_xrootd_have_their_own_trouble() {
        let has = |server: &str, word: &str| trouble(server).iter().any(|line| line.contains(word));
        assert!(has("XrootD/v5.5.3", "without an end") && has("XrootD/v5.5.3", "title case"));
        assert!(!has("XrootD/v5.5.4", "without an end") && has("XrootD/v5.5.5", "title case"));
        assert!(!has("XrootD/v6.1.0", "title case") && has("XrootD/v6.1.0", "`If-Range`"));
        assert!(!has("XrootD/v5.10.0", "title case"), "10 is more than 6");
    }

    #[test]
    fn nothing_is_known_about_others() {
        assert_eq!(trouble("nginx/1.22.1"), [""; 0]);
        assert_eq!(trouble(""), [""; 0]);
        assert_eq!(numbers("5.5.3-rc1"), [5, 5, 3]);
        assert_eq!(numbers("unknown"), [0, 0, 0]);
    }
}
