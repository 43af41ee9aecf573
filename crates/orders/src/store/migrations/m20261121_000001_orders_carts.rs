//! Tables of carts.
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary_null, boolean, string, text, timestamp_with_time_zone,
    uuid, uuid_null,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager
            .create_table(
                Table::create()
                    .table("cart")
                    .col(uuid("id").primary_key())
                    .col(uuid_null("user_id"))
                    .col(binary_null("secret_hash"))
                    .col(big_integer("version"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("touched_at"))
                    // a user's or a guest's, never both
                    .check(Expr::col("user_id").is_null().ne(Expr::col("secret_hash").is_null()))
                    .to_owned(),
            )
            .await?;
        // NULLs are no duplicates: guests' carts have no user
        for column in ["user_id", "secret_hash"] {
            let mut index = Index::create();
            index.name(format!("cart_{column}")).table("cart").col(column).unique();
            manager.create_index(index.to_owned()).await?;
        }
        let mut index = Index::create();
        index.name("cart_touched_at").table("cart").col("touched_at");
        manager.create_index(index.to_owned()).await?;
        manager
            .create_table(
                Table::create()
                    .table("cart_line")
                    .col(uuid("cart_id"))
                    .col(uuid("product_id"))
                    .col(big_integer("quantity"))
                    .col(big_integer("seen_price"))
                    .col(string("seen_currency"))
                    .col(big_integer("seen_version"))
                    .col(boolean("gone"))
                    .col(big_integer_null("short_at"))
                    .col(text("sku"))
                    .col(text("slug"))
                    .col(text("name"))
                    .col(text("image"))
                    .col(string("kind"))
                    .col(big_integer("position"))
                    .primary_key(Index::create().col("cart_id").col("product_id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("cart_line", "cart_id")
                            .to("cart", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .check(Expr::col("quantity").gt(0))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["cart_line", "cart"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
