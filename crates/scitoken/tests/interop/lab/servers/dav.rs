//! WebDAV servers that no token is needed to write to: Apache with `mod_dav`, nginx with dav-ext, and wsgidav.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::running::{Running, configure};
use crate::lab::bench::Bench;
use crate::python::python;
use crate::support::{find, look_for_peers};

pub(super) fn start(bench: &Bench) -> anyhow::Result<()> {
    configure(bench, "nginx-dav", "nginx.conf", include_str!("../conf/nginx-dav.conf"), &[])?;
    configure(bench, "apache-dav", "httpd.conf", include_str!("../conf/httpd-dav.conf"), &[])?;
    for directory in ["nginx-dav/data", "apache-dav/data", "apache-dav/run"] {
        fs_err::create_dir_all(bench.directory.join(directory))?;
    }
    bench.hand_over()?;
    let nginx = bench.directory.join("nginx-dav/nginx.conf");
    Running::start(bench, "nginx-dav", "nginx", |command| {
        command.args(["-e", "stderr", "-c"]).arg(nginx);
    })?
    .ready("start worker process ")?;
    let apache = bench.directory.join("apache-dav/httpd.conf");
    Running::start(bench, "apache-dav", "apache2", |command| {
        command.args(["-D", "FOREGROUND", "-f"]).arg(apache);
    })?
    .watch(bench, "apache-dav-error")
    .ready("resuming normal operations")
}

/// Whether the Python of the peers has wsgidav.
pub(super) fn has_wsgidav() -> Result<(), String> {
    look_for_peers()?;
    let python = interpreter()?;
    let checked =
        Command::new(&python).args(["-c", "import wsgidav, cheroot"]).stderr(Stdio::null()).status();
    match checked {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("`{}` has no wsgidav and cheroot", python.display())),
    }
}

pub(super) fn start_wsgidav(bench: &Bench) -> anyhow::Result<()> {
    let root = bench.directory.join("wsgidav/data");
    fs_err::create_dir_all(&root)?;
    bench.hand_over()?;
    let python = interpreter().map_err(anyhow::Error::msg)?;
    Running::start_at(bench, "wsgidav", python, |command| {
        command.args(["-u", "-m", "wsgidav.server.server_cli", "--host", "127.0.0.1", "--port", "8472"]);
        command.args(["--auth", "anonymous", "--no-config", "--root"]).arg(root);
    })?
    .ready("Serving on ")
}

fn interpreter() -> Result<PathBuf, String> {
    let python = PathBuf::from(python());
    if python.is_absolute() { Ok(python) } else { find(&python.to_string_lossy()) }
}
