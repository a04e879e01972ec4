//! Flags that mean something else to the users of a command than to those of `get`.

use super::table::{Habit, habit};

/// The flags of each command, which come before those of [`HABITS`](super::table::HABITS).
pub(super) const BY_COMMAND: &[(&str, &[Habit])] = &[
    (
        "checksum",
        &[
            habit(
                &["--alg", "--algo", "--checksum", "--cksum", "-C", "-K", "--type", "--checksum-type"],
                "`-a ALGORITHM` chooses the checksum",
            ),
            habit(&["--md5"], "`-a md5` asks for that checksum"),
            habit(&["--adler32"], "`-a adler32` asks for that checksum"),
            habit(&["--sha256"], "`-a sha-256` asks for that checksum"),
            habit(
                &["-c", "--check"],
                "`scitoken get --checksum ALGORITHM:VALUE URL` compares while it downloads",
            ),
        ],
    ),
    (
        "copy",
        &[
            habit(
                &["--copy-mode"],
                "`--mode pull` or `--mode push` chooses the server that copies, `--stream` this machine",
            ),
            habit(&["-R"], "`-r` copies everything below a directory"),
            habit(&["-d"], "`-v` logs requests to standard error, `-vv` headers"),
            habit(&["--tpc"], "servers copy among themselves by default: leave the flag out"),
            habit(
                &["--dry-run"],
                "`scitoken stat URL` of source and destination shows what is there, and copies nothing",
            ),
            habit(
                &["--overwrite"],
                "an existing file is replaced by default: leave the flag out; `--no-clobber` keeps it",
            ),
            habit(&["--skip-existing"], "`--no-clobber` keeps existing files"),
            habit(
                &["-x", "--streams"],
                "the servers choose the number of their connections: leave the flag out",
            ),
        ],
    ),
    (
        "doctor",
        &[habit(
            &[
                "--retry",
                "--retries",
                "--retry-delay",
                "--retry-max-time",
                "--retry-budget",
                "--token-wait",
                "--max-time",
                "--stall-time",
                "--timeout",
                "-t",
                "-m",
            ],
            "each request is sent once, and waited for 30 s: leave the flag out; `--connect-timeout SECONDS` limits a connection",
        )],
    ),
    (
        "ls",
        &[
            habit(&["-d"], "`scitoken stat URL` describes the directory itself"),
            habit(
                &["--full-time", "--time-style", "--human-readable"],
                "`-l` shows lengths and dates, `--json` every property",
            ),
        ],
    ),
    (
        "mkdir",
        &[
            habit(&["-m", "--mode"], "the server chooses the permissions: leave the flag out"),
            habit(&["--create-dirs", "--parent"], "`-p` also creates missing parents"),
        ],
    ),
    (
        "mv",
        &[
            habit(
                &["-i", "-u", "-b", "--no-clobber", "--update", "--backup", "--interactive"],
                "an existing target is kept by default: leave the flag out",
            ),
            habit(&["--overwrite"], "`-f` replaces an existing target"),
            habit(
                &["-T", "--no-target-directory"],
                "the target is the new URL, also of a directory: leave the flag out",
            ),
            habit(
                &["-r", "-R", "--recursive"],
                "a directory moves with everything below it: leave the flag out",
            ),
            habit(
                &["--create-dirs", "-p", "--parents"],
                "`scitoken mkdir -p URL` creates the directory first",
            ),
        ],
    ),
    (
        "put",
        &[
            habit(
                &["-c", "--continue"],
                "an upload that was broken off starts from its beginning: leave the flag out",
            ),
            habit(&["-R"], "`-r` uploads everything below a directory"),
            habit(&["-C"], "`--checksum ALGORITHM` compares with the server's checksum after the upload"),
            habit(
                &["-d"],
                "`scitoken put FILE URL` sends a file, and no forms; write a directory into the URL, with a `/` at its end; `-v` logs requests",
            ),
            habit(&["-P"], "write the directory into the URL, with a `/` at its end"),
            habit(&["-j", "--jobs"], "files are uploaded one after the other: leave the flag out"),
            habit(&["-i", "--input"], "name the files as arguments, or with `-r` their directory"),
            habit(&["-o", "--output"], "write the name into the URL, behind the files"),
            habit(&["--dry-run"], "`scitoken ls -r URL` shows what is there, and uploads nothing"),
            habit(
                &["--overwrite"],
                "an existing file is replaced by default: leave the flag out; `--no-clobber` keeps it",
            ),
            habit(&["--skip-existing"], "`--no-clobber` keeps existing files"),
            habit(
                &["--include", "--exclude"],
                "`-r` uploads everything below a directory: name single files as arguments",
            ),
            habit(&["-x", "--streams"], "each file is uploaded over one connection: leave the flag out"),
        ],
    ),
    (
        "rm",
        &[
            habit(&["-R"], "`-r` removes a directory"),
            habit(&["-i", "-I", "-d", "--dry-run"], "`scitoken ls -r URL` lists what `rm -r` removes"),
            habit(
                &["--from-file", "--input", "--include"],
                "the URLs are arguments: `xargs scitoken rm < FILE` takes them from a file",
            ),
        ],
    ),
    (
        "stat",
        &[habit(
            &["-c", "--format", "--printf", "-f", "-d"],
            "`--json` writes all properties for a program to choose from",
        )],
    ),
];
