//! What a character of a text means: itself, or what is escaped there.

/// The first character of a text, in one of its meanings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit {
    /// How many bytes of the text it takes.
    pub(super) length: usize,
    bytes: [u8; 4],
    count: usize,
}

impl Unit {
    fn of_char(length: usize, meant: char) -> Self {
        let mut bytes = [0; 4];
        let count = meant.encode_utf8(&mut bytes).len();
        Self { length, bytes, count }
    }

    fn of_byte(length: usize, meant: u8) -> Self {
        Self { length, bytes: [meant, 0, 0, 0], count: 1 }
    }

    /// What it means, as bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

/// Returns what the first character of a text may mean: itself, and what is escaped there.
pub(super) fn units(text: &str) -> impl Iterator<Item = Unit> {
    let raw = text.chars().next().map(|c| Unit::of_char(c.len_utf8(), c));
    let escaped = match text.as_bytes().first() {
        Some(b'%') => percent(text),
        Some(b'+') => Some(Unit::of_char(1, ' ')),
        Some(b'\\') => backslash(text),
        Some(b'&') => entity(text),
        _ => None,
    };
    raw.into_iter().chain(escaped)
}

/// Returns whether a byte may begin an escape.
pub(super) fn begins(byte: u8) -> bool {
    matches!(byte, b'%' | b'+' | b'\\' | b'&')
}

/// Calls `found` with the first `N` bytes that a text may mean, once for each meaning.
pub(super) fn starts<const N: usize>(text: &str, found: &mut impl FnMut([u8; N])) {
    extend(text, [0; N], 0, found);
}

fn extend<const N: usize>(text: &str, start: [u8; N], filled: usize, found: &mut impl FnMut([u8; N])) {
    if filled == N {
        found(start);
        return;
    }
    for unit in units(text) {
        let mut start = start;
        let taken = unit.bytes().len().min(N - filled);
        start[filled..filled + taken].copy_from_slice(&unit.bytes()[..taken]);
        extend(&text[unit.length..], start, filled + taken, found);
    }
}

/// `%2F`, also encoded more than once: `%252F`.
fn percent(text: &str) -> Option<Unit> {
    let mut at = 1;
    while text[at..].starts_with("25") && text.as_bytes().get(at + 2).is_some_and(u8::is_ascii_hexdigit) {
        at += 2;
    }
    let digits = text.get(at..at + 2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some(Unit::of_byte(at + 2, u8::from_str_radix(digits, 16).ok()?))
}

/// The escapes of JSON, shells and programming languages: `\/`, `\"`, `\u002f`, `\u{2f}`, `\x2f`, `\057`.
fn backslash(text: &str) -> Option<Unit> {
    let number = |digits: &str, radix: u32, length: usize| {
        let meant = char::from_u32(u32::from_str_radix(digits, radix).ok()?)?;
        Some(Unit::of_char(length, meant))
    };
    let digits = |from: usize, to: usize| text.get(from..to);
    match text[1..].chars().next()? {
        'u' if text[2..].starts_with('{') => {
            let end = text.bytes().take(12).position(|b| b == b'}')?;
            number(&text[3..end], 16, end + 1)
        }
        'u' => number(digits(2, 6)?, 16, 6),
        'U' => number(digits(2, 10)?, 16, 10),
        'x' => number(digits(2, 4)?, 16, 4),
        '0'..='7' => number(digits(1, 4)?, 8, 4),
        c if c.is_ascii_punctuation() => Some(Unit::of_char(2, c)),
        _ => None,
    }
}

/// The escapes of HTML and XML, also escaped once more (`&amp;#47;`), and numbers without the `;` at their end.
fn entity(text: &str) -> Option<Unit> {
    /// More zeros than this before a number are not read.
    const LONGEST: usize = 24;
    let mut at = 1;
    while text[at..].starts_with("amp;")
        && text[at + 4..].starts_with(|c: char| c == '#' || c.is_ascii_alphabetic())
    {
        at += 4;
    }
    let name_length =
        text[at..].bytes().take(LONGEST).take_while(|b| b.is_ascii_alphanumeric() || *b == b'#').count();
    let name = &text[at..at + name_length];
    let end = at + name_length + usize::from(text[at + name_length..].starts_with(';'));
    let meant = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "sol" => '/',
        "plus" => '+',
        "equals" => '=',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)?
        }
    };
    Some(Unit::of_char(end, meant))
}
