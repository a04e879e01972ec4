//! The hints of the library, worded as flags and commands of this program.

use std::error::Error;
use std::ffi::OsString;
use std::path::Path;

use reqwest_scitokens::auth::Hint;
use scitoken_storage::IssuerEntry;
use scitoken_storage::oauth::OAuthHint;
use scitoken_transfer::{FailureKind, TransferError, TransferHint, connection_hint};
use scitoken_types::files::FileHint;
use scitoken_types::sys::Env;

use crate::sanitize;

/// Words a hint of the middleware.
pub(crate) fn worded(hint: &Hint) -> String {
    match hint {
        Hint::ProvideToken => return provide_token(&Env::process()),
        Hint::ShowSearch => "`scitoken token where` lists the searched places",
        Hint::CheckSource => "`scitoken token where URL` shows the source of the token and why it failed",
        Hint::RenewToken => "get a new token the way you got this one, or find out why it is not refreshed",
        Hint::InspectToken => "`scitoken token show` shows the token's claims",
        Hint::AskGafaelfawr => "`scitoken gafaelfawr token-info URL` shows what the token permits",
        Hint::TrustRedirectTarget { origin } => {
            return format!("if `{origin}` may have the token, pass `--trust-redirect {}`", origin.host());
        }
        Hint::UseTokenCommand => {
            "a pipe can be read once only: pass the command that writes to it with `--token-command COMMAND`"
        }
        Hint::RedirectToHttps => {
            "ask the operator for `http.desthttps yes` (XRootD), or pass `--allow-cleartext-redirects`"
        }
        Hint::AllowToken => "to send a token, leave out `--no-auth`, or pass `--attach when-found`",
        Hint::ProvideCertificates => {
            "pass `--cacert FILE` with a PEM file, or `--capath DIR` with a directory of files such as `1a2b3c4d.0`"
        }
        Hint::NameNetrc => "name a file that exists in `NETRC`, or with `--netrc-file FILE` in place of `--netrc`",
        Hint::MatchAudience | Hint::MatchScope => {
            return format!("{hint}; `scitoken token where` lists the tokens that were found");
        }
        Hint::SendPassword => {
            "`-n` sends the name and the password that `~/.netrc` has for this server; `scitoken token where` lists the places \
             that are searched for a token"
        }
        Hint::CheckNetrcPassword => {
            "check the user name and the password in the `.netrc`, or get a token: `scitoken token where` lists the searched places"
        }
        Hint::CheckWritePermission => {
            "check that the token permits writing there: `scitoken token show`, `scitoken token where`"
        }
        other => return other.to_string(),
    }
    .to_owned()
}

/// Says where to put a token. A variable that names a file is not to be set: its file is missing, or has no usable token.
fn provide_token(env: &Env) -> String {
    let is_set = |name: &&str| env.get_non_empty(name).is_some();
    let first = match ["BEARER_TOKEN_FILE", "SCITOKEN_FILE"].into_iter().find(is_set) {
        Some(name) => format!("let `{name}` name a file with a token"),
        None => "set `BEARER_TOKEN_FILE`".to_owned(),
    };
    format!("{first}, or pass `--token-file FILE`; `scitoken token where` lists the searched places")
}

/// Words a hint of an OAuth client.
pub(crate) fn of_oauth(hint: OAuthHint) -> String {
    match hint {
        OAuthHint::LogInAgain => {
            "log in again with `scitoken login`: the stored refresh token is no longer valid".to_owned()
        }
        OAuthHint::UseHttps => {
            "secrets are sent over TLS only: write the issuer's address with `https://`; if its metadata names this one, tell \
             its operators"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// A login that replaces a stored entry.
pub(crate) struct RepeatedLogin<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) secret_file: Option<&'a Path>,
    pub(crate) scope: &'a str,
    pub(crate) resource_server: &'a str,
    /// The flags that name the storage.
    pub(crate) place: &'a str,
    /// The client was registered by a login for a name of a federation.
    pub(crate) is_registered: bool,
}

/// Returns the command for a new login that replaces a stored entry, with the scopes of that entry.
pub(crate) fn log_in_again(login: &RepeatedLogin<'_>) -> String {
    if let Ok(entry) = login.resource_server.parse::<IssuerEntry>()
        && login.is_registered
    {
        return format!(
            "log in again with `scitoken login NAME`, with a name of the federation below `{}`",
            sanitize::line(entry.path())
        );
    }
    format!("log in again: `{}`", login_command(login))
}

/// Returns the command for a login whose entry does not exist yet.
pub(crate) fn log_in(login: &RepeatedLogin<'_>) -> String {
    format!("log in with `{}`", login_command(login))
}

fn login_command(login: &RepeatedLogin<'_>) -> String {
    let mut command = format!(
        "scitoken login --issuer {} --client-id {}",
        shell_word(login.issuer),
        shell_word(login.client_id)
    );
    if let Some(file) = login.secret_file {
        command.extend([" --client-secret-file ", &shell_path(file)]);
    }
    if !login.scope.is_empty() {
        command.extend([" --scope ", &shell_word(login.scope)]);
    }
    command.extend([" --resource-server ", &shell_word(login.resource_server), " ", login.place]);
    command
}

/// Words the command that repairs the access to a file.
pub(crate) fn of_file(hint: &FileHint) -> String {
    match hint {
        FileHint::ForbidWriting(path) => {
            format!("if you trust its content, run `chmod go-w {}`", shell_path(path))
        }
        FileHint::TakeOver(path) => {
            format!("if you trust its content, run `chown \"$USER\" {}`", shell_path(path))
        }
        FileHint::Remove(path) => format!("run `rm {}`", shell_path(path)),
        other => format!("run `{other}`"),
    }
}

/// Says where tokens are that were to be stored, and how to get them there; without the flags of a place, in any storage.
pub(crate) fn import_kept_tokens(kept: &Path, place: Option<&str>) -> String {
    let (shown, from, place) = (kept.display(), json_storage(kept), place.unwrap_or("--storage STORAGE"));
    format!(
        "the tokens are in `{shown}`: copy them with `scitoken store import --from {from} {place}`, and remove the file"
    )
}

/// Says where the tokens are that were to go to a token file, and how to see them.
pub(crate) fn print_kept_token(kept: &Path, name: &str) -> String {
    let (shown, name, from) = (kept.display(), shell_word(name), json_storage(kept));
    format!(
        "the tokens are in `{shown}`: print them with `scitoken store get {name} --storage {from} --show-secret`, and \
         remove the file"
    )
}

fn json_storage(file: &Path) -> String {
    shell_word(&format!("json:{}", file.display()))
}

/// Says how to remove an entry whose tokens cannot be revoked.
pub(crate) fn remove_entry(name: &str, place: &str) -> String {
    format!("`scitoken store remove {} {place}` removes the tokens without revoking them", shell_word(name))
}

/// Says how to remove a token file whose token cannot be revoked.
pub(crate) fn remove_token_file(file: &Path) -> String {
    format!("`rm {}` removes the token without revoking it", shell_path(file))
}

/// Returns a text as one word of a shell, without control characters.
pub(crate) fn shell_word(text: &str) -> String {
    let text = sanitize::line(text);
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn shell_path(path: &Path) -> String {
    shell_word(&path.to_string_lossy())
}

/// Returns the command of a command line, if it only looks at something and hints recommend it.
pub(crate) fn recommended_command(arguments: &[OsString]) -> &'static str {
    const RECOMMENDED: [&str; 7] =
        ["config show", "doctor", "explain", "keys cache list", "ls", "token show", "token where"];
    let words = arguments.iter().skip(1).filter_map(|word| word.to_str());
    let words: Vec<&str> = words.filter(|word| !word.starts_with('-')).collect();
    let is_named =
        |command: &&str| command.split(' ').enumerate().all(|(n, word)| words.get(n) == Some(&word));
    RECOMMENDED.into_iter().find(is_named).unwrap_or_default()
}

/// Returns a hint without what recommends the command that prints it; `None` if nothing is left.
pub(crate) fn for_command(hint: &str, command: &str) -> Option<String> {
    let own = format!("`scitoken {command}");
    let is_own = |part: &str| {
        !command.is_empty() && part.split_once(&own).is_some_and(|(_, rest)| rest.starts_with([' ', '`']))
    };
    let others: Vec<&str> = hint.split("; ").filter(|part| !is_own(part)).collect();
    (!others.is_empty()).then(|| others.join("; "))
}

/// Words the hint of a failed transfer.
pub(crate) fn of_transfer(error: &TransferError) -> Option<String> {
    let is_final = error.kind() == FailureKind::Server && !error.is_worth_retrying();
    let usual = || usual(error.kind()).filter(|_| !is_final).map(str::to_owned);
    error.hint().map(transfer).or_else(usual)
}

/// Words what helps with a connection that failed, whichever library says so.
pub(crate) fn of_connection(error: &(dyn Error + 'static)) -> Option<String> {
    connection_hint(error).as_ref().map(transfer)
}

fn usual(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Connect | FailureKind::Timeout => {
            "`scitoken doctor URL` shows where the connection fails"
        }
        FailureKind::Refused => "`scitoken explain URL` compares the token with what the server requires",
        FailureKind::NotFound => "check the path; `scitoken ls URL` lists a directory",
        FailureKind::Incomplete => "run the same command again to resume",
        FailureKind::Server => "try again later",
        _ => return None,
    })
}

/// Words a hint about a transfer with the commands and flags that this program has for it.
fn transfer(hint: &TransferHint) -> String {
    match hint {
        TransferHint::FreeDiskSpace => "free some space on that disk, or choose another place with `-P DIR`",
        TransferHint::ChooseWritablePath => "choose a place that you may write to with `-o FILE` or `-P DIR`",
        TransferHint::CreateDirectory if std::env::current_dir().is_err() => {
            "the working directory was removed: change to another one, or pass `-P DIR` with an absolute path"
        }
        TransferHint::CreateDirectory => "create the directory first, or pass `--create-dirs`",
        TransferHint::ChooseOtherName => "choose another name with `-o FILE`",
        TransferHint::NameFileInDirectory => "use `-P DIR` to download into it under the URL's own name",
        TransferHint::WriteToStream => "write to standard output with `-o -`, and redirect it",
        TransferHint::SendCopy => "`-` sends what standard input has: `scitoken put - URL < FILE`",
        TransferHint::WriteToFile => "write to a file with `-o FILE`",
        TransferHint::KeepExistingFile => {
            "`-o FILE` writes under another name; to replace this file, leave out `--no-clobber`, or pass `--overwrite` with `-J`"
        }
        TransferHint::ReplaceForeignFile => {
            "pass `--overwrite` to replace it, or name another directory with `-P DIR`"
        }
        TransferHint::LogInToFederation => {
            "log in with `scitoken login NAME` or `scitoken login --issuer URL --client-id ID`, or pass `--token-file FILE`; \
             `scitoken token where NAME` shows the tokens that were found"
        }
        TransferHint::LogInToFederationToWrite => {
            "log in with `scitoken login NAME --op write` or `scitoken login --issuer URL --client-id ID`, or pass \
             `--token-file FILE`; `scitoken token where NAME --op write` shows the tokens that were found"
        }
        TransferHint::NameFederationHost => {
            "check the host; `osdf:///path` names an object of the federation that `--federation HOST` or the settings name"
        }
        TransferHint::AskServerOfPublicNamespace => {
            "name another cache with `--cache URL`, or read from the origin with `--direct`"
        }
        TransferHint::CheckNameOrOrigin => {
            "check the name with `scitoken ls`; if it is right, the origin of its namespace is down: try again later, or tell \
             its operator"
        }
        TransferHint::AskOtherServers => {
            "`-v` lists the servers and why each failed; try again later, or name another cache with `--cache URL`"
        }
        TransferHint::CopyThroughThisMachine => "pass `--stream` to copy through this machine",
        TransferHint::AllowOverwrite => "leave out `--no-clobber` to replace it",
        TransferHint::WaitForOtherDownload => {
            "wait for the other download, or choose another name with `-o FILE`"
        }
        TransferHint::Resume => "run the same command again: it resumes where it stopped",
        TransferHint::MoreTime => "allow more time with `--max-time`",
        TransferHint::AllowMoreTime => {
            "run the same command again, which resumes where it stopped, or allow more time with `--max-time`"
        }
        TransferHint::StartAgain => "run the same command again: it starts from the beginning",
        TransferHint::StartAgainWithMoreTime => {
            "allow more time with `--max-time`: the same command starts again from the beginning"
        }
        TransferHint::RetryServerLater => {
            "run the same command again later; `--skip-existing=size` skips what is done"
        }
        TransferHint::RaiseRetryBudget => "this run has used all of its retries: `--retry-budget N` allows more",
        TransferHint::ProvideChecksumValue => {
            "give the checksum that the file must have with `--checksum ALG:VALUE`"
        }
        TransferHint::ProvideChecksum => {
            "give the checksum with `--checksum ALG:VALUE`, or use `--checksum auto`"
        }
        TransferHint::OmitChecksum => "`--checksum auto` compares what both servers offer",
        TransferHint::UseOfferedChecksum { algorithm } => {
            return format!("the server has {algorithm}: use `--checksum {algorithm}`");
        }
        TransferHint::TrustAuthority => {
            "name the authority that signed it with `--cacert FILE` or `--capath DIR` (`X509_CERT_DIR`); \
             `scitoken doctor URL` shows the chain"
        }
        TransferHint::TrustCertificate => {
            "the server signed its certificate itself: if you trust it, get the file from the operator and pass it with \
             `--cacert FILE`"
        }
        TransferHint::CheckScheme => {
            "this port may be one for plain `http://`; `scitoken doctor URL` shows what it answers"
        }
        TransferHint::CheckHostName => {
            "check the spelling; `scitoken doctor URL` shows what the name resolves to"
        }
        TransferHint::AuthenticateAtServer => {
            "get a token for this server; `scitoken explain URL` shows each redirect"
        }
        TransferHint::AllowWebPage => {
            "for a directory use `--recursive`; to save the page itself, pass `--allow-html`"
        }
        TransferHint::AllowErrorMessage => "if that is the file, pass `--allow-html`",
        TransferHint::NameCompressedFile { suffix } => {
            return format!("to keep the compressed file, give it the matching suffix: `-o FILE{suffix}`");
        }
        TransferHint::RemoveRecursively => "pass `--recursive` to remove it with all its contents",
        TransferHint::CopyRecursively => "pass `--recursive` to copy it with all its contents",
        TransferHint::DownloadRecursively => "pass `--recursive` to download it with all its contents",
        TransferHint::UseNewDirectory => "name a new directory with `-P DIR`",
        TransferHint::Auth(hint) => return worded(hint),
        other => return other.to_string(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_does_not_recommend_itself() {
        for (hint, command, left) in [
            ("`scitoken doctor URL` shows where the connection fails", "doctor", None),
            ("check the path; `scitoken ls URL` lists a directory", "ls", Some("check the path")),
            ("`scitoken token where` lists the searched places", "token where", None),
            ("`scitoken doctor URL` shows more", "get", Some("`scitoken doctor URL` shows more")),
            ("`scitoken lst`", "ls", Some("`scitoken lst`")),
            ("`scitoken get URL`", "", Some("`scitoken get URL`")),
        ] {
            assert_eq!(for_command(hint, command).as_deref(), left, "{command}: {hint}");
        }
    }

    #[test]
    fn names_in_commands_are_one_word_of_the_shell() {
        for (text, word) in [
            ("json:/home/me/t.json", "json:/home/me/t.json"),
            ("https://h/p?q#f", "'https://h/p?q#f'"),
            ("it's $(x)", "'it'\\''s $(x)'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }

    #[test]
    fn the_command_is_found_behind_flags() {
        for (line, command) in [
            ("scitoken -v doctor https://h/f", "doctor"),
            ("scitoken token --json where", "token where"),
            ("scitoken token verify", ""),
            ("scitoken", ""),
        ] {
            let arguments: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(recommended_command(&arguments), command, "{line}");
        }
    }
}
