//! The gRPC services of this crate, and who may call which method.

use std::sync::Arc;

use souk_auth::{MethodTable, Permission, Rule};
use souk_proto::accounts::v1::account_service_server::AccountServiceServer;
use souk_proto::accounts::v1::address_service_server::AddressServiceServer;
use souk_proto::accounts::v1::session_service_server::SessionServiceServer;
use souk_rpc::Failure;
use tonic::Status;
use tonic::service::Routes;

use crate::{App, Error};

mod account;
mod address;
mod session;

const READ: Rule = Rule::Permission(Permission::UsersRead);
const WRITE: Rule = Rule::Permission(Permission::UsersWrite);
const GATEWAY: Rule = Rule::Service(&["gateway"]);

/// Who may call what.
pub const METHODS: MethodTable = &[
    ("/souk.accounts.v1.AccountService/CreateUser", WRITE),
    ("/souk.accounts.v1.AccountService/GetUser", READ),
    ("/souk.accounts.v1.AccountService/ListUsers", READ),
    ("/souk.accounts.v1.AccountService/UpdateUser", WRITE),
    ("/souk.accounts.v1.AccountService/DeleteUser", WRITE),
    ("/souk.accounts.v1.AccountService/GetMe", Rule::AnyUser),
    ("/souk.accounts.v1.AccountService/UpdateMe", Rule::AnyUser),
    ("/souk.accounts.v1.AccountService/ListRoles", READ),
    ("/souk.accounts.v1.AccountService/ListNoticeRecipients", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.AccountService/GetContact", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.AccountService/CreateFirstAdmin", Rule::Service(&["operator"])),
    ("/souk.accounts.v1.AddressService/ListAddresses", Rule::AnyUser),
    ("/souk.accounts.v1.AddressService/GetAddress", Rule::AnyUser),
    ("/souk.accounts.v1.AddressService/CreateAddress", Rule::AnyUser),
    ("/souk.accounts.v1.AddressService/UpdateAddress", Rule::AnyUser),
    ("/souk.accounts.v1.AddressService/DeleteAddress", Rule::AnyUser),
    ("/souk.accounts.v1.SessionService/Login", GATEWAY),
    ("/souk.accounts.v1.SessionService/RefreshSession", GATEWAY),
    ("/souk.accounts.v1.SessionService/Logout", GATEWAY),
    ("/souk.accounts.v1.SessionService/GetKeys", Rule::AnyService),
];

/// The services over one `App`, to be guarded by [`METHODS`].
pub fn routes(app: &Arc<App>) -> Routes {
    Routes::new(AccountServiceServer::new(Door { app: app.clone() }))
        .add_service(AddressServiceServer::new(Door { app: app.clone() }))
        .add_service(SessionServiceServer::new(Door { app: app.clone() }))
}

/// Where calls come in.
struct Door {
    app: Arc<App>,
}

fn status(error: impl Into<Error>) -> Status {
    Failure::from(error.into()).into()
}
