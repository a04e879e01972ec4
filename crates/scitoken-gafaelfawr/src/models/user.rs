//! Users and their groups.

use serde::Serialize;

use crate::models::quota::Quota;
use crate::names::{GROUPNAME_PATTERN, GroupName};
use crate::pydantic::number;
use crate::pydantic::reader::{self, Invalid, Model, ObjectReader, json_model};
use crate::pydantic::rules::{self, LengthLimits};

/// A group of a user.
///
/// ```
/// use scitoken_gafaelfawr::UserGroup;
///
/// let group = UserGroup::new("g_users".parse()?, 4123);
/// assert_eq!(group.to_json(), r#"{"name":"g_users","id":4123}"#);
/// # Ok::<(), scitoken_gafaelfawr::InvalidGroupName>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UserGroup {
    name: GroupName,
    id: i64,
}

impl UserGroup {
    /// Returns the group with this name and GID.
    pub fn new(name: GroupName, id: i64) -> Self {
        Self { name, id }
    }

    /// Returns the name.
    pub fn name(&self) -> &GroupName {
        &self.name
    }

    /// Returns the GID.
    pub fn id(&self) -> i64 {
        self.id
    }
}

impl Model for UserGroup {
    const NAME: &'static str = "Group";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let name = fields.required("name", rules::matching(LengthLimits::NOT_EMPTY, GROUPNAME_PATTERN));
        let id = fields.required("id", number::integer);
        Ok(Self { name: name?, id: id? })
    }
}

json_model!(UserGroup);

/// Data about the user that is stored with a token.
///
/// A field with a value overrides the value from the server's user directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenUserInfo {
    username: String,
    name: Option<String>,
    email: Option<String>,
    uid: Option<u64>,
    gid: Option<u64>,
    groups: Option<Vec<UserGroup>>,
}

impl TokenUserInfo {
    /// Returns the user of the token.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Returns the full name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the mail address.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Returns the numeric user id.
    pub fn uid(&self) -> Option<u64> {
        self.uid
    }

    /// Returns the id of the primary group.
    pub fn gid(&self) -> Option<u64> {
        self.gid
    }

    /// Returns the groups; `None` means the directory's groups, an empty list means no groups.
    pub fn groups(&self) -> Option<&[UserGroup]> {
        self.groups.as_deref()
    }
}

impl Model for TokenUserInfo {
    const NAME: &'static str = "TokenUserInfo";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let username = fields.required("username", rules::text(LengthLimits::NAME));
        let details = UserDetails::read(fields);
        let groups = fields.optional("groups", |value, errors| rules::list(value, errors, reader::model));
        let (username, UserDetails { name, email, uid, gid }) = (username?, details?);
        Ok(Self { username, name, email, uid, gid, groups: groups? })
    }
}

json_model!(TokenUserInfo);

/// The server's data about a user, from all its sources.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserInfo {
    username: String,
    name: Option<String>,
    email: Option<String>,
    uid: Option<u64>,
    gid: Option<u64>,
    groups: Vec<UserGroup>,
    quota: Option<Quota>,
}

impl UserInfo {
    /// Returns the username.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// Returns the full name.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the mail address.
    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    /// Returns the numeric user id.
    pub fn uid(&self) -> Option<u64> {
        self.uid
    }

    /// Returns the id of the primary group.
    pub fn gid(&self) -> Option<u64> {
        self.gid
    }

    /// Returns the groups.
    pub fn groups(&self) -> &[UserGroup] {
        &self.groups
    }

    /// Returns the limits on the user's use of services; `None` means no limits.
    pub fn quota(&self) -> Option<&Quota> {
        self.quota.as_ref()
    }
}

impl Model for UserInfo {
    const NAME: &'static str = "UserInfo";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let username = fields.required("username", rules::text(LengthLimits::NAME));
        let details = UserDetails::read(fields);
        let groups = fields.defaulted(
            "groups",
            |_| Vec::new(),
            |value, errors| rules::list(value, errors, reader::model),
        );
        let quota = fields.optional("quota", reader::model);
        let (username, UserDetails { name, email, uid, gid }) = (username?, details?);
        Ok(Self { username, name, email, uid, gid, groups: groups?, quota: quota? })
    }
}

json_model!(UserInfo);

/// The fields that all models of a user have, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct UserDetails {
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) uid: Option<u64>,
    pub(crate) gid: Option<u64>,
}

impl UserDetails {
    pub(crate) fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let name = fields.optional("name", rules::text(LengthLimits::NOT_EMPTY));
        let email = fields.optional("email", rules::text(LengthLimits::NOT_EMPTY));
        let uid = fields.optional("uid", number::positive);
        let gid = fields.optional("gid", number::positive);
        Ok(Self { name: name?, email: email?, uid: uid?, gid: gid? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_empty_groups_of_a_token_differ() {
        let groups = |value| TokenUserInfo::from_json(value).unwrap().groups().map(<[UserGroup]>::len);
        assert_eq!(groups(r#"{"username": "u"}"#), None);
        assert_eq!(groups(r#"{"username": "u", "groups": []}"#), Some(0));
    }

    #[test]
    fn missing_groups_of_a_user_are_an_empty_list() {
        assert!(UserInfo::from_json(r#"{"username": "u"}"#).unwrap().groups().is_empty());
        let error = UserInfo::from_json(r#"{"username": "u", "groups": null}"#).unwrap_err();
        assert_eq!(error.errors()[0].kind(), "list_type");
    }

    #[test]
    fn errors_in_lists_have_the_index_of_the_item() {
        let json = r#"{"username": "u", "groups": [{"name": "g", "id": 1}, {"name": "1 2"}, 5]}"#;
        let error = UserInfo::from_json(json).unwrap_err();
        let told: Vec<String> = error.errors().iter().map(|p| format!("{}:{p}", p.kind())).collect();
        assert!(told[0].starts_with("string_pattern_mismatch:`groups.1.name`"), "{told:?}");
        assert!(told[1].starts_with("missing:`groups.1.id`"), "{told:?}");
        assert!(told[2].starts_with("model_type:`groups.2`"), "{told:?}");
    }
}
