//! WebDAV, and other requests without data.

mod changes;
mod listings;
mod requests;
mod support;
mod uploads;
