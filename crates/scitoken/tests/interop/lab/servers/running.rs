//! A server's configuration, its process, and the sign in its log that it is ready.

use std::io::{self, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::lab::bench::Bench;
use crate::lab::log_file;
use crate::support::find;

/// Writes a configuration file into the server's directory, with the lab's paths and these values in it.
pub(super) fn configure(
    bench: &Bench,
    server: &str,
    file: &str,
    template: &str,
    values: &[(&str, &str)],
) -> anyhow::Result<()> {
    let home = bench.directory.join(server);
    fs_err::create_dir_all(&home)?;
    let lab = bench.directory.to_str().context("the lab's path is text")?;
    let mut text = template.replace("@LAB@", lab).replace("@HOME@", &format!("{lab}/{server}"));
    for (key, value) in values {
        text = text.replace(key, value);
    }
    fs_err::write(home.join(file), text)?;
    Ok(())
}

/// A server that was started; it ends with the namespace.
#[derive(Debug)]
pub(super) struct Running {
    command: Command,
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program inside; its output goes into the log `name`. `arguments` completes the command.
    pub(super) fn start(
        bench: &Bench,
        name: &str,
        program: &str,
        arguments: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        Self::start_at(bench, name, find(program).map_err(anyhow::Error::msg)?, arguments)
    }

    /// The same, for a program that is not in `PATH`.
    pub(super) fn start_at(
        bench: &Bench,
        name: &str,
        program: PathBuf,
        arguments: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let mut command = bench.namespace.server(program);
        arguments(&mut command);
        let log = log_file(&bench.directory, name);
        let (output, _) = fs_err::File::create(&log)?.into_parts();
        command.stdout(output.try_clone()?).stderr(output).stdin(Stdio::null());
        let child = command.spawn()?;
        Ok(Self { command, child, log })
    }

    /// The same, for a server that opens a log of its own, which is watched instead of its output.
    pub(super) fn watch(mut self, bench: &Bench, log: &str) -> Self {
        self.log = log_file(&bench.directory, log);
        self
    }

    /// Waits for a line in the server's log.
    pub(super) fn ready(&mut self, sign: &str) -> anyhow::Result<()> {
        const TICK: Duration = Duration::from_millis(20);
        let mut log = String::new();
        for _ in 0..2_000 {
            log = String::from_utf8_lossy(&fs_err::read(&self.log).unwrap_or_default()).into_owned();
            if log.contains(sign) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}, and its last words were\n{}", last_lines(&log));
            }
            thread::sleep(TICK);
        }
        bail!("no `{sign}` in its log after 40 seconds, but\n{}", last_lines(&log))
    }

    /// Starts it again whenever it ends by a signal, as the service manager of a site does, and says so.
    pub(super) fn restarted_after_a_crash(self) {
        let Self { mut command, mut child, log } = self;
        thread::spawn(move || {
            while let Ok(status) = child.wait()
                && status.signal().is_some()
            {
                let _ = writeln!(io::stderr(), "`{}`: {status}; it is started again", log.display());
                match command.spawn() {
                    Ok(again) => child = again,
                    Err(error) => {
                        let _ = writeln!(io::stderr(), "`{}`: {error}", log.display());
                        return;
                    }
                }
            }
        });
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
