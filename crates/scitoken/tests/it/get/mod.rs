//! `scitoken get`.

mod basics;
mod host_map;
#[cfg(unix)]
mod interrupted;
mod killed;
mod names;
mod netrc;
mod progress;
mod recursive;
mod roots;
#[cfg(target_os = "linux")]
mod streams;
