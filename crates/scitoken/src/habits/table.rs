//! The flags of other programs, each with the sentence that answers it.

/// A flag or command that this program does not have: its spellings, and the sentence that says what to use instead.
pub(super) struct Habit {
    pub(super) names: &'static [&'static str],
    pub(super) sentence: &'static str,
}

pub(super) const HABITS: &[Habit] = &[
    habit(
        &[
            "-k",
            "--insecure",
            "--no-check-certificate",
            "--check-certificate",
            "--proxy-insecure",
            "--ssl-no-revoke",
        ],
        "certificates are always verified: pass the server's certificate, or its authority's, with `--cacert FILE`",
    ),
    habit(&["-I", "--head", "--spider"], "`scitoken stat URL` shows length, date and entity tag"),
    habit(&["-T", "--upload-file"], "`scitoken put FILE URL` uploads a file"),
    habit(
        &[
            "-u",
            "--user",
            "--http-user",
            "--http-password",
            "--http-passwd",
            "--password",
            "--basic",
            "--digest",
            "--anyauth",
            "--proxy-user",
            "--userlogin",
            "--userpass",
            "--netrc-path",
        ],
        "a password comes from a file, not from the command line: pass `--netrc-file FILE`",
    ),
    habit(
        &["--oauth2-bearer", "--bearer", "--token", "--ostoken"],
        "a token comes from a file, not from the command line: pass `--token-file FILE`, or set `BEARER_TOKEN`",
    ),
    habit(
        &["-A", "-U", "--user-agent"],
        "`-H 'User-Agent: NAME'` sets the name of the program; `-r` downloads everything below a directory",
    ),
    habit(
        &["--range", "--quota", "-Q", "--max-filesize"],
        "a whole file is downloaded, and resumed where it stopped",
    ),
    habit(&["-B", "--base"], "write each URL in full: a list has no base"),
    habit(
        &["--keepalive-time", "--no-keepalive", "--no-http-keep-alive", "--tcp-nodelay", "--tcp-fastopen"],
        "connections are kept open and reused: leave the flag out",
    ),
    habit(&["--delete-after", "--spider-force-html"], "`-o /dev/null` downloads without keeping the file"),
    habit(
        &["--auth-no-challenge"],
        "the token is sent with the first request by default: leave the flag out",
    ),
    habit(
        &["--content-on-error"],
        "`-vv` shows the headers of a refusal, and the message what the server says",
    ),
    habit(
        &["--exclude", "--include-directories", "--exclude-directories", "-I-list"],
        "`-r` downloads everything below a directory; choose files with a list, `-i LIST`",
    ),
    habit(
        &[
            "--data",
            "--data-binary",
            "--data-raw",
            "--post-data",
            "--post-file",
            "-F",
            "--form",
            "--json-data",
            "--body-data",
            "--body-file",
        ],
        "this program sends no forms: `scitoken put FILE URL` uploads a file",
    ),
    habit(
        &["-d", "--dir"],
        "`-P DIR` chooses the directory, and `-vv` shows the headers; this program sends no forms: `scitoken put FILE URL` \
         uploads a file",
    ),
    habit(
        &["-X", "--request", "--method"],
        "each method has a command: `get`, `put`, `stat` (HEAD), `rm` (DELETE), `mkdir` (MKCOL), `ls` (PROPFIND), `mv` (MOVE); \
         `--limit-rate RATE` limits the rate",
    ),
    habit(
        &["--location-trusted"],
        "`--trust-redirect HOST` sends the token to redirect targets on that host too",
    ),
    habit(&["--content-disposition", "--trust-server-names"], "`-J` names the file as the server does"),
    habit(&["-c", "--continue"], "an unfinished file is resumed by default: leave the flag out"),
    habit(&["-nv", "--no-verbose"], "`-q` writes nothing but errors"),
    habit(&["-nc"], "`--no-clobber` fails if the file exists"),
    habit(&["-e", "--referer"], "`-H 'Referer: URL'` sets the header"),
    habit(
        &["-b", "--cookie", "--cookie-jar", "--load-cookies", "--save-cookies"],
        "cookies cannot be given: a server's cookies are sent back to it during the run",
    ),
    habit(
        &["-E", "--cert", "--certificate", "--private-key", "--key", "--key-type", "--cert-type"],
        "client certificates are not supported: pass a token with `--token-file FILE`",
    ),
    habit(&["-D", "--dump-header", "-i", "--include", "--server-response"], "`-vv` shows the headers"),
    habit(&["-w", "--write-out"], "`--json` writes the outcome as JSON"),
    habit(&["-m", "--transfer-timeout", "--stop"], "`--max-time SECONDS` limits the whole transfer"),
    habit(
        &["-t"],
        "`--max-time SECONDS` limits the whole transfer, `--retry N` sets the number of retries; `--token-file FILE` reads the \
         token from a file",
    ),
    habit(
        &["--tries", "--retries", "--max-tries", "--accepted-retry"],
        "`--retry N` sets the number of retries",
    ),
    habit(
        &["--waitretry", "--retry-wait", "--accepted-retry-delay"],
        "`--retry-delay SECONDS` sets the first pause between retries",
    ),
    habit(
        &[
            "--timeout",
            "--read-timeout",
            "--speed-time",
            "--speed-limit",
            "-Y",
            "-y",
            "--lowest-speed-limit",
            "--xrate-threshold",
        ],
        "`--stall-time SECONDS` limits the time without data",
    ),
    habit(
        &["--retry-connrefused", "--retry-all-errors"],
        "every failure that may pass is retried by default",
    ),
    habit(
        &["-N", "--timestamping", "-z", "--time-cond", "--conditional-get"],
        "`--skip-existing=checksum` skips files that are complete; `--progress none` shows no progress",
    ),
    habit(
        &[
            "-np",
            "--no-parent",
            "-l",
            "--level",
            "--accept",
            "-R",
            "--reject",
            "--reject-regex",
            "--mirror-site",
        ],
        "`scitoken get -r URL` downloads the whole directory, and nothing above it",
    ),
    habit(&["--compressed", "--no-compression"], "files are stored as the server has them"),
    habit(&["-g", "--globoff"], "URLs are taken literally: leave the flag out"),
    habit(
        &[
            "-Z",
            "--parallel",
            "--parallel-max",
            "--max-threads",
            "--parallel-immediate",
            "--max-concurrent-downloads",
        ],
        "`-j N` transfers N files at once",
    ),
    habit(&["--max-redirs", "--max-redirect"], "at most 10 redirects are followed"),
    habit(
        &[
            "--limit-rate",
            "--max-download-limit",
            "--max-overall-download-limit",
            "--max-upload-limit",
            "--xrate",
        ],
        "`--limit-rate RATE` of `get` and `put` limits the rate of all files together",
    ),
    habit(&["--url"], "write the URL as an argument, without a flag"),
    habit(&["--dst", "--dest", "--directory-prefix", "--destination"], "`-P DIR` chooses the directory"),
    habit(&["--output-document", "--out"], "`-o FILE` chooses the file"),
    habit(
        &["--input-file", "--infiles", "--from-file", "--metalink-file", "--metalink"],
        "`-i LIST` reads a list of URLs",
    ),
    habit(
        &["--ca-file", "--ca-certificate", "--ca-bundle"],
        "`--cacert FILE` trusts the authorities in a file",
    ),
    habit(&["--ca-directory"], "`--capath DIR` trusts the authorities in a directory"),
    habit(&["--algorithm"], "the flag is `--alg`, and of `scitoken checksum` it is `-a`"),
    habit(&["--noproxy", "--no-proxy"], "set `no_proxy` to the hosts that are reached directly"),
    habit(
        &["--nbstreams", "--split", "--max-connection-per-server", "--min-split-size"],
        "`-x N` uses up to N connections for each file",
    ),
    habit(
        &["-K", "--checksum-mode", "--cksum", "--check-integrity", "--hash-check-only"],
        "`--checksum ALGORITHM` verifies by that checksum",
    ),
    habit(&["--sources", "--mirrors"], "`--mirror URL` names another server of the same file"),
    habit(
        &["-#", "--progress-bar", "--show-progress"],
        "`--progress bar` shows a bar, also without a terminal",
    ),
    habit(
        &["--no-progress-meter", "--nopbar", "--no-progress", "--show-console-readout"],
        "`--progress none` shows no progress; `-q` writes nothing but errors",
    ),
    habit(
        &["-p", "--parent", "--create-parents", "--mkdirs"],
        "`--create-dirs` creates missing directories; `scitoken mkdir -p URL` creates remote ones",
    ),
    habit(
        &["-f", "--force", "--allow-overwrite", "--clobber"],
        "an existing file is replaced by default, once the new one is verified; `--no-clobber` keeps it",
    ),
    habit(
        &["--debug", "--trace", "--trace-ascii", "--log-level", "--console-log-level", "--log-file", "--log"],
        "`-v` logs requests to standard error, `-vv` headers, `-vvv` internals",
    ),
    habit(&["--all-proxy", "--http-proxy", "--https-proxy", "--preproxy"], "`--proxy URL` chooses a proxy"),
    habit(
        &["--socks5", "--socks5-hostname", "--socks4"],
        "SOCKS is not supported: `--proxy URL` takes an HTTP proxy",
    ),
    habit(&["--conn-timeout", "--dns-timeout"], "`--connect-timeout SECONDS` limits the time to connect"),
    habit(
        &["--posc", "--rm-bad-cksum", "--remove-on-error", "--just-copy", "--file-allocation", "--copy-mode"],
        "a file has its name only when it is complete and verified: leave the flag out",
    ),
    habit(
        &["--remote-name-all", "--fail-with-body", "--fail-early", "--redirection", "--allow-http"],
        "that is the default here: leave the flag out",
    ),
    habit(
        &["--http1.1", "--http1.0", "--http2", "--http3", "--http2-prior-knowledge", "-0"],
        "data is transferred over HTTP/1.1, one connection for each stream: leave the flag out",
    ),
    habit(
        &["--tlsv1.2", "--tlsv1.3", "--tls-max", "--ciphers", "--tls13-ciphers", "--secure-protocol"],
        "TLS 1.2 or 1.3 is negotiated with the server: leave the flag out",
    ),
    habit(
        &["--resolve", "--connect-to", "--interface", "--bind-address", "--dns-servers"],
        "names are resolved by the system; `-4` or `-6` chooses the address family",
    ),
    habit(&["--inet4-only", "--prefer-family", "--disable-ipv6"], "`-4` uses IPv4 only, `-6` IPv6 only"),
    habit(&["--background", "--daemon"], "`&` of the shell, or `nohup`, runs it in the background"),
    habit(
        &["--negotiate", "--ntlm", "--aws-sigv4", "--s3secretkey", "--s3accesskey", "--delegation"],
        "servers are asked with bearer tokens: pass one with `--token-file FILE`",
    ),
    habit(
        &["-nd", "-nH", "--no-directories", "--no-host-directories", "--force-directories", "--cut-dirs"],
        "`-r` writes the tree below the URL into the directory of `-P DIR`, without the host's name",
    ),
    habit(&["--wait", "--random-wait"], "`-j 1` transfers one file at a time"),
    habit(
        &["-a", "--append-output", "--output-file", "--stderr"],
        "messages go to standard error: `2> FILE` of the shell writes them to a file",
    ),
    habit(
        &["--data-urlencode", "-G", "--get", "--url-query"],
        "write the query into the URL: `'https://host/path?name=value'`",
    ),
    habit(
        &["--netrc-optional"],
        "`-n` reads the passwords of `~/.netrc`, and `--netrc-file FILE` those of another file; leave it out without one",
    ),
    habit(
        &["--config", "--no-config", "--execute", "--disable"],
        "settings come from the file that `SCITOKEN_CONFIG` names: `scitoken config show` prints them",
    ),
    habit(
        &["-M", "--manual"],
        "`scitoken help COMMAND` shows the help of a command, and `scitoken man` the manual page",
    ),
    habit(&["-V"], "`scitoken --version` prints the version"),
    habit(
        &[
            "-1",
            "-2",
            "-3",
            "--tlsv1",
            "--tlsv1.0",
            "--tlsv1.1",
            "--sslv2",
            "--sslv3",
            "--ssl-reqd",
            "--https-only",
        ],
        "a token is sent over TLS 1.2 or 1.3 only: leave the flag out",
    ),
    habit(
        &["--etag-save", "--etag-compare"],
        "`--skip-existing=checksum` skips a file that is the server's already",
    ),
    habit(
        &["--remote-time", "--no-use-server-timestamps"],
        "the time of a file is that of its download: leave the flag out; `scitoken stat URL` shows the server's",
    ),
    habit(&["--token-file"], "write the file as an argument, without a flag"),
    habit(
        &["--zip", "--zip-append", "--xattr"],
        "`scitoken get URL` downloads whole files as the server has them",
    ),
    habit(
        &["--sqlite", "--keyring", "--from-json", "--from-sqlite", "--from-keyring"],
        "storages are named by `--storage json:FILE`, `sqlite:FILE` or `keyring`, and `--from` likewise",
    ),
];

pub(super) const fn habit(names: &'static [&'static str], sentence: &'static str) -> Habit {
    Habit { names, sentence }
}
