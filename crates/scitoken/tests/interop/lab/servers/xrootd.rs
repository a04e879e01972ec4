//! XRootD: one data server, and what all its data servers have in common.

use std::path::Path;

use rusqlite::Connection;
use serde_json::json;

use super::running::{Running, configure};
use crate::lab::bench::Bench;
use crate::lab::{ISSUER, Keys, PARTNER, XROOTD};

/// What XRootD's daemons write to their logs when they are ready.
pub(super) const INITIALIZED: &str = "initialization completed";

pub(super) fn start(bench: &Bench) -> anyhow::Result<()> {
    start_one(bench, "xrootd", XROOTD, "8443")
}

/// Starts the second one, with the same configuration at another port.
pub(super) fn start_partner(bench: &Bench) -> anyhow::Result<()> {
    start_one(bench, "partner", PARTNER, "8444")
}

fn start_one(bench: &Bench, server: &str, url: &str, port: &str) -> anyhow::Result<()> {
    configure(bench, server, "xrootd.cfg", include_str!("../conf/xrootd.cfg"), &[("8443", port)])?;
    furnish(bench, server, url)?;
    bench.hand_over()?;
    let mut running = daemon(bench, "xrootd", server, "xrootd.cfg")?;
    running.ready(INITIALIZED)?;
    // On a busy machine 5.5.3 handles two requests of one connection at once now and then, and does not survive it.
    running.restarted_after_a_crash();
    Ok(())
}

/// Starts `xrootd` or `cmsd` in the directory of a server.
pub(super) fn daemon(bench: &Bench, program: &str, server: &str, config: &str) -> anyhow::Result<Running> {
    let home = bench.directory.join(server);
    Running::start(bench, &format!("{server}-{program}"), program, |command| {
        command.arg("-c").arg(home.join(config));
        // without a pid file it leaves a file with its environment in /tmp, for the next one to trip over
        command.arg("-s").arg(home.join("run").join(program).with_extension("pid"));
        command.env("XDG_CACHE_HOME", home.join("cache")).current_dir(&home);
    })
}

/// Gives a data server its files and its rules.
pub(super) fn furnish(bench: &Bench, server: &str, audience: &str) -> anyhow::Result<()> {
    let home = bench.directory.join(server);
    let data = home.join("data");
    for directory in ["vo/sub", "vo/upload", "public"] {
        fs_err::create_dir_all(data.join(directory))?;
    }
    super::files::write(&data.join("vo/files"))?;
    fs_err::create_dir_all(home.join("run"))?;
    fs_err::write(data.join("vo/hello.txt"), "hello scitokens\n")?;
    fs_err::write(data.join("vo/sub/deep.txt"), "deep\n")?;
    fs_err::write(data.join("vo/empty.txt"), "")?;
    fs_err::write(data.join("vo/sp ace+é.txt"), "x")?;
    fs_err::write(data.join("public/pub.txt"), "public\n")?;

    fs_err::write(home.join("authdb"), "u * /public lr\n")?;
    let rules = [("@AUDIENCE@", audience), ("@ISSUER@", ISSUER)];
    configure(bench, server, "scitokens.cfg", include_str!("../conf/scitokens.cfg"), &rules)?;
    seed_key_cache(bench, &home)
}

/// Puts the issuer's keys where scitokens-cpp keeps what it fetched, so that it need not fetch them from an issuer
/// whose authority only the machine's own store of authorities could make it trust.
fn seed_key_cache(bench: &Bench, home: &Path) -> anyhow::Result<()> {
    const YEAR_2100: u64 = 4_102_444_800;
    let cache = home.join("cache/scitokens");
    fs_err::create_dir_all(&cache)?;
    // the name is scitokens-cpp's, spelling included
    let cache = Connection::open(cache.join("scitokens_cpp.sqllite"))?;
    cache
        .execute("CREATE TABLE keycache (issuer text UNIQUE PRIMARY KEY NOT NULL, keys text NOT NULL)", ())?;
    let keys = json!({
        "expires": YEAR_2100,
        "next_update": YEAR_2100,
        "jwks": Keys::at(&bench.directory).jwks(),
    });
    cache.execute("INSERT INTO keycache VALUES (?1, ?2)", (ISSUER, keys.to_string()))?;
    Ok(())
}
