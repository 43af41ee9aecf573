//! What must always hold between shelves, ledger and reservations.
use sea_orm::{DbErr, FromQueryResult, Statement};
use souk_storage::Database;
use souk_values::ProductId;

/// A product whose figures do not fit together.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Breach {
    pub(crate) id: ProductId,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    /// Sum of its ledger.
    pub(crate) booked: i64,
    /// Sum of its held reservations.
    pub(crate) held: i64,
}

#[derive(FromQueryResult)]
struct Count {
    n: i64,
}

/// Every product, and every product that the ledger or a reservation speaks of without there being
/// one. In one statement: all of it is seen as of one moment.
const BREACHES: &str = "SELECT figures.id, CAST(SUM(on_hand) AS bigint) AS on_hand, \
     CAST(SUM(reserved) AS bigint) AS reserved, CAST(SUM(booked) AS bigint) AS booked, \
     CAST(SUM(held) AS bigint) AS held FROM (\
       SELECT id, on_hand, reserved, 0 AS booked, 0 AS held FROM product \
       UNION ALL SELECT product_id, 0, 0, quantity, 0 FROM stock_ledger \
       UNION ALL SELECT product_id, 0, 0, 0, quantity FROM reservation \
                 WHERE state = 'held' AND NOT digital\
     ) AS figures GROUP BY figures.id \
     HAVING SUM(on_hand) <> SUM(booked) OR SUM(reserved) <> SUM(held) \
       OR SUM(reserved) < 0 OR SUM(reserved) > SUM(on_hand) \
     ORDER BY figures.id LIMIT 1000";

/// Products looked at, and those (at most 1,000) whose figures do not fit together.
pub(crate) async fn check(db: &Database) -> Result<(u64, Vec<Breach>), DbErr> {
    let backend = db.write().get_database_backend();
    let all = Statement::from_string(backend, "SELECT COUNT(*) AS n FROM product");
    let looked_at = Count::find_by_statement(all).one(db.write()).await?;
    let breaches = Breach::find_by_statement(Statement::from_string(backend, BREACHES));
    let breaches = breaches.all(db.write()).await?;
    Ok((looked_at.map_or(0, |count| count.n.unsigned_abs()), breaches))
}

/// What a product's last events must tell.
#[derive(Debug, FromQueryResult)]
pub(crate) struct Versions {
    pub(crate) id: ProductId,
    pub(crate) version: i64,
    pub(crate) updated_at: chrono::DateTime<chrono::Utc>,
}

/// The versions of up to 500 products, in the order of their ids.
pub(crate) async fn versions(
    db: &Database,
    after: Option<ProductId>,
) -> Result<Vec<Versions>, DbErr> {
    let after = after.unwrap_or(ProductId::from_uuid(uuid::Uuid::nil()));
    let sql = "SELECT id, version, updated_at FROM product WHERE id > $1 ORDER BY id LIMIT 500";
    let backend = db.write().get_database_backend();
    let page = Statement::from_sql_and_values(backend, sql, [after.into()]);
    Versions::find_by_statement(page).all(db.write()).await
}
