//! `RulesService` on the wire.
mod convert;

use souk_proto::orders::v1 as pb;
use souk_proto::orders::v1::rules_service_server::{RulesService, RulesServiceServer};
use souk_rpc::{Failure, Violation};
use souk_values::{Cursor, Page};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use crate::app::{App, rules};
use crate::domain::coupon;
use crate::error::Error;
use crate::store;

type Answer<T> = Result<Response<T>, Status>;

pub(super) fn add(routes: Routes, app: &App) -> Routes {
    routes.add_service(RulesServiceServer::new(Rules { app: app.clone() }))
}

struct Rules {
    app: App,
}

#[tonic::async_trait]
impl RulesService for Rules {
    async fn list_shipping_methods(
        &self,
        _request: Request<pb::ListShippingMethodsRequest>,
    ) -> Answer<pb::ListShippingMethodsResponse> {
        let db = store::cart::newest(&self.app.db);
        let methods = store::shipping::list(db).await.map_err(Error::from)?;
        let items = methods.into_iter().map(convert::method_to_proto).collect();
        Ok(Response::new(pb::ListShippingMethodsResponse { items }))
    }

    async fn put_shipping_method(
        &self,
        request: Request<pb::PutShippingMethodRequest>,
    ) -> Answer<pb::ShippingMethod> {
        let pb::PutShippingMethodRequest { method, expected_version } = request.into_inner();
        let method = convert::method(method.unwrap_or_default())?;
        let set = rules::put_method(&self.app, method, expected_version).await?;
        Ok(Response::new(convert::method_to_proto(set)))
    }

    async fn delete_shipping_method(
        &self,
        request: Request<pb::DeleteRuleRequest>,
    ) -> Answer<pb::ShippingMethod> {
        let pb::DeleteRuleRequest { key, expected_version } = request.into_inner();
        let gone = rules::delete_method(&self.app, &key, expected_version).await?;
        Ok(Response::new(convert::method_to_proto(gone)))
    }

    async fn list_tax_rates(
        &self,
        _request: Request<pb::ListTaxRatesRequest>,
    ) -> Answer<pb::ListTaxRatesResponse> {
        let db = store::cart::newest(&self.app.db);
        let rates = store::tax::list(db).await.map_err(Error::from)?;
        let items = rates.into_iter().map(convert::rate_to_proto).collect();
        Ok(Response::new(pb::ListTaxRatesResponse { items }))
    }

    async fn put_tax_rate(&self, request: Request<pb::PutTaxRateRequest>) -> Answer<pb::TaxRate> {
        let pb::PutTaxRateRequest { rate, expected_version } = request.into_inner();
        let rate = convert::rate(rate.unwrap_or_default());
        let set = rules::put_rate(&self.app, rate, expected_version).await?;
        Ok(Response::new(convert::rate_to_proto(set)))
    }

    async fn delete_tax_rate(
        &self,
        request: Request<pb::DeleteRuleRequest>,
    ) -> Answer<pb::TaxRate> {
        let pb::DeleteRuleRequest { key, expected_version } = request.into_inner();
        let gone = rules::delete_rate(&self.app, &key, expected_version).await?;
        Ok(Response::new(convert::rate_to_proto(gone)))
    }

    async fn get_tax_settings(
        &self,
        _request: Request<pb::GetTaxSettingsRequest>,
    ) -> Answer<pb::TaxSettings> {
        let db = store::cart::newest(&self.app.db);
        let settings = store::tax::settings(db).await.map_err(Error::from)?;
        Ok(Response::new(convert::settings_to_proto(settings)))
    }

    async fn put_tax_settings(
        &self,
        request: Request<pb::PutTaxSettingsRequest>,
    ) -> Answer<pb::TaxSettings> {
        let pb::PutTaxSettingsRequest { settings, expected_version } = request.into_inner();
        let settings = convert::settings(settings.unwrap_or_default());
        let set = rules::put_settings(&self.app, settings, expected_version).await?;
        Ok(Response::new(convert::settings_to_proto(set)))
    }

    async fn list_coupons(
        &self,
        request: Request<pb::ListCouponsRequest>,
    ) -> Answer<pb::ListCouponsResponse> {
        let wish = request.into_inner().page.unwrap_or_default();
        let page = Page::new(wish.limit, &wish.cursor).map_err(|e| Error::field("limit", e))?;
        let after = page.cursor.as_ref().map(Cursor::decode::<String>).transpose();
        let after = after.map_err(|e| Failure::invalid(vec![Violation::new("cursor", e)]))?;
        let found = store::coupon::list(&self.app.db, &page, after).await;
        let (items, next) = found.map_err(Error::from)?;
        Ok(Response::new(pb::ListCouponsResponse {
            items: items.into_iter().map(convert::coupon_to_proto).collect(),
            next_cursor: next.map(|c| c.as_str().to_owned()).unwrap_or_default(),
        }))
    }

    async fn get_coupon(&self, request: Request<pb::GetCouponRequest>) -> Answer<pb::Coupon> {
        let missing = || Error::NotFound("coupon");
        let code = coupon::code(&request.into_inner().code).ok_or_else(missing)?;
        let db = store::cart::newest(&self.app.db);
        let found = store::coupon::find(db, &code).await.map_err(Error::from)?;
        Ok(Response::new(convert::coupon_to_proto(found.ok_or_else(missing)?)))
    }

    async fn put_coupon(&self, request: Request<pb::PutCouponRequest>) -> Answer<pb::Coupon> {
        let pb::PutCouponRequest { coupon, expected_version } = request.into_inner();
        let coupon = convert::coupon(coupon.unwrap_or_default())?;
        let set = rules::put_coupon(&self.app, coupon, expected_version).await?;
        Ok(Response::new(convert::coupon_to_proto(set)))
    }

    async fn delete_coupon(&self, request: Request<pb::DeleteRuleRequest>) -> Answer<pb::Coupon> {
        let pb::DeleteRuleRequest { key, expected_version } = request.into_inner();
        let gone = rules::delete_coupon(&self.app, &key, expected_version).await?;
        Ok(Response::new(convert::coupon_to_proto(gone)))
    }
}
