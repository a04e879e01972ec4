//! Users and their groups.

use serde::Serialize;

use super::names::{GROUPNAME_PATTERN, GroupName};
use super::number;
use super::quota::Quota;
use super::reader::{self, Fields, Model, Reported, json_model};
use super::rules::{self, Limits};

/// A group that a user is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    name: GroupName,
    id: i64,
}

impl Group {
    /// A group with this name and this GID.
    pub fn new(name: GroupName, id: i64) -> Self {
        Self { name, id }
    }

    /// Its name.
    pub fn name(&self) -> &GroupName {
        &self.name
    }

    /// Its GID.
    pub fn id(&self) -> i64 {
        self.id
    }
}

impl Model for Group {
    const NAME: &'static str = "Group";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let name = fields.required("name", rules::matching(Limits::NOT_EMPTY, GROUPNAME_PATTERN));
        let id = fields.required("id", number::integer);
        Ok(Self { name: name?, id: id? })
    }
}

json_model!(Group);

/// What was stored about the user with a token.
///
/// A field that has a value overrides what the server knows from elsewhere; one without is looked up there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenUserInfo {
    username: String,
    name: Option<String>,
    email: Option<String>,
    uid: Option<u64>,
    gid: Option<u64>,
    groups: Option<Vec<Group>>,
}

impl TokenUserInfo {
    /// The user whom the token was issued to.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The full name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The mail address.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The numeric user id.
    pub fn uid(&self) -> Option<u64> {
        self.uid
    }

    /// The id of the primary group.
    pub fn gid(&self) -> Option<u64> {
        self.gid
    }

    /// The groups; `None` is not the same as an empty list, which overrides.
    pub fn groups(&self) -> Option<&[Group]> {
        self.groups.as_deref()
    }
}

impl Model for TokenUserInfo {
    const NAME: &'static str = "TokenUserInfo";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let username = fields.required("username", rules::text(Limits::NAME));
        let details = Details::read(fields);
        let groups = fields.optional("groups", |value, report| rules::list(value, report, reader::model));
        let (username, Details { name, email, uid, gid }) = (username?, details?);
        Ok(Self { username, name, email, uid, gid, groups: groups? })
    }
}

json_model!(TokenUserInfo);

/// What the server knows about a user, from all its sources.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserInfo {
    username: String,
    name: Option<String>,
    email: Option<String>,
    uid: Option<u64>,
    gid: Option<u64>,
    groups: Vec<Group>,
    quota: Option<Quota>,
}

impl UserInfo {
    /// The user.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The full name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The mail address.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// The numeric user id.
    pub fn uid(&self) -> Option<u64> {
        self.uid
    }

    /// The id of the primary group.
    pub fn gid(&self) -> Option<u64> {
        self.gid
    }

    /// The groups.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// How much the user may use of each service; `None` where nothing is limited.
    pub fn quota(&self) -> Option<&Quota> {
        self.quota.as_ref()
    }
}

impl Model for UserInfo {
    const NAME: &'static str = "UserInfo";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let username = fields.required("username", rules::text(Limits::NAME));
        let details = Details::read(fields);
        let groups = fields.defaulted(
            "groups",
            |_| Vec::new(),
            |value, report| rules::list(value, report, reader::model),
        );
        let quota = fields.optional("quota", reader::model);
        let (username, Details { name, email, uid, gid }) = (username?, details?);
        Ok(Self { username, name, email, uid, gid, groups: groups?, quota: quota? })
    }
}

json_model!(UserInfo);

/// The fields that every model of a user has, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Details {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
}

impl Details {
    pub(super) fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let name = fields.optional("name", rules::text(Limits::NOT_EMPTY));
        let email = fields.optional("email", rules::text(Limits::NOT_EMPTY));
        let uid = fields.optional("uid", number::positive);
        let gid = fields.optional("gid", number::positive);
        Ok(Self { name: name?, email: email?, uid: uid?, gid: gid? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_that_are_not_there_and_groups_that_are_none_differ_for_a_token() {
        let groups = |value| TokenUserInfo::from_json(value).unwrap().groups().map(<[Group]>::len);
        assert_eq!(groups(r#"{"username": "u"}"#), None);
        assert_eq!(groups(r#"{"username": "u", "groups": []}"#), Some(0));
    }

    #[test]
    fn a_user_has_groups_even_if_none() {
        assert!(UserInfo::from_json(r#"{"username": "u"}"#).unwrap().groups().is_empty());
        let error = UserInfo::from_json(r#"{"username": "u", "groups": null}"#).unwrap_err();
        assert_eq!(error.problems()[0].kind(), "list_type");
    }

    #[test]
    fn mistakes_in_lists_have_the_number_of_the_item() {
        let json = r#"{"username": "u", "groups": [{"name": "g", "id": 1}, {"name": "1 2"}, 5]}"#;
        let error = UserInfo::from_json(json).unwrap_err();
        let told: Vec<String> = error.problems().iter().map(|p| format!("{}:{p}", p.kind())).collect();
        assert!(told[0].starts_with("string_pattern_mismatch:`groups.1.name`"), "{told:?}");
        assert!(told[1].starts_with("missing:`groups.1.id`"), "{told:?}");
        assert!(told[2].starts_with("model_type:`groups.2`"), "{told:?}");
    }
}
