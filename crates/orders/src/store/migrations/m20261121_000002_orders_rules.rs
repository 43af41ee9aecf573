//! What decides prices: shipping methods, tax rates and settings, coupons and their uses.
use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, boolean, json_binary, small_integer, string,
    timestamp_with_time_zone, timestamp_with_time_zone_null, uuid,
};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[allow(elided_lifetimes_in_paths, reason = "the trait's own signature")]
#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let shipping_method = Table::create()
            .table("shipping_method")
            .col(string("code").primary_key())
            .col(string("name"))
            .col(string("kind"))
            .col(string("currency"))
            .col(big_integer("price"))
            .col(big_integer("step_price"))
            .col(big_integer("step_g"))
            .col(big_integer_null("free_above"))
            .col(big_integer_null("max_weight_g"))
            .col(json_binary("countries"))
            .col(boolean("active"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("updated_at"))
            .to_owned();
        manager.create_table(shipping_method).await?;
        let tax_rate = Table::create()
            .table("tax_rate")
            .col(string("country"))
            .col(string("class"))
            .col(big_integer("rate_ppm"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("updated_at"))
            .primary_key(Index::create().col("country").col("class"))
            .to_owned();
        manager.create_table(tax_rate).await?;
        let tax_settings = Table::create()
            .table("tax_settings")
            .col(small_integer("id").primary_key())
            .col(boolean("prices_include_tax"))
            .col(string("default_country"))
            .col(big_integer("version"))
            // moves with every change of methods, rates and settings, so that readers keep them
            .col(big_integer("rules_version"))
            .to_owned();
        manager.create_table(tax_settings).await?;
        let only = Query::insert()
            .into_table("tax_settings")
            .columns(["id", "prices_include_tax", "default_country", "version", "rules_version"])
            .values_panic([1.into(), true.into(), "".into(), 1_i64.into(), 1_i64.into()])
            .to_owned();
        manager.execute(only).await?;
        let coupon = Table::create()
            .table("coupon")
            .col(string("code").primary_key())
            .col(string("kind"))
            .col(big_integer("percent_ppm"))
            .col(big_integer("amount"))
            .col(string("currency"))
            .col(big_integer_null("minimum"))
            .col(timestamp_with_time_zone_null("starts_at"))
            .col(timestamp_with_time_zone_null("ends_at"))
            .col(big_integer_null("total_limit"))
            .col(big_integer_null("customer_limit"))
            .col(boolean("active"))
            .col(big_integer("used"))
            .col(boolean("ever_used"))
            .col(big_integer("version"))
            .col(timestamp_with_time_zone("updated_at"))
            .to_owned();
        manager.create_table(coupon).await?;
        // no foreign key: a coupon that is in use is not deleted by rule, and the order comes later
        let coupon_use = Table::create()
            .table("coupon_use")
            .col(uuid("order_id").primary_key())
            .col(string("code"))
            .col(uuid("user_id"))
            .col(timestamp_with_time_zone("taken_at"))
            .to_owned();
        manager.create_table(coupon_use).await?;
        let by_customer = Index::create()
            .name("coupon_use_customer")
            .table("coupon_use")
            .col("code")
            .col("user_id")
            .to_owned();
        manager.create_index(by_customer).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["coupon_use", "coupon", "tax_settings", "tax_rate", "shipping_method"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
