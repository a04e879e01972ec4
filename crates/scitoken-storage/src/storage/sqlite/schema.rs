//! The tables of the SDK's databases.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

/// The kind of a database.
pub(super) enum Schema {
    /// It has no tables.
    Empty,
    /// It has the tables of schema 1 or 2.
    Known,
    /// It has other tables.
    Foreign,
    /// It has a newer schema.
    Unknown(String),
}

/// Reads the kind of a database.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Schema> {
    let tables = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table'")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    if tables.is_empty() {
        return Ok(Schema::Empty);
    }
    let has = |name: &str| tables.iter().any(|table| table == name);
    if !has("token_storage") {
        return Ok(Schema::Foreign);
    }
    if !has("sdk_storage_adapter_internal") {
        return Ok(Schema::Known);
    }
    let version: Option<String> = connection
        .query_row(
            "SELECT CAST(value AS TEXT) FROM sdk_storage_adapter_internal \
             WHERE attribute = 'globus-sdk.database_schema_version'",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(match version {
        Some(version) if version != "1" && version != "2" => {
            Schema::Unknown(scitoken_types::redact::text(&version))
        }
        _ => Schema::Known,
    })
}

/// Creates the tables of schema 2, unless another process has done so.
pub(super) fn create_tables(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS token_storage (
    namespace VARCHAR NOT NULL,
    resource_server VARCHAR NOT NULL,
    token_data_json VARCHAR NOT NULL,
    PRIMARY KEY (namespace, resource_server)
);
CREATE TABLE IF NOT EXISTS sdk_storage_adapter_internal (
    attribute VARCHAR NOT NULL,
    value VARCHAR NOT NULL,
    PRIMARY KEY (attribute)
);",
    )?;
    let mut insert = transaction
        .prepare("INSERT OR IGNORE INTO sdk_storage_adapter_internal(attribute, value) VALUES(?, ?)")?;
    insert.execute(["globus-sdk.version", super::super::json::SDK_VERSION])?;
    insert.execute(["globus-sdk.database_schema_version", "2"])?;
    drop(insert);
    transaction.commit()
}
