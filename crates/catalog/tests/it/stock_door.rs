//! Who may look at stock, and who may move it.

use souk_proto::catalog::v1::stock_service_client::StockServiceClient;
use souk_proto::catalog::v1::{
    CommitRequest, GetOrderStockRequest, GetStockRequest, ListMovementsRequest, MoveStockRequest,
    ReleaseRequest, ReserveRequest, ReturnToStockRequest,
};
use souk_rpc::Kind;
use souk_values::OrderId;

use crate::shop::{Shop, answer, answer_as, refusal};
use crate::stock::line;

crate::on_both! {
    only_orders_reserve_and_sell
    looking_and_moving_are_permissions_of_their_own
}

async fn only_orders_reserve_and_sell(shop: &Shop) {
    let a = shop.shelf("A", 5).await;
    let (admin, _) = shop.token(&["stock.read", "stock.write", "products.write"]);
    let order_id = OrderId::new().to_string();
    let lines = vec![line(&a, 1)];
    for from in ["gateway", "notifier", "analytics"] {
        let client = StockServiceClient::new(shop.neighbor(from));
        let reserve = ReserveRequest { order_id: order_id.clone(), lines: lines.clone(), ttl_s: 0 };
        let back = ReturnToStockRequest {
            order_id: order_id.clone(),
            return_id: "1".into(),
            lines: lines.clone(),
        };
        let (commit, release) = (
            CommitRequest { order_id: order_id.clone() },
            ReleaseRequest { order_id: order_id.clone() },
        );
        let look = GetOrderStockRequest { order_ids: vec![order_id.clone()] };
        let refused = [
            refusal(answer_as(&admin, client.clone().reserve(reserve)).await).0,
            refusal(answer_as(&admin, client.clone().commit(commit)).await).0,
            refusal(answer_as(&admin, client.clone().release(release)).await).0,
            refusal(answer_as(&admin, client.clone().return_to_stock(back)).await).0,
            refusal(answer_as(&admin, client.clone().get_order_stock(look)).await).0,
        ];
        assert_eq!(refused, [Kind::Forbidden; 5], "{from}");
    }
    assert_eq!(shop.figures("A").await, (5, 0));
}

async fn looking_and_moving_are_permissions_of_their_own(shop: &Shop) {
    shop.shelf("A", 5).await;
    let client = StockServiceClient::new(shop.neighbor("gateway"));
    let get = || GetStockRequest { key: "A".into() };
    let movement = || MoveStockRequest {
        key: "A".into(),
        kind: "receive".into(),
        quantity: 1,
        ..MoveStockRequest::default()
    };
    let list = ListMovementsRequest::default;
    assert_eq!(refusal(answer(client.clone().get_stock(get())).await).0, Kind::Unauthenticated);
    let (reader, _) = shop.token(&["stock.read"]);
    answer_as(&reader, client.clone().get_stock(get())).await.unwrap();
    answer_as(&reader, client.clone().list_movements(list())).await.unwrap();
    let refused = answer_as(&reader, client.clone().move_stock(movement())).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    let (writer, user) = shop.token(&["stock.write"]);
    answer_as(&writer, client.clone().move_stock(movement())).await.unwrap();
    let refused = answer_as(&writer, client.clone().get_stock(get())).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    let (other, _) = shop.token(&["products.write"]);
    let refused = answer_as(&other, client.clone().list_movements(list())).await;
    assert_eq!(refusal(refused).0, Kind::Forbidden);
    let row = shop.movements(list()).await.remove(0);
    assert_eq!((row.kind.as_str(), row.actor_id), ("receive", user));
}
