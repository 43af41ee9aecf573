//! Reports: one product over time, the most seen products, totals, sales, demand.
mod sale;

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use souk_proto::analytics::v1::report_service_server::ReportService;
use souk_proto::analytics::v1::{
    Bucket, GetProductReportRequest, GetSalesRequest, GetTotalsRequest, ListDemandRequest,
    ListDemandResponse, ListTopProductsRequest, ListTopProductsResponse, ProductReport, Sales,
    TopProduct, Totals, Window as WireWindow,
};
use souk_rpc::{Failure, Violation};
use souk_values::ProductId;
use tonic::{Request, Response, Status};

use crate::app::App;
use crate::domain::time::{DAY_US, HOUR_US};
use crate::domain::window::{Window, WindowError};
use crate::error::Error;
use crate::store::{change, product, view, viewer};

const DEFAULT_TOP: u32 = 10;
const MOST_TOP: u32 = 100;

pub(crate) struct Reports {
    pub(crate) app: App,
}

#[tonic::async_trait]
impl ReportService for Reports {
    async fn get_product_report(
        &self,
        request: Request<GetProductReportRequest>,
    ) -> Result<Response<ProductReport>, Status> {
        answer(self.product_report(request.into_inner()).await)
    }

    async fn list_top_products(
        &self,
        request: Request<ListTopProductsRequest>,
    ) -> Result<Response<ListTopProductsResponse>, Status> {
        answer(self.top_products(request.into_inner()).await)
    }

    async fn get_totals(
        &self,
        request: Request<GetTotalsRequest>,
    ) -> Result<Response<Totals>, Status> {
        answer(self.totals(request.into_inner()).await)
    }

    async fn get_sales(
        &self,
        request: Request<GetSalesRequest>,
    ) -> Result<Response<Sales>, Status> {
        answer(self.sales(request.into_inner()).await)
    }

    async fn list_demand(
        &self,
        request: Request<ListDemandRequest>,
    ) -> Result<Response<ListDemandResponse>, Status> {
        answer(self.demand(request.into_inner()).await)
    }
}

impl Reports {
    async fn product_report(&self, asked: GetProductReportRequest) -> Result<ProductReport, Error> {
        let mut broken = Vec::new();
        let product = asked.product_id.parse::<ProductId>();
        let product = take(product.map_err(|e| Violation::new("product_id", e)), &mut broken);
        let by = match asked.by.as_str() {
            "" | "day" => Ok(By::Day),
            "hour" => Ok(By::Hour),
            _ => Err(Violation::new("by", "must be \"hour\" or \"day\"")),
        };
        let by = take(by, &mut broken);
        let window = take(self.window(asked.window), &mut broken);
        let spans = window.zip(by).map(|(window, by)| {
            let buckets = if by == By::Hour { window.hours()? } else { window.days()? };
            Ok((by, buckets, window.days()?))
        });
        let spans = spans.and_then(|spans| take(spans.map_err(broken_window), &mut broken));
        let (Some(product), Some((by, span, days))) = (product, spans) else {
            return Err(Error::Invalid(broken));
        };

        let db = self.app.db.read();
        let buckets = match by {
            By::Hour => {
                let hours = view::by_hour(db, product, span).await?;
                hours.into_iter().map(|row| bucket(row.at * HOUR_US, row.views, 0)).collect()
            }
            By::Day => {
                let views = view::by_day(db, product, span.clone()).await?;
                with_viewers(views, viewer::of_product_by_day(db, product, span).await?)
            }
        };
        Ok(ProductReport {
            product_id: product.to_string(),
            total_views: buckets.iter().map(|b: &Bucket| b.views).sum(),
            unique_viewers: count(viewer::of_product(db, product, days).await?),
            buckets,
            all_time_views: count(view::all_time(db, product).await?),
        })
    }

    async fn top_products(
        &self,
        asked: ListTopProductsRequest,
    ) -> Result<ListTopProductsResponse, Error> {
        let mut broken = Vec::new();
        let limit = if asked.limit == 0 { DEFAULT_TOP } else { asked.limit };
        if limit > MOST_TOP {
            broken.push(Violation::new("limit", format!("must be between 1 and {MOST_TOP}")));
        }
        let window = take(self.window(asked.window), &mut broken);
        let spans = window.map(|w| Ok((w.is_short().then(|| w.hours()).transpose()?, w.days()?)));
        let spans = spans.and_then(|spans| take(spans.map_err(broken_window), &mut broken));
        let (Some((hours, days)), true) = (spans, broken.is_empty()) else {
            return Err(Error::Invalid(broken));
        };

        let db = self.app.db.read();
        let top = match hours {
            Some(hours) => view::top_by_hours(db, hours, limit).await?,
            None => view::top_by_days(db, days, limit).await?,
        };
        let ids = top.iter().map(|row| row.product_id).collect();
        let mut names: HashMap<_, _> =
            product::find_all(db, ids).await?.into_iter().map(|p| (p.product_id, p)).collect();
        let items = top.into_iter().map(|row| {
            let (sku, name) =
                names.remove(&row.product_id).map(|p| (p.sku, p.name)).unwrap_or_default();
            TopProduct {
                product_id: row.product_id.to_string(),
                views: count(row.views),
                sku,
                name,
            }
        });
        Ok(ListTopProductsResponse { items: items.collect() })
    }

    async fn totals(&self, asked: GetTotalsRequest) -> Result<Totals, Error> {
        let days = self.window(asked.window).and_then(|w| w.days().map_err(broken_window));
        let days: Range<i64> = days.map_err(|violation| Error::Invalid(vec![violation]))?;

        let db = self.app.db.read();
        let views = view::totals_by_day(db, days.clone()).await?;
        let viewers = viewer::all_by_day(db, days.clone()).await?;
        Ok(Totals {
            views: views.iter().map(|row| count(row.views)).sum(),
            unique_viewers: count(viewer::all(db, days.clone()).await?),
            products_viewed: count(view::products(db, days.clone()).await?),
            product_changes: count(change::sum(db, days).await?),
            by_day: with_viewers(views, viewers),
        })
    }

    fn window(&self, asked: Option<WireWindow>) -> Result<Window, Violation> {
        let WireWindow { from_us, to_us } = asked.unwrap_or_default();
        Window::new(from_us, to_us, self.app.clock.now_us()).map_err(broken_window)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Hour,
    Day,
}

/// The value, or its broken rule on the list.
fn take<T>(parsed: Result<T, Violation>, broken: &mut Vec<Violation>) -> Option<T> {
    parsed.map_err(|violation| broken.push(violation)).ok()
}

fn broken_window(error: WindowError) -> Violation {
    Violation::new(error.field(), error)
}

fn with_viewers(views: Vec<view::Views>, viewers: Vec<viewer::Viewers>) -> Vec<Bucket> {
    let viewers: BTreeMap<i64, i64> =
        viewers.into_iter().map(|row| (row.day, row.viewers)).collect();
    let unique = |day| viewers.get(&day).copied().unwrap_or_default();
    views.into_iter().map(|row| bucket(row.at * DAY_US, row.views, unique(row.at))).collect()
}

fn bucket(start_us: i64, views: i64, unique_viewers: i64) -> Bucket {
    Bucket { start_us, views: count(views), unique_viewers: count(unique_viewers) }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}

fn answer<T>(result: Result<T, Error>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|error| Failure::from(error).into())
}
