//! The JSON schema of [`TokenBase`], as Gafaelfawr's documentation publishes it.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::base::TokenBase;
use super::reader::Model;
use super::rules::Limits;
use super::token_type::TokenType;

/// What a field holds, as far as a schema says it.
enum Shape {
    Text(Limits),
    TokenType,
    ListOfTexts,
    Time,
}

/// Whether a field has to be there.
enum Presence {
    /// It must.
    Required,
    /// It can be absent or null, which is the same.
    OrNull,
    /// It can be absent and is filled in then, with a value that no schema can state.
    FilledIn,
}

struct Property {
    name: &'static str,
    title: &'static str,
    description: String,
    example: Value,
    shape: Shape,
    presence: Presence,
}

impl TokenBase {
    /// The JSON schema of the model (draft 2020-12, in Pydantic's style), as Gafaelfawr publishes it.
    ///
    /// It is the schema of the documentation, which tells scopes as a list and times in ISO 8601. The model takes
    /// more than that, see [`from_json`](Self::from_json), and has a field that came later, `service`.
    ///
    /// ```
    /// use reqwest_scitokens::gafaelfawr::TokenBase;
    ///
    /// assert!(TokenBase::json_schema().contains(r#""maxLength":64"#));
    /// ```
    pub fn json_schema() -> String {
        let properties = properties();
        let required: Vec<_> = properties
            .iter()
            .filter(|property| matches!(property.presence, Presence::Required))
            .map(|property| property.name)
            .collect();
        let described: Map<String, Value> =
            properties.iter().map(|property| (property.name.to_owned(), property.schema())).collect();
        json!({
            "title": Self::NAME,
            "description": "Base information about a token common to several representations.\n\n\
                This is the information that's common to the Redis and database\n\
                representations of the token.",
            "type": "object",
            "properties": described,
            "$defs": {
                "TokenType": {
                    "description": "The class of token.",
                    "enum": TokenType::ALL,
                    "title": "TokenType",
                    "type": "string",
                },
            },
            "required": required,
        })
        .to_string()
    }
}

impl Property {
    fn schema(&self) -> Value {
        let mut schema = match self.presence {
            Presence::OrNull => {
                let value = self.shape.schema();
                Map::from_iter([
                    ("anyOf".to_owned(), json!([value, {"type": "null"}])),
                    ("default".to_owned(), Value::Null),
                ])
            }
            Presence::Required | Presence::FilledIn => self.shape.schema(),
        };
        schema.insert("description".to_owned(), json!(self.description));
        schema.insert("examples".to_owned(), json!([self.example]));
        schema.insert("title".to_owned(), json!(self.title));
        schema.into()
    }
}

impl Shape {
    fn schema(&self) -> Map<String, Value> {
        let schema = match self {
            Self::Text(Limits { min, max: Some(max) }) => {
                json!({"maxLength": max, "minLength": min, "type": "string"})
            }
            Self::Text(Limits { min, max: None }) => json!({"minLength": min, "type": "string"}),
            Self::TokenType => json!({"allOf": [{"$ref": "#/$defs/TokenType"}]}),
            Self::ListOfTexts => json!({"items": {"type": "string"}, "type": "array"}),
            Self::Time => json!({"format": "date-time", "type": "string"}),
        };
        schema.as_object().cloned().unwrap_or_default()
    }
}

fn properties() -> [Property; 5] {
    [
        Property {
            name: "username",
            title: "Username",
            description: "User to whom the token was issued".to_owned(),
            example: json!("someuser"),
            shape: Shape::Text(Limits::NAME),
            presence: Presence::Required,
        },
        Property {
            name: "token_type",
            title: "Token type",
            description: token_types(),
            example: json!(TokenType::Session),
            shape: Shape::TokenType,
            presence: Presence::Required,
        },
        Property {
            name: "scopes",
            title: "Token scopes",
            description: "Scopes of the token".to_owned(),
            example: json!(["read:all", "user:token"]),
            shape: Shape::ListOfTexts,
            presence: Presence::Required,
        },
        Property {
            name: "created",
            title: "Creation time",
            description: "Creation timestamp of the token in seconds since epoch".to_owned(),
            example: json!(1_614_986_130),
            shape: Shape::Time,
            presence: Presence::FilledIn,
        },
        Property {
            name: "expires",
            title: "Expiration time",
            description: "Expiration timestamp of the token in seconds since epoch".to_owned(),
            example: json!(1_616_986_130),
            shape: Shape::Time,
            presence: Presence::OrNull,
        },
    ]
}

/// The list of token types, each with its meaning.
fn token_types() -> String {
    let mut text = "Class of token, chosen from:\n\n".to_owned();
    for kind in TokenType::ALL {
        let meaning = match kind {
            TokenType::Session => "An interactive user web session",
            TokenType::User => "A user-generated token that may be used programmatically",
            TokenType::Notebook => "The token delegated to a Jupyter notebook for the user",
            TokenType::Internal => {
                "A service-to-service token used for internal sub-calls made as part of processing a user request"
            }
            TokenType::Service => {
                "A service-to-service token used for internal calls initiated by services, unrelated to a user request"
            }
            TokenType::Oidc => "Access token for an OpenID Connect client",
        };
        let _ = writeln!(text, "* `{kind}`: {meaning}");
    }
    text
}
