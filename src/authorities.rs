//! Certificate authorities: the system's, the grid's, and those that the caller adds.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::error::{Error, Kind};
use scitoken_types::files::read_bounded;
use scitoken_types::sys::Env;
use scitoken_types::without_byte_order_mark;

/// Where grid sites keep their authorities when `X509_CERT_DIR` does not say otherwise.
const GRID_DIRECTORY: &str = "/etc/grid-security/certificates";
/// The size of the largest file of a directory that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;
/// The size of the largest file that the caller names, in bytes.
const LARGEST_BUNDLE: u64 = 16 * 1024 * 1024;

/// The certificates that were added, each once.
#[derive(Debug, Default)]
pub(crate) struct TrustAnchors {
    seen: HashSet<Vec<u8>>,
}

impl TrustAnchors {
    /// Checks that the file that takes the place of the system's authorities can be read, which happens later and without a
    /// limit.
    pub(crate) fn check_system(env: &Env) -> Result<(), Error> {
        let Some(path) = env.get_non_empty("SSL_CERT_FILE").map(PathBuf::from) else { return Ok(()) };
        match read_bounded(&path, LARGEST_BUNDLE) {
            Ok(_) => Ok(()),
            Err(error) => Err(Kind::SystemCertificates(path, error.into_io()).into()),
        }
    }

    /// Adds the certificates of a PEM text.
    pub(crate) fn add_pem(&mut self, pem: &[u8]) -> Result<(), Error> {
        if self.add(pem) == 0 {
            return Err(Kind::BadCertificate.into());
        }
        Ok(())
    }

    /// Adds the certificates of a PEM file.
    ///
    /// # Errors
    /// When the file cannot be read, or has no certificate in it that can be used.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |error| Kind::NoCertificates(path.to_owned(), Some(error));
        let pem = read_bounded(path, LARGEST_BUNDLE).map_err(|error| failed(error.into_io()))?;
        if self.add(&pem) == 0 {
            return Err(Kind::NoCertificates(path.to_owned(), None).into());
        }
        Ok(())
    }

    /// Adds the certificates of a directory as OpenSSL and the grid lay it out.
    ///
    /// # Errors
    /// When the directory cannot be read, or has no certificate in it that can be used.
    pub(crate) fn add_directory(&mut self, path: &Path) -> Result<(), Error> {
        let failed = |error| Kind::NoCertificates(path.to_owned(), Some(error));
        let mut found = 0;
        for entry in fs_err::read_dir(path).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if holds_certificate(&file) {
                // One unreadable file must not hide the others.
                found += read_bounded(&file, LARGEST).map_or(0, |pem| self.add(&pem));
            }
        }
        match found {
            0 => Err(Kind::NoCertificates(path.to_owned(), None).into()),
            _ => Ok(()),
        }
    }

    /// Adds the grid's authorities, where the machine has some: `X509_CERT_DIR`, else
    /// `/etc/grid-security/certificates`.
    pub(crate) fn add_grid(&mut self, env: &Env) {
        let named = env.get_non_empty("X509_CERT_DIR").map(PathBuf::from);
        let directory = named.clone().unwrap_or_else(|| PathBuf::from(GRID_DIRECTORY));
        if let Err(error) = self.add_directory(&directory)
            && (named.is_some() || directory.exists())
        {
            tracing::warn!("{error}; trusting only the system's authorities");
        }
    }

    /// Returns the certificates for reqwest.
    pub(crate) fn into_certificates(self) -> Vec<Certificate> {
        self.seen.iter().filter_map(|der| Certificate::from_der(der).ok()).collect()
    }

    /// Returns the certificates in DER.
    #[cfg(feature = "named-certificates")]
    pub(crate) fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.seen.iter().map(Vec::as_slice)
    }

    /// Adds a text's usable certificates and counts them. Directories have links to the same file under two names.
    fn add(&mut self, pem: &[u8]) -> usize {
        let usable = |der: &CertificateDer<'static>| RootCertStore::empty().add(der.clone()).is_ok();
        CertificateDer::pem_slice_iter(without_byte_order_mark(pem))
            .filter_map(Result::ok)
            .filter(usable)
            .map(|der| self.seen.insert(der.to_vec()))
            .count()
    }
}

/// Tells certificates (`1a2b3c4d.0`, `*.pem`, `*.crt`) from the revocation lists (`.r0`) and policies next to them.
fn holds_certificate(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    matches!(extension, "pem" | "crt" | "cer")
        || (!extension.is_empty() && extension.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authority() -> String {
        let mut parameters = rcgen::CertificateParams::new([]).unwrap();
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
    }

    #[test]
    fn only_the_certificates_of_a_grid_directory_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs_err::write(dir.path().join(name), text).unwrap();
        let first = authority();
        write("1a2b3c4d.0", &first);
        write("same.pem", &first);
        write("second.pem", &authority());
        write("1a2b3c4d.r0", &authority());
        write("1a2b3c4d.signing_policy", "access_id_CA X509 '/CN=x'");
        write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        write("text.0", "no certificate");
        let mut authorities = TrustAnchors::default();
        authorities.add_directory(dir.path()).unwrap();
        assert_eq!(authorities.into_certificates().len(), 2);
    }

    #[test]
    fn a_byte_order_mark_before_a_certificate_does_not_hide_it() {
        let mut authorities = TrustAnchors::default();
        assert!(authorities.add_pem(format!("\u{feff}{}", authority()).as_bytes()).is_ok());
    }

    #[test]
    fn a_named_place_without_a_certificate_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("empty.pem");
        fs_err::write(&file, "").unwrap();
        let mut authorities = TrustAnchors::default();
        for error in [
            authorities.add_file(&file).unwrap_err(),
            authorities.add_directory(dir.path()).unwrap_err(),
            authorities.add_file(&dir.path().join("missing")).unwrap_err(),
            authorities.add_file(dir.path()).unwrap_err(),
        ] {
            assert!(error.is_builder() && error.to_string().contains(dir.path().to_str().unwrap()));
        }
        assert!(authorities.add_pem(b"nothing").unwrap_err().is_builder());
    }

    #[cfg(unix)]
    #[test]
    fn an_endless_device_in_place_of_certificates_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        fs_err::write(dir.path().join("good.pem"), authority()).unwrap();
        std::os::unix::fs::symlink("/dev/zero", dir.path().join("endless.pem")).unwrap();
        let mut authorities = TrustAnchors::default();
        assert!(authorities.add_file(Path::new("/dev/zero")).unwrap_err().is_builder());
        authorities.add_directory(dir.path()).unwrap();
        assert_eq!(authorities.into_certificates().len(), 1);
    }

    #[test]
    fn a_missing_grid_directory_adds_nothing() {
        let mut authorities = TrustAnchors::default();
        authorities.add_grid(&Env::given([("X509_CERT_DIR", "/nonexistent")]));
        assert!(authorities.into_certificates().is_empty());
    }
}
