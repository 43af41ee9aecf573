//! Making, reading, changing, hiding and restoring products.

use std::collections::HashMap;

use souk_proto::catalog::v1::{OptionalText, ProductFields, ProductKind, StringList, StringMap};
use souk_rpc::Kind;

use crate::shop::{Shop, broken_fields, named, refusal};

crate::on_both! {
    a_product_keeps_everything_it_was_given
    a_product_needs_a_name_and_a_price_and_the_rest_has_defaults
    a_product_is_found_by_id_sku_and_slug
    every_broken_field_is_named_at_once
    skus_and_slugs_are_unique
    a_slug_made_of_a_name_gives_way_to_one_that_is_there
    an_update_changes_what_it_says_and_no_more
    an_update_that_changes_nothing_is_no_new_version
    a_stale_version_is_refused_and_says_the_current_one
    the_sku_stays
    a_price_without_a_currency_is_in_the_products_own
    a_deleted_product_is_hidden_until_it_is_restored
    of_thirty_writers_with_one_version_one_wins
}

pub(crate) fn everything() -> ProductFields {
    let list =
        |values: &[&str]| StringList { values: values.iter().map(|v| (*v).into()).collect() };
    ProductFields {
        sku: Some("NOVA-7/128 \"blue\"".into()),
        slug: Some("nova-7-手机".into()),
        name: Some("Nova 7 ☎ 手机".into()),
        description: Some("Two\nlines, 100% _good_".into()),
        brand: Some("Orion".into()),
        category: Some("phones/refurbished".into()),
        tags: Some(list(&["5g", " Bestseller ", "5g"])),
        kind: Some(ProductKind::Physical.into()),
        condition: Some("like_new".into()),
        price: Some("279.90".into()),
        old_price: Some(OptionalText { text: Some("349".into()) }),
        stock: Some(14),
        active: Some(true),
        images: Some(list(&["https://x.example/1.png", "/api/images/2.png"])),
        attributes: Some(StringMap {
            values: HashMap::from([("Colour".into(), "blue".into()), ("RAM".into(), "8".into())]),
        }),
        handle: Some("nova".into()),
        currency: Some("EUR".into()),
    }
}

async fn a_product_keeps_everything_it_was_given(shop: &Shop) {
    shop.category("phones").await.unwrap();
    shop.category("phones/refurbished").await.unwrap();
    let made = shop.create(everything()).await.unwrap();
    assert!(made.id.starts_with("prd_"));
    assert_eq!((made.sku.as_str(), made.slug.as_str()), ("NOVA-7/128 \"blue\"", "nova-7-手机"));
    assert_eq!((made.name.as_str(), made.brand.as_str()), ("Nova 7 ☎ 手机", "Orion"));
    assert_eq!(made.description, "Two\nlines, 100% _good_");
    assert_eq!(made.category, "phones/refurbished");
    assert_eq!(made.tags, ["5g", "Bestseller"]);
    assert_eq!((made.kind(), made.condition.as_str()), (ProductKind::Physical, "like_new"));
    let price = made.price.clone().unwrap();
    assert_eq!((price.minor, price.currency.as_str()), (27_990, "EUR"));
    assert_eq!((made.old_price_minor, made.stock, made.active), (Some(34_900), Some(14), true));
    assert_eq!(made.images, ["https://x.example/1.png", "/api/images/2.png"]);
    assert_eq!(made.attributes["Colour"], "blue");
    assert_eq!(made.attributes.len(), 2);
    assert_eq!((made.handle.as_str(), made.version), ("nova", 1));
    assert_eq!((made.created_at_us, made.updated_at_us), (shop.clock.now_us(), made.created_at_us));
    assert_eq!(shop.get(&made.id).await.unwrap(), made);
}

async fn a_product_needs_a_name_and_a_price_and_the_rest_has_defaults(shop: &Shop) {
    assert_eq!(broken_fields(shop.create(ProductFields::default()).await), ["name", "price"]);
    let fields = ProductFields { sku: None, ..named("x", "9.5") };
    let made = shop.create(fields).await.unwrap();
    assert_eq!((made.sku.as_str(), made.slug.as_str()), (made.id.as_str(), "product-x"));
    let price = made.price.unwrap();
    assert_eq!((price.minor, price.currency.as_str()), (950, "GBP"));
    assert_eq!((made.stock, made.active, made.old_price_minor), (Some(0), true, None));
    assert_eq!(ProductKind::try_from(made.kind), Ok(ProductKind::Physical));
    assert_eq!((made.category.as_str(), made.condition.as_str()), ("", ""));
    assert!(made.tags.is_empty() && made.images.is_empty() && made.attributes.is_empty());

    let kind = Some(ProductKind::Digital.into());
    let digital = ProductFields { kind, stock: Some(5), ..named("e-book", "1") };
    assert_eq!(shop.create(digital).await.unwrap().stock, None);
}

async fn a_product_is_found_by_id_sku_and_slug(shop: &Shop) {
    let odd = "A/B 50%_off \"ü\" 手机";
    let made = shop.product(odd, "1").await;
    for key in [made.id.as_str(), odd, made.slug.as_str()] {
        assert_eq!(shop.get(key).await.unwrap().id, made.id, "{key}");
    }
    for key in ["", "a/b", "A/B 50%_OFF \"ü\" 手机", "prd_0", "nul\0", "A/B 50%%"] {
        let unknown = (Kind::NotFound, "product_not_found".to_owned());
        assert_eq!(refusal(shop.get(key).await), unknown, "{key:?}");
    }
}

async fn every_broken_field_is_named_at_once(shop: &Shop) {
    let list = |value: &str| Some(StringList { values: vec![value.to_owned()] });
    let fields = ProductFields {
        sku: Some(" ".into()),
        slug: Some("A B".into()),
        name: Some("".into()),
        description: Some("\0".into()),
        brand: Some("two\nlines".into()),
        category: Some("No Slug".into()),
        tags: list(""),
        kind: Some(9),
        condition: Some("broken".into()),
        price: Some("1e3".into()),
        old_price: Some(OptionalText { text: Some("-1".into()) }),
        stock: Some(-1),
        active: None,
        images: list("javascript:alert(1)"),
        attributes: Some(StringMap { values: HashMap::from([(" ".into(), "x".into())]) }),
        handle: Some("a\nb".into()),
        currency: Some("EURO".into()),
    };
    let mut named = broken_fields(shop.create(fields).await);
    named.sort();
    assert_eq!(
        named,
        [
            "attributes",
            "brand",
            "category",
            "condition",
            "currency",
            "description",
            "handle",
            "images",
            "kind",
            "name",
            "old_price",
            "price",
            "sku",
            "slug",
            "stock",
            "tags"
        ]
    );
    let half =
        ProductFields { stock: Some(-1), category: Some("nowhere".into()), ..Default::default() };
    assert_eq!(broken_fields(shop.create(half).await), ["stock", "name", "price", "category"]);
    assert!(shop.events().await.is_empty());
}

async fn skus_and_slugs_are_unique(shop: &Shop) {
    let first = shop.product("A", "1").await;
    assert_eq!(
        refusal(shop.create(named("A", "2")).await),
        (Kind::Conflict, "sku_taken".to_owned())
    );
    let slug = ProductFields { slug: Some(first.slug.clone()), ..named("B", "1") };
    assert_eq!(refusal(shop.create(slug).await), (Kind::Conflict, "slug_taken".to_owned()));
    let second = shop.product("B", "1").await;
    let slug = ProductFields { slug: Some(first.slug), ..Default::default() };
    assert_eq!(refusal(shop.update("B", slug).await).1, "slug_taken");
    assert_eq!(shop.get("B").await.unwrap(), second);
    assert_eq!(shop.events().await.len(), 2);
    // a hidden product keeps its SKU
    shop.delete("A").await.unwrap();
    assert_eq!(refusal(shop.create(named("A", "2")).await).1, "sku_taken");
    // another spelling is another SKU
    assert_eq!(shop.product("a", "1").await.sku, "a");
}

async fn a_slug_made_of_a_name_gives_way_to_one_that_is_there(shop: &Shop) {
    let same = |sku: &str| ProductFields { name: Some("Café!".into()), ..named(sku, "1") };
    assert_eq!(shop.create(same("1")).await.unwrap().slug, "cafe");
    let second = shop.create(same("2")).await.unwrap().slug;
    assert!(second.starts_with("cafe-") && second.len() == "cafe-".len() + 10, "{second}");
    assert_eq!(shop.get(&second).await.unwrap().sku, "2");
}

async fn an_update_changes_what_it_says_and_no_more(shop: &Shop) {
    shop.category("phones").await.unwrap();
    shop.category("phones/refurbished").await.unwrap();
    let before = shop.create(everything()).await.unwrap();
    shop.clock.advance(chrono::TimeDelta::seconds(60));
    let wish = ProductFields {
        price: Some("249.00".into()),
        old_price: Some(OptionalText { text: None }),
        category: Some(String::new()),
        stock: Some(3),
        ..Default::default()
    };
    let after = shop.update(&before.sku, wish).await.unwrap();
    let mut expected = before.clone();
    expected.price.as_mut().unwrap().minor = 24_900;
    expected.old_price_minor = None;
    expected.category = String::new();
    expected.stock = Some(3);
    expected.stock_seq += 1;
    expected.version = 2;
    expected.updated_at_us += 60_000_000;
    assert_eq!(after, expected);
    assert_eq!(shop.get(&before.slug).await.unwrap(), expected);
    let missing = ProductFields { category: Some("nowhere".into()), ..Default::default() };
    assert_eq!(broken_fields(shop.update(&before.id, missing).await), ["category"]);
    let nobody = shop.update("nobody", ProductFields::default()).await;
    assert_eq!(refusal(nobody), (Kind::NotFound, "product_not_found".to_owned()));
}

async fn an_update_that_changes_nothing_is_no_new_version(shop: &Shop) {
    let before = shop.product("A", "2.50").await;
    shop.clock.advance(chrono::TimeDelta::seconds(60));
    let same = ProductFields { price: Some("2.5".into()), stock: Some(0), ..named("A", "2.5") };
    assert_eq!(shop.update("A", same).await.unwrap(), before);
    assert_eq!(shop.update("A", ProductFields::default()).await.unwrap(), before);
    assert_eq!(shop.events().await.len(), 1);
}

async fn a_stale_version_is_refused_and_says_the_current_one(shop: &Shop) {
    shop.product("A", "1").await;
    let price = |text: &str| ProductFields { price: Some(text.into()), ..Default::default() };
    assert_eq!(shop.update_at("A", Some(1), price("2")).await.unwrap().version, 2);
    for version in [0, 1, 3, u64::MAX] {
        let failure = shop.update_at("A", Some(version), price("3")).await.unwrap_err();
        assert_eq!((failure.kind, failure.reason.as_str()), (Kind::Stale, "stale_version"));
        assert_eq!(failure.metadata["current_version"], "2");
    }
    assert_eq!(shop.get("A").await.unwrap().version, 2);
    assert_eq!(shop.events().await.len(), 2);
}

async fn the_sku_stays(shop: &Shop) {
    let made = shop.product("A", "1").await;
    let other = ProductFields { sku: Some("B".into()), ..Default::default() };
    assert_eq!(broken_fields(shop.update(&made.id, other).await), ["sku"]);
    // whoever sends back what they read sends the SKU too, under whatever key
    let same = ProductFields { price: Some("2".into()), ..named("A", "2") };
    assert_eq!(shop.update(&made.id, same).await.unwrap().version, 2);
}

async fn a_price_without_a_currency_is_in_the_products_own(shop: &Shop) {
    let fields = ProductFields { currency: Some("JPY".into()), ..named("A", "1500") };
    shop.create(fields).await.unwrap();
    let price = |text: &str| ProductFields { price: Some(text.into()), ..Default::default() };
    let after = shop.update("A", price("1600")).await.unwrap().price.unwrap();
    assert_eq!((after.minor, after.currency.as_str()), (1600, "JPY"));
    assert_eq!(broken_fields(shop.update("A", price("1.5")).await), ["price"]);
    let alone = ProductFields { currency: Some("EUR".into()), ..Default::default() };
    assert_eq!(broken_fields(shop.update("A", alone).await), ["price"]);
    let both = ProductFields { currency: Some("EUR".into()), ..price("1.5") };
    let after = shop.update("A", both).await.unwrap().price.unwrap();
    assert_eq!((after.minor, after.currency.as_str()), (150, "EUR"));
}

async fn a_deleted_product_is_hidden_until_it_is_restored(shop: &Shop) {
    let made = shop.product("A", "1").await;
    let gone = shop.delete("A").await.unwrap();
    assert_eq!((gone.active, gone.version), (false, 2));
    let unknown = (Kind::NotFound, "product_not_found".to_owned());
    assert_eq!(refusal(shop.get("A").await), unknown);
    assert_eq!(refusal(shop.delete("A").await), unknown);
    assert_eq!(refusal(shop.restore("B").await), unknown);
    let back = shop.restore(&made.slug).await.unwrap();
    assert_eq!((back.active, back.version), (true, 3));
    assert_eq!(shop.restore("A").await.unwrap(), back);
    assert_eq!(shop.get("A").await.unwrap(), back);
    assert_eq!(shop.events().await.len(), 3);
}

async fn of_thirty_writers_with_one_version_one_wins(shop: &Shop) {
    shop.product("A", "1").await;
    let writes = (0..30).map(|n| {
        let fields = ProductFields { price: Some(format!("{n}.10")), ..Default::default() };
        shop.update_at("A", Some(1), fields)
    });
    let outcomes = futures::future::join_all(writes).await;
    let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((won.len(), lost.len()), (1, 29));
    for refused in lost {
        assert_eq!(refusal(refused), (Kind::Stale, "stale_version".to_owned()));
    }
    let won = won.into_iter().next().unwrap().unwrap();
    assert_eq!(shop.get("A").await.unwrap(), won);
    assert_eq!((won.version, shop.events().await.len()), (2, 2));
}
