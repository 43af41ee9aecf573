//! What the catalogue tells of a change.

use souk_proto::catalog::v1::product_service_client::ProductServiceClient;
use souk_proto::catalog::v1::{OptionalText, ProductFields, UpdateProductRequest};
use souk_proto::events::v1::FieldChange;

use crate::shop::{Shop, answer_as, eventually, named};

crate::on_both! {
    a_new_product_is_told_with_all_that_is_set
    a_change_is_told_with_old_and_new_values_the_actor_and_the_version
    hiding_and_showing_have_kinds_of_their_own
    long_texts_are_cut_in_events
    every_event_is_sent
}

fn change(field: &str, old: &str, new: &str) -> FieldChange {
    FieldChange { field: field.into(), old_value: old.into(), new_value: new.into() }
}

async fn a_new_product_is_told_with_all_that_is_set(shop: &Shop) {
    let made = shop.create(ProductFields { stock: Some(3), ..named("A", "2.50") }).await.unwrap();
    let (envelope, told) = shop.events().await.pop().unwrap();
    assert_eq!(envelope.event_type, "souk.catalog.product.created.v1");
    assert_eq!(envelope.subject, format!("product/{}", made.id));
    assert_eq!((told.product_id.as_str(), told.version), (made.id.as_str(), 1));
    assert_eq!((told.kind.as_str(), told.actor_id.as_str()), ("created", "operator"));
    assert_eq!((told.batch_id.as_str(), told.quiet), ("", false));
    assert_eq!(
        told.changes,
        [
            change("sku", "", "A"),
            change("name", "", "Product A"),
            change("price", "", "2.50 GBP"),
            change("stock", "", "3"),
            change("active", "", "true"),
            change("kind", "", "physical"),
            change("slug", "", "product-a"),
        ]
    );
    let state = told.state.unwrap();
    assert_eq!((state.sku, state.slug, state.active), (made.sku, made.slug, true));
    assert_eq!((state.price, state.stock), (made.price, Some(3)));
}

async fn a_change_is_told_with_old_and_new_values_the_actor_and_the_version(shop: &Shop) {
    let made = shop.product("A", "2.50").await;
    let (token, user) = shop.token(&["products.write"]);
    let fields = ProductFields {
        price: Some("1.99".into()),
        old_price: Some(OptionalText { text: Some("2.50".into()) }),
        slug: Some("a-new-slug".into()),
        ..Default::default()
    };
    let request =
        UpdateProductRequest { key: "A".into(), fields: Some(fields), ..Default::default() };
    let mut client = ProductServiceClient::new(shop.neighbor("gateway"));
    let changed = answer_as(&token, client.update_product(request)).await.unwrap();
    let (envelope, told) = shop.events().await.pop().unwrap();
    assert_eq!(envelope.event_type, "souk.catalog.product.changed.v1");
    assert_eq!((told.kind.as_str(), told.version), ("changed", 2));
    assert_eq!((told.actor_id, told.product_id), (user, made.id));
    assert_eq!(
        told.changes,
        [
            change("price", "2.50 GBP", "1.99 GBP"),
            change("old_price", "", "2.50 GBP"),
            change("slug", "product-a", "a-new-slug"),
        ]
    );
    let state = told.state.unwrap();
    assert_eq!((state.slug.as_str(), state.old_slug.as_str()), ("a-new-slug", "product-a"));
    assert_eq!(state.price, changed.price);
}

async fn hiding_and_showing_have_kinds_of_their_own(shop: &Shop) {
    shop.product("A", "1").await;
    shop.delete("A").await.unwrap();
    shop.restore("A").await.unwrap();
    let hide = ProductFields { active: Some(false), ..Default::default() };
    shop.update("A", hide).await.unwrap();
    let told: Vec<(String, u64, String)> = shop
        .events()
        .await
        .into_iter()
        .map(|(e, told)| (told.kind, told.version, e.event_type.to_string()))
        .collect();
    let expected = ["created", "deleted", "restored", "deleted"].iter().zip(1..);
    let expected = expected
        .map(|(kind, n)| ((*kind).to_owned(), n, format!("souk.catalog.product.{kind}.v1")));
    assert_eq!(told, expected.collect::<Vec<_>>());
    let (_, told) = shop.events().await.pop().unwrap();
    assert_eq!(told.changes, [change("active", "true", "false")]);
}

async fn long_texts_are_cut_in_events(shop: &Shop) {
    let description = "手".repeat(600);
    let fields = ProductFields { description: Some(description.clone()), ..named("A", "1") };
    assert_eq!(shop.create(fields).await.unwrap().description, description);
    let (_, told) = shop.events().await.pop().unwrap();
    let printed = told.changes.iter().find(|c| c.field == "description").unwrap();
    assert_eq!(printed.new_value, format!("{}…", "手".repeat(500)));
}

async fn every_event_is_sent(shop: &Shop) {
    for n in 0..5 {
        shop.product(&format!("A{n}"), "1").await;
    }
    let page = souk_values::Page::new(100, "").unwrap();
    eventually("all events sent", || async {
        let (rows, _) = souk_events::outbox::list(&shop.db(), &page, None).await.unwrap();
        rows.iter().all(|row| row.sent_at.is_some()).then_some(())
    })
    .await;
}
