//! Muted administrators, and who may read and set what.
use souk_auth::Permission;
use souk_notifier::grpc;
use souk_proto::notifier::v1::letter_service_client::LetterServiceClient;
use souk_proto::notifier::v1::{
    GetMailboxStateRequest, GetPreferencesRequest, ListLettersRequest, ListNotificationsRequest,
    SetPreferencesRequest,
};
use souk_rpc::Transport;
use souk_values::UserId;
use tonic::Code;

use crate::bench::{Bench, admin, benches};
use crate::neighbor::Neighborhood;

impl Bench {
    /// The way to the notifier as that service.
    pub(crate) fn client(
        &self,
        neighbors: &Neighborhood,
        from: &str,
    ) -> LetterServiceClient<Transport> {
        let routes = grpc::routes(&self.app, &neighbors.client(), true);
        let guarded = neighbors.guard("notifier", grpc::METHODS, routes);
        LetterServiceClient::new(Transport::local("notifier", guarded, neighbors.identity(from)))
    }
}

#[tokio::test]
async fn a_muted_administrator_gets_a_suppressed_row_and_no_letter() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        let (ann, bob) = (admin("Ann"), admin("Bob"));
        let mut client = bench.client(&neighbors, "gateway");
        let call = neighbors.call_of(ann.user_id, &[]);
        let (before, after) = souk_rpc::scope(call.clone(), async {
            let before = client.get_preferences(GetPreferencesRequest {}).await;
            let mute = SetPreferencesRequest { product_notices: Some(false), order_notices: None };
            (before, client.set_preferences(mute).await)
        })
        .await;
        assert!(before.expect("answers").into_inner().product_notices);
        assert!(!after.expect("answers").into_inner().product_notices);
        bench.hear(&[bench.change("Mug")], &[ann.clone(), bob.clone()]).await;
        bench.deliver().await;
        assert_eq!(bench.standing(&ann).await, ["suppressed"], "{}", bench.store.name);
        assert_eq!(bench.standing(&bob).await, ["sent"]);
        let row = bench.ledger().await.into_iter().find(|r| r.user_id == ann.user_id);
        let row = row.expect("a row");
        assert_eq!((row.reason.as_deref(), row.letter_id), (Some("muted"), None));

        souk_rpc::scope(call, async {
            let wanted = SetPreferencesRequest { product_notices: Some(true), order_notices: None };
            client.set_preferences(wanted).await.expect("answers");
            let nothing = SetPreferencesRequest::default();
            assert!(
                client
                    .set_preferences(nothing)
                    .await
                    .expect("answers")
                    .into_inner()
                    .product_notices
            );
        })
        .await;
        bench.hear(&[bench.change("Cup")], std::slice::from_ref(&ann)).await;
        bench.deliver().await;
        assert_eq!(bench.sent_to(&ann), 1);
    }
}

#[tokio::test]
async fn strangers_and_customers_see_neither_ledger_nor_letters() {
    for bench in benches().await {
        let neighbors = Neighborhood::new(&bench.clock);
        // users come through the gateway: another service has nothing to ask here
        let mut stranger = bench.client(&neighbors, "orders");
        let answer = stranger.list_notifications(ListNotificationsRequest::default()).await;
        assert_eq!(answer.expect_err("refused").code(), Code::PermissionDenied);
        let answer = stranger.get_preferences(GetPreferencesRequest {}).await;
        assert_eq!(answer.expect_err("refused").code(), Code::PermissionDenied);
        let customer = neighbors.call_of(UserId::new(), &[]);
        let mut gateway = bench.client(&neighbors, "gateway");
        let answer = souk_rpc::scope(customer, async {
            gateway.list_notifications(ListNotificationsRequest::default()).await
        });
        assert_eq!(answer.await.expect_err("refused").code(), Code::PermissionDenied);
        // the gateway itself may look at the mailbox, and only at that
        let state = gateway.get_mailbox_state(GetMailboxStateRequest {}).await;
        assert!(state.expect("answers").into_inner().folder);
        gateway.list_letters(ListLettersRequest::default()).await.expect("answers");
        let answer = gateway.list_notifications(ListNotificationsRequest::default()).await;
        assert_eq!(answer.expect_err("refused").code(), Code::Unauthenticated);
        let reader = neighbors.call_of(UserId::new(), &[Permission::NotificationsRead]);
        let answer = souk_rpc::scope(reader, async {
            gateway.list_notifications(ListNotificationsRequest::default()).await
        });
        assert!(answer.await.is_ok(), "{}", bench.store.name);
    }
}
