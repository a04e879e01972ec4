//! Storages that the real `globus-sdk` reads and writes too.
//!
//! Peers: Python with `globus-sdk` 4.9; for the full disk, root and a `tmpfs`; for the keyring,
//! `dbus-run-session` and `gnome-keyring-daemon`.

#[cfg(target_os = "linux")]
pub(crate) mod disk;
#[cfg(all(target_os = "linux", feature = "keyring"))]
mod keyring;
mod sdk;
