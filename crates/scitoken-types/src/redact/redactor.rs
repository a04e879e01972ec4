//! Secrets, masked by their value.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use super::index::{Forms, Index, SHORTEST_PART};
use super::needle::Needle;
use super::scan::Scan;
use crate::AccessToken;

/// Masks secrets in texts that are about to be shown.
///
/// It knows the secrets of an exchange by their value, and finds them raw, in base64 or hexadecimal digits (also inside of
/// a longer text that is encoded, and encoded several times), percent-encoded in part or as a whole, escaped as in JSON or
/// HTML, folded over lines, and in parts of twelve characters or more. What looks like a JWT, follows `Bearer` or `Basic`,
/// or is the user info of a URL is masked without being known. The time that a text takes does not depend on how many
/// secrets are known.
///
/// Clones share their secrets, so that one can be given to a log while another learns of new tokens.
///
/// ```
/// use scitoken_types::redact::Redactor;
///
/// let redactor = Redactor::new();
/// redactor.add_login("me", "hunter2secret");
/// assert_eq!(redactor.redact("no user `hunter2secret`"), "no user `…`");
/// assert_eq!(redactor.redact("Authorization: Basic bWU6aHVudGVyMnNlY3JldA=="), "Authorization: Basic …");
/// assert_eq!(redactor.display(&"hunter2%73ecret").to_string(), "…");
/// ```
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Secrets>>);

/// The secrets, and where to look for them.
#[derive(Default)]
struct Secrets {
    /// Ours: tokens, passwords.
    own: VecDeque<Forms>,
    /// Those that servers chose: cookies.
    received: VecDeque<Forms>,
    /// Built when a text is masked for the first time after a secret was added.
    index: OnceLock<Index>,
}

/// A value, displayed with its secrets masked; made by [`Redactor::display`].
pub struct Redacted<'a, T: ?Sized> {
    redactor: &'a Redactor,
    value: &'a T,
}

const MASK: &str = "…";
/// Shorter secrets are part of any text, and are looked for in `Basic` credentials only.
const SHORTEST: usize = 4;
/// Secrets of no more characters than this stand in the name of a host by chance.
const CHANCE: usize = 7;
/// Of more secrets of one origin than this, the oldest are forgotten.
const MOST: usize = 512;

impl Redactor {
    /// Returns a redactor that masks by shape only, until a secret is added.
    pub fn new() -> Self {
        Self::default()
    }

    /// Masks a token from now on.
    pub fn add_token(&self, token: &AccessToken) {
        self.add(token.expose_secret());
    }

    /// Masks a secret from now on: a token, a password, a client secret. Fewer than four characters are not masked.
    pub fn add(&self, secret: &str) {
        if let Some(forms) = forms(secret) {
            self.push(forms, |secrets| &mut secrets.own);
        }
    }

    /// Masks a secret that a server chose from now on, such as a cookie; these never push out secrets of ours.
    pub fn add_received(&self, secret: &str) {
        if let Some(forms) = forms(secret) {
            self.push(forms, |secrets| &mut secrets.received);
        }
    }

    /// Masks a password from now on, and what `Basic` makes of it (RFC 7617), also with user and password exchanged.
    pub fn add_login(&self, user: &str, password: &str) {
        self.add(password);
        let pairs = [format!("{user}:{password}"), format!("{password}:{user}")];
        self.push(pairs.iter().flat_map(|pair| Needle::base64_of(pair)).collect(), |secrets| {
            &mut secrets.own
        });
    }

    /// Returns the text with its secrets masked; borrowed if there are none.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut shown = String::new();
        let mut copied = 0;
        for (begin, end) in Scan::new(secrets.index(), &secrets.all(), text) {
            // A part of a secret may reach back into what is masked already.
            let begin = begin.max(copied);
            shown.push_str(&text[copied..begin]);
            shown.push_str(MASK);
            copied = end;
        }
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        shown.push_str(&text[copied..]);
        Cow::Owned(shown)
    }

    /// Returns whether the name of a host holds a secret of ours, or a part of one. Names of hosts are in lower case.
    pub fn is_in_host(&self, host: &str) -> bool {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let host = host.to_ascii_lowercase();
        let is_part =
            |part: &[u8]| host.as_bytes().windows(part.len()).any(|there| there.eq_ignore_ascii_case(part));
        let plain = secrets.own.iter().flat_map(|forms| forms.iter()).filter(|needle| !needle.is_base64);
        plain.map(Needle::bytes).any(|secret| {
            let length = secret.len().min(SHORTEST_PART);
            length > CHANCE && secret.windows(length).any(is_part)
        })
    }

    /// Wraps a value, so that its text is masked when it is displayed.
    pub fn display<'a, T: fmt::Display + ?Sized>(&'a self, value: &'a T) -> Redacted<'a, T> {
        Redacted { redactor: self, value }
    }

    fn push(&self, forms: Forms, list: impl FnOnce(&mut Secrets) -> &mut VecDeque<Forms>) {
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let list = list(&mut secrets);
        if list.contains(&forms) {
            return;
        }
        if list.len() >= MOST {
            list.pop_front();
        }
        list.push_back(forms);
        secrets.index = OnceLock::new();
    }
}

/// The forms of a secret, unless it is too short.
fn forms(secret: &str) -> Option<Forms> {
    let secret = secret.trim();
    let is_long = secret.len() >= SHORTEST;
    is_long.then(|| std::iter::once(Needle::plain(secret)).chain(Needle::inside_base64(secret)).collect())
}

impl Secrets {
    fn own(&self) -> Vec<&Forms> {
        self.own.iter().collect()
    }

    /// Those of servers, the newest first.
    fn received(&self) -> Vec<&Forms> {
        self.received.iter().rev().collect()
    }

    fn all(&self) -> Vec<&Forms> {
        [self.own(), self.received()].concat()
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::new(&self.own(), &self.received()))
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Redactor({} secrets)", secrets.own.len() + secrets.received.len())
    }
}

impl<T: fmt::Display + ?Sized> fmt::Display for Redacted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redactor.redact(&self.value.to_string()))
    }
}

impl<T: fmt::Display + ?Sized> fmt::Debug for Redacted<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use proptest::prelude::*;

    use super::*;

    fn knowing(secret: &str) -> Redactor {
        let redactor = Redactor::new();
        redactor.add(secret);
        redactor
    }

    fn percent(text: &str, every: usize, lower: bool) -> String {
        let encode = |(n, b): (usize, u8)| match (n % every == 0, lower) {
            (true, true) => format!("%{b:02x}"),
            (true, false) => format!("%{b:02X}"),
            _ => char::from(b).to_string(),
        };
        text.bytes().enumerate().map(encode).collect::<Vec<_>>().concat()
    }

    /// The forms in which servers, proxies and logs repeat a secret.
    fn forms(secret: &str) -> Vec<String> {
        let basic = [format!("user:{secret}"), format!("{secret}:user"), format!("Bearer {secret}")];
        let json: Vec<_> = secret.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
        let mut forms = vec![
            secret.to_owned(),
            percent(secret, 1, true),
            percent(secret, 1, false),
            percent(secret, 3, true),
            percent(&percent(secret, 2, false), usize::MAX, true).replace('%', "%25"),
            json.concat(),
            secret.replace('/', "\\/"),
            secret.replace('"', "\\\"").replace('+', "&#43;"),
        ];
        for text in basic.iter().map(String::as_str).chain([secret]) {
            forms.push(BASE64_STANDARD.encode(text));
            forms.push(BASE64_STANDARD_NO_PAD.encode(text));
            forms.push(BASE64_URL_SAFE.encode(text));
            forms.push(BASE64_URL_SAFE_NO_PAD.encode(text));
            forms.push(percent(&BASE64_STANDARD.encode(text), 4, true));
        }
        forms
    }

    proptest! {
        #[test]
        fn no_form_of_a_secret_is_left(
            secret in "[A-Za-z0-9._~+/-]{12,80}",
            before in "([a-z ]{0,20}[\"=:/ ])?",
            after in "([\"&, ][a-z ]{0,20})?",
        ) {
            let redactor = knowing(&secret);
            redactor.add_login("user", &secret);
            for form in forms(&secret) {
                let shown = redactor.redact(&format!("{before}{form}{after}")).into_owned();
                prop_assert!(!shown.contains(&form), "{form} in {shown}");
                // No half of it either.
                let half = &form[form.len() / 2..];
                prop_assert!(!shown.contains(half), "{half} of {form} in {shown}");
                prop_assert!(shown.contains('…'));
            }
        }

        #[test]
        fn a_secret_that_is_cut_or_folded_is_masked(
            secret in "[A-Za-z0-9._~-]{12,80}",
            cut in 8_usize..12,
            end in "(\n#[a-z ]{0,9}|…|\\.\\.\\.|)",
        ) {
            let redactor = knowing(&secret);
            let shown = redactor.redact(&format!("sent {}{end}", &secret[..cut])).into_owned();
            // Which of the dots belong to the secret cannot be known.
            let (shown, expected) = (shown.trim_end_matches('.'), format!("sent …{}", end.trim_end_matches('.')));
            prop_assert_eq!(shown, expected);
            let folded = format!("sent {}\n  {}", &secret[..cut], &secret[cut..]);
            let masked = redactor.redact(&folded).into_owned();
            prop_assert_eq!(masked, "sent …");
        }

        #[test]
        fn a_text_without_secrets_stays_as_it_is(text in "[a-zA-Z0-9 ,.:/?&=%\\\\+-]{0,200}") {
            prop_assume!(!text.to_ascii_lowercase().contains("basic") && !text.to_ascii_lowercase().contains("bearer"));
            prop_assume!(!text.contains("eyJ") && !text.contains("ew"));
            let shown = knowing("s3cr3t_t0k3n_of_the_user").redact(&text).into_owned();
            prop_assert_eq!(shown, text);
        }

        #[test]
        fn any_text_and_any_secret_are_handled(text in any::<String>(), secret in any::<String>()) {
            let shown = knowing(&secret).redact(&text).into_owned();
            if secret.trim().len() >= SHORTEST {
                prop_assert!(!shown.contains(secret.trim()));
            }
        }
    }

    #[test]
    fn basic_credentials_are_masked_however_short_the_password() {
        let redactor = Redactor::new();
        redactor.add_login("me", "x");
        for pair in ["me:x", "x:me"] {
            let encoded = BASE64_STANDARD.encode(pair);
            assert_eq!(redactor.redact(&format!("got {encoded}.")), "got ….", "{pair}");
        }
    }

    #[test]
    fn a_token_is_masked_by_its_shape_alone() {
        let redactor = Redactor::new();
        for token in [
            "eyJhbGciOiJIUzI1NiJ9.e30.abcdef",
            "eyAiYWxnIjogIlJTMjU2IiB9.eyAiaXNzIjogIngiIH0.c2ln",
            "ewogICJhbGciOiAiUlMyNTYiCn0.e30.c2ln",
            "eyJhbGciOiJIUzI1NiJ9%2Ee30%2eabcdef",
            "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w",
        ] {
            assert_eq!(redactor.redact(&format!("token `{token}` expired")), "token `…` expired", "{token}");
        }
        assert_eq!(redactor.redact("https://me:pw@host/f"), "https://…@host/f");
        assert_eq!(redactor.redact("Proxy-Authorization: Basic bWU6cHc="), "Proxy-Authorization: Basic …");
        for harmless in
            ["basic authentication", "Basic realm=\"x\"", "ewok village in a forest", "bearer token"]
        {
            assert!(matches!(redactor.redact(harmless), Cow::Borrowed(_)), "{harmless}");
        }
    }

    #[test]
    fn clones_learn_of_the_same_secrets_and_show_none() {
        let (log, exchange) = (Redactor::new(), Redactor::new());
        let of_log = log.clone();
        exchange.add("other-secret");
        log.add_token(&AccessToken::new("opaque-token").unwrap());
        assert_eq!(of_log.redact("opaque-token other-secret"), "… other-secret");
        assert_eq!(format!("{of_log:?}"), "Redactor(1 secrets)");
        assert_eq!(of_log.display("opaque-token").to_string(), "…");
    }

    #[test]
    fn many_secrets_push_out_the_oldest() {
        let redactor = Redactor::new();
        for number in 0..=MOST {
            redactor.add(&format!("secret-number-{number:05}-abc"));
        }
        assert_eq!(format!("{redactor:?}"), format!("Redactor({MOST} secrets)"));
        assert_eq!(redactor.redact("secret-number-00512-abc"), "…");
    }

    #[test]
    fn cookies_push_out_no_token_however_many_a_server_sets() {
        let redactor = knowing("the-token-of-the-user");
        for number in 0..=2 * MOST {
            redactor.add_received(&format!("cookie-number-{number:05}"));
        }
        assert_eq!(redactor.redact("cookie-number-01024 the-token-of-the-user"), "… …");
    }

    #[test]
    fn a_secret_that_is_encoded_again_is_masked() {
        let secret = "AgK8mQz0o7pX2EdYx1b9WwRtPq3uVn5c";
        let redactor = knowing(secret);
        let base64 = |text: &str| BASE64_STANDARD.encode(text);
        let hex = secret.bytes().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
        let login = base64(&format!("user:{secret}"));
        for form in [
            base64(&base64(secret)),
            base64(&format!("Authorization: Basic {login}")),
            base64(&base64(&base64(secret))),
            base64(&percent(secret, 1, false)),
            base64(&hex),
            hex.to_uppercase(),
            hex,
        ] {
            for text in [format!("got `{form}`."), format!("got /x/{form}"), format!("got {form}=")] {
                let shown = redactor.redact(&text).into_owned();
                assert!(shown.starts_with("got ") && shown.contains('…'), "{text}: {shown}");
                assert!(!shown.contains(&form[form.len() / 2..]), "{text}: {shown}");
            }
        }
    }

    #[test]
    fn a_part_of_a_secret_is_masked_wherever_it_was_cut() {
        let secret = "AgK8mQz0o7pX2EdYx1b9WwRtPq3uVn5c";
        let redactor = knowing(secret);
        for (begin, end) in [(4, 32), (12, 32), (6, 26), (1, 13), (9, 21), (20, 32)] {
            let text = format!("part `{}` of it", &secret[begin..end]);
            assert_eq!(redactor.redact(&text), "part `…` of it", "{begin}..{end}");
        }
        assert_eq!(redactor.redact(&format!("A: {}\nB: {}", &secret[..16], &secret[16..])), "A: …\nB: …");
        assert_eq!(redactor.redact("part `mQz0o7pX2Ed` of it"), "part `mQz0o7pX2Ed` of it");
        // A Gafaelfawr token is named by its key.
        let redactor = knowing("gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w");
        let text = redactor.redact("key MLF5MB3Peg79wEC0BY8U8Q, secret ChbkqEyp3EIJ2e_1Sqff3w");
        assert_eq!(text, "key MLF5MB3Peg79wEC0BY8U8Q, secret …");
    }

    #[test]
    fn characters_that_are_not_seen_hide_no_secret() {
        let secret = "AgK8mQz0o7pX2EdYx1b9WwRtPq3uVn5c";
        let redactor = knowing(secret);
        let split = |at: usize, by: &str| {
            let pieces: Vec<&str> =
                (0..secret.len()).step_by(at).map(|n| &secret[n..secret.len().min(n + at)]).collect();
            pieces.join(by)
        };
        for by in ["\r\n ", "\n", "\t", " ", "\u{200b}", "\u{ad}", "\0", "\\n", "%0A"] {
            for at in [5, 6, 12, 15] {
                assert_eq!(redactor.redact(&format!("sent {}!", split(at, by))), "sent …!", "{at} {by:?}");
            }
        }
    }

    #[test]
    fn escapes_of_many_languages_are_read() {
        let secret = "AgK8mQz0o7pX2EdYx1b9WwRtPq3uVn5c";
        let redactor = knowing(secret);
        let each = |form: fn(u32) -> String| secret.chars().map(|c| form(c.into())).collect::<String>();
        for text in [
            each(|c| format!("\\u{{{c:x}}}")),
            each(|c| format!("\\U{c:08x}")),
            each(|c| format!("\\{c:03o}")),
            each(|c| format!("\\x{c:02X}")),
            each(|c| format!("&#{c:012};")),
            each(|c| format!("&amp;#x{c:x};")),
        ] {
            assert_eq!(redactor.redact(&text), "…", "{text}");
        }
    }
}
