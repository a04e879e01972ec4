//! Tokens that other programs get, and logins under faults.
//!
//! Peers: Python with `htgettoken` 2.2 and `igwn-auth-utils` 1.4; `strace`; for the keyring, `dbus-run-session` and
//! `gnome-keyring-daemon`.

mod choice;
mod htgettoken;
#[cfg(target_os = "linux")]
mod killed;
#[cfg(all(target_os = "linux", feature = "keyring"))]
mod login_keyring;
mod pages;
