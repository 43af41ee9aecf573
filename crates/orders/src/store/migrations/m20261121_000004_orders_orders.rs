//! Orders with everything they show, their way through the saga, refunds, answers kept for keys.
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary, binary_null, boolean, integer, json_binary_null, string, text,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [orders(), lines(), history(), sagas(), refunds(), refund_lines(), shipments()]
        {
            manager.create_table(table).await?;
        }
        manager.create_table(answers()).await?;
        index(manager, "orders_number", "orders", &["number"], true).await?;
        // a state of a cart becomes an order only once
        index(manager, "orders_cart_id", "orders", &["cart_id", "cart_version"], true).await?;
        index(manager, "orders_user", "orders", &["user_id", "created_at", "id"], false).await?;
        index(manager, "orders_created", "orders", &["created_at", "id"], false).await?;
        index(manager, "orders_state", "orders", &["state", "created_at", "id"], false).await?;
        index(manager, "orders_review", "orders", &["needs_review", "created_at"], false).await?;
        index(manager, "order_line_product", "order_line", &["product_id", "order_id"], false)
            .await?;
        index(manager, "saga_due", "saga", &["next_at"], false).await?;
        index(manager, "saga_of_order", "saga", &["order_id"], false).await?;
        index(manager, "refund_of_order", "refund", &["order_id", "number"], true).await?;
        index(manager, "kept_answer_order", "kept_answer", &["order_id"], false).await?;
        index(manager, "kept_answer_age", "kept_answer", &["created_at"], false).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            "kept_answer",
            "shipment",
            "refund_line",
            "refund",
            "saga",
            "order_history",
            "order_line",
            "orders",
        ] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

fn orders() -> TableCreateStatement {
    Table::create()
        .table("orders")
        .col(uuid("id").primary_key())
        .col(string("number"))
        .col(uuid("user_id"))
        .col(uuid("cart_id"))
        .col(big_integer("cart_version"))
        .col(string("state"))
        .col(text("reason"))
        .col(string("currency"))
        .col(big_integer("subtotal"))
        .col(big_integer("discount"))
        .col(big_integer("shipping"))
        .col(big_integer("shipping_tax"))
        .col(big_integer("tax"))
        .col(big_integer("total"))
        .col(big_integer("refunded"))
        .col(boolean("prices_include_tax"))
        .col(text("coupon"))
        .col(text("shipping_method"))
        .col(text("shipping_name"))
        .col(json_binary_null("shipping_address"))
        .col(json_binary_null("billing_address"))
        .col(text("note"))
        .col(text("payment_method"))
        .col(boolean("needs_review"))
        .col(text("review_reason"))
        .col(boolean("cancel_requested"))
        .col(text("cancel_reason"))
        .col(text("cancel_actor"))
        .col(big_integer("items_count"))
        .col(text("search_text"))
        .col(big_integer("version"))
        .col(big_integer("steps"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("updated_at"))
        .col(timestamp_with_time_zone_null("confirmed_at"))
        .check(Expr::col("total").gte(0))
        .check(Expr::col("refunded").gte(0))
        .check(Expr::col("refunded").lte(Expr::col("total")))
        .to_owned()
}

fn lines() -> TableCreateStatement {
    Table::create()
        .table("order_line")
        .col(uuid("order_id"))
        .col(integer("position"))
        .col(uuid("product_id"))
        .col(text("sku"))
        .col(text("name"))
        .col(boolean("digital"))
        .col(big_integer("quantity"))
        .col(big_integer("unit_price"))
        .col(big_integer("subtotal"))
        .col(big_integer("discount"))
        .col(big_integer("tax"))
        .col(big_integer("total"))
        .col(big_integer("tax_rate_ppm"))
        .col(big_integer("product_version"))
        .primary_key(Index::create().col("order_id").col("position"))
        .check(Expr::col("quantity").gt(0))
        .to_owned()
}

fn history() -> TableCreateStatement {
    Table::create()
        .table("order_history")
        .col(uuid("order_id"))
        .col(big_integer("seq"))
        .col(timestamp_with_time_zone("at"))
        .col(string("kind"))
        .col(string("from_state"))
        .col(string("to_state"))
        .col(text("actor"))
        .col(text("text"))
        .primary_key(Index::create().col("order_id").col("seq"))
        .to_owned()
}

fn sagas() -> TableCreateStatement {
    Table::create()
        .table("saga")
        // the order's id, or the refund's
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(string("kind"))
        .col(string("state"))
        .col(uuid("owner"))
        .col(timestamp_with_time_zone("lease_until"))
        .col(timestamp_with_time_zone("next_at"))
        .col(integer("attempts"))
        // fences: whoever takes a saga over raises it
        .col(big_integer("version"))
        .col(text("last_error"))
        .col(json_binary_null("undo"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone("progress_at"))
        .to_owned()
}

fn refunds() -> TableCreateStatement {
    Table::create()
        .table("refund")
        .col(uuid("id").primary_key())
        .col(uuid("order_id"))
        .col(integer("number"))
        .col(big_integer("amount"))
        .col(text("reason"))
        .col(string("state"))
        .col(boolean("restock"))
        .col(text("actor"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("done_at"))
        .check(Expr::col("amount").gte(0))
        .to_owned()
}

fn refund_lines() -> TableCreateStatement {
    Table::create()
        .table("refund_line")
        .col(uuid("refund_id"))
        .col(uuid("order_id"))
        .col(uuid("product_id"))
        .col(big_integer("quantity"))
        .primary_key(Index::create().col("refund_id").col("product_id"))
        .to_owned()
}

fn shipments() -> TableCreateStatement {
    Table::create()
        .table("shipment")
        .col(uuid("order_id").primary_key())
        .col(text("carrier"))
        .col(text("tracking_number"))
        .col(text("tracking_url"))
        .col(text("actor"))
        .col(timestamp_with_time_zone("shipped_at"))
        .to_owned()
}

fn answers() -> TableCreateStatement {
    Table::create()
        .table("kept_answer")
        .col(uuid("user_id"))
        .col(text("key"))
        .col(binary("fingerprint"))
        .col(string("state"))
        .col(binary_null("answer"))
        // of answers that the order's saga gives
        .col(uuid_null("order_id"))
        .col(text("trace_id"))
        .col(timestamp_with_time_zone("created_at"))
        .primary_key(Index::create().col("user_id").col("key"))
        .to_owned()
}

async fn index(
    manager: &SchemaManager<'_>,
    name: &'static str,
    table: &'static str,
    columns: &[&'static str],
    unique: bool,
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(name).table(table);
    for column in columns {
        index.col(*column);
    }
    if unique {
        index.unique();
    }
    manager.create_index(index.to_owned()).await
}
