//! `scitoken man`.

use std::io;
use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::roff::{Inline, Roff, bold, roman};
use serde_json::json;

use crate::context::Context;
use crate::exit::{self, Exit};
use crate::failure::Failure;
use crate::settings;

/// Print the manual page, or write the pages of all commands into a directory
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// Write `scitoken.1`, `scitoken-get.1` and so on into this directory
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// The variables that influence most commands, and what they say.
const VARIABLES: &[(&str, &str)] = &[
    ("BEARER_TOKEN", "The token."),
    ("BEARER_TOKEN_FILE", "A file with the token, read again for each request."),
    ("XDG_RUNTIME_DIR", "Its file bt_uUID may hold the token; then /tmp/bt_uUID."),
    ("SCITOKEN, SCITOKEN_FILE", "A token, and a file with one, as IGWN's tools set them."),
    ("_CONDOR_CREDS", "HTCondor's directory of tokens (FILE.use)."),
    ("SCITOKEN_CONFIG", "The settings file."),
    ("X509_CERT_DIR", "A directory of certificate authorities that are trusted too."),
    ("NETRC", "The file of --netrc, instead of ~/.netrc."),
    (
        "http_proxy, https_proxy, all_proxy, no_proxy",
        "The proxies, and the hosts that are reached without one; no_proxy is a list separated by commas.",
    ),
    ("NO_COLOR", "No colours in the log of -vvv."),
];

const FILES: &[(&str, &str)] = &[
    (
        "~/.config/scitoken/scitoken.toml",
        "The settings; `scitoken config show` lists them with their sources.",
    ),
    ("/tmp/bt_uUID", "The token of the user with this id, where no variable names one."),
    ("FILE.part, FILE.part.json", "An unfinished download and its state, which the same command resumes."),
    ("~/.cache/scitokens/keys.sqlite3", "Issuers' keys that were fetched."),
];

impl Man {
    pub(crate) fn run(&self, context: &Context, program: Command) -> Result<Exit, Failure> {
        let mut program = program.disable_help_subcommand(true);
        program.build();
        if let Some(directory) = &self.directory {
            fs_err::create_dir_all(directory)?;
            let mut pages = Vec::new();
            pages_of(&program, &mut Vec::new(), &mut pages)?;
            let mut files = Vec::new();
            for (name, text) in pages {
                let file = directory.join(format!("{name}.1"));
                fs_err::write(&file, text)?;
                files.push(file.display().to_string());
            }
            let said = format!("wrote {} manual pages to `{}`", files.len(), directory.display());
            context.output.result(&said, json!({ "files": files }))?;
            return Ok(Exit::Ok);
        }
        let page = page(&program, &[])?;
        let page = String::from_utf8_lossy(&page);
        context.output.data(&page, json!({ "page": page }))?;
        Ok(Exit::Ok)
    }
}

/// Adds the page of a command and those of its subcommands. `above` names the pages of the commands that it belongs to.
fn pages_of(
    command: &Command,
    above: &mut Vec<String>,
    pages: &mut Vec<(String, Vec<u8>)>,
) -> io::Result<()> {
    let name = page_name(command);
    pages.push((name.clone(), page(command, above)?));
    above.push(name);
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages_of(below, above, pages)?;
    }
    above.pop();
    Ok(())
}

fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// Renders one page with the sections that manual pages have (man-pages(7)).
fn page(command: &Command, above: &[String]) -> io::Result<Vec<u8>> {
    let man = clap_mangen::Man::new(command.clone()).manual("scitoken manual");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    let mut options = Vec::new();
    man.render_options_section(&mut options)?;
    page.extend(under_options(&String::from_utf8_lossy(&options)).into_bytes());
    if command.has_subcommands() {
        let mut commands = Vec::new();
        man.render_subcommands_section(&mut commands)?;
        page.extend(
            String::from_utf8_lossy(&commands).replace(".SH SUBCOMMANDS", ".SH COMMANDS").into_bytes(),
        );
    }
    let mut rest = Roff::new();
    exit_status(&mut rest);
    let own =
        settings::ALL.iter().map(|key| (key.variable, format!("The setting {}.{}.", key.table, key.name)));
    let variables = VARIABLES.iter().map(|(name, text)| (*name, (*text).to_owned())).chain(own);
    entries(&mut rest, "ENVIRONMENT", variables);
    entries(&mut rest, "FILES", FILES.iter().map(|(name, text)| (*name, (*text).to_owned())));
    examples(&mut rest, command);
    see_also(&mut rest, command, above);
    rest.to_writer(&mut page)?;
    Ok(page)
}

/// Makes the groups of options subsections of one section.
fn under_options(rendered: &str) -> String {
    let mut text = String::new();
    if !rendered.contains("\n.SH OPTIONS") && !rendered.starts_with(".SH OPTIONS") {
        text.push_str(".SH OPTIONS\n");
    }
    for line in rendered.lines() {
        match line.strip_prefix(".SH ") {
            Some(group) if group != "OPTIONS" => {
                text.push_str(".SS ");
                text.push_str(group);
            }
            _ => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

fn exit_status(page: &mut Roff) {
    page.control("SH", ["EXIT STATUS"]);
    for line in exit::TABLE.lines().skip(1) {
        match line.trim_start().split_once("  ") {
            Some((code, meaning)) if code.bytes().all(|byte| byte.is_ascii_digit()) => {
                page.control("TP", []);
                page.text([bold(code)]).text([roman(meaning)]);
            }
            _ => {
                page.control("PP", []);
                page.text([roman(line)]);
            }
        }
    }
}

fn entries<'e>(page: &mut Roff, section: &str, entries: impl Iterator<Item = (&'e str, String)>) {
    page.control("SH", [section]);
    for (name, text) in entries {
        page.control("TP", []);
        page.text([bold(name)]).text([roman(text)]);
    }
}

/// The lines below `Examples:` at the end of the command's help.
fn examples(page: &mut Roff, command: &Command) {
    let help = command.get_after_long_help().or_else(|| command.get_after_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let lines: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Example"))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .map(str::trim_start)
        .collect();
    if lines.is_empty() {
        return;
    }
    page.control("SH", ["EXAMPLES"]);
    for line in lines {
        page.control("PP", []);
        page.control("EX", []);
        page.text([roman(line)]);
        page.control("EE", []);
    }
}

fn see_also(page: &mut Roff, command: &Command, above: &[String]) {
    let below = command.get_subcommands().filter(|below| !below.is_hide_set()).map(page_name);
    let names: Vec<String> = above.iter().cloned().chain(below).chain(["curl".to_owned()]).collect();
    page.control("SH", ["SEE ALSO"]);
    let mut inlines: Vec<Inline> = Vec::new();
    for (n, name) in names.iter().enumerate() {
        if n > 0 {
            inlines.push(roman(", "));
        }
        inlines.extend([bold(name.as_str()), roman("(1)")]);
    }
    page.text(inlines);
}
