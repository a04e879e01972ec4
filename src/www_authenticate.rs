//! A lenient reader of `WWW-Authenticate`.
//!
//! It accepts every value that RFC 9110 sections 5.6.4 and 11.6.1 define, and reads what it can of the others: blanks and
//! tabs anywhere, missing commas, UTF-8, a token68 of any scheme, unquoted values with blanks, quoted texts without an end.

/// One challenge: a scheme and its parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RawChallenge {
    pub(crate) scheme: String,
    pub(crate) parameters: Vec<(String, String)>,
}

/// Schemes that are recognised where no comma precedes them.
const KNOWN_SCHEMES: [&str; 12] = [
    "basic",
    "bearer",
    "digest",
    "dpop",
    "gnap",
    "gssapi",
    "hoba",
    "kerberos",
    "mutual",
    "negotiate",
    "ntlm",
    "vapid",
];
/// Quotation marks that are none in HTTP: of shells, of a template that was escaped once too often, of a word processor.
const FOREIGN_QUOTES: [(&str, &str); 3] = [("'", "'"), ("\\\"", "\\\""), ("“", "”")];
/// More of a header value than this is not read, in bytes.
const MAX_VALUE: usize = 16 * 1024;
/// More parameters or challenges than this are not kept.
const MAX_ITEMS: usize = 32;

/// Reads the challenges of all header values: parameters at the start of a value belong to the challenge before it, as if
/// the values were one (RFC 9110 section 5.3).
pub(crate) fn challenges<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Vec<RawChallenge> {
    let mut found = Vec::new();
    for value in values {
        let text = String::from_utf8_lossy(&value[..value.len().min(MAX_VALUE)]);
        found = read_value(&text, found);
    }
    found
}

fn read_value(text: &str, mut found: Vec<RawChallenge>) -> Vec<RawChallenge> {
    let mut reader = Reader { rest: text };
    let mut after_comma = true;
    loop {
        after_comma |= reader.skip_separators();
        let word = reader.word();
        if word.is_empty() {
            // A character that belongs to nothing, such as a lone quotation mark or an equals sign.
            if reader.skip_item().is_none() {
                return found;
            }
            continue;
        }
        let is_scheme = is_known(word) && reader.rest.starts_with(char::is_whitespace);
        if let Some(value) = if is_scheme { None } else { reader.value() } {
            if let Some(challenge) = found.last_mut()
                && challenge.parameters.len() < MAX_ITEMS
            {
                challenge.parameters.push((word.to_owned(), value));
            }
        } else if after_comma || is_known(word) {
            if found.len() == MAX_ITEMS {
                return found;
            }
            found.push(RawChallenge { scheme: word.to_owned(), parameters: Vec::new() });
            reader.skip_token68();
        }
        after_comma = false;
    }
}

fn is_known(word: &str) -> bool {
    KNOWN_SCHEMES.iter().any(|scheme| scheme.eq_ignore_ascii_case(word))
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    /// Skips blanks and commas; tells whether there was a comma.
    fn skip_separators(&mut self) -> bool {
        let rest = self.rest.trim_start_matches(|c: char| c == ',' || c.is_whitespace() || c == ';');
        let skipped = &self.rest[..self.rest.len() - rest.len()];
        self.rest = rest;
        skipped.contains(',')
    }

    /// Reads a token (RFC 9110 section 5.6.2); empty if none is next.
    fn word(&mut self) -> &'t str {
        let end = self.rest.find(|c| !is_token_char(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    /// Skips one character, a quoted string, or a value without a name.
    fn skip_item(&mut self) -> Option<()> {
        let first = self.rest.chars().next()?;
        match first {
            '"' => drop(self.quoted()),
            // A value without a name.
            '=' => drop(self.value()),
            _ => self.rest = &self.rest[first.len_utf8()..],
        }
        Some(())
    }

    /// Reads `= value` after a name, or `: "value"`; `None` if neither follows.
    fn value(&mut self) -> Option<String> {
        let next = self.rest.trim_start();
        let is_member = |rest: &&str| rest.trim_start().starts_with('"');
        let rest = next.strip_prefix('=').or_else(|| next.strip_prefix(':').filter(is_member))?.trim_start();
        self.rest = rest;
        for (open, close) in FOREIGN_QUOTES {
            if let Some((value, after)) = rest.strip_prefix(open).and_then(|rest| rest.split_once(close)) {
                self.rest = after;
                return Some(value.to_owned());
            }
        }
        Some(if rest.starts_with('"') { self.quoted() } else { self.unquoted() })
    }

    /// Reads a quoted string (RFC 9110 section 5.6.4), or what there is of one that was cut off.
    fn quoted(&mut self) -> String {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return text;
                }
                '\\' => text.extend(chars.next().map(|(_, escaped)| escaped)),
                c => text.push(c),
            }
        }
        self.rest = "";
        text
    }

    /// Reads a value without quotation marks: up to a comma, the next parameter, or the next known scheme.
    fn unquoted(&mut self) -> String {
        let mut value = String::new();
        loop {
            let ends_at = |(at, c): (usize, char)| {
                let is_end =
                    c == ',' || c.is_whitespace() || (c == ';' && is_parameter(&self.rest[at + 1..]));
                is_end.then_some(at)
            };
            let end = self.rest.char_indices().find_map(ends_at).unwrap_or(self.rest.len());
            value.push_str(&self.rest[..end]);
            self.rest = &self.rest[end..];
            let mut next = Reader { rest: self.rest.trim_start() };
            let word = next.word();
            let after = self.rest.trim_start();
            let ends = after.is_empty() || after.starts_with([',', ';', '"']);
            if ends || is_parameter(after) || is_known(word) {
                return value;
            }
            value.push(' ');
            self.rest = self.rest.trim_start();
        }
    }

    /// Skips the token68 of a scheme (RFC 9110 section 11.2): `Negotiate YII=`.
    fn skip_token68(&mut self) {
        let rest = self.rest.trim_start();
        if rest.len() == self.rest.len() {
            return;
        }
        let is_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/');
        let padded = rest.trim_start_matches(is_char);
        let length = rest.len() - padded.len();
        let end = padded.trim_start_matches('=');
        let ends = end.is_empty() || end.starts_with(|c: char| c == ',' || c.is_whitespace());
        // `Bearer realm=` and `Bearer realm = "x"` are parameters without and with a value.
        let padding = padded.len() - end.len();
        let is_parameter = padding < 2 && (padding == 1 || end.trim_start().starts_with('='));
        let may_be_padded = padding == 1 && (length + padding).is_multiple_of(4);
        let after = end.trim_start();
        let is_scheme = is_known(&rest[..length]) && !after.is_empty() && !after.starts_with(',');
        if length > 0 && ends && !is_scheme && (!is_parameter || may_be_padded) {
            self.rest = end;
        }
    }
}

/// Returns whether a name and an equals sign come next.
fn is_parameter(text: &str) -> bool {
    let mut next = Reader { rest: text.trim_start() };
    !next.word().is_empty() && next.rest.trim_start().starts_with('=')
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c) || (!c.is_ascii() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Vec<String> {
        let shown = |c: &RawChallenge| {
            let parameters: Vec<_> =
                c.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{}[{}]", c.scheme, parameters.join("|"))
        };
        challenges([value.as_bytes()]).iter().map(shown).collect()
    }

    #[test]
    fn well_formed_values_are_read_as_the_rfc_says() {
        for (value, expected) in [
            ("", &[][..]),
            ("Bearer", &["Bearer[]"]),
            ("Bearer realm=\"a\\\"b\", error=invalid_token", &["Bearer[realm=a\"b|error=invalid_token]"]),
            ("Basic realm=\"x\", Bearer scope=\"a b\"", &["Basic[realm=x]", "Bearer[scope=a b]"]),
            ("Negotiate YII=, Bearer realm=\"r\"", &["Negotiate[]", "Bearer[realm=r]"]),
            (
                "Negotiate abc==, Bearer realm=\"r\", Negotiate x/+=",
                &["Negotiate[]", "Bearer[realm=r]", "Negotiate[]"],
            ),
            (", ,Bearer , ,realm=\"a, Basic b\" ,", &["Bearer[realm=a, Basic b]"]),
            (
                "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
                &["Newauth[realm=apps|type=1|title=Login to \"apps\"]", "Basic[realm=simple]"],
            ),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[test]
    fn of_malformed_values_each_readable_parameter_counts() {
        for (value, expected) in [
            ("Bearer  realm=\"r\",\t scope=\"write:/vo\"", &["Bearer[realm=r|scope=write:/vo]"][..]),
            ("Bearer realm = \"r\" , scope= \"s\"", &["Bearer[realm=r|scope=s]"]),
            ("Bearer realm=\"r\" error=\"e\" scope=\"s\"", &["Bearer[realm=r|error=e|scope=s]"]),
            ("Bearer realm=\"r\"scope=\"s\"", &["Bearer[realm=r|scope=s]"]),
            ("Bearer error=\"e\";scope=\"s\"", &["Bearer[error=e|scope=s]"]),
            (
                "Bearer error_description=\"schlüssel läuft ab\", scope=\"s\"",
                &["Bearer[error_description=schlüssel läuft ab|scope=s]"],
            ),
            ("Bearer dG9r==, Bearer error=\"e\"", &["Bearer[]", "Bearer[error=e]"]),
            ("Bearer dG9rZW4=, Bearer k=v", &["Bearer[]", "Bearer[k=v]"]),
            ("Bearer abc.def/g error=\"e\"", &["Bearer[error=e]"]),
            ("Bearer scope=read:/a write:/b, error=e", &["Bearer[scope=read:/a write:/b|error=e]"]),
            (
                "Bearer error_description=The token expired scope=s",
                &["Bearer[error_description=The token expired|scope=s]"],
            ),
            ("Bearer realm='my realm', scope=s", &["Bearer[realm=my realm|scope=s]"]),
            ("Bearer realm=\"r\" Basic realm=\"b\"", &["Bearer[realm=r]", "Basic[realm=b]"]),
            ("Negotiate Bearer scope=\"s\"", &["Negotiate[]", "Bearer[scope=s]"]),
            ("Bearer, realm=\"r\", scope=\"s\"", &["Bearer[realm=r|scope=s]"]),
            ("Bearer: realm=\"r\"", &["Bearer[realm=r]"]),
            ("Bearer scope=\"s\", realm=\"never ends", &["Bearer[scope=s|realm=never ends]"]),
            ("Bearer error=\"e\", scope=\"read:/a write:/b", &["Bearer[error=e|scope=read:/a write:/b]"]),
            ("Bearer scope=\"read:/a\\", &["Bearer[scope=read:/a]"]),
            ("Bearer realm=, scope=s", &["Bearer[realm=|scope=s]"]),
            ("Bearer \"stray\" scope=\"s\"", &["Bearer[scope=s]"]),
            ("Bearer =, =x, scope=\"s\"", &["Bearer[scope=s]"]),
            ("Bearer realm=https://h/?a=b scope=s", &["Bearer[realm=https://h/?a=b|scope=s]"]),
            ("realm=\"r\", Bearer scope=s", &["Bearer[scope=s]"]),
            ("Bearer scope=read:/a;error=e", &["Bearer[scope=read:/a|error=e]"]),
            ("Bearer scope=read:/a;b, error=e", &["Bearer[scope=read:/a;b|error=e]"]),
            ("Bearer scope=read:/a ; error=\"e\"", &["Bearer[scope=read:/a|error=e]"]),
            ("Bearer scope=\\\"read:/a write:/b\\\", error=e", &["Bearer[scope=read:/a write:/b|error=e]"]),
            ("Bearer scope=“read:/a”, error=e", &["Bearer[scope=read:/a|error=e]"]),
            ("Bearer \"scope\": \"s\", error: \"e\"", &["Bearer[error=e]"]),
            ("Bearer\u{a0}scope=\"s\"", &["Bearer[scope=s]"]),
            ("bEARER SCOPE=\"s\"error=\"e\"", &["bEARER[SCOPE=s|error=e]"]),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[test]
    fn a_value_is_bounded_and_bytes_are_no_obstacle() {
        let many = format!("Bearer {}", "a=b,".repeat(100_000));
        assert_eq!(challenges([many.as_bytes()])[0].parameters.len(), MAX_ITEMS);
        assert_eq!(challenges(["x,".repeat(100_000).as_bytes()]).len(), MAX_ITEMS);
        let bytes = challenges([&b"Bearer realm=\"\xff\xfe\", scope=\"s\""[..]]);
        assert_eq!(bytes[0].parameters[1], ("scope".to_owned(), "s".to_owned()));
        for hostile in
            ["Bearer a=", "\"", "=", "Bearer '", "Bearer a='", "Bearer \\", ",,,,", "Bearer a=\"\\"]
        {
            challenges([hostile.as_bytes()]);
        }
    }
}
