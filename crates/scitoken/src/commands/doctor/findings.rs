//! What `doctor` adds to a report.

use serde::Serialize;
use serde_json::Value;

use super::capabilities::{Capabilities, DigestSupport, ServerCapability};
use super::known_issues;
use super::machine::Machine;
use crate::commands::diagnosis::{AddressFamily, ReachedAddress, Report, ReportLines, ReportVerdict};
use crate::exit::Exit;
use crate::time;

/// The clock difference from which on it is reported, in seconds.
const MAX_SKEW: i64 = 60;

/// All findings besides the report.
#[derive(Clone, Debug, Serialize)]
pub(super) struct DoctorFindings {
    machine: Machine,
    proxy: String,
    ipv4: String,
    ipv6: String,
    #[serde(flatten)]
    capabilities: Capabilities,
    clock: Option<String>,
    http: Option<String>,
    server: Option<String>,
    known_issues: Vec<&'static str>,
    /// What may cause problems although the file can be read.
    remarks: Vec<String>,
}

impl DoctorFindings {
    pub(super) fn new(report: &Report, capabilities: Capabilities, machine: Machine) -> Self {
        let answer = report.answer.as_ref();
        let server = answer.and_then(|answer| answer.server.clone());
        let mut findings = Self {
            machine,
            proxy: match &report.proxy {
                Some(proxy) => format!("{} (from `{}`)", proxy.address, proxy.variable),
                None => report.no_proxy.clone().unwrap_or_else(|| "none".to_owned()),
            },
            ipv4: family(report, AddressFamily::V4),
            ipv6: family(report, AddressFamily::V6),
            capabilities,
            clock: answer.and_then(|answer| answer.clock_ahead_seconds).map(clock),
            http: answer.map(|answer| http(&answer.version, report)),
            known_issues: server.as_deref().map(known_issues::of).unwrap_or_default(),
            server,
            remarks: Vec::new(),
        };
        findings.remarks = findings.remarks(report);
        findings
    }

    fn remarks(&self, report: &Report) -> Vec<String> {
        let mut remarks = Vec::new();
        let fails = |capability: &Option<ServerCapability>| capability.as_ref().is_some_and(|it| !it.works);
        if fails(&self.capabilities.ranges) {
            remarks.push("no ranges: an interrupted download restarts".to_owned());
        }
        if fails(&self.capabilities.open_ranges) {
            remarks.push("ranges without an end do not work".to_owned());
        }
        if !self.capabilities.digests.is_empty()
            && !self.capabilities.digests.iter().any(|offer| offer.offered)
        {
            remarks.push("no checksums: downloads cannot be verified".to_owned());
        }
        let skew = report.answer.as_ref().and_then(|answer| answer.clock_ahead_seconds);
        if skew.is_some_and(|seconds| seconds.abs() > MAX_SKEW) {
            remarks.push("the clocks differ".to_owned());
        }
        if report.connections.iter().any(|reached| reached.error.is_some())
            && report.connections.iter().any(|reached| reached.error.is_none())
        {
            remarks.push("some of the server's addresses cannot be reached".to_owned());
        }
        remarks
    }

    /// Returns the report's verdict with the remarks; the exit code is the report's.
    pub(super) fn verdict(&self, of_story: ReportVerdict) -> ReportVerdict {
        if of_story.exit != Exit::Ok || self.remarks.is_empty() {
            return of_story;
        }
        ReportVerdict {
            sentence: format!("{}; but {}", of_story.sentence, self.remarks.join("; ")),
            ..of_story
        }
    }

    /// Adds the lines before the report.
    pub(super) fn machine_lines(&self, lines: &mut ReportLines, in_detail: bool) {
        lines.add("program", self.machine.described());
        let states: &[&str] = if in_detail { &["set", "empty", "not set"] } else { &["set", "empty"] };
        for state in states {
            for line in self.machine.named(state) {
                lines.add("variables", format!("{state}: {line}"));
            }
        }
        lines.add("proxy", self.proxy.as_str());
        lines.add("IPv4", self.ipv4.as_str());
        lines.add("IPv6", self.ipv6.as_str());
    }

    /// Adds the lines after the report.
    pub(super) fn server_lines(&self, lines: &mut ReportLines, in_detail: bool) {
        let unknown = || "unknown: no response".to_owned();
        lines.add("HTTP", self.http.clone().unwrap_or_else(unknown));
        let silent = || if self.http.is_some() { "no `Server` header".to_owned() } else { unknown() };
        lines.add("server", self.server.clone().unwrap_or_else(silent));
        let no_date = || if self.http.is_some() { "no `Date` header".to_owned() } else { unknown() };
        lines.add("clock", self.clock.clone().unwrap_or_else(no_date));
        let Capabilities { ranges, open_ranges, digests } = &self.capabilities;
        if ranges.is_none() {
            lines.add("ranges", "not tried: the file cannot be read");
            lines.add("checksums", "not tried: the file cannot be read");
        }
        for capability in ranges.iter().chain(open_ranges) {
            let word = if capability.works { "yes" } else { "no" };
            lines.add("ranges", format!("{word}, {}", capability.evidence));
        }
        let is_plain_no = |offer: &&DigestSupport| !in_detail && offer.evidence == "no";
        for offer in digests.iter().filter(|offer| !is_plain_no(offer)) {
            lines.add("checksums", format!("{}: {}", offer.algorithm, offer.evidence));
        }
        let missing: Vec<_> = digests.iter().filter(is_plain_no).map(|offer| offer.algorithm).collect();
        if !missing.is_empty() {
            lines.add("checksums", format!("{}: no", missing.join(", ")));
        }
        for issue in &self.known_issues {
            lines.add("known", *issue);
        }
    }

    /// Adds the remarks, which are otherwise part of the verdict.
    pub(super) fn remark_lines(&self, lines: &mut ReportLines) {
        for remark in &self.remarks {
            lines.add("remark", remark.as_str());
        }
    }

    pub(super) fn as_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Describes the connections of one address family.
fn family(report: &Report, family: AddressFamily) -> String {
    if report.proxy.is_some() {
        return "not tried: the proxy connects".to_owned();
    }
    let of_family = |reached: &&ReachedAddress| AddressFamily::of(reached.address.ip()) == family;
    let tried: Vec<_> = report.connections.iter().filter(of_family).map(ToString::to_string).collect();
    if !tried.is_empty() {
        return tried.join("; ");
    }
    let names = report.names.as_ref().map(|names| &names.addresses[..]).unwrap_or_default();
    if names.iter().any(|address| AddressFamily::of(*address) == family) {
        "not tried: excluded by `-4` or `-6`".to_owned()
    } else {
        "no such address".to_owned()
    }
}

fn clock(ahead: i64) -> String {
    let span = time::span(std::time::Duration::from_secs(ahead.unsigned_abs()));
    match ahead {
        -1..=1 => "the same as this machine's".to_owned(),
        2.. => format!("the server's is {span} ahead of this machine's"),
        _ => format!("the server's is {span} behind this machine's"),
    }
}

fn http(version: &str, report: &Report) -> String {
    match report.tls.as_ref().and_then(|tls| tls.protocol.as_deref()) {
        Some("h2") => format!("{version} was used, as for all data; the server also supports HTTP/2"),
        _ => format!("{version} was used"),
    }
}

#[cfg(test)]
mod tests {
    use scitoken_types::sys::Env;

    use super::*;
    use crate::commands::diagnosis::examples::answered;
    use crate::settings::Settings;

    fn findings(report: &Report, capabilities: Capabilities) -> DoctorFindings {
        let empty: [(&str, &str); 0] = [];
        DoctorFindings::new(report, capabilities, Machine::of(&Settings::load(Env::given(empty)).unwrap()))
    }

    fn capability(works: bool) -> ServerCapability {
        ServerCapability { works, evidence: "evidence".into() }
    }

    #[test]
    fn a_server_without_ranges_is_ok_with_a_remark() {
        let report = answered(200);
        let with =
            |ranges| findings(&report, Capabilities { ranges: Some(ranges), ..Capabilities::default() });
        let verdict = with(capability(false)).verdict(ReportVerdict::of(&report));
        assert_eq!(verdict.exit, Exit::Ok);
        assert!(verdict.sentence.contains("; but no ranges"), "{}", verdict.sentence);
        assert_eq!(with(capability(true)).verdict(ReportVerdict::of(&report)), ReportVerdict::of(&report));
    }

    #[test]
    fn clock_differences_are_described() {
        assert_eq!(clock(1), "the same as this machine's");
        assert_eq!(clock(90), "the server's is 1 min 30 s ahead of this machine's");
        assert_eq!(clock(-3600), "the server's is 1 h behind this machine's");
        let mut report = answered(206);
        report.answer.as_mut().unwrap().clock_ahead_seconds = Some(-61);
        assert_eq!(findings(&report, Capabilities::default()).remarks, ["the clocks differ"]);
    }

    #[test]
    fn an_address_family_that_was_not_tried_says_why() {
        let mut report = answered(200);
        assert_eq!(family(&report, AddressFamily::V6), "no such address");
        report.connections.push(ReachedAddress {
            address: "[::1]:443".parse().unwrap(),
            error: None,
            milliseconds: 2,
        });
        assert_eq!(family(&report, AddressFamily::V6), "[::1]:443 in 2 ms");
    }

    #[test]
    fn capabilities_that_could_not_be_tried_are_listed() {
        let findings = findings(&answered(403), Capabilities::default());
        let mut lines = ReportLines::default();
        findings.server_lines(&mut lines, false);
        assert!(lines.to_string().contains("ranges       not tried"));
    }
}
