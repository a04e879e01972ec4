//! What the sources and the destination of a copy are.

use std::ffi::OsString;
use std::path::PathBuf;

use scitoken_transfer::federation::FederationUrl;
use url::Url;

use super::args::Copy;
use crate::args::parse_location;
use crate::exit::Exit;
use crate::failure::Failure;

/// A source or a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Local(PathBuf),
    /// A file on a server.
    Remote(Url),
    /// An object of a federation, which the director names a server for.
    Object(Url),
}

impl Place {
    fn read(text: &str) -> Result<Self, Failure> {
        match text.split_once("://") {
            None => Ok(Self::Local(text.into())),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("file") => {
                let path = text.parse::<Url>().ok().and_then(|url| url.to_file_path().ok());
                path.map(Self::Local).ok_or_else(|| {
                    Failure::new(Exit::Usage, "a `file` URL names no file of this machine")
                        .with_hint("write `file:///PATH`, or the path alone")
                })
            }
            Some(_) => {
                let url = parse_location(text)?;
                Ok(if FederationUrl::has_scheme(text) { Self::Object(url) } else { Self::Remote(url) })
            }
        }
    }

    fn argument(&self) -> OsString {
        match self {
            Self::Local(path) => path.into(),
            Self::Remote(url) | Self::Object(url) => url.as_str().into(),
        }
    }
}

/// The sources and the destination of the command line.
#[derive(Debug)]
pub(super) struct Places {
    sources: Vec<Place>,
    destination: Place,
}

/// What a copy is.
#[derive(Debug)]
pub(super) enum CopyKind {
    /// `scitoken put` with these arguments.
    Upload {
        arguments: Vec<OsString>,
    },
    /// `scitoken get` with these arguments.
    Download {
        arguments: Vec<OsString>,
    },
    BetweenServers {
        sources: Vec<Url>,
        destination: Url,
    },
}

impl Places {
    pub(super) fn read(copy: &Copy) -> Result<Self, Failure> {
        let mut places = copy.paths.iter().map(|text| Place::read(text)).collect::<Result<Vec<_>, _>>()?;
        let destination = places.pop().ok_or_else(no_source)?;
        if places.is_empty() && copy.input.is_none() {
            return Err(no_source());
        }
        Ok(Self { sources: places, destination })
    }

    /// Returns what the copy is.
    pub(super) fn kind(self, copy: &Copy) -> Result<CopyKind, Failure> {
        let is_local = |place: &Place| matches!(place, Place::Local(_));
        let local_sources = self.sources.iter().filter(|place| is_local(place)).count();
        match (&self.destination, local_sources) {
            (Place::Local(_), 0) => Ok(CopyKind::Download { arguments: self.download_arguments(copy) }),
            (Place::Local(_), _) => {
                Err(Failure::new(Exit::Usage, "source and destination are on this machine")
                    .with_hint("use `cp`"))
            }
            (_, count) if count > 0 && count == self.sources.len() && copy.input.is_none() => {
                Ok(CopyKind::Upload { arguments: self.upload_arguments(copy)? })
            }
            (_, 0) => self.between_servers(),
            _ => Err(Failure::new(Exit::Usage, "some sources are on this machine and some are not")
                .with_hint("copy them with two commands")),
        }
    }

    fn between_servers(self) -> Result<CopyKind, Failure> {
        let url = |place: Place| match place {
            Place::Remote(url) | Place::Object(url) => Ok(url),
            Place::Local(_) => Err(no_source()),
        };
        let sources = self.sources.into_iter().map(url).collect::<Result<Vec<_>, _>>()?;
        Ok(CopyKind::BetweenServers { sources, destination: url(self.destination)? })
    }

    fn download_arguments(&self, copy: &Copy) -> Vec<OsString> {
        let Place::Local(target) = &self.destination else { return Vec::new() };
        let mut arguments = shared_flags(copy);
        if let Some(checksum) = &copy.checksum_text() {
            arguments.extend(["--checksum".into(), checksum.into()]);
        }
        if let Some(jobs) = copy.jobs {
            arguments.extend(["--jobs".into(), jobs.to_string().into()]);
        }
        let is_directory = copy.recursive
            || copy.input.is_some()
            || self.sources.len() > 1
            || target.is_dir()
            || target.to_string_lossy().ends_with('/');
        arguments.extend([if is_directory { "-P".into() } else { "-o".into() }, target.into()]);
        if let Some(list) = &copy.input {
            arguments.extend(["--input".into(), list.into()]);
        }
        with_places(arguments, &self.sources)
    }

    fn upload_arguments(&self, copy: &Copy) -> Result<Vec<OsString>, Failure> {
        let mut arguments = shared_flags(copy);
        match copy.checksum_text().as_deref() {
            None | Some("auto") => {}
            Some(text) if text == "require" || text.contains(':') => {
                return Err(Failure::new(Exit::Usage, "an upload needs an algorithm or `none` as checksum")
                    .with_hint("write `--checksum adler32`"));
            }
            Some(text) => arguments.extend(["--checksum".into(), text.into()]),
        }
        let mut places = self.sources.clone();
        places.push(self.destination.clone());
        Ok(with_places(arguments, &places))
    }
}

fn shared_flags(copy: &Copy) -> Vec<OsString> {
    let flags = [
        (copy.recursive, "--recursive"),
        (copy.no_clobber, "--no-clobber"),
        (copy.create_dirs, "--create-dirs"),
    ];
    flags.into_iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.into()).collect()
}

fn with_places(mut arguments: Vec<OsString>, places: &[Place]) -> Vec<OsString> {
    // What follows is no flag, whatever it begins with.
    arguments.push("--".into());
    arguments.extend(places.iter().map(Place::argument));
    arguments
}

fn no_source() -> Failure {
    Failure::new(Exit::Usage, "a copy needs a source and a destination")
        .with_hint("write `scitoken copy SOURCE DESTINATION`")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        copy: Copy,
    }

    fn kind(arguments: &[&str]) -> Result<String, String> {
        let line = Line::try_parse_from([&["copy"][..], arguments].concat()).unwrap();
        let kind = Places::read(&line.copy).and_then(|places| places.kind(&line.copy));
        let words = |arguments: Vec<OsString>| {
            arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
        };
        match kind {
            Ok(CopyKind::Upload { arguments }) => Ok(format!("put {}", words(arguments))),
            Ok(CopyKind::Download { arguments }) => Ok(format!("get {}", words(arguments))),
            Ok(CopyKind::BetweenServers { sources, destination }) => Ok(format!(
                "copy {} {destination}",
                sources.iter().map(Url::as_str).collect::<Vec<_>>().join(" ")
            )),
            Err(failure) => Err(failure.message().to_owned()),
        }
    }

    #[test]
    fn a_copy_is_an_upload_a_download_or_between_servers() {
        for (arguments, expected) in [
            (&["https://a/f", "davs://b/f"][..], "copy https://a/f https://b/f"),
            (&["https://a/f", "https://a/g", "https://b/d/"], "copy https://a/f https://a/g https://b/d/"),
            (&["f", "https://b/f"], "put -- f https://b/f"),
            (&["-r", "--no-clobber", "d", "https://b/d/"], "put --recursive --no-clobber -- d https://b/d/"),
            (
                &["--checksum", "md5", "file:///tmp/a%20b", "https://b/"],
                "put --checksum md5 -- /tmp/a b https://b/",
            ),
            (&["https://a/f", "none/here"], "get -o none/here -- https://a/f"),
            (&["https://a/f", "-"], "get -o - -- https://a/f"),
            (&["https://a/f", "/tmp"], "get -P /tmp -- https://a/f"),
            (&["-r", "-j", "9", "osdf:///d", "here"], "get --recursive --jobs 9 -P here -- osdf:///d"),
            (&["-i", "list", "here"], "get -P here --input list --"),
            (&["f", "osdf:///ns/f"], "put -- f osdf:///ns/f"),
            (&["-i", "list", "https://b/d/"], "copy  https://b/d/"),
            (&["osdf:///f", "https://b/f"], "copy osdf:///f https://b/f"),
            (&["https://a/f", "pelican://h/ns/"], "copy https://a/f pelican://h/ns/"),
        ] {
            assert_eq!(kind(arguments).as_deref(), Ok(expected), "{arguments:?}");
        }
    }

    #[test]
    fn other_copies_are_refused() {
        for (arguments, expected) in [
            (&["f", "g"][..], "on this machine"),
            (&["f", "https://a/f", "https://b/"], "some sources"),
            (&["https://a/f"], "needs a source"),
            (&["root://a/f", "f"], "not supported"),
            (&["https://a/f#x", "f"], "fragment"),
            (&["--checksum", "require", "f", "https://b/f"], "needs an algorithm"),
        ] {
            let message = kind(arguments).unwrap_err();
            assert!(message.contains(expected), "{arguments:?}: {message}");
        }
    }
}
