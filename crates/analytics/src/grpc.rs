//! The doors of analytics, and who may use them.
mod report;

use souk_auth::{MethodTable, Permission, Rule};
use souk_proto::analytics::v1::report_service_server::ReportServiceServer;
use tonic::service::Routes;

use crate::app::App;

const READERS: Rule = Rule::Permission(Permission::StatsRead);
/// What was earned: whoever sees every order can add it up.
const EARNINGS: Rule = Rule::Permission(Permission::OrdersRead);

const METHODS: MethodTable = &[
    ("/souk.analytics.v1.ReportService/GetProductReport", READERS),
    ("/souk.analytics.v1.ReportService/ListTopProducts", READERS),
    ("/souk.analytics.v1.ReportService/GetTotals", READERS),
    ("/souk.analytics.v1.ReportService/GetSales", EARNINGS),
    ("/souk.analytics.v1.ReportService/ListDemand", READERS),
];

/// The gRPC services over these tables, and the rule of each method.
pub fn routes(app: &App) -> (Routes, MethodTable) {
    let reports = ReportServiceServer::new(report::Reports { app: app.clone() });
    (Routes::new(reports), METHODS)
}
