//! Apache and nginx, and the issuer's two documents.

use serde_json::json;

use super::running::{Running, configure};
use crate::lab::bench::Bench;
use crate::lab::{ISSUER, Keys};

/// The locations that Apache serves; each says `hello apache`.
const APACHE_LOCATIONS: [&str; 13] = [
    "oauth20",
    "scope",
    "scope403",
    "aud",
    "openidc",
    "oauth2mod",
    "oauth2scope",
    "hand/nochallenge",
    "hand/bare",
    "hand/lower",
    "hand/basic",
    "hand/negotiate",
    "hand/list",
];

pub(super) fn start(bench: &Bench) -> anyhow::Result<()> {
    publish(bench)?;
    write_pages(bench)?;
    configure(bench, "nginx", "nginx.conf", include_str!("../conf/nginx.conf"), &[])?;
    configure(bench, "apache", "httpd.conf", include_str!("../conf/httpd.conf"), &[])?;
    bench.hand_over()?;

    // nginx first: Apache asks it for the issuer's keys
    let nginx = bench.directory.join("nginx/nginx.conf");
    Running::start(bench, "nginx", "nginx", |command| {
        command.args(["-e", "stderr", "-c"]).arg(nginx);
    })?
    .ready("start worker process ")?;
    let apache = bench.directory.join("apache/httpd.conf");
    Running::start(bench, "apache", "apache2", |command| {
        command.args(["-D", "FOREGROUND", "-f"]).arg(apache);
    })?
    // it opens its log itself, which it cannot do with an output that root opened
    .watch(bench, "apache-error")
    .ready("resuming normal operations")
}

/// The issuer's metadata and keys, where nginx serves them.
fn publish(bench: &Bench) -> anyhow::Result<()> {
    let issuer = bench.directory.join("nginx/issuer/vo");
    fs_err::create_dir_all(issuer.join(".well-known"))?;
    let metadata = json!({
        "issuer": ISSUER,
        "jwks_uri": format!("{ISSUER}/jwks"),
        "token_endpoint": format!("{ISSUER}/token"),
        "authorization_endpoint": format!("{ISSUER}/auth"),
        "response_types_supported": ["code"],
    });
    fs_err::write(issuer.join(".well-known/openid-configuration"), metadata.to_string())?;
    fs_err::write(issuer.join("jwks"), Keys::at(&bench.directory).jwks().to_string())?;
    Ok(())
}

fn write_pages(bench: &Bench) -> anyhow::Result<()> {
    let pages = bench.directory.join("nginx/html");
    fs_err::create_dir_all(&pages)?;
    fs_err::write(pages.join("hello.txt"), "hello nginx\n")?;
    super::files::write(&bench.directory.join("nginx/files"))?;
    super::files::write(&bench.directory.join("apache/htdocs/files"))?;
    super::files::write(&bench.directory.join("apache/htdocs/files/packed"))?;
    for location in APACHE_LOCATIONS {
        let pages = bench.directory.join("apache/htdocs").join(location);
        fs_err::create_dir_all(&pages)?;
        fs_err::write(pages.join("hello.txt"), "hello apache\n")?;
    }
    fs_err::create_dir_all(bench.directory.join("apache/run"))?;
    fs_err::create_dir_all(bench.directory.join("apache/htdocs/dav"))?;
    fs_err::create_dir_all(bench.directory.join("nginx/dav"))?;
    Ok(())
}
