//! The command line as clap parses it.

use std::ffi::OsString;
use std::path::Path;

/// The names under which pools call Pelican's plugin.
const PELICANS_NAMES: [&str; 4] = ["stash_plugin", "osdf_plugin", "pelican_plugin", "pelican_xfer_plugin"];

/// Returns the arguments in the form that clap parses.
///
/// HTCondor calls a plugin by its path, without a command, and with options of one dash: `scitoken_plugin -classad`.
/// Under a name with `plugin` in it the program is the command `condor-plugin`, whose options may have one dash. Under the
/// names of Pelican's plugin it has Pelican's exit codes.
pub(crate) fn normalize(given: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = given.collect();
    let name = arguments
        .first()
        .map(|path| Path::new(path).file_name().unwrap_or_default().to_string_lossy().into_owned());
    if name.as_ref().is_some_and(|name| name.contains("plugin")) {
        let is_pelicans = name.is_some_and(|name| PELICANS_NAMES.contains(&name.as_str()));
        arguments.insert(1, "condor-plugin".into());
        if is_pelicans {
            arguments.insert(2, "--pelican-exit-codes".into());
        }
    }
    if arguments.get(1).is_some_and(|command| command == "condor-plugin") {
        for argument in arguments.iter_mut().skip(2) {
            let long = ["-classad", "-infile", "-outfile", "-upload"];
            if long.iter().any(|option| argument == option) {
                *argument = format!("-{}", argument.to_string_lossy()).into();
            }
        }
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let words = normalize(line.split(' ').map(OsString::from));
        words.join(std::ffi::OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn a_plugin_is_called_as_htcondor_calls_it() {
        assert_eq!(
            read("/usr/libexec/condor/scitoken_plugin -classad"),
            "/usr/libexec/condor/scitoken_plugin condor-plugin --classad"
        );
        assert_eq!(
            read("/opt/osdf_plugin -infile a -outfile b"),
            "/opt/osdf_plugin condor-plugin --pelican-exit-codes --infile a --outfile b"
        );
        assert_eq!(
            read("scitoken condor-plugin -infile a -outfile b -upload"),
            "scitoken condor-plugin --infile a --outfile b --upload"
        );
        assert_eq!(read("scitoken get -infile"), "scitoken get -infile");
    }
}
