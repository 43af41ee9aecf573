//! Where the tests play: a fresh database of each kind, a clock that stands at noon, listeners that
//! are told things, and a client.
use prost::Message;
use sea_orm::{ConnectionTrait, Statement};
use souk_analytics::{App, Kept, ProductListener, ViewListener, routes};
use souk_events::{Envelope, HandleError, Handler, registry};
use souk_proto::analytics::v1::report_service_client::ReportServiceClient;
use souk_proto::analytics::v1::{
    GetProductReportRequest, ListTopProductsRequest, ProductReport, TopProduct, Window,
};
use souk_proto::events::v1::{
    ProductChanged, ProductState, ProductView, ProductsViewed, StockMoved,
};
use souk_testkit::{Backend, Ground};
use souk_values::ProductId;
use tonic::service::Routes;
use uuid::Uuid;

pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) ground: Ground,
}

impl Stage {
    pub(crate) async fn on(backend: Backend) -> Self {
        let tables = [souk_analytics::migrations, souk_events::migrations];
        let ground = Ground::new(backend, "analytics", &tables).await;
        let kept = Kept { viewer_days: 30, hour_days: 92 };
        let app = App { db: ground.db.clone(), clock: ground.clock.clone(), kept };
        Self { app, ground }
    }

    pub(crate) fn now(&self) -> i64 {
        self.app.clock.now_us()
    }

    /// The midnight before now.
    pub(crate) fn today(&self) -> i64 {
        self.now() - self.now() % DAY
    }

    pub(crate) fn client(&self) -> ReportServiceClient<Routes> {
        ReportServiceClient::new(routes(&self.app).0)
    }

    pub(crate) fn envelope(&self, event_type: &str, message: &impl Message) -> Envelope {
        Envelope {
            id: Uuid::now_v7(),
            event_type: event_type.to_owned(),
            source: "/test".into(),
            subject: String::new(),
            partition_key: String::new(),
            epoch: 1,
            version: 1,
            time: self.app.clock.now(),
            correlation_id: None,
            causation_id: None,
            traceparent: None,
            payload: message.encode_to_vec().into(),
        }
    }

    pub(crate) fn viewed(&self, views: &[(ProductId, &str, i64)]) -> Envelope {
        let views = views.iter().map(|(product, viewer, at_us)| ProductView {
            product_id: product.to_string(),
            viewer: (*viewer).to_owned(),
            at_us: *at_us,
        });
        let batch = ProductsViewed { views: views.collect() };
        self.envelope(registry::PRODUCTS_VIEWED, &batch)
    }

    pub(crate) fn changed(&self, product: ProductId, version: u64, name: &str) -> Envelope {
        let state = ProductState {
            sku: format!("sku of {name}"),
            name: name.to_owned(),
            stock: Some(10),
            active: true,
            ..Default::default()
        };
        let change = ProductChanged {
            product_id: product.to_string(),
            version,
            kind: "changed".into(),
            state: Some(state),
            ..Default::default()
        };
        self.envelope(registry::PRODUCT_CHANGED, &change)
    }

    pub(crate) fn moved(&self, product: ProductId, stock_seq: u64, stock: i64) -> Envelope {
        let product_id = product.to_string();
        let moved = StockMoved { product_id, stock_seq, stock: Some(stock) };
        self.envelope(registry::STOCK_MOVED, &moved)
    }

    /// Hands events to a listener in one transaction, as the consumer does.
    pub(crate) async fn tell<H: Handler<Ready = ()>>(
        &self,
        listener: &H,
        events: &[Envelope],
    ) -> Result<(), HandleError> {
        listener.prepare(events).await?;
        let tx = self.app.db.begin().await?;
        listener.handle(&tx, events, ()).await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn see(&self, views: &[(ProductId, &str, i64)]) {
        self.tell(&ViewListener, &[self.viewed(views)]).await.unwrap();
    }

    pub(crate) async fn hear(&self, events: &[Envelope]) {
        self.tell(&ProductListener, events).await.unwrap();
    }

    pub(crate) async fn report(
        &self,
        product: ProductId,
        by: &str,
        window: (i64, i64),
    ) -> ProductReport {
        let asked = GetProductReportRequest {
            product_id: product.to_string(),
            window: Some(Window { from_us: window.0, to_us: window.1 }),
            by: by.to_owned(),
        };
        self.client().get_product_report(asked).await.unwrap().into_inner()
    }

    pub(crate) async fn top(&self, limit: u32, window: (i64, i64)) -> Vec<TopProduct> {
        let window = Some(Window { from_us: window.0, to_us: window.1 });
        let asked = ListTopProductsRequest { window, limit };
        self.client().list_top_products(asked).await.unwrap().into_inner().items
    }

    pub(crate) async fn run(&self, sql: &str) {
        self.app.db.write().execute_unprepared(sql).await.unwrap();
    }

    /// A number from the tables, for what no report tells.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let db = self.app.db.write();
        let statement = Statement::from_string(db.get_database_backend(), sql);
        db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
    }
}
