//! Reads models from JSON the way that Pydantic does: all fields, then all mistakes at once.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use super::validation::{FieldProblem, Step, ValidationError};
use crate::sys::{Clock as _, SystemClock};

/// One of the models that this room reads.
pub(super) trait Model: Sized {
    /// Its name in Gafaelfawr.
    const NAME: &'static str;

    /// Reads every field, then puts the model together if all are well.
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported>;
}

/// A mistake has been written into the [`Report`]; only that makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported(());

/// What [`Quota`](super::Quota) does with fields that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Refuses them, as the server does with its own configuration.
    Refused,
    /// Ignores them, as a client of a newer server must.
    Ignored,
}

/// The mistakes found so far, and where the reader stands.
#[derive(Debug)]
pub(super) struct Report {
    place: Vec<Step>,
    problems: Vec<FieldProblem>,
    now: SystemTime,
    unknown: Unknown,
}

/// A mistake in one value, without its place.
#[derive(Debug)]
pub(super) struct Problem {
    kind: &'static str,
    message: String,
}

impl Problem {
    pub(super) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The mistake at its place.
    pub(super) fn at(self, location: Vec<Step>) -> FieldProblem {
        FieldProblem::new(location, self.kind, self.message)
    }
}

impl Report {
    /// The time that a missing creation time is set to.
    pub(super) fn now(&self) -> SystemTime {
        self.now
    }

    /// Writes down a mistake in the value at hand.
    pub(super) fn refuse(&mut self, problem: Problem) -> Reported {
        self.problems.push(problem.at(self.place.clone()));
        Reported(())
    }

    /// Takes what is well and writes down what is not.
    pub(super) fn take<T>(&mut self, read: Result<T, Problem>) -> Result<T, Reported> {
        read.map_err(|problem| self.refuse(problem))
    }

    /// Does something one step deeper.
    pub(super) fn within<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.place.push(step);
        let result = read(self);
        self.place.pop();
        result
    }
}

/// Reads a model from a JSON value.
pub(super) fn read<M: Model>(value: &Value, now: SystemTime, unknown: Unknown) -> Result<M, ValidationError> {
    let mut report = Report { place: Vec::new(), problems: Vec::new(), now, unknown };
    match model(value, &mut report) {
        Ok(model) if report.problems.is_empty() => Ok(model),
        _ => Err(ValidationError::new(M::NAME, report.problems)),
    }
}

/// Reads a model from a JSON value as the server does, now.
pub(super) fn read_now<M: Model>(value: &Value) -> Result<M, ValidationError> {
    read(value, SystemClock.now(), Unknown::Refused)
}

/// Reads a model from JSON as the server does, now.
pub(super) fn read_json<M: Model>(json: &str) -> Result<M, ValidationError> {
    match serde_json::from_str(json) {
        Ok(value) => read_now(&value),
        // Its text could have a piece of the JSON in it, and that may be a secret.
        Err(error) => {
            let message = format!("Invalid JSON at line {} column {}", error.line(), error.column());
            let problem = Problem::new("json_invalid", message).at(Vec::new());
            Err(ValidationError::new(M::NAME, vec![problem]))
        }
    }
}

/// Another model.
pub(super) fn model<M: Model>(value: &Value, report: &mut Report) -> Result<M, Reported> {
    let Some(map) = value.as_object() else {
        let message = format!("Input should be a valid dictionary or instance of {}", M::NAME);
        return Err(report.refuse(Problem::new("model_type", message)));
    };
    M::read(&mut Fields { map, report })
}

/// The model as JSON without the fields that are null, as the server answers.
pub(super) fn without_nulls(model: &impl Serialize) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|_, value| !value.is_null());
                map.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut value = to_json(model);
    strip(&mut value);
    value
}

/// The model as JSON with every field.
pub(super) fn to_json(model: &impl Serialize) -> Value {
    serde_json::to_value(model).expect("models are objects of texts, numbers and lists")
}

/// A JSON object that is read field by field.
pub(super) struct Fields<'v, 'r> {
    map: &'v Map<String, Value>,
    report: &'r mut Report,
}

impl Fields<'_, '_> {
    /// A field that must be there.
    pub(super) fn required<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(&Value, &mut Report) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        let value = self.map.get(name);
        self.report.within(Step::Field(name.to_owned()), |report| match value {
            Some(value) => rule(value, report),
            None => Err(report.refuse(Problem::new("missing", "Field required"))),
        })
    }

    /// A field that may be absent or null.
    pub(super) fn optional<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(&Value, &mut Report) -> Result<T, Reported>,
    ) -> Result<Option<T>, Reported> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                self.report.within(Step::Field(name.to_owned()), |report| rule(value, report).map(Some))
            }
        }
    }

    /// A field that may be absent, but not null.
    pub(super) fn defaulted<T>(
        &mut self,
        name: &str,
        default: impl FnOnce(&Report) -> T,
        rule: impl FnOnce(&Value, &mut Report) -> Result<T, Reported>,
    ) -> Result<T, Reported> {
        match self.map.get(name) {
            None => Ok(default(self.report)),
            Some(value) => self.report.within(Step::Field(name.to_owned()), |report| rule(value, report)),
        }
    }

    /// Whether the object has the field, be it null.
    pub(super) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Writes down a mistake in a field that was read well, but does not fit to others.
    pub(super) fn refuse(&mut self, name: &str, problem: Problem) -> Reported {
        self.report.within(Step::Field(name.to_owned()), |report| report.refuse(problem))
    }

    /// Refuses fields with other names, where the reader is to refuse them.
    pub(super) fn no_others(&mut self, known: &[&str]) -> Result<(), Reported> {
        let mut result = Ok(());
        if self.report.unknown == Unknown::Refused {
            for name in self.map.keys().filter(|name| !known.contains(&name.as_str())) {
                result = Err(self.report.within(Step::Field(name.clone()), |report| {
                    report.refuse(Problem::new("extra_forbidden", "Extra inputs are not permitted"))
                }));
            }
        }
        result
    }
}

/// Gives a model its public ways in and out of JSON.
macro_rules! json_model {
    ($model:ident) => {
        impl $model {
            /// Reads the model from JSON, by the rules of Gafaelfawr's own.
            ///
            /// # Errors
            /// [`ValidationError`](crate::gafaelfawr::ValidationError) with every field that is at fault.
            pub fn from_json(json: &str) -> Result<Self, crate::gafaelfawr::ValidationError> {
                crate::gafaelfawr::reader::read_json(json)
            }

            /// The model as JSON with every field, those without a value as null.
            pub fn to_json(&self) -> String {
                crate::gafaelfawr::reader::to_json(self).to_string()
            }

            /// The model as JSON without the fields that have no value, as the server answers.
            pub fn to_json_without_nulls(&self) -> String {
                crate::gafaelfawr::reader::without_nulls(self).to_string()
            }
        }

        impl<'de> serde::Deserialize<'de> for $model {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;
                let value = serde_json::Value::deserialize(deserializer)?;
                crate::gafaelfawr::reader::read_now(&value).map_err(D::Error::custom)
            }
        }
    };
}
pub(super) use json_model;
