//! The commands of other programs, each with the sentence that answers it.

use super::table::{Habit, habit};

/// The commands that stand in place of one here.
pub(super) const COMMANDS: &[Habit] = &[
    habit(
        &[
            "curl",
            "wget",
            "wget2",
            "aria2c",
            "http",
            "download",
            "fetch",
            "dl",
            "pull",
            "cat",
            "davix-get",
            "gfal-cat",
            "getfile",
            "copyurl",
            "save",
        ],
        "`scitoken get URL` downloads a file, `-o -` to standard output",
    ),
    habit(
        &["upload", "push", "store-file", "davix-put", "gfal-save", "rcat", "send"],
        "`scitoken put FILE URL` uploads a file, `-` from standard input",
    ),
    habit(
        &[
            "cp",
            "xrdcp",
            "xrdcopy",
            "gfal-copy",
            "davix-cp",
            "tpc",
            "transfer",
            "copyto",
            "globus-url-copy",
            "prestage",
            "stashcp",
        ],
        "`scitoken copy SOURCE DESTINATION` copies between servers, or to and from this machine",
    ),
    habit(
        &[
            "delete",
            "del",
            "remove",
            "unlink",
            "rmdir",
            "gfal-rm",
            "davix-rm",
            "deletefile",
            "purge",
            "rmdirs",
        ],
        "`scitoken rm URL` removes a file, `-r` a directory",
    ),
    habit(
        &[
            "list", "dir", "ll", "find", "tree", "gfal-ls", "davix-ls", "lsd", "lsf", "lsl", "lsjson",
            "xrdfs", "propfind",
        ],
        "`scitoken ls URL` lists a directory, `-l` with lengths, `-r` everything below it",
    ),
    habit(
        &["head", "info", "size", "gfal-stat", "davix-stat", "exists"],
        "`scitoken stat URL` shows length, date and entity tag",
    ),
    habit(
        &[
            "sum",
            "cksum",
            "md5sum",
            "sha1sum",
            "sha256sum",
            "hashsum",
            "adler32",
            "xrdadler32",
            "xrdcrc32c",
            "gfal-sum",
        ],
        "`scitoken checksum URL` shows the server's checksum",
    ),
    habit(
        &["rename", "move", "moveto", "gfal-rename", "davix-mv"],
        "`scitoken mv URL URL` renames a file on its server",
    ),
    habit(
        &["md", "makedir", "gfal-mkdir", "davix-mkdir", "mkcol"],
        "`scitoken mkdir -p URL` creates a directory",
    ),
    habit(
        &["sync", "rsync", "mirror", "bisync"],
        "`scitoken get -r --skip-existing=checksum URL` downloads what is new, `scitoken put -r DIR URL` uploads a directory",
    ),
    habit(
        &["rclone", "pelican", "davix", "gfal", "xrd", "object"],
        "leave the name out: `scitoken get`, `put`, `copy`, `ls`, `stat`, `rm`",
    ),
    habit(
        &[
            "htgettoken",
            "signin",
            "sign-in",
            "log-in",
            "oidc-token",
            "oidc-gen",
            "gfal-token",
            "authorize",
            "reconnect",
        ],
        "`scitoken login` gets a token with a browser, and stores it",
    ),
    habit(
        &["signout", "sign-out", "log-out", "revoke", "htdestroytoken"],
        "`scitoken logout` revokes a stored token and removes it",
    ),
    habit(
        &["htdecodetoken", "httokendecode", "decode"],
        "`scitoken token show FILE` shows the claims of a token, `scitoken jwt decode` those of any JWT",
    ),
    habit(
        &["whoami", "auth", "status", "credentials", "where", "show"],
        "`scitoken token where` shows which token is found, `scitoken token show` what it says",
    ),
    habit(
        &["verify", "enforce", "check", "create", "acls"],
        "the commands about tokens begin with `token`, as in `scitoken token verify`",
    ),
    habit(
        &["debug", "ping", "diagnose", "trace", "test", "why"],
        "`scitoken explain URL` explains one request, `scitoken doctor URL` examines the server",
    ),
    habit(
        &["jwks", "generate", "cache"],
        "the commands about keys begin with `keys`, as in `scitoken keys generate`",
    ),
    habit(
        &["encode", "sign"],
        "`scitoken jwt encode` signs claims, `scitoken token create` makes a token of a profile",
    ),
    habit(
        &["migrate", "import"],
        "the commands about storages begin with `store`, as in `scitoken store import`",
    ),
    habit(
        &["settings", "configure", "init", "setup", "conf"],
        "`scitoken config show` shows the settings and their file, which is edited by hand",
    ),
    habit(&["completion", "complete"], "`scitoken completions SHELL` prints the completions of a shell"),
    habit(
        &["manual", "docs"],
        "`scitoken man` prints the manual page, `scitoken help COMMAND` the help of a command",
    ),
    habit(&["version"], "`scitoken --version` prints the version"),
    habit(
        &["plugin", "stash_plugin", "osdf_plugin"],
        "`scitoken condor-plugin` is HTCondor's file transfer plugin",
    ),
    habit(
        &["mount", "serve", "share", "edit", "touch", "chmod", "ln", "about", "quota"],
        "this program moves whole files; `scitoken --help` lists its commands",
    ),
];

/// The commands that stand in place of one below another command.
pub(super) const BELOW: &[(&str, &[Habit])] = &[
    (
        "store",
        &[
            habit(&["ls", "show-all", "entries"], "`scitoken store list` lists the entries"),
            habit(
                &["rm", "delete", "del", "unset", "drop"],
                "`scitoken store remove RESOURCE_SERVER` removes an entry",
            ),
            habit(&["show", "cat", "print", "read"], "`scitoken store get RESOURCE_SERVER` prints an entry"),
            habit(
                &["add", "set", "write", "save"],
                "`scitoken store put` stores an entry from standard input",
            ),
            habit(
                &["copy", "cp", "merge", "load"],
                "`scitoken store import --from STORAGE` copies the entries of another storage",
            ),
            habit(
                &["upgrade", "convert"],
                "`scitoken store migrate` converts a storage to the current format",
            ),
        ],
    ),
    (
        "token",
        &[
            habit(
                &["get", "find", "list", "ls", "locate", "which"],
                "`scitoken token where` lists the places of tokens, and which is used",
            ),
            habit(
                &["decode", "inspect", "print", "cat", "claims", "info"],
                "`scitoken token show` shows the claims of a token",
            ),
            habit(
                &["make", "issue", "sign", "new", "generate", "encode"],
                "`scitoken token create` makes a token",
            ),
            habit(
                &["validate", "valid"],
                "`scitoken token verify` verifies a token's signature, times and profile",
            ),
            habit(
                &["test", "permits", "authorize", "allow"],
                "`scitoken token enforce` checks whether a token permits an operation",
            ),
            habit(&["scopes", "permissions"], "`scitoken token acls` lists what a token permits"),
            habit(
                &["login", "fetch", "request", "refresh", "renew"],
                "`scitoken login` gets a token with a browser, and stores it",
            ),
            habit(
                &["revoke", "logout", "remove", "rm", "delete"],
                "`scitoken logout` revokes a stored token and removes it",
            ),
        ],
    ),
    (
        "keys",
        &[
            habit(&["create", "make", "new", "gen"], "`scitoken keys generate` makes a key pair"),
            habit(
                &["list", "ls", "refresh", "update", "add", "remove", "rm", "fetch"],
                "the cached keys of issuers: `scitoken keys cache list`, `add`, `remove`, `refresh`",
            ),
            habit(
                &["publish", "public", "export", "show"],
                "`scitoken keys jwks FILE` prints the public key set",
            ),
        ],
    ),
    (
        "cache",
        &[
            habit(&["ls", "show"], "`scitoken keys cache list` lists the issuers whose keys are cached"),
            habit(
                &["rm", "delete", "clear", "purge"],
                "`scitoken keys cache remove ISSUER` removes the keys of an issuer",
            ),
            habit(
                &["fetch", "update", "get"],
                "`scitoken keys cache refresh ISSUER` fetches the keys of an issuer",
            ),
            habit(&["put", "import"], "`scitoken keys cache add ISSUER --jwks FILE` adds keys"),
        ],
    ),
    (
        "jwt",
        &[
            habit(&["sign", "create", "make"], "`scitoken jwt encode` signs claims"),
            habit(
                &["verify", "show", "inspect", "check"],
                "`scitoken jwt decode` verifies a JWT and prints its claims",
            ),
            habit(&["headers", "head"], "`scitoken jwt header` prints the header"),
        ],
    ),
    (
        "config",
        &[habit(
            &[
                "list", "ls", "get", "set", "edit", "path", "file", "dump", "print", "init", "create",
                "check", "validate",
            ],
            "`scitoken config show` shows the settings and their file, which is edited by hand",
        )],
    ),
    (
        "gafaelfawr",
        &[
            habit(
                &["token", "info", "whoami"],
                "`scitoken gafaelfawr token-info URL` shows the record of the token",
            ),
            habit(&["user", "me"], "`scitoken gafaelfawr user-info URL` shows the record of the user"),
            habit(
                &["list", "ls", "token-list"],
                "`scitoken gafaelfawr tokens URL` lists the tokens of a user",
            ),
        ],
    ),
];
