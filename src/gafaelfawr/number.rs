//! Numbers and truth values as Pydantic takes them when it is not strict: also as texts.

use serde_json::Value;

use super::reader::{Problem, Report, Reported};

/// An integer.
pub(super) fn integer(value: &Value, report: &mut Report) -> Result<i64, Reported> {
    report.take(read_integer(value))
}

/// An integer that is at least one.
pub(super) fn positive(value: &Value, report: &mut Report) -> Result<u64, Reported> {
    let number = integer(value, report)?;
    match u64::try_from(number) {
        Ok(number) if number >= 1 => Ok(number),
        _ => {
            Err(report
                .refuse(Problem::new("greater_than_equal", "Input should be greater than or equal to 1")))
        }
    }
}

/// A finite number: what is not finite could not be written as JSON again.
pub(super) fn float(value: &Value, report: &mut Report) -> Result<f64, Reported> {
    let number = report.take(read_float(value))?;
    if !number.is_finite() {
        return Err(report.refuse(Problem::new("finite_number", "Input should be a finite number")));
    }
    Ok(number)
}

/// A truth value.
pub(super) fn boolean(value: &Value, report: &mut Report) -> Result<bool, Reported> {
    report.take(read_boolean(value))
}

fn too_large() -> Problem {
    Problem::new("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
}

fn read_integer(value: &Value) -> Result<i64, Problem> {
    match value {
        Value::Bool(truth) => Ok(i64::from(*truth)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(integer),
            (None, Some(float)) if float.fract() == 0.0 => whole(float).ok_or_else(too_large),
            (None, Some(_)) => Err(Problem::new(
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            )),
            (None, None) => Err(too_large()),
        },
        Value::String(text) => read_integer_text(text),
        _ => Err(Problem::new("int_type", "Input should be a valid integer")),
    }
}

/// The integer that a float is, within the 64 bits that we keep.
fn whole(float: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "the bound is a power of two")]
    let bound = i64::MAX as f64;
    #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds and has no fraction")]
    (float.fract() == 0.0 && float.abs() < bound).then_some(float as i64)
}

/// `+1_000.00`: a sign, digits with single underscores between them, zeros after a point, white space around.
fn read_integer_text(text: &str) -> Result<i64, Problem> {
    let unreadable = || {
        Problem::new("int_parsing", "Input should be a valid integer, unable to parse string as an integer")
    };
    let text = text.trim();
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    };
    let digits = match digits.split_once('.') {
        Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|b| b == b'0') => digits,
        Some(_) => return Err(unreadable()),
        None => digits,
    };
    let groups_of_digits =
        digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|b| b.is_ascii_digit()));
    if !groups_of_digits {
        return Err(unreadable());
    }
    format!("{sign}{}", digits.replace('_', "")).parse().map_err(|_| too_large())
}

fn read_float(value: &Value) -> Result<f64, Problem> {
    let wrong_type = || Problem::new("float_type", "Input should be a valid number");
    match value {
        Value::Bool(truth) => Ok(f64::from(u8::from(*truth))),
        Value::Number(number) => number.as_f64().ok_or_else(wrong_type),
        Value::String(text) => {
            // Underscores may stand anywhere inside; then there must be no white space around.
            let number = if text.contains('_') {
                let inside = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
                inside.then(|| text.replace('_', "")).and_then(|text| text.parse().ok())
            } else {
                text.trim().parse().ok()
            };
            number.ok_or_else(|| {
                Problem::new(
                    "float_parsing",
                    "Input should be a valid number, unable to parse string as a number",
                )
            })
        }
        _ => Err(wrong_type()),
    }
}

fn read_boolean(value: &Value) -> Result<bool, Problem> {
    const TRUE: [&str; 6] = ["1", "on", "t", "true", "y", "yes"];
    const FALSE: [&str; 6] = ["0", "off", "f", "false", "n", "no"];
    let unreadable =
        || Problem::new("bool_parsing", "Input should be a valid boolean, unable to interpret input");
    match value {
        Value::Bool(truth) => Ok(*truth),
        // A float counts as the integer that it is, if it is one.
        Value::Number(number) => match number.as_i64().or_else(|| number.as_f64().and_then(whole)) {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) => Err(unreadable()),
            None => Err(Problem::new("bool_type", "Input should be a valid boolean")),
        },
        Value::String(text) => {
            let is = |word: &&str| text.eq_ignore_ascii_case(word);
            if TRUE.iter().any(is) {
                Ok(true)
            } else if FALSE.iter().any(is) {
                Ok(false)
            } else {
                Err(unreadable())
            }
        }
        _ => Err(Problem::new("bool_type", "Input should be a valid boolean")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind<T: std::fmt::Debug>(read: Result<T, Problem>) -> String {
        format!("{:?}", read.unwrap_err()).split('"').nth(1).unwrap().to_owned()
    }

    #[test]
    fn integers_are_taken_in_every_form_that_pydantic_takes() {
        for (value, expected) in [
            (json!(1), 1),
            (json!(true), 1),
            (json!(1.0), 1),
            (json!(" 1 "), 1),
            (json!("+1"), 1),
            (json!("-01"), -1),
            (json!("1_000"), 1_000),
            (json!("1_0.00"), 10),
            (json!("\u{a0}1\n"), 1),
        ] {
            assert_eq!(read_integer(&value).unwrap(), expected, "{value}");
        }
    }

    #[test]
    fn what_is_no_integer_is_told_apart_as_pydantic_tells_it_apart() {
        for text in
            ["", "1__0", "_1", "1_", "1.", ".0", "1.5", "1e3", "0x1", "- 1", "1 0", "1.0_0", "++1", "１"]
        {
            assert_eq!(kind(read_integer(&json!(text))), "int_parsing", "{text}");
        }
        assert_eq!(kind(read_integer(&json!(1.5))), "int_from_float");
        assert_eq!(kind(read_integer(&json!(1e30))), "int_parsing_size");
        assert_eq!(kind(read_integer(&json!(u64::MAX))), "int_parsing_size");
        assert_eq!(kind(read_integer(&json!("9".repeat(25)))), "int_parsing_size");
        assert_eq!(kind(read_integer(&json!(null))), "int_type");
        assert_eq!(kind(read_integer(&json!([]))), "int_type");
    }

    #[test]
    fn numbers_may_be_texts_too() {
        for (value, expected) in [
            (json!("1_0.5"), 10.5),
            (json!(" 1. "), 1.0),
            (json!("1e_5"), 1e5),
            (json!(true), 1.0),
            (json!(4), 4.0),
        ] {
            assert!((read_float(&value).unwrap() - expected).abs() < f64::EPSILON, "{value}");
        }
        for text in ["", ".", "1__0", "_1", "1_", "0x1", "１", "1_0 "] {
            assert_eq!(kind(read_float(&json!(text))), "float_parsing", "{text}");
        }
        assert!(read_float(&json!("nan")).unwrap().is_nan());
        assert_eq!(kind(read_float(&json!(null))), "float_type");
    }

    #[test]
    fn truth_has_many_words() {
        for value in [json!(true), json!(1), json!(1.0), json!("YES"), json!("t"), json!("on")] {
            assert!(read_boolean(&value).unwrap(), "{value}");
        }
        for value in [json!(false), json!(0), json!(0.0), json!("No"), json!("f"), json!("OFF")] {
            assert!(!read_boolean(&value).unwrap(), "{value}");
        }
        for value in [json!(2), json!(-1), json!("2"), json!(""), json!(" true")] {
            assert_eq!(kind(read_boolean(&value)), "bool_parsing", "{value}");
        }
        assert_eq!(kind(read_boolean(&json!(0.5))), "bool_type");
        assert_eq!(kind(read_boolean(&json!(null))), "bool_type");
    }
}
