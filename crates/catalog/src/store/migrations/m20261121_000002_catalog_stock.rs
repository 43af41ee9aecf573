//! The stock ledger, reservations, and what was told of low stock. What lies on the shelves becomes
//! the ledger's first rows.
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, boolean, string, text, timestamp_with_time_zone, uuid, uuid_null,
};
use sea_orm_migration::sea_orm::{FromQueryResult, Statement, prelude::DateTimeUtc};
use souk_values::{MovementId, ProductId};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Products of one turn of the back-fill.
const AT_ONCE: i64 = 1_000;

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite adds one column at a time
        for column in [
            boolean("low_told").default(false).to_owned(),
            big_integer("low_seq").default(0).to_owned(),
        ] {
            let mut table = Table::alter();
            manager.alter_table(table.table("product").add_column(column).to_owned()).await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("stock_ledger")
                    .col(uuid("id").primary_key())
                    .col(uuid("product_id"))
                    .col(string("kind"))
                    .col(big_integer("quantity"))
                    .col(big_integer("on_hand_after"))
                    .col(text("reason"))
                    .col(uuid_null("order_id"))
                    .col(text("return_id"))
                    .col(text("actor"))
                    .col(timestamp_with_time_zone("at"))
                    .check(Expr::col("on_hand_after").gte(0))
                    .to_owned(),
            )
            .await?;
        let mut index = Index::create();
        index.name("stock_ledger_product").table("stock_ledger").col("product_id").col("id");
        manager.create_index(index.to_owned()).await?;
        // one sale of a product in an order, and one return of it for each return; rows of no order
        // are all different
        let mut index = Index::create();
        index.name("stock_ledger_order").table("stock_ledger").unique();
        for column in ["order_id", "product_id", "kind", "return_id"] {
            index.col(column);
        }
        manager.create_index(index.to_owned()).await?;
        manager
            .create_table(
                Table::create()
                    .table("reservation")
                    .col(uuid("order_id"))
                    .col(uuid("product_id"))
                    .col(big_integer("quantity"))
                    .col(boolean("digital"))
                    .col(string("state"))
                    .col(timestamp_with_time_zone("expires_at"))
                    .col(timestamp_with_time_zone("changed_at"))
                    .primary_key(Index::create().col("order_id").col("product_id"))
                    .check(Expr::col("quantity").gte(0))
                    .to_owned(),
            )
            .await?;
        // held ones are few among all that ever were
        manager
            .get_connection()
            .execute_unprepared(
                "CREATE INDEX reservation_held ON reservation (expires_at) WHERE state = 'held'",
            )
            .await?;
        open_the_ledger(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["reservation", "stock_ledger"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        for column in ["low_seq", "low_told"] {
            let mut table = Table::alter();
            manager.alter_table(table.table("product").drop_column(column).to_owned()).await?;
        }
        Ok(())
    }
}

#[derive(FromQueryResult)]
struct Shelf {
    id: ProductId,
    on_hand: i64,
    updated_at: DateTimeUtc,
}

/// One `initial` row for each product that has something on its shelf.
async fn open_the_ledger(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let sql = "SELECT id, on_hand, updated_at FROM product \
               WHERE on_hand > 0 AND id > $1 ORDER BY id LIMIT $2";
    let mut after = ProductId::from_uuid(uuid::Uuid::nil());
    loop {
        let values = [after.into(), AT_ONCE.into()];
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
        let shelves = Shelf::find_by_statement(statement).all(db).await?;
        let Some(last) = shelves.last() else { return Ok(()) };
        after = last.id;
        let mut rows = Query::insert();
        rows.into_table("stock_ledger").columns([
            "id",
            "product_id",
            "kind",
            "quantity",
            "on_hand_after",
            "reason",
            "return_id",
            "actor",
            "at",
        ]);
        for shelf in &shelves {
            rows.values([
                Expr::value(MovementId::new()),
                Expr::value(shelf.id),
                Expr::value("initial"),
                Expr::value(shelf.on_hand),
                Expr::value(shelf.on_hand),
                Expr::value("on the shelf when the ledger began"),
                Expr::value(""),
                Expr::value("catalog"),
                Expr::value(shelf.updated_at),
            ])
            .map_err(|e| DbErr::Custom(e.to_string()))?;
        }
        db.execute(&rows).await?;
    }
}
