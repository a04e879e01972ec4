//! XRootD's clusters: a manager that redirects, and the data server that it redirects to.

use std::thread;

use super::running::configure;
use super::xrootd::{INITIALIZED, daemon, furnish};
use crate::lab::bench::Bench;
use crate::lab::{HTTPS_MANAGER, LONELY_MANAGER, MANAGER};

struct Cluster {
    name: &'static str,
    /// The manager's URL; what it is for is a token's audience.
    url: &'static str,
    manager_port: &'static str,
    cmsd_port: &'static str,
    /// The port of the data server, if there is one.
    data_port: Option<&'static str>,
    /// Lines of the manager's configuration.
    options: &'static str,
}

const BY_DEFAULT: Cluster = Cluster {
    name: "cluster",
    url: MANAGER,
    manager_port: "8445",
    cmsd_port: "3121",
    data_port: Some("8446"),
    options: "http.header2cgi Authorization authz",
};

const SECURE: Cluster = Cluster {
    name: "secure",
    url: HTTPS_MANAGER,
    manager_port: "8455",
    cmsd_port: "3131",
    data_port: Some("8456"),
    options: "http.header2cgi Authorization authz strip-on-redirect\nhttp.desthttps yes",
};

const LONELY: Cluster = Cluster {
    name: "lonely",
    url: LONELY_MANAGER,
    manager_port: "8465",
    cmsd_port: "3141",
    data_port: None,
    options: "http.header2cgi Authorization authz",
};

/// Starts both clusters at once, since each needs ten seconds to find itself.
pub(super) fn start(bench: &Bench) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let clusters = [BY_DEFAULT, SECURE].map(|cluster| scope.spawn(move || cluster.start(bench)));
        clusters.into_iter().try_for_each(|cluster| cluster.join().expect("starting does not panic"))
    })
}

pub(super) fn start_lonely(bench: &Bench) -> anyhow::Result<()> {
    LONELY.start(bench)
}

impl Cluster {
    /// The order matters: data server, both `cmsd`s, the manager last, since a manager without data servers lets its
    /// clients wait for twenty seconds.
    fn start(&self, bench: &Bench) -> anyhow::Result<()> {
        let (manager, data) = (format!("{}-manager", self.name), format!("{}-data", self.name));
        let mut values =
            vec![("@MANAGER@", self.manager_port), ("@CMSD@", self.cmsd_port), ("@OPTIONS@", self.options)];
        fs_err::create_dir_all(bench.directory.join(&manager).join("run"))?;
        configure(bench, &manager, "manager.cfg", include_str!("../conf/manager.cfg"), &values)?;
        if let Some(port) = self.data_port {
            values.push(("@DATA@", port));
            configure(bench, &data, "data.cfg", include_str!("../conf/data.cfg"), &values)?;
            // a client got its token for the manager, whose name it knows
            furnish(bench, &data, self.url)?;
        }
        bench.hand_over()?;

        if self.data_port.is_some() {
            daemon(bench, "xrootd", &data, "data.cfg")?.ready(INITIALIZED)?;
        }
        let mut above = daemon(bench, "cmsd", &manager, "manager.cfg")?;
        above.ready(INITIALIZED)?;
        if self.data_port.is_some() {
            daemon(bench, "cmsd", &data, "data.cfg")?.ready(INITIALIZED)?;
            above.ready("logged in")?;
        }
        daemon(bench, "xrootd", &manager, "manager.cfg")?.ready(INITIALIZED)
    }
}
