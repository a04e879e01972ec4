//! Limits on the use of services.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::pydantic::number;
use crate::pydantic::reader::{self, Invalid, Model, ObjectReader, json_model};
use crate::pydantic::rules;

/// Limits on a user's use of services.
///
/// [`from_json`](Self::from_json) rejects unknown fields, as the server does in its configuration. The
/// [client](crate::GafaelfawrClient) ignores them, so that a newer server can have more.
///
/// ```
/// use scitoken_gafaelfawr::Quota;
///
/// let quota = Quota::from_json(r#"{"api": {"tap": 500}}"#)?;
/// assert_eq!((quota.api("tap"), quota.api("hips")), (Some(500), None));
/// # Ok::<(), scitoken_gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quota {
    api: BTreeMap<String, i64>,
    disk: BTreeMap<String, i64>,
    notebook: Option<NotebookQuota>,
    tap: BTreeMap<String, TapQuota>,
}

impl Quota {
    /// Returns the limit of requests per minute to a service.
    pub fn api(&self, service: &str) -> Option<i64> {
        self.api.get(service).copied()
    }

    /// Returns the limit in bytes below a mount point.
    pub fn disk(&self, mount_point: &str) -> Option<i64> {
        self.disk.get(mount_point).copied()
    }

    /// Returns the limits of a notebook.
    pub fn notebook(&self) -> Option<&NotebookQuota> {
        self.notebook.as_ref()
    }

    /// Returns the limits of a table access (TAP) service.
    pub fn tap(&self, service: &str) -> Option<&TapQuota> {
        self.tap.get(service)
    }
}

impl Model for Quota {
    const NAME: &'static str = "Quota";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let numbers = |value: &serde_json::Value, errors: &mut reader::ErrorList| {
            rules::map(value, errors, number::integer)
        };
        let api = fields.defaulted("api", |_| BTreeMap::new(), numbers);
        let disk = fields.defaulted("disk", |_| BTreeMap::new(), numbers);
        let notebook = fields.optional("notebook", reader::model);
        let tap = fields.defaulted(
            "tap",
            |_| BTreeMap::new(),
            |value, errors| rules::map(value, errors, reader::model),
        );
        fields.forbid_others(&["api", "disk", "notebook", "tap"])?;
        Ok(Self { api: api?, disk: disk?, notebook: notebook?, tap: tap? })
    }
}

json_model!(Quota);

/// The limits of a notebook.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotebookQuota {
    cpu: f64,
    memory: f64,
    spawn: bool,
}

impl NotebookQuota {
    /// Returns the CPU limit, in CPU equivalents.
    pub fn cpu(&self) -> f64 {
        self.cpu
    }

    /// Returns the memory limit, in GiB.
    pub fn memory(&self) -> f64 {
        self.memory
    }

    /// Returns whether the user may start a notebook.
    pub fn may_spawn(&self) -> bool {
        self.spawn
    }
}

impl Model for NotebookQuota {
    const NAME: &'static str = "NotebookQuota";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let cpu = fields.required("cpu", number::float);
        let memory = fields.required("memory", number::float);
        let spawn = fields.defaulted("spawn", |_| true, number::boolean);
        fields.forbid_others(&["cpu", "memory", "spawn"])?;
        Ok(Self { cpu: cpu?, memory: memory?, spawn: spawn? })
    }
}

json_model!(NotebookQuota);

/// The limits of a table access (TAP) service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TapQuota {
    concurrent: i64,
}

impl TapQuota {
    /// Returns the limit of concurrent queries.
    pub fn concurrent(&self) -> i64 {
        self.concurrent
    }
}

impl Model for TapQuota {
    const NAME: &'static str = "TapQuota";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let concurrent = fields.required("concurrent", number::integer);
        fields.forbid_others(&["concurrent"])?;
        Ok(Self { concurrent: concurrent? })
    }
}

json_model!(TapQuota);

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;
    use crate::pydantic::reader::UnknownFields;

    #[test]
    fn unknown_limits_are_an_error_only_outside_the_client() {
        let value = json!({"tap": {"qserv": {"concurrent": 5, "new": 1}}, "gpu": 1});
        let error = Quota::from_json(&value.to_string()).unwrap_err();
        let places: Vec<String> = error.errors().iter().map(ToString::to_string).collect();
        assert!(places[0].starts_with("`tap.qserv.new`: extra"), "{places:?}");
        assert!(places[1].starts_with("`gpu`: extra"), "{places:?}");
        let quota: Quota = reader::read(&value, SystemTime::UNIX_EPOCH, UnknownFields::Ignore).unwrap();
        assert_eq!(quota.tap("qserv").map(TapQuota::concurrent), Some(5));
    }

    #[test]
    fn limits_are_looked_up_by_service() {
        let value =
            json!({"api": {"tap": 500}, "disk": {"/home": 1}, "notebook": {"cpu": 4, "memory": "16"}});
        let quota = Quota::from_json(&value.to_string()).unwrap();
        assert_eq!((quota.api("tap"), quota.api("hips"), quota.disk("/home")), (Some(500), None, Some(1)));
        let notebook = quota.notebook().unwrap();
        assert!(notebook.may_spawn() && notebook.memory() > notebook.cpu());
    }
}
