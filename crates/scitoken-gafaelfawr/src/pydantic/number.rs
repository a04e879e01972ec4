//! Numbers and booleans in Pydantic's lax mode, which also accepts strings.
//!
//! Pydantic's own parsers are parts of its Python extension and are not published as a crate of their own, so the
//! rules are written out here and compared with Pydantic in the interoperability tests.

use serde_json::Value;

use crate::pydantic::reader::{ErrorList, Invalid, ValueError};

/// Reads an integer.
pub(crate) fn integer(value: &Value, errors: &mut ErrorList) -> Result<i64, Invalid> {
    errors.take(read_integer(value))
}

/// Reads an integer that is at least one.
pub(crate) fn positive(value: &Value, errors: &mut ErrorList) -> Result<u64, Invalid> {
    let number = integer(value, errors)?;
    match u64::try_from(number) {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err(errors
            .refuse(ValueError::new("greater_than_equal", "Input should be greater than or equal to 1"))),
    }
}

/// Reads a finite number; others cannot be written as JSON.
pub(crate) fn float(value: &Value, errors: &mut ErrorList) -> Result<f64, Invalid> {
    let number = errors.take(read_float(value))?;
    if !number.is_finite() {
        return Err(errors.refuse(ValueError::new("finite_number", "Input should be a finite number")));
    }
    Ok(number)
}

/// Reads a boolean.
pub(crate) fn boolean(value: &Value, errors: &mut ErrorList) -> Result<bool, Invalid> {
    errors.take(read_boolean(value))
}

fn too_large() -> ValueError {
    ValueError::new("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size")
}

fn read_integer(value: &Value) -> Result<i64, ValueError> {
    match value {
        Value::Bool(truth) => Ok(i64::from(*truth)),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(integer), _) => Ok(integer),
            (None, Some(float)) if float.fract() == 0.0 => whole(float).ok_or_else(too_large),
            (None, Some(_)) => Err(ValueError::new(
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            )),
            (None, None) => Err(too_large()),
        },
        Value::String(text) => read_integer_text(text),
        _ => Err(ValueError::new("int_type", "Input should be a valid integer")),
    }
}

/// Converts a float without a fraction to an integer of 64 bits.
fn whole(float: f64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "the bound is a power of two")]
    let bound = i64::MAX as f64;
    #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds and has no fraction")]
    (float.fract() == 0.0 && float.abs() < bound).then_some(float as i64)
}

/// Parses `+1_000.00`: a sign, digits with single underscores between them, zeros after a point, white space around.
fn read_integer_text(text: &str) -> Result<i64, ValueError> {
    let unreadable = || {
        ValueError::new(
            "int_parsing",
            "Input should be a valid integer, unable to parse string as an integer",
        )
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

fn read_float(value: &Value) -> Result<f64, ValueError> {
    let wrong_type = || ValueError::new("float_type", "Input should be a valid number");
    match value {
        Value::Bool(truth) => Ok(f64::from(u8::from(*truth))),
        Value::Number(number) => number.as_f64().ok_or_else(wrong_type),
        Value::String(text) => {
            // With underscores, which may be anywhere inside, surrounding white space is not allowed.
            let number = if text.contains('_') {
                let inside = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
                inside.then(|| text.replace('_', "")).and_then(|text| text.parse().ok())
            } else {
                text.trim().parse().ok()
            };
            number.ok_or_else(|| {
                ValueError::new(
                    "float_parsing",
                    "Input should be a valid number, unable to parse string as a number",
                )
            })
        }
        _ => Err(wrong_type()),
    }
}

fn read_boolean(value: &Value) -> Result<bool, ValueError> {
    const TRUE: [&str; 6] = ["1", "on", "t", "true", "y", "yes"];
    const FALSE: [&str; 6] = ["0", "off", "f", "false", "n", "no"];
    let unreadable =
        || ValueError::new("bool_parsing", "Input should be a valid boolean, unable to interpret input");
    match value {
        Value::Bool(truth) => Ok(*truth),
        // A float without a fraction counts as an integer.
        Value::Number(number) => match number.as_i64().or_else(|| number.as_f64().and_then(whole)) {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            Some(_) => Err(unreadable()),
            None => Err(ValueError::new("bool_type", "Input should be a valid boolean")),
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
        _ => Err(ValueError::new("bool_type", "Input should be a valid boolean")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn kind<T: std::fmt::Debug>(read: Result<T, ValueError>) -> String {
        format!("{:?}", read.unwrap_err()).split('"').nth(1).unwrap().to_owned()
    }

    #[test]
    fn integers_are_read_in_all_forms_of_pydantic() {
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
    fn invalid_integers_have_the_error_types_of_pydantic() {
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
    fn numbers_are_also_read_from_strings() {
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
    fn booleans_are_read_in_all_forms_of_pydantic() {
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
