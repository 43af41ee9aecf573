//! Many counts of one hour or day in one statement, with a flat JSON object as their parameter.
//!
//! The text of such a statement never changes, so it is prepared once, whatever the number of rows.
//! A flat object costs half of what an array of arrays does.
use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DatabaseBackend, DbErr, Statement};
use souk_storage::Tx;

/// An upsert in the dialects of both databases. Of each member of the object, `key` and `value` may
/// be named in expressions.
pub(crate) struct Upsert {
    pub(crate) into: &'static str,
    /// The column of the hour or day.
    pub(crate) at: &'static str,
    /// The expression of the product's 32 hexadecimal digits.
    pub(crate) product_id: Option<&'static str>,
    /// Other columns and their expressions.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    pub(crate) primary_key: &'static str,
    pub(crate) update: &'static str,
}

impl Upsert {
    /// Names must sort like the primary key: two batches at once must not lock rows in different
    /// orders, and neighbors lie together. (PostgreSQL sorts them by length first; so be it.)
    pub(crate) async fn run(
        &self,
        tx: &Tx,
        at: i64,
        rows: &BTreeMap<String, i64>,
    ) -> Result<(), DbErr> {
        if rows.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_string(rows).map_err(|e| DbErr::Json(e.to_string()))?;
        let backend = tx.get_database_backend();
        let sql = self.sql(backend == DatabaseBackend::Postgres);
        let values = [at.into(), json.into()];
        tx.execute_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
        Ok(())
    }

    fn sql(&self, postgres: bool) -> String {
        let Self { into, at, product_id, columns, primary_key, update } = self;
        let mut names = (*at).to_owned();
        let mut values = "$1".to_owned();
        if let Some(hex) = product_id {
            names.push_str(", product_id");
            values.push_str(&if postgres {
                format!(", CAST({hex} AS uuid)")
            } else {
                format!(", unhex({hex})")
            });
        }
        for (name, expression) in *columns {
            names.push_str(&format!(", {name}"));
            values.push_str(&format!(", {expression}"));
        }
        let members = if postgres { "jsonb_each_text(CAST($2 AS jsonb))" } else { "json_each($2)" };
        // SQLite takes ON for a join's without the WHERE
        format!(
            "INSERT INTO {into} ({names}) SELECT {values} FROM {members} WHERE true \
             ON CONFLICT ({primary_key}) DO UPDATE SET {update}"
        )
    }
}
