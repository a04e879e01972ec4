//! What the doctor adds to a story.

use serde::Serialize;
use serde_json::Value;

use super::known;
use super::machine::Machine;
use super::probes::{Capability, Probes};
use crate::commands::diagnosis::{Family, Reached, Rows, Story, Verdict};
use crate::commands::time;
use crate::exit::Exit;

/// Clocks that differ by more than this are worth a word, in seconds.
const SKEW: i64 = 60;

/// All findings beside the story.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Findings {
    machine: Machine,
    proxy: String,
    ipv4: String,
    ipv6: String,
    #[serde(flatten)]
    probes: Probes,
    clock: Option<String>,
    http: Option<String>,
    server: Option<String>,
    known_trouble: Vec<&'static str>,
    /// What is not as it should be, though the file may be read.
    remarks: Vec<String>,
}

impl Findings {
    pub(super) fn new(story: &Story, probes: Probes, machine: Machine) -> Self {
        let answer = story.answer.as_ref();
        let server = answer.and_then(|answer| answer.server.clone());
        let mut findings = Self {
            machine,
            proxy: match &story.proxy {
                Some(proxy) => format!("{} (from `{}`)", proxy.address, proxy.variable),
                None => "none".to_owned(),
            },
            ipv4: family(story, Family::V4),
            ipv6: family(story, Family::V6),
            probes,
            clock: answer.and_then(|answer| answer.clock_ahead_seconds).map(clock),
            http: answer.map(|answer| http(&answer.version, story)),
            known_trouble: server.as_deref().map(known::trouble).unwrap_or_default(),
            server,
            remarks: Vec::new(),
        };
        findings.remarks = findings.remarks(story);
        findings
    }

    fn remarks(&self, story: &Story) -> Vec<String> {
        let mut remarks = Vec::new();
        let fails = |capability: &Option<Capability>| capability.as_ref().is_some_and(|it| !it.works);
        if fails(&self.probes.ranges) {
            remarks.push("no ranges: a download starts again from its first byte".to_owned());
        }
        if fails(&self.probes.open_ranges) {
            remarks.push("ranges without an end do not work".to_owned());
        }
        if !self.probes.digests.is_empty() && !self.probes.digests.iter().any(|offer| offer.offered) {
            remarks.push("no checksums: a file cannot be verified".to_owned());
        }
        let skew = story.answer.as_ref().and_then(|answer| answer.clock_ahead_seconds);
        if skew.is_some_and(|seconds| seconds.abs() > SKEW) {
            remarks.push("the clocks differ".to_owned());
        }
        if story.connections.iter().any(|reached| reached.error.is_some())
            && story.connections.iter().any(|reached| reached.error.is_none())
        {
            remarks.push("some of the server's addresses cannot be reached".to_owned());
        }
        remarks
    }

    /// The story's verdict, with what is worth a remark; the code is the story's.
    pub(super) fn verdict(&self, of_story: Verdict) -> Verdict {
        if of_story.exit != Exit::Ok || self.remarks.is_empty() {
            return of_story;
        }
        Verdict { sentence: format!("{}; but {}", of_story.sentence, self.remarks.join("; ")), ..of_story }
    }

    /// The lines before the story.
    pub(super) fn machine_rows(&self, rows: &mut Rows) {
        rows.add("program", self.machine.described());
        for state in ["set", "empty", "not set"] {
            for line in self.machine.named(state) {
                rows.add("variables", format!("{state}: {line}"));
            }
        }
        rows.add("proxy", self.proxy.as_str());
        rows.add("IPv4", self.ipv4.as_str());
        rows.add("IPv6", self.ipv6.as_str());
    }

    /// The lines after the story.
    pub(super) fn server_rows(&self, rows: &mut Rows) {
        let unknown = || "not known: there was no answer".to_owned();
        rows.add("HTTP", self.http.clone().unwrap_or_else(unknown));
        let silent = || if self.http.is_some() { "it does not say what it is".to_owned() } else { unknown() };
        rows.add("server", self.server.clone().unwrap_or_else(silent));
        let no_date =
            || if self.http.is_some() { "the server sends no `Date`".to_owned() } else { unknown() };
        rows.add("clock", self.clock.clone().unwrap_or_else(no_date));
        let Probes { ranges, open_ranges, digests } = &self.probes;
        if ranges.is_none() {
            rows.add("ranges", "not tried: the file cannot be read");
            rows.add("checksums", "not tried: the file cannot be read");
        }
        for capability in ranges.iter().chain(open_ranges) {
            let word = if capability.works { "yes" } else { "no" };
            rows.add("ranges", format!("{word}, {}", capability.seen));
        }
        for offer in digests {
            rows.add("checksums", format!("{}: {}", offer.algorithm, offer.seen));
        }
        for trouble in &self.known_trouble {
            rows.add("known", *trouble);
        }
        for remark in &self.remarks {
            rows.add("remark", remark.as_str());
        }
    }

    pub(super) fn as_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// How one family of addresses did.
fn family(story: &Story, family: Family) -> String {
    if story.proxy.is_some() {
        return "not tried: the proxy connects".to_owned();
    }
    let of_family = |reached: &&Reached| Family::of(reached.address.ip()) == family;
    let tried: Vec<_> = story.connections.iter().filter(of_family).map(ToString::to_string).collect();
    if !tried.is_empty() {
        return tried.join("; ");
    }
    let names = story.names.as_ref().map(|names| &names.addresses[..]).unwrap_or_default();
    if names.iter().any(|address| Family::of(*address) == family) {
        "not tried: not wanted".to_owned()
    } else {
        "the host has no such address".to_owned()
    }
}

fn clock(ahead: i64) -> String {
    let span = time::span(std::time::Duration::from_secs(ahead.unsigned_abs()));
    match ahead {
        -1..=1 => "the same as here".to_owned(),
        2.. => format!("the server's is {span} ahead of this machine's"),
        _ => format!("the server's is {span} behind this machine's"),
    }
}

fn http(version: &str, story: &Story) -> String {
    match story.tls.as_ref().and_then(|tls| tls.protocol.as_deref()) {
        Some("h2") => format!("{version} was used, as for all data; the server can do HTTP/2 too"),
        _ => format!("{version} was used"),
    }
}

#[cfg(test)]
mod tests {
    use reqwest_scitokens::sys::Env;

    use super::*;
    use crate::commands::diagnosis::examples::answered;
    use crate::settings::Settings;

    fn findings(story: &Story, probes: Probes) -> Findings {
        let empty: [(&str, &str); 0] = [];
        Findings::new(story, probes, Machine::of(&Settings::load(Env::given(empty)).unwrap()))
    }

    fn that(works: bool) -> Capability {
        Capability { works, seen: "seen".into() }
    }

    #[test]
    fn a_server_without_ranges_is_fine_but_remarked_upon() {
        let story = answered(200);
        let with = |ranges| findings(&story, Probes { ranges: Some(ranges), ..Probes::default() });
        let verdict = with(that(false)).verdict(Verdict::of(&story));
        assert_eq!(verdict.exit, Exit::Ok);
        assert!(verdict.sentence.contains("; but no ranges"), "{}", verdict.sentence);
        assert_eq!(with(that(true)).verdict(Verdict::of(&story)), Verdict::of(&story));
    }

    #[test]
    fn clocks_are_compared_in_words() {
        assert_eq!(clock(1), "the same as here");
        assert_eq!(clock(90), "the server's is 1 min 30 s ahead of this machine's");
        assert_eq!(clock(-3600), "the server's is 1 h behind this machine's");
        let mut story = answered(206);
        story.answer.as_mut().unwrap().clock_ahead_seconds = Some(-61);
        assert_eq!(findings(&story, Probes::default()).remarks, ["the clocks differ"]);
    }

    #[test]
    fn a_family_that_was_not_tried_says_why() {
        let mut story = answered(200);
        assert_eq!(family(&story, Family::V6), "the host has no such address");
        story.connections.push(Reached {
            address: "[::1]:443".parse().unwrap(),
            error: None,
            milliseconds: 2,
        });
        assert_eq!(family(&story, Family::V6), "[::1]:443 in 2 ms");
    }

    #[test]
    fn what_could_not_be_tried_is_not_left_out() {
        let findings = findings(&answered(403), Probes::default());
        let mut rows = Rows::default();
        findings.server_rows(&mut rows);
        assert!(rows.to_string().contains("ranges       not tried"));
    }
}
