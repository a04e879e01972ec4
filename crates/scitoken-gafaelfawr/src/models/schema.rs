//! The JSON schema of [`TokenBase`], as Gafaelfawr's documentation publishes it.
//!
//! It is written out. A derive such as `schemars` describes the same fields in other words: `"type": ["string",
//! "null"]` for `anyOf`, a bare `$ref` for `allOf`, and a `$schema` member. Undoing that for each field takes more code
//! than the document.

use serde_json::json;

use crate::models::token_base::TokenBase;
use crate::pydantic::reader::Model as _;
use crate::pydantic::rules::LengthLimits;
use crate::token_type::TokenType;

const TOKEN_TYPES: &str = "Class of token, chosen from:\n\n\
    * `session`: An interactive user web session\n\
    * `user`: A user-generated token that may be used programmatically\n\
    * `notebook`: The token delegated to a Jupyter notebook for the user\n\
    * `internal`: A service-to-service token used for internal sub-calls made as part of processing a user request\n\
    * `service`: A service-to-service token used for internal calls initiated by services, unrelated to a user \
    request\n\
    * `oidc`: Access token for an OpenID Connect client\n";

impl TokenBase {
    /// Returns the JSON schema of the model (draft 2020-12, in Pydantic's style), as Gafaelfawr publishes it.
    ///
    /// The published schema has scopes as a list and times in ISO 8601. [`from_json`](Self::from_json) accepts more
    /// forms, and the field `service`, which came later.
    ///
    /// ```
    /// use scitoken_gafaelfawr::TokenBase;
    ///
    /// assert!(TokenBase::json_schema().contains(r#""maxLength":64"#));
    /// ```
    pub fn json_schema() -> String {
        json!({
            "title": Self::NAME,
            "description": "Base information about a token common to several representations.\n\n\
                This is the information that's common to the Redis and database\n\
                representations of the token.",
            "type": "object",
            "properties": {
                "username": {
                    "description": "User to whom the token was issued",
                    "examples": ["someuser"],
                    "maxLength": LengthLimits::NAME.max,
                    "minLength": LengthLimits::NAME.min,
                    "title": "Username",
                    "type": "string",
                },
                "token_type": {
                    "allOf": [{"$ref": "#/$defs/TokenType"}],
                    "description": TOKEN_TYPES,
                    "examples": [TokenType::Session],
                    "title": "Token type",
                },
                "scopes": {
                    "description": "Scopes of the token",
                    "examples": [["read:all", "user:token"]],
                    "items": {"type": "string"},
                    "title": "Token scopes",
                    "type": "array",
                },
                "created": {
                    "description": "Creation timestamp of the token in seconds since epoch",
                    "examples": [1_614_986_130],
                    "format": "date-time",
                    "title": "Creation time",
                    "type": "string",
                },
                "expires": {
                    "anyOf": [{"format": "date-time", "type": "string"}, {"type": "null"}],
                    "default": null,
                    "description": "Expiration timestamp of the token in seconds since epoch",
                    "examples": [1_616_986_130],
                    "title": "Expiration time",
                },
            },
            "$defs": {
                "TokenType": {
                    "description": "The class of token.",
                    "enum": TokenType::ALL,
                    "title": "TokenType",
                    "type": "string",
                },
            },
            "required": ["username", "token_type", "scopes"],
        })
        .to_string()
    }
}
