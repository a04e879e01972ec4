//! The reader.

use std::collections::HashMap;
use std::fmt;

use super::{Json, Text, bytes};

/// The deepest nesting of arrays and objects; Python's limit is about the same.
const MAX_DEPTH: usize = 990;
/// The most digits of an integer; Python's limit.
const MAX_DIGITS: usize = 4300;

/// Why the input is not JSON, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonProblem {
    what: JsonFault,
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JsonFault {
    Encoding,
    Value,
    String,
    Escape,
    Name,
    Colon,
    Comma,
    Extra,
    Depth,
    Digits,
}

impl fmt::Display for JsonProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            JsonFault::Encoding => return f.write_str("it is not UTF-8"),
            JsonFault::Value => "a value is missing",
            JsonFault::String => "a string does not end, or has a control character in it",
            JsonFault::Escape => "there is no such escape",
            JsonFault::Name => "a member's name is missing",
            JsonFault::Colon => "a colon is missing",
            JsonFault::Comma => "a comma or closing bracket is missing",
            JsonFault::Extra => "something follows the end",
            JsonFault::Depth => "it is nested too deep",
            JsonFault::Digits => "a number has too many digits",
        };
        write!(f, "{what} at byte {}", self.at)
    }
}

/// Reads a whole document.
pub(crate) fn read(bytes: &[u8]) -> Result<Json, JsonProblem> {
    let text = bytes::decode(bytes).ok_or(JsonProblem { what: JsonFault::Encoding, at: 0 })?;
    let mut reader = Reader { text: &text, at: 0, depth: 0 };
    reader.skip_space();
    let value = reader.value()?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.problem(JsonFault::Extra)) } else { Ok(value) }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn problem(&self, what: JsonFault) -> JsonProblem {
        JsonProblem { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Skips `word` if it is next.
    fn take(&mut self, word: &[u8]) -> bool {
        let is_here = self.text[self.at..].starts_with(word);
        if is_here {
            self.at += word.len();
        }
        is_here
    }

    fn value(&mut self) -> Result<Json, JsonProblem> {
        match self.peek() {
            Some(b'"') => self.string().map(Json::Text),
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'n') if self.take(b"null") => Ok(Json::Null),
            Some(b't') if self.take(b"true") => Ok(Json::Bool(true)),
            Some(b'f') if self.take(b"false") => Ok(Json::Bool(false)),
            Some(b'N') if self.take(b"NaN") => Ok(Json::Float(f64::NAN)),
            Some(b'I') if self.take(b"Infinity") => Ok(Json::Float(f64::INFINITY)),
            Some(b'-') if self.take(b"-Infinity") => Ok(Json::Float(f64::NEG_INFINITY)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.problem(JsonFault::Value)),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, JsonProblem>) -> Result<Json, JsonProblem> {
        if self.depth == MAX_DEPTH {
            return Err(self.problem(JsonFault::Depth));
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn array(&mut self) -> Result<Json, JsonProblem> {
        let mut items = Vec::new();
        if self.take(b"]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.skip_space();
            if self.take(b"]") {
                return Ok(Json::Array(items));
            }
            if !self.take(b",") {
                return Err(self.problem(JsonFault::Comma));
            }
            self.skip_space();
        }
    }

    fn object(&mut self) -> Result<Json, JsonProblem> {
        let mut members = Vec::new();
        if self.take(b"}") {
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.problem(JsonFault::Name));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.take(b":") {
                return Err(self.problem(JsonFault::Colon));
            }
            self.skip_space();
            members.push((name, self.value()?));
            self.skip_space();
            if self.take(b"}") {
                return Ok(Json::Object(last_of_each(members)));
            }
            if !self.take(b",") {
                return Err(self.problem(JsonFault::Comma));
            }
            self.skip_space();
        }
    }

    fn string(&mut self) -> Result<Text, JsonProblem> {
        let mut text = Text::default();
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let run =
                rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
            text.push_run(&rest[..run]);
            self.at += run;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.problem(JsonFault::String)),
            }
        }
    }

    fn escape(&mut self) -> Result<u32, JsonProblem> {
        let plain = match self.text.get(self.at + 1) {
            Some(letter @ (b'"' | b'\\' | b'/')) => *letter,
            Some(b'b') => 0x08,
            Some(b'f') => 0x0c,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => return self.surrogates(),
            _ => return Err(self.problem(JsonFault::Escape)),
        };
        self.at += 2;
        Ok(u32::from(plain))
    }

    /// Reads `\uXXXX`, or a pair of them that forms one character.
    fn surrogates(&mut self) -> Result<u32, JsonProblem> {
        let first = self.hex_escape().ok_or(self.problem(JsonFault::Escape))?;
        self.at += 6;
        if let (0xd800..0xdc00, Some(second @ 0xdc00..0xe000)) = (first, self.hex_escape()) {
            self.at += 6;
            return Ok(0x10000 + ((first - 0xd800) << 10 | (second - 0xdc00)));
        }
        Ok(first)
    }

    fn hex_escape(&self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 6)?.strip_prefix(b"\\u")?;
        digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | char::from(*digit).to_digit(16)?))
    }

    fn number(&mut self) -> Result<Json, JsonProblem> {
        let start = self.at;
        let negative = self.take(b"-");
        let whole = self.at;
        if !self.take(b"0") && self.digits() == 0 {
            return Err(self.problem(JsonFault::Value));
        }
        let end_of_whole = self.at;
        if self.peek() == Some(b'.') {
            self.optional(1);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.text.get(self.at + 1), Some(b'+' | b'-')));
            self.optional(1 + sign);
        }
        let digits = ascii(&self.text[whole..end_of_whole]);
        if self.at > end_of_whole {
            // A number out of range is infinite, as in Python.
            return Ok(Json::Float(ascii(&self.text[start..self.at]).parse().unwrap_or(f64::NAN)));
        }
        if digits.len() > MAX_DIGITS {
            return Err(self.problem(JsonFault::Digits));
        }
        let sign = if negative && digits != "0" { "-" } else { "" };
        Ok(Json::Int(format!("{sign}{digits}").into()))
    }

    /// Skips a part of a number that must have digits after its first bytes.
    fn optional(&mut self, before: usize) {
        let start = self.at;
        self.at += before;
        if self.digits() == 0 {
            self.at = start;
        }
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }
}

/// Returns the bytes of a number as a string.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Of several members with one name, keeps the last value at the first position, as Python's `dict` does.
fn last_of_each(members: Vec<(Text, Json)>) -> Vec<(Text, Json)> {
    const FEW: usize = 12;
    let may_repeat = members.len() > FEW
        || members
            .iter()
            .enumerate()
            .any(|(n, (name, _))| members[..n].iter().any(|(other, _)| name == other));
    if !may_repeat {
        return members;
    }
    let mut places: HashMap<Text, usize> = HashMap::with_capacity(members.len());
    let mut kept: Vec<(Text, Json)> = Vec::with_capacity(members.len());
    for (name, value) in members {
        if let Some(place) = places.get(&name) {
            kept[*place].1 = value;
        } else {
            places.insert(name.clone(), kept.len());
            kept.push((name, value));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::to_bytes;

    fn read_back(text: &str) -> String {
        read(text.as_bytes())
            .map_or_else(|problem| problem.to_string(), |json| String::from_utf8(to_bytes(&json)).unwrap())
    }

    #[test]
    fn what_python_reads_is_read() {
        for (text, wanted) in [
            (" {\"a\" : [ 1 , 2 ] , \"b\":{} }\n", r#"{"a":[1,2],"b":{}}"#),
            (r#"{"a":1,"b":2,"a":3}"#, r#"{"a":3,"b":2}"#),
            (
                "[NaN,Infinity,-Infinity,1e400,-0,0,-0.0,1E+2]",
                "[NaN,Infinity,-Infinity,Infinity,0,0,-0.0,100.0]",
            ),
            (r#""\ud800 \ud83d\ude00 \u0041 \/ \b""#, r#""\ud800 \ud83d\ude00 A / \b""#),
            ("1000000000000000000000000000000", "1000000000000000000000000000000"),
            ("\"\u{7f}é\u{2028}\"", r#""\u007f\u00e9\u2028""#),
        ] {
            assert_eq!(read_back(text), wanted);
        }
    }

    #[test]
    fn what_python_refuses_is_refused() {
        for (text, wanted) in [
            ("", "a value is missing at byte 0"),
            ("nope", "a value is missing at byte 0"),
            ("{} x", "something follows the end at byte 3"),
            ("01", "something follows the end at byte 1"),
            ("1.", "something follows the end at byte 1"),
            ("1e", "something follows the end at byte 1"),
            ("-", "a value is missing at byte 1"),
            ("+1", "a value is missing at byte 0"),
            ("[1,]", "a value is missing at byte 3"),
            ("[1 2]", "a comma or closing bracket is missing at byte 3"),
            ("{\"a\":1,}", "a member's name is missing at byte 7"),
            ("{\"a\"}", "a colon is missing at byte 4"),
            ("{a:1}", "a member's name is missing at byte 1"),
            ("\"a", "a string does not end, or has a control character in it at byte 2"),
            ("\"\t\"", "a string does not end, or has a control character in it at byte 1"),
            ("\"\\x\"", "there is no such escape at byte 1"),
            ("\"\\u12g4\"", "there is no such escape at byte 1"),
            ("'a'", "a value is missing at byte 0"),
            ("[", "a value is missing at byte 1"),
        ] {
            assert_eq!(read_back(text), wanted, "{text}");
        }
        assert_eq!(read_back(&"[".repeat(5_000)), "it is nested too deep at byte 990");
        assert!(read_back(&"9".repeat(4_301)).starts_with("a number has too many digits"));
        assert_eq!(read_back(&"9".repeat(4_300)).len(), 4_300);
        assert_eq!(read(b"\"\xff\"").unwrap_err().to_string(), "it is not UTF-8");
    }

    #[test]
    fn many_members_with_one_name_cost_no_more_than_others() {
        let members: Vec<String> = (0..50_000).map(|n| format!("\"k{}\":{n}", n % 25_000)).collect();
        let Json::Object(kept) = read(format!("{{{}}}", members.join(",")).as_bytes()).unwrap() else {
            panic!()
        };
        assert_eq!(kept.len(), 25_000);
        assert_eq!(kept[0], (Text::from("k0"), Json::Int("25000".into())));
    }
}
