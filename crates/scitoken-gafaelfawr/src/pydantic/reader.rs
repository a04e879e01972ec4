//! Reads models from JSON as Pydantic does: all fields first, then all errors together.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::pydantic::validation::{FieldError, LocationSegment, ValidationError};
use scitoken_types::sys::{Clock as _, SystemClock};

/// A model that can be read from JSON.
pub(crate) trait Model: Sized {
    /// The name of the model in Gafaelfawr.
    const NAME: &'static str;

    /// Reads all fields, then builds the model if all are valid.
    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid>;
}

/// Proof that an error was added to the [`ErrorList`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invalid(());

/// How models that call [`ObjectReader::forbid_others`] treat unknown fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnknownFields {
    /// Reject them, as the server does in its configuration.
    Forbid,
    /// Ignore them, as a client of a newer server must.
    Ignore,
}

/// The errors found so far, and the path of the current value.
#[derive(Debug)]
pub(crate) struct ErrorList {
    location: Vec<LocationSegment>,
    errors: Vec<FieldError>,
    now: SystemTime,
    unknown: UnknownFields,
}

/// An error in one value, without its location.
#[derive(Debug)]
pub(crate) struct ValueError {
    kind: &'static str,
    message: String,
}

impl ValueError {
    pub(crate) fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Returns the error with its location.
    pub(crate) fn at(self, location: Vec<LocationSegment>) -> FieldError {
        FieldError::new(location, self.kind, self.message)
    }
}

impl ErrorList {
    /// Returns the default of a missing creation time.
    pub(crate) fn now(&self) -> SystemTime {
        self.now
    }

    /// Adds an error in the current value.
    pub(crate) fn refuse(&mut self, error: ValueError) -> Invalid {
        self.errors.push(error.at(self.location.clone()));
        Invalid(())
    }

    /// Adds the error, if there is one.
    pub(crate) fn take<T>(&mut self, read: Result<T, ValueError>) -> Result<T, Invalid> {
        read.map_err(|error| self.refuse(error))
    }

    /// Runs a function with the location one segment deeper.
    pub(crate) fn within<T>(&mut self, step: LocationSegment, read: impl FnOnce(&mut Self) -> T) -> T {
        self.location.push(step);
        let result = read(self);
        self.location.pop();
        result
    }
}

/// Reads a model from a JSON value.
pub(crate) fn read<M: Model>(
    value: &Value,
    now: SystemTime,
    unknown: UnknownFields,
) -> Result<M, ValidationError> {
    let mut errors = ErrorList { location: Vec::new(), errors: Vec::new(), now, unknown };
    match model(value, &mut errors) {
        Ok(model) if errors.errors.is_empty() => Ok(model),
        _ => Err(ValidationError::new(M::NAME, errors.errors)),
    }
}

/// Reads a model from a JSON value as the server does, with the current time.
pub(crate) fn read_now<M: Model>(value: &Value) -> Result<M, ValidationError> {
    read(value, SystemClock.now(), UnknownFields::Forbid)
}

/// Reads a model from JSON text as the server does, with the current time.
pub(crate) fn read_json<M: Model>(json: &str) -> Result<M, ValidationError> {
    match serde_json::from_str(json) {
        Ok(value) => read_now(&value),
        // The text of serde_json's error can quote the input, which may be a secret.
        Err(error) => {
            let message = format!("Invalid JSON at line {} column {}", error.line(), error.column());
            let error = ValueError::new("json_invalid", message).at(Vec::new());
            Err(ValidationError::new(M::NAME, vec![error]))
        }
    }
}

/// Reads a nested model.
pub(crate) fn model<M: Model>(value: &Value, errors: &mut ErrorList) -> Result<M, Invalid> {
    let Some(map) = value.as_object() else {
        let message = format!("Input should be a valid dictionary or instance of {}", M::NAME);
        return Err(errors.refuse(ValueError::new("model_type", message)));
    };
    M::read(&mut ObjectReader { map, errors })
}

/// Returns the model as JSON without null fields, as the server answers.
pub(crate) fn without_nulls(model: &impl Serialize) -> Value {
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

/// Returns the model as JSON with all fields.
pub(crate) fn to_json(model: &impl Serialize) -> Value {
    serde_json::to_value(model).expect("models are objects of texts, numbers and lists")
}

/// Reads a JSON object field by field.
pub(crate) struct ObjectReader<'v, 'r> {
    map: &'v Map<String, Value>,
    errors: &'r mut ErrorList,
}

impl ObjectReader<'_, '_> {
    /// Reads a field that must exist.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(&Value, &mut ErrorList) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        let value = self.map.get(name);
        self.errors.within(LocationSegment::Field(name.to_owned()), |errors| match value {
            Some(value) => rule(value, errors),
            None => Err(errors.refuse(ValueError::new("missing", "Field required"))),
        })
    }

    /// Reads a field that may be absent or null.
    pub(crate) fn optional<T>(
        &mut self,
        name: &str,
        rule: impl FnOnce(&Value, &mut ErrorList) -> Result<T, Invalid>,
    ) -> Result<Option<T>, Invalid> {
        match self.map.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => self
                .errors
                .within(LocationSegment::Field(name.to_owned()), |errors| rule(value, errors).map(Some)),
        }
    }

    /// Reads a field that may be absent, but not null.
    pub(crate) fn defaulted<T>(
        &mut self,
        name: &str,
        default: impl FnOnce(&ErrorList) -> T,
        rule: impl FnOnce(&Value, &mut ErrorList) -> Result<T, Invalid>,
    ) -> Result<T, Invalid> {
        match self.map.get(name) {
            None => Ok(default(self.errors)),
            Some(value) => {
                self.errors.within(LocationSegment::Field(name.to_owned()), |errors| rule(value, errors))
            }
        }
    }

    /// Returns whether the object has the field, even if null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Adds an error in a field that is valid by itself, but not together with others.
    pub(crate) fn refuse(&mut self, name: &str, error: ValueError) -> Invalid {
        self.errors.within(LocationSegment::Field(name.to_owned()), |errors| errors.refuse(error))
    }

    /// Rejects fields with other names under [`UnknownFields::Forbid`].
    pub(crate) fn forbid_others(&mut self, known: &[&str]) -> Result<(), Invalid> {
        let mut result = Ok(());
        if self.errors.unknown == UnknownFields::Forbid {
            for name in self.map.keys().filter(|name| !known.contains(&name.as_str())) {
                result = Err(self.errors.within(LocationSegment::Field(name.clone()), |errors| {
                    errors.refuse(ValueError::new("extra_forbidden", "Extra inputs are not permitted"))
                }));
            }
        }
        result
    }
}

/// Implements the public conversions of a model from and to JSON.
macro_rules! json_model {
    ($model:ident) => {
        impl $model {
            /// Reads the model from JSON by the rules of Gafaelfawr's model.
            ///
            /// # Errors
            /// [`ValidationError`](crate::ValidationError) with all invalid fields.
            pub fn from_json(json: &str) -> Result<Self, crate::ValidationError> {
                crate::pydantic::reader::read_json(json)
            }

            /// Returns JSON with all fields, null where a field has no value.
            pub fn to_json(&self) -> String {
                crate::pydantic::reader::to_json(self).to_string()
            }

            /// Returns JSON without null fields, as the server answers.
            pub fn to_json_without_nulls(&self) -> String {
                crate::pydantic::reader::without_nulls(self).to_string()
            }
        }

        impl<'de> serde::Deserialize<'de> for $model {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                use serde::de::Error as _;
                let value = serde_json::Value::deserialize(deserializer)?;
                crate::pydantic::reader::read_now(&value).map_err(D::Error::custom)
            }
        }
    };
}
pub(crate) use json_model;
