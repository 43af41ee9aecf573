//! Everything that lies in the database, as text: to look for what must not be there.

use sea_orm::{ConnectionTrait, Statement};

use crate::house::House;

impl House {
    /// Every value of every table in lower case, one on a line; bytes as hexadecimal digits.
    pub(crate) async fn everything(&self) -> String {
        let mut lines = Vec::new();
        for table in self.first_column(tables(self)).await {
            lines.extend(self.first_column(&rows(self, &table).await).await);
        }
        lines.join("\n").to_lowercase()
    }

    /// The first column of a query, as text; what is null is left out.
    async fn first_column(&self, sql: &str) -> Vec<String> {
        let db = self.db.write();
        let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
        let text = |row: sea_orm::QueryResult| row.try_get_by_index::<Option<String>>(0).unwrap();
        rows.unwrap().into_iter().filter_map(text).collect()
    }
}

fn tables(house: &House) -> &'static str {
    if house.db.is_postgres() {
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    }
}

async fn rows(house: &House, table: &str) -> String {
    if house.db.is_postgres() {
        // bytea as \x…
        return format!("SELECT row_to_json(t)::text FROM \"{table}\" t");
    }
    let columns = format!("SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}')");
    let columns = house.first_column(&columns).await;
    format!("SELECT {} FROM \"{table}\"", columns.join(" || ' ' || "))
}

#[tokio::test]
async fn everything_is_everything() {
    for house in [House::sqlite().await, House::postgres().await] {
        house.person("ann").await;
        let everything = house.everything().await;
        for kept in ["ann@shop.example", "$argon2id$", "catalog_admin", "souk.accounts.user"] {
            assert!(everything.contains(kept), "{kept}");
        }
        // the event's payload is bytes: the id of its user in hexadecimal digits
        let hex: String = "usr_".bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(everything.contains(&hex));
        house.demolish().await;
    }
}
