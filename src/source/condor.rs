//! The credentials that HTCondor keeps in a job's directory.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::TokenRequest;
use super::choose::Choice;
use super::finding::{DiscoveryFinding, DiscoveryLocation, DiscoveryResult};
use scitoken_types::{LifetimeFit, TokenFit};

/// The access tokens in a `$_CONDOR_CREDS` directory: its `*.use` files, `scitokens.use` first, the others by name.
///
/// Hidden files are incomplete and are left out. A missing directory has none.
pub(super) fn token_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.ends_with(b".use") && !bytes.starts_with(b".") {
            files.push(directory.join(name));
        }
    }
    files.sort_by_key(|path| (path.file_name().is_none_or(|name| name != "scitokens.use"), path.clone()));
    Ok(files)
}

/// Marks the tokens that are not used for the request, and orders the others, the best first: the one that the request
/// names, where it fits.
///
/// Where the tokens have different scopes, the choice holds for this request only.
pub(super) fn choose(findings: &mut [DiscoveryFinding], request: &TokenRequest<'_>) {
    let fit = |finding: &DiscoveryFinding| finding.token().map(|token| request.fit(token));
    let choice = Choice::among(findings.iter().filter_map(fit), request.audience().is_some());
    for finding in &mut *findings {
        finding.mark_mismatch(|token| choice.mismatch(request.fit(token)));
    }
    let names = request.credential_name().map(file_names).unwrap_or_default();
    let is_named = |finding: &DiscoveryFinding| match &finding.location {
        DiscoveryLocation::File(path) => {
            path.file_name().is_some_and(|file| names.iter().any(|name| file == name.as_str()))
        }
        _ => false,
    };
    // Stable: of those that fit equally well, the order of the files decides.
    findings.sort_by_cached_key(|finding| (finding.fitting().is_none(), !is_named(finding), fit(finding)));
    let Choice::Best(best) = choice else { return };
    let is_general = |fit: TokenFit| fit.access == best.access || fit.lifetime == LifetimeFit::Expired;
    if findings.iter().filter_map(fit).all(is_general) {
        return;
    }
    for finding in findings {
        if let DiscoveryResult::Token(token) = &mut finding.result {
            *token = token.clone().with_max_age(Duration::ZERO);
        }
    }
}

/// Returns the files of a credential: HTCondor writes an underscore for each dot of the name, and older versions do not.
fn file_names(name: &str) -> Vec<String> {
    vec![format!("{}.use", name.replace('.', "_")), format!("{name}.use")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scitokens_come_first_then_the_others_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.use", "scitokens.use", "a.use", ".hidden.use", "a.top", "use", "zz_1.use"] {
            fs_err::write(dir.path().join(name), "x").unwrap();
        }
        let files = token_files(dir.path()).unwrap();
        let names: Vec<_> = files.iter().map(|p| p.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["scitokens.use", "a.use", "b.use", "zz_1.use"]);
    }

    #[test]
    fn a_missing_directory_has_none_and_a_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(token_files(&dir.path().join("none")).unwrap(), Vec::<PathBuf>::new());
        let file = dir.path().join("file");
        fs_err::write(&file, "").unwrap();
        assert!(token_files(&file).unwrap_err().to_string().contains("file"));
    }
}
