//! Products, their tags, categories, and answers kept for idempotency keys.
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, binary, boolean, json_binary, string, string_null, text,
    timestamp_with_time_zone, uuid,
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
                    .table("category")
                    .col(uuid("id").primary_key())
                    .col(string("path"))
                    .col(string("name"))
                    .col(timestamp_with_time_zone("created_at"))
                    .to_owned(),
            )
            .await?;
        unique(manager, "category_path", "category", "path").await?;
        manager
            .create_table(
                Table::create()
                    .table("product")
                    .col(uuid("id").primary_key())
                    .col(text("sku"))
                    .col(text("slug"))
                    .col(text("name"))
                    .col(text("description"))
                    .col(text("brand"))
                    .col(string_null("category"))
                    .col(json_binary("tags"))
                    .col(string("kind"))
                    .col(string_null("condition"))
                    .col(big_integer("price_minor"))
                    .col(big_integer_null("old_price_minor"))
                    .col(string("currency"))
                    .col(big_integer("on_hand"))
                    .col(big_integer("reserved"))
                    .col(big_integer("stock_seq"))
                    .col(boolean("active"))
                    .col(json_binary("images"))
                    .col(json_binary("attributes"))
                    .col(text("handle"))
                    .col(text("search_text"))
                    .col(big_integer("version"))
                    .col(timestamp_with_time_zone("created_at"))
                    .col(timestamp_with_time_zone("updated_at"))
                    .check(Expr::col("price_minor").gte(0))
                    .check(Expr::col("reserved").gte(0))
                    .check(Expr::col("on_hand").gte(Expr::col("reserved")))
                    .to_owned(),
            )
            .await?;
        unique(manager, "product_sku", "product", "sku").await?;
        unique(manager, "product_slug", "product", "slug").await?;
        for column in ["created_at", "updated_at", "price_minor", "name"] {
            let name = format!("product_active_{column}");
            let mut index = Index::create();
            index.name(name).table("product").col("active").col(column).col("id");
            manager.create_index(index.to_owned()).await?;
        }
        for column in ["category", "brand"] {
            let name = format!("product_{column}");
            let mut index = Index::create();
            index.name(name).table("product").col(column);
            manager.create_index(index.to_owned()).await?;
        }
        manager
            .create_table(
                Table::create()
                    .table("product_tag")
                    .col(uuid("product_id"))
                    .col(string("tag"))
                    .primary_key(Index::create().col("tag").col("product_id"))
                    .foreign_key(
                        ForeignKey::create()
                            .from("product_tag", "product_id")
                            .to("product", "id")
                            .on_delete(ForeignKeyAction::Cascade),
                    )
                    .to_owned(),
            )
            .await?;
        let mut index = Index::create();
        index.name("product_tag_product").table("product_tag").col("product_id");
        manager.create_index(index.to_owned()).await?;
        manager
            .create_table(
                Table::create()
                    .table("kept_answer")
                    .col(string("caller"))
                    .col(string("key"))
                    .col(binary("request_hash"))
                    .col(binary("answer"))
                    .col(timestamp_with_time_zone("created_at"))
                    .primary_key(Index::create().col("caller").col("key"))
                    .to_owned(),
            )
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["kept_answer", "product_tag", "product", "category"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}

async fn unique(
    manager: &SchemaManager<'_>,
    name: &'static str,
    table: &'static str,
    column: &'static str,
) -> Result<(), DbErr> {
    let mut index = Index::create();
    index.name(name).table(table).col(column).unique();
    manager.create_index(index.to_owned()).await
}
