//! Products are known by the newest event heard.
use souk_analytics::ProductListener;
use souk_events::{Envelope, HandleError, registry};
use souk_proto::analytics::v1::GetTotalsRequest;
use souk_proto::events::v1::{ProductChanged, ProductState, StockMoved};
use souk_testkit::on_both;
use souk_values::ProductId;

use crate::stage::{DAY, Stage};

async fn name(stage: &Stage, product: ProductId) -> (String, String) {
    let top = stage.top(100, (0, 0)).await;
    let found = top.into_iter().find(|t| t.product_id == product.to_string()).unwrap();
    (found.sku, found.name)
}

fn named(name: &str) -> (String, String) {
    (format!("sku of {name}"), name.to_owned())
}

const STOCK: &str = "SELECT stock FROM product_seen";

on_both! {
    async fn only_what_is_newer_replaces_what_is_known(stage: Stage) {
        let product = ProductId::new();
        stage.see(&[(product, "a", stage.now())]).await;
        assert_eq!(name(&stage, product).await, (String::new(), String::new()));

        stage.hear(&[stage.changed(product, 2, "two")]).await;
        assert_eq!(name(&stage, product).await, named("two"));
        stage.hear(&[stage.changed(product, 1, "one")]).await;
        stage.hear(&[stage.changed(product, 2, "other two")]).await;
        assert_eq!(name(&stage, product).await, named("two"));
        // in one batch, in any order
        stage.hear(&[stage.changed(product, 5, "five"), stage.changed(product, 4, "four")]).await;
        assert_eq!(name(&stage, product).await, named("five"));
        // a catalogue restored from a backup counts its versions again
        let restored = Envelope { epoch: 2, ..stage.changed(product, 3, "restored") };
        stage.hear(&[restored]).await;
        assert_eq!(name(&stage, product).await, named("restored"));
        stage.hear(&[stage.changed(product, 9, "of the lost time")]).await;
        assert_eq!(name(&stage, product).await, named("restored"));
    }

    async fn stock_follows_its_own_sequence(stage: Stage) {
        let product = ProductId::new();
        stage.hear(&[stage.moved(product, 3, 7)]).await;
        assert_eq!(stage.number(STOCK).await, 7);
        stage.hear(&[stage.moved(product, 2, 8)]).await;
        assert_eq!(stage.number(STOCK).await, 7);
        stage.hear(&[stage.moved(product, 5, 5), stage.moved(product, 4, 6)]).await;
        assert_eq!(stage.number(STOCK).await, 5);
        // the first real news of the product names it; its count stands in the change
        stage.hear(&[stage.changed(product, 1, "chair")]).await;
        assert_eq!(stage.number(STOCK).await, 10);
        stage.see(&[(product, "a", stage.now())]).await;
        assert_eq!(name(&stage, product).await, named("chair"));
        stage.hear(&[stage.moved(product, 6, 9)]).await;
        assert_eq!(stage.number(STOCK).await, 9);
        assert_eq!(name(&stage, product).await, named("chair"));
    }

    async fn changes_are_counted_by_the_day_of_their_event_and_stock_is_none(stage: Stage) {
        let product = ProductId::new();
        let yesterday =
            |event: Envelope| Envelope { time: event.time - chrono::Duration::days(1), ..event };
        stage
            .hear(&[
                yesterday(stage.changed(product, 1, "a")),
                stage.changed(product, 2, "b"),
                stage.moved(product, 1, 3),
            ])
            .await;
        stage.hear(&[stage.changed(product, 3, "c")]).await;
        let totals = stage.client().get_totals(GetTotalsRequest::default()).await.unwrap();
        assert_eq!(totals.into_inner().product_changes, 3);
        let today =
            format!("SELECT changes FROM product_change_day WHERE day = {}", stage.today() / DAY);
        assert_eq!(stage.number(&today).await, 2);
    }

    async fn what_is_no_product_event_is_poison(stage: Stage) {
        let id = ProductId::new().to_string();
        let state = Some(ProductState::default());
        let no_state = ProductChanged { product_id: id.clone(), ..Default::default() };
        let bad_id =
            ProductChanged { product_id: "x".into(), state: state.clone(), ..no_state.clone() };
        let vast = ProductChanged { version: u64::MAX, state, ..no_state.clone() };
        let bad_stock = StockMoved { product_id: "x".into(), ..Default::default() };
        let known = ProductId::new();
        let stranger = Envelope {
            event_type: "souk.catalog.product.sold.v1".into(),
            ..stage.changed(known, 1, "a")
        };
        for event in [
            stage.envelope(registry::PRODUCT_CREATED, &no_state),
            stage.envelope(registry::PRODUCT_DELETED, &bad_id),
            stage.envelope(registry::PRODUCT_RESTORED, &vast),
            stage.envelope(registry::STOCK_MOVED, &bad_stock),
            Envelope { payload: vec![0xff].into(), ..stage.changed(known, 1, "a") },
            stranger,
        ] {
            let event_type = event.event_type.clone();
            let told = stage.tell(&ProductListener, &[event]).await;
            assert!(matches!(told, Err(HandleError::Poisoned(_))), "{event_type}: {told:?}");
        }
        assert_eq!(stage.number("SELECT COUNT(*) FROM product_seen").await, 0);
    }
}
