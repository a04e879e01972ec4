//! The servers: what each needs, its files, and how it is known to be ready.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use rusqlite::Connection;
use serde_json::json;

use super::bench::Bench;
use super::{ISSUER, Keys, log_file};
use crate::support::find;

/// Something that a test can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// One XRootD server with its SciTokens plugin.
    XRootD,
    /// Two clusters of manager and data server: as XRootD configures them by default, and with `http.desthttps`.
    Cluster,
    /// Apache, nginx, and the issuer that nginx serves.
    Web,
}

/// A manager and its data server.
struct Cluster {
    name: &'static str,
    manager: u16,
    cmsd: u16,
    data: u16,
    /// A line of the manager's configuration.
    extra: &'static str,
}

const CLUSTERS: [Cluster; 2] = [
    Cluster { name: "cluster", manager: 8445, cmsd: 3121, data: 8446, extra: "" },
    Cluster { name: "secure", manager: 8455, cmsd: 3131, data: 8456, extra: "http.desthttps yes" },
];

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

impl Server {
    /// The name in messages and in the ledger.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::XRootD => "xrootd",
            Self::Cluster => "xrootd-cluster",
            Self::Web => "apache-and-nginx",
        }
    }

    /// Whether the machine has it.
    pub(crate) fn installed(self) -> Result<(), String> {
        find("openssl")?;
        match self {
            Self::XRootD | Self::Cluster => {
                find("xrootd")?;
                find("cmsd")?;
                library("libXrdHttp-5.so")?;
                library("libXrdAccSciTokens-5.so")
            }
            Self::Web => {
                find("nginx")?;
                find("apache2")?;
                library("apache2/modules/mod_auth_openidc.so")?;
                library("apache2/modules/mod_oauth2.so")
            }
        }
    }

    /// Starts it and waits until it answers.
    pub(crate) fn start(self, bench: &Bench) -> anyhow::Result<()> {
        match self {
            Self::XRootD => xrootd(bench),
            Self::Cluster => thread::scope(|scope| {
                let clusters = CLUSTERS.each_ref().map(|cluster| scope.spawn(|| cluster.start(bench)));
                clusters.into_iter().try_for_each(|cluster| cluster.join().expect("starting does not panic"))
            }),
            Self::Web => web(bench),
        }
    }
}

fn library(name: &str) -> Result<(), String> {
    let here = |directory: &Path| directory.join(name).exists();
    let multiarch = fs_err::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    if here(Path::new("/usr/lib")) || multiarch.into_iter().any(|directory| here(&directory)) {
        Ok(())
    } else {
        Err(format!("there is no `{name}` below `/usr/lib`"))
    }
}

fn xrootd(bench: &Bench) -> anyhow::Result<()> {
    let home = bench.directory.join("xrootd");
    data_directory(&home)?;
    configure(bench, "xrootd", &[("xrootd.cfg", include_str!("conf/xrootd.cfg"))], &[])?;
    access(bench, &home, "https://localhost:8443")?;
    bench.hand_over()?;
    daemon(bench, "xrootd", &home, "xrootd.cfg", "xrootd")?.ready("initialization completed")
}

impl Cluster {
    /// The order matters: data server, both `cmsd`s, the manager last, since a manager without data servers lets its
    /// first client wait for twenty seconds.
    fn start(&self, bench: &Bench) -> anyhow::Result<()> {
        let (data, manager) = (format!("{}-data", self.name), format!("{}-manager", self.name));
        let (data_home, manager_home) = (bench.directory.join(&data), bench.directory.join(&manager));
        let (manager_port, cmsd_port, data_port) =
            (self.manager.to_string(), self.cmsd.to_string(), self.data.to_string());
        let values = [
            ("@MANAGER@", manager_port.as_str()),
            ("@CMSD@", &cmsd_port),
            ("@DATA@", &data_port),
            ("@EXTRA@", self.extra),
        ];
        data_directory(&data_home)?;
        fs_err::create_dir_all(manager_home.join("run"))?;
        configure(bench, &data, &[("data.cfg", include_str!("conf/data.cfg"))], &values)?;
        configure(bench, &manager, &[("manager.cfg", include_str!("conf/manager.cfg"))], &values)?;
        // a client got its token for the manager, whose name it knows
        access(bench, &data_home, &format!("https://localhost:{}", self.manager))?;
        bench.hand_over()?;

        daemon(bench, &data, &data_home, "data.cfg", "xrootd")?.ready("initialization completed")?;
        let mut above = daemon(bench, &format!("{manager}-cmsd"), &manager_home, "manager.cfg", "cmsd")?;
        above.ready("initialization completed")?;
        daemon(bench, &format!("{data}-cmsd"), &data_home, "data.cfg", "cmsd")?
            .ready("initialization completed")?;
        above.ready("logged in")?;
        daemon(bench, &manager, &manager_home, "manager.cfg", "xrootd")?.ready("initialization completed")
    }
}

fn web(bench: &Bench) -> anyhow::Result<()> {
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
    let pages = bench.directory.join("nginx/html");
    fs_err::create_dir_all(&pages)?;
    fs_err::write(pages.join("hello.txt"), "hello nginx\n")?;
    configure(bench, "nginx", &[("nginx.conf", include_str!("conf/nginx.conf"))], &[])?;

    for location in APACHE_LOCATIONS {
        let directory = bench.directory.join("apache/htdocs").join(location);
        fs_err::create_dir_all(&directory)?;
        fs_err::write(directory.join("hello.txt"), "hello apache\n")?;
    }
    fs_err::create_dir_all(bench.directory.join("apache/run"))?;
    configure(bench, "apache", &[("httpd.conf", include_str!("conf/httpd.conf"))], &[])?;
    bench.hand_over()?;

    // nginx first: Apache asks it for the issuer's keys
    let mut command = bench.namespace.server(find("nginx").map_err(anyhow::Error::msg)?);
    command.arg("-c").arg(bench.directory.join("nginx/nginx.conf")).args(["-e", "stderr"]);
    spawn(bench, "nginx", command)?.ready("start worker process ")?;
    let mut command = bench.namespace.server(find("apache2").map_err(anyhow::Error::msg)?);
    command.args(["-D", "FOREGROUND", "-f"]).arg(bench.directory.join("apache/httpd.conf"));
    let mut apache = spawn(bench, "apache", command)?;
    // it opens its log itself, which a stream that root opened does not let nobody do
    apache.log = log_file(&bench.directory, "apache-error");
    apache.ready("resuming normal operations")
}

/// The files that an XRootD data server has.
fn data_directory(home: &Path) -> anyhow::Result<()> {
    let data = home.join("data");
    for directory in ["vo/sub", "vo/upload", "public"] {
        fs_err::create_dir_all(data.join(directory))?;
    }
    fs_err::create_dir_all(home.join("run"))?;
    fs_err::write(data.join("vo/hello.txt"), "hello scitokens\n")?;
    fs_err::write(data.join("vo/sub/deep.txt"), "deep\n")?;
    fs_err::write(data.join("vo/empty.txt"), "")?;
    fs_err::write(data.join("vo/sp ace+é.txt"), "x")?;
    fs_err::write(data.join("public/pub.txt"), "public\n")?;
    Ok(())
}

/// Who may do what on an XRootD data server, and the issuer's keys: seeded, so that the server fetches nothing and
/// need not trust the lab's authority.
fn access(bench: &Bench, home: &Path, audience: &str) -> anyhow::Result<()> {
    let plugin =
        include_str!("conf/scitokens.cfg").replace("@AUDIENCE@", audience).replace("@ISSUER@", ISSUER);
    fs_err::write(home.join("scitokens.cfg"), plugin)?;
    fs_err::write(home.join("authdb"), "u * /public lr\n")?;

    let cache = home.join("cache/scitokens");
    fs_err::create_dir_all(&cache)?;
    // the name is scitokens-cpp's, spelling included
    let cache = Connection::open(cache.join("scitokens_cpp.sqllite"))?;
    cache
        .execute("CREATE TABLE keycache (issuer text UNIQUE PRIMARY KEY NOT NULL, keys text NOT NULL)", ())?;
    let year_2100 = 4_102_444_800_u64;
    let keys = json!({
        "expires": year_2100,
        "next_update": year_2100,
        "jwks": Keys::at(&bench.directory).jwks(),
    });
    cache.execute("INSERT INTO keycache VALUES (?1, ?2)", (ISSUER, keys.to_string()))?;
    Ok(())
}

/// Writes configuration files into the server's directory, with the lab's paths in them.
fn configure(
    bench: &Bench,
    name: &str,
    files: &[(&str, &str)],
    values: &[(&str, &str)],
) -> anyhow::Result<()> {
    let home = bench.directory.join(name);
    fs_err::create_dir_all(&home)?;
    let lab = bench.directory.to_str().context("the lab's path is text")?;
    let modules = "/usr/lib/apache2/modules";
    for (file, template) in files {
        let mut text = template.replace("@LAB@", lab).replace("@HOME@", &format!("{lab}/{name}"));
        text = text.replace("@MODULES@", modules);
        for (key, value) in values {
            text = text.replace(key, value);
        }
        fs_err::write(home.join(file), text)?;
    }
    Ok(())
}

/// `xrootd` or `cmsd`.
fn daemon(bench: &Bench, name: &str, home: &Path, config: &str, program: &str) -> anyhow::Result<Running> {
    let mut command = bench.namespace.server(find(program).map_err(anyhow::Error::msg)?);
    // without a pid file it leaves a file of its environment in /tmp, as `anon`, for the next one to trip over
    command
        .arg("-c")
        .arg(home.join(config))
        .arg("-s")
        .arg(home.join("run").join(program).with_extension("pid"));
    command.env("XDG_CACHE_HOME", home.join("cache")).current_dir(home);
    spawn(bench, name, command)
}

fn spawn(bench: &Bench, name: &str, mut command: Command) -> anyhow::Result<Running> {
    let log = log_file(&bench.directory, name);
    let file = fs_err::File::create(&log)?.into_parts().0;
    command.stdout(file.try_clone()?).stderr(file).stdin(Stdio::null());
    Ok(Running { child: command.spawn()?, log })
}

/// A server that was started; it ends with the namespace.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    /// Waits for a line in the server's log.
    fn ready(&mut self, sign: &str) -> anyhow::Result<()> {
        const TICK: Duration = Duration::from_millis(20);
        for _ in 0..2_000 {
            let log = fs_err::read(&self.log).unwrap_or_default();
            let log = String::from_utf8_lossy(&log);
            if log.contains(sign) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended with {status}, and its last words were\n{}", last_lines(&log));
            }
            thread::sleep(TICK);
        }
        ensure!(
            false,
            "no `{sign}` in its log after 40 seconds, but\n{}",
            last_lines(&fs_err::read_to_string(&self.log)?)
        );
        Ok(())
    }
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
