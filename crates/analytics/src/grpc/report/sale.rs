//! What was sold, and demand against stock.
use std::collections::HashMap;
use std::ops::Range;

use souk_proto::analytics::v1::{
    Demand, GetSalesRequest, ListDemandRequest, ListDemandResponse, ProductSales, Sales, SalesDay,
    SalesFigures,
};
use souk_rpc::Violation;
use souk_values::ProductId;

use super::{MOST_TOP, Reports, broken_window, count, take};
use crate::domain::demand::{self, ppm};
use crate::domain::time::DAY_US;
use crate::error::Error;
use crate::store::sold::{self, Sold, SoldProduct, Sort};
use crate::store::{product, viewer};

const DEFAULT_DEMAND: u32 = 24;

impl Reports {
    pub(super) async fn sales(&self, asked: GetSalesRequest) -> Result<Sales, Error> {
        let mut broken = Vec::new();
        let product = match asked.product_id.as_str() {
            "" => Ok(None),
            id => id.parse::<ProductId>().map(Some).map_err(|e| Violation::new("product_id", e)),
        };
        let product = take(product, &mut broken);
        let days = self.window(asked.window).and_then(|w| w.days().map_err(broken_window));
        let days = take(days, &mut broken);
        let (Some(product), Some(days)) = (product, days) else {
            return Err(Error::Invalid(broken));
        };

        let db = self.app.db.read();
        let totals = sold::totals(db, product, &days).await?;
        let by_day = sold::by_day(db, product, &days).await?;
        let top = sold::top(db, product, &days, MOST_TOP).await?;
        let buyers = sold::buyers(db, product, &days).await?;
        let viewers = match product {
            Some(product) => viewer::of_product(db, product, days).await?,
            None => viewer::all(db, days).await?,
        };
        let ids = top.iter().map(|row| row.product_id).collect();
        let names: HashMap<_, _> =
            product::find_all(db, ids).await?.into_iter().map(|p| (p.product_id, p)).collect();
        let top_products = top.into_iter().map(|row| {
            let known = names.get(&row.product_id);
            ProductSales {
                product_id: row.product_id.to_string(),
                sku: known.map(|p| p.sku.clone()).unwrap_or_default(),
                name: known.map(|p| p.name.clone()).unwrap_or_default(),
                figures: Some(of_product(row)),
            }
        });
        Ok(Sales {
            top_products: top_products.collect(),
            totals: totals.into_iter().map(figures).collect(),
            by_day: by_day
                .into_iter()
                .map(|row| SalesDay { start_us: row.at * DAY_US, figures: Some(figures(row)) })
                .collect(),
            viewers: count(viewers),
            buyers: count(buyers),
            conversion_ppm: ppm(buyers, viewers),
        })
    }

    pub(super) async fn demand(
        &self,
        asked: ListDemandRequest,
    ) -> Result<ListDemandResponse, Error> {
        let mut broken = Vec::new();
        let sort = match asked.sort.as_str() {
            "views" => Ok(Sort::Views),
            "sales" => Ok(Sort::Sales),
            "" | "cover" => Ok(Sort::Cover),
            _ => Err(Violation::new("sort", "must be \"views\", \"sales\" or \"cover\"")),
        };
        let sort = take(sort, &mut broken);
        let limit = if asked.limit == 0 { DEFAULT_DEMAND } else { asked.limit };
        if limit > MOST_TOP {
            broken.push(Violation::new("limit", format!("must be between 1 and {MOST_TOP}")));
        }
        let days = self.window(asked.window).and_then(|w| w.days().map_err(broken_window));
        let days = take(days, &mut broken);
        let (Some(sort), Some(days), true) = (sort, days, broken.is_empty()) else {
            return Err(Error::Invalid(broken));
        };

        let length = self.length(&days);
        let rows = sold::demand(self.app.db.read(), &days, sort, limit).await?;
        let items = rows.into_iter().map(|row| {
            let demand = demand::Demand::new(row.views, row.units, row.stock, length);
            Demand {
                product_id: row.product_id.to_string(),
                sku: row.sku,
                name: row.name,
                views: count(row.views),
                units_sold: row.units,
                stock: row.stock,
                cover_days: demand.cover_days,
                conversion_ppm: ppm(row.units, row.views),
                signal: demand.signal().to_owned(),
            }
        });
        Ok(ListDemandResponse { items: items.collect() })
    }

    /// Days of the window that are over, so that today's pace is not that of a whole day. At least
    /// one: the first hours say little.
    fn length(&self, days: &Range<i64>) -> f64 {
        let end = (days.end * DAY_US).min(self.app.clock.now_us());
        ((end - days.start * DAY_US) as f64 / DAY_US as f64).max(1.0)
    }
}

fn figures(row: Sold) -> SalesFigures {
    SalesFigures {
        currency: row.currency,
        orders: count(row.orders),
        units: row.units,
        revenue_minor: row.revenue,
    }
}

fn of_product(row: SoldProduct) -> SalesFigures {
    SalesFigures {
        currency: row.currency,
        orders: count(row.orders),
        units: row.units,
        revenue_minor: row.revenue,
    }
}
