//! Flags for what this program does not contain: other protocols, servers, and settings of TLS and of the system.

use super::table::{Habit, habit};

/// Flags that begin so have one answer for all.
pub(super) const PREFIXES: &[Habit] = &[
    habit(&["--ftp-", "--ftps-", "--tftp-", "--mail-", "--telnet-", "--sasl-", "--hostpub"], OTHER_PROTOCOLS),
    habit(
        &["--bt-", "--dht-", "--seed-", "--peer-", "--rpc-", "--rc-", "--enable-"],
        "files are downloaded over HTTP, without BitTorrent and without a server that controls it: leave the flag out",
    ),
    habit(
        &["--warc-", "--no-warc-"],
        "files are written as they are, not into an archive: leave the flag out",
    ),
    habit(&["--proxy-", "--all-proxy-", "--http-proxy-", "--https-proxy-"], PROXY),
    habit(&["--doh-", "--dns-", "--async-dns"], NAMES),
    habit(&["--socks5-"], "SOCKS is not supported: `--proxy URL` takes an HTTP proxy"),
    habit(
        &["--on-"],
        "the exit code and `--json` tell how it ended: let the shell run what follows, as in `scitoken get URL && NEXT`",
    ),
    habit(&["--stats", "--no-stats"], "`--progress line` writes lines, and `--json` events with all figures"),
    habit(&["--metalink-"], "`-i LIST` reads a Metalink, whose order of servers counts"),
    habit(&["--s3", "--swift", "--azure", "--gcloud-"], BEARER_ONLY),
    habit(&["--tls-", "--tlsauth", "--tlspass", "--tlsuser", "--ocsp", "--hpkp", "--gnutls-"], TLS),
    habit(
        &["--plugin", "--list-plugins", "--local-plugin"],
        "this program has no plugins: leave the flag out",
    ),
    habit(&["--server-stat-", "--save-session", "--auto-save-", "--bwlimit-"], NO_STATE),
    habit(
        &[
            "--local-",
            "--webdav-",
            "--http-headers",
            "--http-no-",
            "--http-url",
            "--links",
            "--copy-links",
            "--skip-links",
        ],
        "this program needs no remote in a configuration: write the URL as an argument",
    ),
];

/// Further flags of that kind, each with its answer.
pub(super) const FOREIGN: &[Habit] = &[
    habit(
        &[
            "--append",
            "--compressed-ssh",
            "--crlf",
            "--disable-eprt",
            "--disable-epsv",
            "--follow-ftp",
            "--krb",
            "--login-options",
            "--no-glob",
            "--no-passive-ftp",
            "--no-remove-listing",
            "--preserve-permissions",
            "--pubkey",
            "--quote",
            "--retr-symlinks",
            "--ssh-host-key-md",
            "--ssl",
            "--use-ascii",
            "--notlsok",
            "--tlsnodata",
            "--tlsmetalink",
            "--coerce",
            "--dynamic-src",
            "-DI",
            "-DS",
            "-OD",
            "-OS",
        ],
        OTHER_PROTOCOLS,
    ),
    habit(
        &[
            "--allow-piece-length-change",
            "--deferred-input",
            "--follow-torrent",
            "--follow-metalink",
            "--gid",
            "--listen-port",
            "--max-overall-upload-limit",
            "--pause",
            "--pause-metadata",
            "--piece-length",
            "--rc",
            "--select-file",
            "--show-files",
            "--stream-piece-selector",
            "--torrent-file",
            "--stop-with-process",
            "--index-out",
            "--bind",
        ],
        "files are downloaded over HTTP, in the foreground, and each as a whole: leave the flag out",
    ),
    habit(
        &[
            "--alt-svc",
            "--cert-status",
            "--crlfile",
            "--crl-file",
            "--curves",
            "--egd-file",
            "--engine",
            "--false-start",
            "--no-alpn",
            "--no-npn",
            "--no-sessionid",
            "--pinnedpubkey",
            "--random-file",
            "--ssl-allow-beast",
            "--ssl-auto-client-cert",
            "--ssl-revoke-best-effort",
            "--min-tls-version",
            "--hsts",
            "--hsts-file",
            "--no-hsts",
            "--check-hostname",
            "--https-enforce",
            "--proto",
            "--proto-default",
            "--proto-redir",
        ],
        TLS,
    ),
    habit(&["--proxy1.0", "--proxytunnel", "--haproxy-protocol", "--ftp-proxy"], PROXY),
    habit(&["--socks4a"], "SOCKS is not supported: `--proxy URL` takes an HTTP proxy"),
    habit(
        &[
            "--happy-eyeballs-timeout-ms",
            "--local-port",
            "--unix-socket",
            "--abstract-unix-socket",
            "--no-dns-cache",
            "--multiple-interface",
            "--dscp",
            "--socket-recv-buffer-size",
            "--tcp-buffersize",
            "--buffer-size",
            "--disk-cache",
            "--http2-request-window",
            "--rlimit-nofile",
            "--event-poll",
            "--max-mmap-limit",
            "--use-mmap",
            "--default-http-port",
            "--default-https-port",
            "--inet6-only",
        ],
        NAMES,
    ),
    habit(&["--ntlm-wb", "--service-name", "--osprojectid"], BEARER_ONLY),
];

const OTHER_PROTOCOLS: &str = "this program speaks HTTP, with or without TLS: leave the flag out";
const TLS: &str =
    "TLS 1.2 or 1.3 is negotiated, and certificates are verified, by default: leave the flag out";
const PROXY: &str = "`--proxy URL` or `https_proxy` names an HTTP proxy, with user name and password in the URL if it asks for them";
const NAMES: &str = "names and connections are those of the system; `-4` or `-6` chooses the address family";
const BEARER_ONLY: &str = "servers are asked with bearer tokens: pass one with `--token-file FILE`";
const NO_STATE: &str =
    "nothing is kept from one run to the next but unfinished files, which are resumed: leave the flag out";
