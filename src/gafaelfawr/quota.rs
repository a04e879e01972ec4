//! How much a user may use.

use std::collections::BTreeMap;

use serde::Serialize;

use super::number;
use super::reader::{self, Fields, Model, Reported, json_model};
use super::rules;

/// How much a user may use of each service.
///
/// Read on its own, a field with another name is an error, as it is in the server's configuration; read by the
/// [client](super::Client), it is ignored, so that a newer server can have more.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Quota {
    api: BTreeMap<String, i64>,
    disk: BTreeMap<String, i64>,
    notebook: Option<NotebookQuota>,
    tap: BTreeMap<String, TapQuota>,
}

impl Quota {
    /// Requests that a service takes in a minute, if they are limited.
    pub fn api(&self, service: &str) -> Option<i64> {
        self.api.get(service).copied()
    }

    /// Bytes that the user has under a mount point, if they are limited.
    pub fn disk(&self, mount_point: &str) -> Option<i64> {
        self.disk.get(mount_point).copied()
    }

    /// What a notebook may use, if it is limited.
    pub fn notebook(&self) -> Option<&NotebookQuota> {
        self.notebook.as_ref()
    }

    /// What a table service takes, if it is limited.
    pub fn tap(&self, service: &str) -> Option<&TapQuota> {
        self.tap.get(service)
    }
}

impl Model for Quota {
    const NAME: &'static str = "Quota";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let numbers = |value: &serde_json::Value, report: &mut reader::Report| {
            rules::map(value, report, number::integer)
        };
        let api = fields.defaulted("api", |_| BTreeMap::new(), numbers);
        let disk = fields.defaulted("disk", |_| BTreeMap::new(), numbers);
        let notebook = fields.optional("notebook", reader::model);
        let tap = fields.defaulted(
            "tap",
            |_| BTreeMap::new(),
            |value, report| rules::map(value, report, reader::model),
        );
        fields.no_others(&["api", "disk", "notebook", "tap"])?;
        Ok(Self { api: api?, disk: disk?, notebook: notebook?, tap: tap? })
    }
}

json_model!(Quota);

/// What a notebook may use.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotebookQuota {
    cpu: f64,
    memory: f64,
    spawn: bool,
}

impl NotebookQuota {
    /// CPU equivalents.
    pub fn cpu(&self) -> f64 {
        self.cpu
    }

    /// Memory, in GiB.
    pub fn memory(&self) -> f64 {
        self.memory
    }

    /// Whether the user may start one at all.
    pub fn may_spawn(&self) -> bool {
        self.spawn
    }
}

impl Model for NotebookQuota {
    const NAME: &'static str = "NotebookQuota";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let cpu = fields.required("cpu", number::float);
        let memory = fields.required("memory", number::float);
        let spawn = fields.defaulted("spawn", |_| true, number::boolean);
        fields.no_others(&["cpu", "memory", "spawn"])?;
        Ok(Self { cpu: cpu?, memory: memory?, spawn: spawn? })
    }
}

json_model!(NotebookQuota);

/// What a table service takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TapQuota {
    concurrent: i64,
}

impl TapQuota {
    /// Queries at the same time.
    pub fn concurrent(&self) -> i64 {
        self.concurrent
    }
}

impl Model for TapQuota {
    const NAME: &'static str = "TapQuota";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let concurrent = fields.required("concurrent", number::integer);
        fields.no_others(&["concurrent"])?;
        Ok(Self { concurrent: concurrent? })
    }
}

json_model!(TapQuota);

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;
    use crate::gafaelfawr::reader::Unknown;

    #[test]
    fn unknown_limits_are_an_error_only_where_they_are_to_be_one() {
        let value = json!({"tap": {"qserv": {"concurrent": 5, "new": 1}}, "gpu": 1});
        let error = Quota::from_json(&value.to_string()).unwrap_err();
        let places: Vec<String> = error.problems().iter().map(ToString::to_string).collect();
        assert!(places[0].starts_with("`tap.qserv.new`: extra"), "{places:?}");
        assert!(places[1].starts_with("`gpu`: extra"), "{places:?}");
        let quota: Quota = reader::read(&value, SystemTime::UNIX_EPOCH, Unknown::Ignored).unwrap();
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
