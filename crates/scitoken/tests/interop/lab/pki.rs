//! The lab's own certificate authority and the certificate that all servers show.

use std::fs::Permissions;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

/// The files of the authority, below the lab's directory.
#[derive(Clone, Debug)]
pub(crate) struct Pki {
    directory: PathBuf,
}

impl Pki {
    pub(crate) fn at(lab: &Path) -> Self {
        Self { directory: lab.join("pki") }
    }

    /// Makes the authority, a directory of it as `X509_CERT_DIR` names one, and the servers' certificate.
    pub(crate) fn create(lab: &Path) -> anyhow::Result<Self> {
        let pki = Self::at(lab);
        fs_err::create_dir_all(pki.hashed())?;

        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority.distinguished_name.push(DnType::CommonName, "Lab Test CA");
        let authority_key = KeyPair::generate()?;
        let authority_certificate = authority.self_signed(&authority_key)?;

        let mut host = CertificateParams::new(["localhost".to_owned()])?;
        host.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        host.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        host.distinguished_name.push(DnType::CommonName, "localhost");
        host.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        host.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        host.use_authority_key_identifier_extension = true;
        let host_key = KeyPair::generate()?;
        let host_certificate = host.signed_by(&host_key, &Issuer::from_params(&authority, &authority_key))?;

        fs_err::write(pki.authority(), authority_certificate.pem())?;
        fs_err::write(pki.host_certificate(), host_certificate.pem())?;
        fs_err::write(pki.host_key(), host_key.serialize_pem())?;
        // XRootD refuses a key that others may read
        fs_err::set_permissions(pki.host_key(), Permissions::from_mode(0o600))?;
        fs_err::copy(pki.authority(), pki.hashed().join("lab.pem"))?;
        let hashed = Command::new("openssl").arg("rehash").arg(pki.hashed()).status()?;
        anyhow::ensure!(hashed.success(), "`openssl rehash` failed");
        Ok(pki)
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.join("ca.pem")
    }

    /// A directory with the authority under its hashed name, as grid sites keep them.
    pub(crate) fn hashed(&self) -> PathBuf {
        self.directory.join("certs")
    }

    pub(crate) fn host_certificate(&self) -> PathBuf {
        self.directory.join("host.pem")
    }

    pub(crate) fn host_key(&self) -> PathBuf {
        self.directory.join("host.key")
    }
}
