//! What is wrong with a value that should be a model, field by field.

use std::error::Error;
use std::fmt;

use crate::redact;

/// A value is not the model that it should be; every mistake is listed, in the order of the model's fields.
///
/// Places, types and messages are those of Pydantic, which the server itself answers with. The value is never part
/// of the error: it may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationError {
    model: &'static str,
    problems: Vec<FieldProblem>,
}

/// One mistake in a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    location: Vec<Step>,
    kind: &'static str,
    message: String,
}

/// One step on the way from a model to the field at fault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a field, or a key of a map.
    Field(String),
    /// Into an item of a list.
    Item(usize),
}

impl ValidationError {
    pub(super) fn new(model: &'static str, problems: Vec<FieldProblem>) -> Self {
        Self { model, problems }
    }

    /// The name of the model, as Gafaelfawr has it.
    pub fn model(&self) -> &'static str {
        self.model
    }

    /// Every mistake, at least one.
    pub fn problems(&self) -> &[FieldProblem] {
        &self.problems
    }
}

impl FieldProblem {
    pub(super) fn new(location: Vec<Step>, kind: &'static str, message: String) -> Self {
        Self { location, kind, message }
    }

    /// Where the mistake is; empty when it is the value as a whole.
    pub fn location(&self) -> &[Step] {
        &self.location
    }

    /// Pydantic's name for the mistake: `missing`, `string_too_long`, `datetime_type` and so on.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Pydantic's words for the mistake.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(&redact::text(name)),
            Self::Item(index) => write!(f, "{index}"),
        }
    }
}

impl fmt::Display for FieldProblem {
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
        write!(f, "this is no `{}`: ", self.model)?;
        for (n, problem) in self.problems.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl Error for ValidationError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let group = vec![Step::Field("groups".to_owned()), Step::Item(0), Step::Field("name".to_owned())];
        let error = ValidationError::new(
            "UserInfo",
            vec![
                FieldProblem::new(group, "missing", "Field required".to_owned()),
                FieldProblem::new(Vec::new(), "x", "Whole".to_owned()),
            ],
        );
        assert_eq!(error.to_string(), "this is no `UserInfo`: `groups.0.name`: field required; whole");
    }
}
