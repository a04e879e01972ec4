//! Known problems of server software, recorded with XRootD 5.5.3 and 6.1.

/// Returns the known problems of a server with this `Server` header.
pub(super) fn of(server: &str) -> Vec<&'static str> {
    let lower = server.to_ascii_lowercase();
    let Some(version) = lower.strip_prefix("xrootd/").map(|rest| numbers(rest.trim_start_matches('v')))
    else {
        return Vec::new();
    };
    let mut known = Vec::new();
    if version < [5, 5, 4] {
        known.push("XRootD before 5.5.4 answers a range without an end with no data (`curl -C -` leaves a short file); this program sends both ends");
        known.push("XRootD before 5.5.4 may send the checksum of another file unless one is requested; this program requests one");
        known.push("XRootD before 5.5.4 answers 500 to a GET that requests an unknown checksum algorithm");
    }
    if version < [5, 6, 0] {
        known.push("XRootD before 5.6 accepts `Authorization` only in title case; this program writes it so, other clients may not");
    }
    known.push(
        "XRootD answers 403 to every problem with a token; its log (`scitokens.trace all`) has the reason",
    );
    known.push("XRootD ignores `If-Range` and `If-None-Match`: a resumed file needs a checksum, and a `PUT` overwrites");
    known
}

/// Parses `5.5.3-rc1` as numbers; missing or invalid parts are zero.
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
    fn old_releases_of_xrootd_have_known_problems() {
        let has = |server: &str, word: &str| of(server).iter().any(|line| line.contains(word));
        assert!(has("XrootD/v5.5.3", "without an end") && has("XrootD/v5.5.3", "title case"));
        assert!(!has("XrootD/v5.5.4", "without an end") && has("XrootD/v5.5.5", "title case"));
        assert!(!has("XrootD/v6.1.0", "title case") && has("XrootD/v6.1.0", "`If-Range`"));
        assert!(!has("XrootD/v5.10.0", "title case"), "10 is more than 6");
    }

    #[test]
    fn other_servers_have_no_known_problems() {
        assert_eq!(of("nginx/1.22.1"), [""; 0]);
        assert_eq!(of(""), [""; 0]);
        assert_eq!(numbers("5.5.3-rc1"), [5, 5, 3]);
        assert_eq!(numbers("unknown"), [0, 0, 0]);
    }
}
