//! The whole site on one screen: what every request passes, and the routes by audience.
pub(crate) mod body;
pub(crate) mod client_address;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod crowd;
pub(crate) mod csrf;
pub(crate) mod device;
pub(crate) mod edge;
pub(crate) mod exchange;
pub(crate) mod form;
pub(crate) mod headers;
pub(crate) mod json;
pub(crate) mod limit;
pub(crate) mod load;
pub(crate) mod network;
pub(crate) mod operator;
pub(crate) mod precondition;
pub(crate) mod problem;
pub(crate) mod query;
pub(crate) mod request_id;
pub(crate) mod session;
pub(crate) mod viewer;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::{Router, middleware};
use souk_auth::Verifier;
use souk_cache::Cache;
use souk_service::Readiness;
use souk_values::Currency;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::shop_rules as rules;
use crate::blocks::Blocks;
use crate::clients::Clients;
use crate::config::Config;
use crate::hot::Hot;
use crate::refusals::Refusals;
use crate::revocations::Revocations;
use crate::views::Views;
use crate::{api, pages};

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) clients: Arc<Clients>,
    pub(crate) hot: Arc<Hot>,
    pub(crate) views: Views,
    pub(crate) viewers: Arc<viewer::Viewers>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) revocations: Arc<Revocations>,
    pub(crate) blocks: Arc<Blocks>,
    pub(crate) exchange: Arc<exchange::Exchange>,
    pub(crate) cookies: cookie::Cookies,
    /// Of the shop's own pages.
    pub(crate) origin: Arc<csrf::Origin>,
    pub(crate) cache: Cache,
    pub(crate) currency: Currency,
    pub(crate) config: Arc<Config>,
    pub(crate) readiness: Arc<Readiness>,
    /// Told of who may not.
    pub(crate) refusals: Refusals,
}

/// A file on its way in may be large: it is streamed.
const MAX_IMPORT: usize = 2 * 1024 * 1024 * 1024;
/// A picture, with what is around it.
const MAX_IMAGE: usize = 5 * 1024 * 1024 + 64 * 1024;

/// More than any provider sends.
const MAX_WEBHOOK: usize = 256 * 1024;

/// All routes with their description.
pub(crate) fn routes() -> OpenApiRouter<Site> {
    let shop = OpenApiRouter::new()
        .routes(routes!(api::products::list, api::products::create))
        .routes(routes!(
            api::products::get,
            api::products::put,
            api::products::patch,
            api::products::delete
        ))
        .routes(routes!(api::products::restore))
        .routes(routes!(api::images::get))
        .routes(routes!(api::categories::list, api::categories::create))
        .routes(routes!(api::categories::delete))
        .routes(routes!(api::carts::get, api::carts::add, api::carts::clear))
        .routes(routes!(api::carts::clear_of_source))
        .routes(routes!(api::carts::set, api::carts::remove))
        .routes(routes!(api::carts::create_guest));
    let accounts = OpenApiRouter::new()
        .routes(routes!(api::registration::register))
        .routes(routes!(api::registration::confirm))
        .routes(routes!(api::registration::resend))
        .routes(routes!(api::auth::login))
        .routes(routes!(api::auth::login_of_source))
        .routes(routes!(api::auth::refresh))
        .routes(routes!(api::auth::logout))
        .routes(routes!(api::auth::session))
        .routes(routes!(api::auth::keys))
        .routes(routes!(api::sessions::list, api::sessions::end_all))
        .routes(routes!(api::sessions::put, api::sessions::patch, api::sessions::end))
        .routes(routes!(api::credentials::forgot))
        .routes(routes!(api::credentials::reset))
        .routes(routes!(api::credentials::change))
        .routes(routes!(api::credentials::change_email))
        .routes(routes!(api::credentials::confirm_email))
        .routes(routes!(
            api::second_factor::get,
            api::second_factor::begin,
            api::second_factor::remove
        ))
        .routes(routes!(api::second_factor::confirm))
        .routes(routes!(api::second_factor::verify))
        .routes(routes!(api::second_factor::replace_codes))
        .routes(routes!(api::api_keys::list, api::api_keys::create))
        .routes(routes!(api::api_keys::revoke))
        .routes(routes!(api::me::get, api::me::put, api::me::patch))
        .routes(routes!(api::me::preferences, api::me::set_preferences))
        .routes(routes!(api::avatars::list))
        .routes(routes!(api::avatars::picture_of))
        .routes(routes!(api::newsletter::text, api::newsletter::subscribe))
        .routes(routes!(api::newsletter::confirm))
        .routes(routes!(api::newsletter::unsubscribe))
        .routes(routes!(api::newsletter::get, api::newsletter::put))
        .routes(routes!(api::data_requests::start_export, api::data_requests::get_export))
        .routes(routes!(api::data_requests::download))
        .routes(routes!(
            api::data_requests::start_erasure,
            api::data_requests::get_erasure,
            api::data_requests::cancel_erasure
        ))
        .routes(routes!(
            api::data_requests::start_export_of_user,
            api::data_requests::get_export_of_user
        ))
        .routes(routes!(
            api::data_requests::start_erasure_of_user,
            api::data_requests::get_erasure_of_user,
            api::data_requests::cancel_erasure_of_user
        ))
        .routes(routes!(api::addresses::list, api::addresses::create))
        .routes(routes!(api::addresses::get, api::addresses::put, api::addresses::delete))
        .routes(routes!(api::users::list, api::users::create))
        .routes(routes!(api::users::get, api::users::put, api::users::patch, api::users::delete))
        .routes(routes!(api::second_factor::reset))
        .routes(routes!(api::avatars::get_of_user, api::avatars::remove_of_user))
        .routes(routes!(api::api_keys::list_of_user))
        .routes(routes!(api::api_keys::revoke_of_user))
        .routes(routes!(api::roles::list_for_users))
        .routes(routes!(api::roles::list, api::roles::create))
        .routes(routes!(api::roles::get, api::roles::put, api::roles::delete))
        .routes(routes!(api::roles::permissions))
        .routes(routes!(api::blocks::list, api::blocks::create))
        .routes(routes!(api::blocks::lift))
        .routes(routes!(api::group_actions::start));
    let desk = OpenApiRouter::new()
        .routes(routes!(api::products::bulk))
        .routes(routes!(api::transfer::export))
        .routes(routes!(api::stock::movements))
        .routes(routes!(api::stock::get))
        .routes(routes!(api::stock::move_stock))
        .routes(routes!(api::reports::product))
        .routes(routes!(api::reports::top))
        .routes(routes!(api::reports::totals))
        .routes(routes!(api::reports::sales::sales))
        .routes(routes!(api::reports::sales::demand))
        .routes(routes!(api::notifications::list))
        .routes(routes!(api::notifications::counts))
        .routes(routes!(api::notifications::letter))
        .routes(routes!(api::newsletters::subscribers))
        .routes(routes!(api::newsletters::subscriber_counts))
        .routes(routes!(api::newsletters::end_subscription))
        .routes(routes!(api::newsletters::list, api::newsletters::create))
        .routes(routes!(api::newsletters::get, api::newsletters::put, api::newsletters::delete))
        .routes(routes!(api::newsletters::send))
        .routes(routes!(api::jobs::list))
        .routes(routes!(api::jobs::get, api::jobs::cancel))
        .routes(routes!(api::jobs::results))
        .routes(routes!(api::dead_letters::list))
        .routes(routes!(api::dead_letters::get, api::dead_letters::drop))
        .routes(routes!(api::dead_letters::replay))
        .routes(routes!(api::events::list))
        .routes(routes!(api::audit::list));
    let rules = OpenApiRouter::new()
        .routes(routes!(api::checkout::quote))
        .routes(routes!(rules::shipping::list, rules::shipping::create))
        .routes(routes!(rules::shipping::put, rules::shipping::delete))
        .routes(routes!(rules::taxes::list, rules::taxes::create))
        .routes(routes!(rules::taxes::put, rules::taxes::delete))
        .routes(routes!(rules::taxes::settings, rules::taxes::set_settings))
        .routes(routes!(rules::coupons::list, rules::coupons::create))
        .routes(routes!(rules::coupons::get, rules::coupons::put, rules::coupons::delete));
    let orders = OpenApiRouter::new()
        .routes(routes!(api::orders::list, api::orders::create))
        .routes(routes!(api::orders::history))
        .routes(routes!(api::orders::get))
        .routes(routes!(api::orders::cancel))
        .routes(routes!(api::orders::purchases))
        .routes(routes!(api::orders::staff::list))
        .routes(routes!(api::orders::staff::get))
        .routes(routes!(api::orders::staff::ship))
        .routes(routes!(api::orders::staff::deliver))
        .routes(routes!(api::orders::staff::cancel))
        .routes(routes!(api::orders::staff::refund))
        .routes(routes!(api::orders::staff::note))
        .routes(routes!(api::orders::staff::resume));
    let large = OpenApiRouter::new()
        .routes(routes!(api::transfer::import))
        .layer(DefaultBodyLimit::max(MAX_IMPORT));
    let pictures = OpenApiRouter::new()
        .routes(routes!(api::images::add))
        .routes(routes!(api::avatars::get, api::avatars::put, api::avatars::remove))
        .layer(DefaultBodyLimit::max(MAX_IMAGE));
    let payments = OpenApiRouter::new()
        .routes(routes!(api::payments::list, api::payments::create))
        .routes(routes!(api::payments::delete))
        .routes(routes!(api::payments::complete))
        .routes(routes!(api::payments::differences));
    let webhooks = OpenApiRouter::new()
        .routes(routes!(api::payments::webhook))
        .layer(DefaultBodyLimit::max(MAX_WEBHOOK));
    let health = OpenApiRouter::new()
        .routes(routes!(api::health::alive))
        .routes(routes!(api::health::ready));
    shop.merge(accounts)
        .merge(rules)
        .merge(orders)
        .merge(desk)
        .merge(large)
        .merge(pictures)
        .merge(payments)
        .merge(webhooks)
        .merge(health)
}

/// The router behind the edge.
pub(crate) fn router(site: &Site) -> Router {
    let (router, document) = routes().split_for_parts();
    let document = Arc::new(api::openapi::complete(document, site.cookies.session_name()));
    router
        .merge(api::openapi::router(document.clone()))
        .merge(pages::router(document))
        .route_layer(middleware::from_fn(edge::note_route))
        .fallback(|| async { problem::Problem::not_found() })
        .method_not_allowed_fallback(|| async {
            problem::Problem::new(
                http::StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "this address does not answer this method",
            )
        })
        .layer(DefaultBodyLimit::max(site.config.max_body))
        .layer(middleware::from_fn_with_state(site.clone(), session::keep_private))
        .with_state(site.clone())
}
