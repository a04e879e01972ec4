//! What a caller can do about a failed transfer.

use std::fmt;

use reqwest_scitokens::auth::Hint;

use crate::digest::algorithm::DigestAlgorithm;

/// What can be done about a [`TransferError`](crate::TransferError).
///
/// `Display` words it without naming a program. A program that has a flag or a command for it matches the variant and
/// words its own:
///
/// ```
/// use scitoken_transfer::TransferHint;
///
/// fn worded(hint: &TransferHint) -> String {
///     match hint {
///         TransferHint::CreateDirectory => "pass `--create-dirs`".to_owned(),
///         other => other.to_string(),
///     }
/// }
/// assert_eq!(worded(&TransferHint::CreateDirectory), "pass `--create-dirs`");
/// assert_eq!(worded(&TransferHint::FreeDiskSpace), "free some space on that disk, or choose another place");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransferHint {
    /// Give an `http` or `https` URL.
    UseHttpUrl,
    /// Take the user name and password out of the URL.
    RemoveUserInfo,
    /// Free some space, or choose another place.
    FreeDiskSpace,
    /// Choose a place that may be written to.
    ChooseWritablePath,
    /// Create the directory first.
    CreateDirectory,
    /// Choose another name for the file.
    ChooseOtherName,
    /// Name a file in the directory.
    NameFileInDirectory,
    /// Remove the symbolic link, or name the file that it points to.
    ResolveLink,
    /// Write to a stream: the target is a device, a FIFO or a socket.
    WriteToStream,
    /// Write the URL with a slash at its end, to upload into the directory.
    UploadIntoDirectory,
    /// Upload the file again, once nothing writes to it.
    UploadAgain,
    /// Send a copy: the file has no fixed length.
    SendCopy,
    /// Write to a file: a stream cannot be rewritten.
    WriteToFile,
    /// Choose another name, or keep the file that exists.
    KeepExistingFile,
    /// Allow the download to replace a file that no earlier download made, or choose another directory.
    ReplaceForeignFile,
    /// Allow the upload to replace what exists.
    AllowOverwrite,
    /// Wait for the other process that downloads this file, or choose another name.
    WaitForOtherDownload,
    /// Run the same download again: it resumes where it stopped.
    Resume,
    /// Allow more time.
    MoreTime,
    /// Run the same download again, or allow more time.
    AllowMoreTime,
    /// Run the same download again, from its start: nothing that was received can be used.
    StartAgain,
    /// Allow more time: the download starts again, because nothing that was received can be used.
    StartAgainWithMoreTime,
    /// Try this server again later.
    RetryServerLater,
    /// Allow more retries for the run.
    RaiseRetryBudget,
    /// Give the expected checksum, or do not require one.
    ProvideChecksum,
    /// Give the expected checksum: nothing else proves that the file is complete.
    ProvideChecksumValue,
    /// Do not require a checksum: the server offers none.
    OmitChecksum,
    /// Require the checksum that the server offers.
    UseOfferedChecksum {
        /// The algorithm that the server offers.
        algorithm: DigestAlgorithm,
    },
    /// Ask the data's owner which checksum is right, or try another server.
    ConfirmChecksum,
    /// Name the host of a federation, which has a discovery document.
    NameFederationHost,
    /// Name another cache, or read from the origin: this one does not know that the namespace is public.
    AskServerOfPublicNamespace,
    /// Trust the authority that signed the server's certificate.
    TrustAuthority,
    /// Trust the server's own certificate, which it signed itself.
    TrustCertificate,
    /// Have the server's certificate renewed.
    RenewCertificate,
    /// Check the clock of this machine: the certificate is not valid yet.
    CheckClock,
    /// Address the server by a name that its certificate has.
    UseCertificateName,
    /// Check whether the port speaks plain `http`.
    CheckScheme,
    /// Check the spelling of the host name.
    CheckHostName,
    /// Name the files one by one: the server cannot list them.
    NameEachFile,
    /// Give the file a name in the list.
    NameListedFile,
    /// Get a token for the server that answered with a login page.
    AuthenticateAtServer,
    /// List the directory, or allow a web page.
    AllowWebPage,
    /// Allow the error message, if it is the file.
    AllowErrorMessage,
    /// Give the file the suffix of its compression.
    NameCompressedFile {
        /// The suffix, with its dot.
        suffix: &'static str,
    },
    /// Ask for the removal of a directory with its contents.
    RemoveRecursively,
    /// Ask for the download of a collection with its contents.
    DownloadRecursively,
    /// Name the directory with a slash at its end, to move into it.
    MoveIntoDirectory,
    /// Percent-encode a character in the URL.
    EncodeCharacter(char),
    /// Download into a new directory.
    UseNewDirectory,
    /// Log in to the issuer of the namespace, or name a file with a token that fits.
    LogInToFederation,
    /// The same for a token that permits changes.
    LogInToFederationToWrite,
    /// Check the name of the object; if it is right, try again once its origin is online.
    CheckNameOrOrigin,
    /// Try again later, or name another cache: all servers of the object failed.
    AskOtherServers,
    /// Check the URL of the source: the other server failed to fetch it.
    CheckSourceUrl,
    /// Ask for the copy of a directory with its contents.
    CopyRecursively,
    /// Allow the copy to pass through this machine: neither server can copy to or from the other.
    CopyThroughThisMachine,
    /// What the middleware says about the token or the redirect.
    Auth(Hint),
}

impl fmt::Display for TransferHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UseHttpUrl => "write `https://` for `davs://`; a `root://` URL needs `xrdcp`",
            Self::RemoveUserInfo => "remove the user name and the password from the URL",
            Self::FreeDiskSpace => "free some space on that disk, or choose another place",
            Self::ChooseWritablePath => "choose a place that you may write to",
            Self::CreateDirectory => "create the directory first",
            Self::ChooseOtherName => "choose another name for the file",
            Self::NameFileInDirectory => "name a file in the directory",
            Self::ResolveLink => "remove the link, or name the file that it points to",
            Self::WriteToStream => "write to a stream instead of a file",
            Self::UploadIntoDirectory => "write the URL with a slash at its end to upload into the directory",
            Self::UploadAgain => "upload it again once nothing writes to it",
            Self::SendCopy => "send a copy of it: its length is not known before it was read",
            Self::WriteToFile => "write to a file instead of a stream",
            Self::KeepExistingFile => "choose another name, or keep the file that exists",
            Self::ReplaceForeignFile => "allow to replace it, or choose another directory",
            Self::AllowOverwrite => "allow the upload to replace it",
            Self::WaitForOtherDownload => "wait for the other download, or choose another name",
            Self::Resume => "run the same download again: it resumes where it stopped",
            Self::MoreTime => "allow more time",
            Self::AllowMoreTime => {
                "run the same download again, which resumes where it stopped, or allow more time"
            }
            Self::StartAgain => "run the same download again: it starts from the beginning",
            Self::StartAgainWithMoreTime => "allow more time: the download starts again from the beginning",
            Self::RetryServerLater => "try again later",
            Self::RaiseRetryBudget => "allow more retries: this run has used all of them",
            Self::ProvideChecksumValue => "give the expected checksum",
            Self::ProvideChecksum => "give the expected checksum, or do not require one",
            Self::OmitChecksum => "do not require a checksum",
            Self::UseOfferedChecksum { algorithm } => {
                return write!(f, "the server offers {algorithm}: require that one");
            }
            Self::ConfirmChecksum => {
                "nothing was kept; ask the data's owner which checksum is right, or try another server"
            }
            Self::TrustAuthority => "trust the authority that signed the certificate",
            Self::TrustCertificate => "trust the server's own certificate, which it signed itself",
            Self::RenewCertificate => {
                "the certificate has expired: its operator must renew it, unless this machine's clock is wrong"
            }
            Self::CheckClock => "the certificate is not valid yet: check this machine's clock",
            Self::UseCertificateName => {
                "the certificate is for another name: address the server by one of its names, or tell the operator"
            }
            Self::CheckScheme => "the port may speak plain `http`",
            Self::CheckHostName => "check the spelling of the host name",
            Self::NameEachFile => "the server has no WebDAV and cannot list; name the files one by one",
            Self::NameListedFile => "name the file with `out=NAME` in the list",
            Self::AuthenticateAtServer => "get a token for the server that sent the page",
            Self::AllowWebPage => "list the directory to fetch its files, or allow a web page",
            Self::AllowErrorMessage => "if that is the file, allow a web page or an error message",
            Self::NameCompressedFile { suffix } => {
                return write!(f, "to keep the compressed file, give it the matching suffix: `FILE{suffix}`");
            }
            Self::RemoveRecursively => "remove it recursively, with all its contents",
            Self::DownloadRecursively => "download it recursively, with all its contents",
            Self::MoveIntoDirectory => "end the target with `/` to move into the directory",
            Self::EncodeCharacter(character) => {
                return write!(f, "in a name, write `%{:02X}`", u32::from(*character));
            }
            Self::UseNewDirectory => "download into a new directory",
            Self::LogInToFederation => "log in to the issuer of the namespace, or give a token that fits",
            Self::LogInToFederationToWrite => {
                "log in to the issuer of the namespace for a token that permits changes, or give one that fits"
            }
            Self::NameFederationHost => "name the host of the federation, which has its discovery document",
            Self::AskServerOfPublicNamespace => "name another cache, or read directly from the origin",
            Self::CheckNameOrOrigin => {
                "check the name; if it is right, try again once the origin of its namespace is online"
            }
            Self::AskOtherServers => "try again later, or name another cache",
            Self::CheckSourceUrl => "check the URL of the source",
            Self::CopyRecursively => "copy it recursively, with all its contents",
            Self::CopyThroughThisMachine => "allow the file to pass through this machine",
            Self::Auth(hint) => return hint.fmt(f),
        })
    }
}
