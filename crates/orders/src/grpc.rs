//! The doors of orders, and who may use them.
mod cart;
mod order;
mod payment;
mod quote;
mod rules;

use souk_auth::{MethodTable, Permission, Rule};
use souk_rpc::Failure;
use tonic::Status;
use tonic::service::Routes;

use crate::app::App;
use crate::error::Error;

pub(crate) use order::ENCODE;

/// The gateway, for a user or for a guest with a cart's secret. No program fills a cart.
const SHOPPERS: Rule = Rule::AnyoneBy(&["gateway"]);
const READERS: Rule = Rule::Permission(Permission::OrdersRead);
const WRITERS: Rule = Rule::Permission(Permission::OrdersWrite);
/// Money leaves: with a second factor that was given a moment ago.
const REFUNDERS: Rule = Rule::Fresh(Permission::OrdersWrite);
const RULES_READ: Rule = Rule::Permission(Permission::ShopRead);
const RULES_WRITE: Rule = Rule::Permission(Permission::ShopWrite);

const METHODS: MethodTable = &[
    ("/souk.orders.v1.CartService/CreateGuestCart", SHOPPERS),
    ("/souk.orders.v1.CartService/GetCart", SHOPPERS),
    ("/souk.orders.v1.CartService/AddItem", SHOPPERS),
    ("/souk.orders.v1.CartService/SetQuantity", SHOPPERS),
    ("/souk.orders.v1.CartService/RemoveItem", SHOPPERS),
    ("/souk.orders.v1.CartService/ClearCart", SHOPPERS),
    ("/souk.orders.v1.CartService/MergeGuestCart", Rule::AnyUser),
    ("/souk.orders.v1.OrderService/Quote", SHOPPERS),
    ("/souk.orders.v1.OrderService/PlaceOrder", Rule::AnyUser),
    ("/souk.orders.v1.OrderService/GetOrder", Rule::AnyUserOrKey),
    ("/souk.orders.v1.OrderService/ListOrders", Rule::AnyUser),
    ("/souk.orders.v1.OrderService/ListPurchases", Rule::AnyUser),
    ("/souk.orders.v1.OrderService/CancelOrder", Rule::AnyUserOrKey),
    ("/souk.orders.v1.OrderService/SearchOrders", READERS),
    ("/souk.orders.v1.OrderService/ShipOrder", WRITERS),
    ("/souk.orders.v1.OrderService/DeliverOrder", WRITERS),
    ("/souk.orders.v1.OrderService/RefundOrder", REFUNDERS),
    ("/souk.orders.v1.OrderService/AddNote", WRITERS),
    ("/souk.orders.v1.OrderService/ResumeOrder", WRITERS),
    ("/souk.orders.v1.PaymentService/CreatePaymentMethod", Rule::AnyUser),
    ("/souk.orders.v1.PaymentService/ListPaymentMethods", Rule::AnyUser),
    ("/souk.orders.v1.PaymentService/DeletePaymentMethod", Rule::AnyUser),
    ("/souk.orders.v1.PaymentService/CompleteAction", Rule::AnyUser),
    ("/souk.orders.v1.PaymentService/ReceiveWebhook", Rule::Service(&["gateway"])),
    ("/souk.orders.v1.PaymentService/ListDifferences", READERS),
    ("/souk.orders.v1.RulesService/ListShippingMethods", RULES_READ),
    ("/souk.orders.v1.RulesService/PutShippingMethod", RULES_WRITE),
    ("/souk.orders.v1.RulesService/DeleteShippingMethod", RULES_WRITE),
    ("/souk.orders.v1.RulesService/ListTaxRates", RULES_READ),
    ("/souk.orders.v1.RulesService/PutTaxRate", RULES_WRITE),
    ("/souk.orders.v1.RulesService/DeleteTaxRate", RULES_WRITE),
    ("/souk.orders.v1.RulesService/GetTaxSettings", RULES_READ),
    ("/souk.orders.v1.RulesService/PutTaxSettings", RULES_WRITE),
    ("/souk.orders.v1.RulesService/ListCoupons", RULES_READ),
    ("/souk.orders.v1.RulesService/GetCoupon", RULES_READ),
    ("/souk.orders.v1.RulesService/PutCoupon", RULES_WRITE),
    ("/souk.orders.v1.RulesService/DeleteCoupon", RULES_WRITE),
];

pub(crate) fn routes(app: &App) -> (Routes, MethodTable) {
    let routes = Routes::default();
    let routes = cart::add(routes, app);
    let routes = rules::add(routes, app);
    let routes = payment::add(routes, app);
    let routes = order::add(routes, app);
    (routes, METHODS)
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        Failure::from(error).into()
    }
}
