//! Validation errors, field by field.

use std::error::Error;
use std::fmt;

use scitoken_types::redact;

/// The errors of a value that is not a valid model, in the order of the model's fields.
///
/// Locations, types and messages are those of Pydantic, which the server uses. The value is never part of the error,
/// since it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    model: &'static str,
    errors: Vec<FieldError>,
}

/// One error in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    location: Vec<LocationSegment>,
    kind: &'static str,
    message: String,
}

/// One segment of the path from a model to an invalid field.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LocationSegment {
    /// A field of a model, or a key of a map.
    Field(String),
    /// An item of a list.
    Index(usize),
}

impl ValidationError {
    pub(crate) fn new(model: &'static str, errors: Vec<FieldError>) -> Self {
        Self { model, errors }
    }

    /// Returns the name of the model in Gafaelfawr.
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// Returns the errors, at least one.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }
}

impl FieldError {
    pub(crate) fn new(location: Vec<LocationSegment>, kind: &'static str, message: String) -> Self {
        Self { location, kind, message }
    }

    /// Returns the path of the invalid field; empty for the value as a whole.
    pub fn location(&self) -> &[LocationSegment] {
        &self.location
    }

    /// Returns Pydantic's type of the error, such as `missing`, `string_too_long` or `datetime_type`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns Pydantic's message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for LocationSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(&redact::text(name)),
            Self::Index(index) => write!(f, "{index}"),
        }
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.location.is_empty() {
            f.write_str("`")?;
            for (n, step) in self.location.iter().enumerate() {
                if n > 0 {
                    f.write_str(".")?;
                }
                step.fmt(f)?;
            }
            f.write_str("`: ")?;
        }
        let mut message = self.message.chars();
        if let Some(first) = message.next() {
            write!(f, "{}{}", first.to_lowercase(), message.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid `{}`: ", self.model)?;
        for (n, error) in self.errors.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            error.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for ValidationError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_shown_with_its_location() {
        let group = vec![
            LocationSegment::Field("groups".to_owned()),
            LocationSegment::Index(0),
            LocationSegment::Field("name".to_owned()),
        ];
        let error = ValidationError::new(
            "UserInfo",
            vec![
                FieldError::new(group, "missing", "Field required".to_owned()),
                FieldError::new(Vec::new(), "x", "Whole".to_owned()),
            ],
        );
        assert_eq!(error.to_string(), "invalid `UserInfo`: `groups.0.name`: field required; whole");
    }
}
