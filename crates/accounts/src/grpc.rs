//! The gRPC services of this crate, and who may call which method.

use std::sync::Arc;

use souk_auth::{MethodTable, Permission, Rule};
use souk_proto::accounts::v1::account_service_server::AccountServiceServer;
use souk_proto::accounts::v1::address_service_server::AddressServiceServer;
use souk_proto::accounts::v1::api_key_service_server::ApiKeyServiceServer;
use souk_proto::accounts::v1::avatar_service_server::AvatarServiceServer;
use souk_proto::accounts::v1::block_service_server::BlockServiceServer;
use souk_proto::accounts::v1::credential_service_server::CredentialServiceServer;
use souk_proto::accounts::v1::data_request_service_server::DataRequestServiceServer;
use souk_proto::accounts::v1::device_service_server::DeviceServiceServer;
use souk_proto::accounts::v1::group_action_service_server::GroupActionServiceServer;
use souk_proto::accounts::v1::mail_service_server::MailServiceServer;
use souk_proto::accounts::v1::newsletter_service_server::NewsletterServiceServer;
use souk_proto::accounts::v1::registration_service_server::RegistrationServiceServer;
use souk_proto::accounts::v1::role_service_server::RoleServiceServer;
use souk_proto::accounts::v1::second_factor_service_server::SecondFactorServiceServer;
use souk_proto::accounts::v1::session_service_server::SessionServiceServer;
use souk_rpc::Failure;
use tonic::Status;
use tonic::service::Routes;

use crate::{App, Error};

mod account;
mod address;
mod api_key;
mod avatar;
mod block;
mod credential;
mod data_request;
mod device;
mod group_action;
mod mail;
mod newsletter;
mod registration;
mod role;
mod second_factor;
mod session;

const READ: Rule = Rule::Permission(Permission::UsersRead);
const WRITE: Rule = Rule::Permission(Permission::UsersWrite);
const ROLES: Rule = Rule::Fresh(Permission::RolesWrite);
const GATEWAY: Rule = Rule::Service(&["gateway"]);
const NOTIFIER: Rule = Rule::Service(&["notifier"]);

/// Who may call what.
pub const METHODS: MethodTable = &[
    ("/souk.accounts.v1.AccountService/CreateUser", WRITE),
    ("/souk.accounts.v1.AccountService/GetUser", READ),
    ("/souk.accounts.v1.AccountService/ListUsers", READ),
    ("/souk.accounts.v1.AccountService/UpdateUser", WRITE),
    ("/souk.accounts.v1.AccountService/DeleteUser", WRITE),
    ("/souk.accounts.v1.AccountService/GetMe", Rule::AnyUserOrKey),
    ("/souk.accounts.v1.AccountService/UpdateMe", Rule::AnyUser),
    ("/souk.accounts.v1.AccountService/ListRoles", READ),
    ("/souk.accounts.v1.AccountService/ListNoticeRecipients", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.AccountService/GetContact", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.AccountService/GetHeldPermissions", NOTIFIER),
    ("/souk.accounts.v1.AccountService/CreateFirstAdmin", Rule::Service(&["operator"])),
    ("/souk.accounts.v1.AddressService/ListAddresses", Rule::AnyUser),
    ("/souk.accounts.v1.AddressService/GetAddress", Rule::AnyUserBy(&["orders"])),
    ("/souk.accounts.v1.AddressService/CreateAddress", Rule::AnyUser),
    ("/souk.accounts.v1.AddressService/UpdateAddress", Rule::AnyUser),
    ("/souk.accounts.v1.AddressService/DeleteAddress", Rule::AnyUser),
    ("/souk.accounts.v1.ApiKeyService/CreateApiKey", Rule::AnyUserFresh),
    ("/souk.accounts.v1.ApiKeyService/ListApiKeys", Rule::AnyUserOrKey),
    ("/souk.accounts.v1.ApiKeyService/RevokeApiKey", Rule::AnyUserOrKey),
    ("/souk.accounts.v1.ApiKeyService/ExchangeApiKey", GATEWAY),
    ("/souk.accounts.v1.AvatarService/ListAvatars", GATEWAY),
    ("/souk.accounts.v1.AvatarService/GetAvatarPicture", GATEWAY),
    ("/souk.accounts.v1.AvatarService/GetMyAvatar", Rule::AnyUser),
    ("/souk.accounts.v1.AvatarService/SetMyAvatar", Rule::AnyUser),
    ("/souk.accounts.v1.AvatarService/RemoveMyAvatar", Rule::AnyUser),
    ("/souk.accounts.v1.AvatarService/GetAvatar", READ),
    ("/souk.accounts.v1.AvatarService/RemoveAvatar", WRITE),
    ("/souk.accounts.v1.BlockService/CreateBlock", WRITE),
    ("/souk.accounts.v1.BlockService/ListBlocks", READ),
    ("/souk.accounts.v1.BlockService/LiftBlock", WRITE),
    ("/souk.accounts.v1.BlockService/ListNetworkBlocks", GATEWAY),
    ("/souk.accounts.v1.CredentialService/ChangePassword", Rule::AnyUser),
    ("/souk.accounts.v1.CredentialService/ForgotPassword", GATEWAY),
    ("/souk.accounts.v1.CredentialService/ResetPassword", GATEWAY),
    ("/souk.accounts.v1.CredentialService/RequestEmailChange", Rule::AnyUser),
    ("/souk.accounts.v1.CredentialService/ConfirmEmailChange", Rule::AnyUser),
    ("/souk.accounts.v1.DataRequestService/StartExport", Rule::AnyUserFresh),
    ("/souk.accounts.v1.DataRequestService/GetExport", Rule::AnyUserOrKey),
    ("/souk.accounts.v1.DataRequestService/DownloadExport", Rule::AnyUserFresh),
    ("/souk.accounts.v1.DataRequestService/StartErasure", Rule::AnyUserFresh),
    ("/souk.accounts.v1.DataRequestService/GetErasure", Rule::AnyUserOrKey),
    ("/souk.accounts.v1.DataRequestService/CancelErasure", Rule::AnyUser),
    ("/souk.accounts.v1.DeviceService/ListSessions", Rule::AnyUser),
    ("/souk.accounts.v1.DeviceService/RenameSession", Rule::AnyUser),
    ("/souk.accounts.v1.DeviceService/EndSession", Rule::AnyUser),
    ("/souk.accounts.v1.DeviceService/EndAllSessions", Rule::AnyUser),
    ("/souk.accounts.v1.GroupActionService/StartGroupAction", WRITE),
    ("/souk.accounts.v1.MailService/GetMail", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.NewsletterService/GetConsentText", GATEWAY),
    ("/souk.accounts.v1.NewsletterService/Subscribe", GATEWAY),
    ("/souk.accounts.v1.NewsletterService/ConfirmSubscription", GATEWAY),
    ("/souk.accounts.v1.NewsletterService/Unsubscribe", GATEWAY),
    ("/souk.accounts.v1.NewsletterService/GetMySubscription", Rule::AnyUser),
    ("/souk.accounts.v1.NewsletterService/SetMySubscription", Rule::AnyUser),
    ("/souk.accounts.v1.NewsletterService/ListSubscribers", READ),
    ("/souk.accounts.v1.NewsletterService/CountSubscribers", READ),
    ("/souk.accounts.v1.NewsletterService/EndSubscription", WRITE),
    ("/souk.accounts.v1.NewsletterService/ListNewsletterRecipients", NOTIFIER),
    ("/souk.accounts.v1.NewsletterService/GetNewsletterRecipient", NOTIFIER),
    ("/souk.accounts.v1.RegistrationService/Register", GATEWAY),
    ("/souk.accounts.v1.RegistrationService/ConfirmRegistration", GATEWAY),
    ("/souk.accounts.v1.RegistrationService/ResendRegistrationCode", GATEWAY),
    ("/souk.accounts.v1.RoleService/ListPermissions", READ),
    ("/souk.accounts.v1.RoleService/CreateRole", ROLES),
    ("/souk.accounts.v1.RoleService/UpdateRole", ROLES),
    ("/souk.accounts.v1.RoleService/DeleteRole", ROLES),
    ("/souk.accounts.v1.SecondFactorService/GetSecondFactor", Rule::Enrolling),
    ("/souk.accounts.v1.SecondFactorService/BeginSecondFactor", Rule::Enrolling),
    ("/souk.accounts.v1.SecondFactorService/ConfirmSecondFactor", Rule::Enrolling),
    ("/souk.accounts.v1.SecondFactorService/VerifySecondFactor", Rule::Enrolling),
    ("/souk.accounts.v1.SecondFactorService/ReplaceRecoveryCodes", Rule::AnyUserFresh),
    ("/souk.accounts.v1.SecondFactorService/RemoveSecondFactor", Rule::AnyUserFresh),
    (
        "/souk.accounts.v1.SecondFactorService/ResetSecondFactor",
        Rule::Fresh(Permission::UsersWrite),
    ),
    ("/souk.accounts.v1.SessionService/Login", GATEWAY),
    ("/souk.accounts.v1.SessionService/RefreshSession", GATEWAY),
    ("/souk.accounts.v1.SessionService/Logout", GATEWAY),
    ("/souk.accounts.v1.SessionService/ResumeSession", GATEWAY),
    ("/souk.accounts.v1.SessionService/ListEndedSessions", GATEWAY),
    ("/souk.accounts.v1.SessionService/GetKeys", Rule::AnyService),
];

/// The services over one `App`, to be guarded by [`METHODS`].
pub fn routes(app: &Arc<App>) -> Routes {
    Routes::new(AccountServiceServer::new(Door { app: app.clone() }))
        .add_service(AddressServiceServer::new(Door { app: app.clone() }))
        .add_service(ApiKeyServiceServer::new(Door { app: app.clone() }))
        .add_service(
            AvatarServiceServer::new(Door { app: app.clone() })
                .max_decoding_message_size(avatar::MAX_MESSAGE),
        )
        .add_service(NewsletterServiceServer::new(Door { app: app.clone() }))
        .add_service(DataRequestServiceServer::new(Door { app: app.clone() }))
        .add_service(DeviceServiceServer::new(Door { app: app.clone() }))
        .add_service(CredentialServiceServer::new(Door { app: app.clone() }))
        .add_service(BlockServiceServer::new(Door { app: app.clone() }))
        .add_service(GroupActionServiceServer::new(Door { app: app.clone() }))
        .add_service(MailServiceServer::new(Door { app: app.clone() }))
        .add_service(RegistrationServiceServer::new(Door { app: app.clone() }))
        .add_service(RoleServiceServer::new(Door { app: app.clone() }))
        .add_service(SecondFactorServiceServer::new(Door { app: app.clone() }))
        .add_service(SessionServiceServer::new(Door { app: app.clone() }))
}

/// Where calls come in.
struct Door {
    app: Arc<App>,
}

fn status(error: impl Into<Error>) -> Status {
    Failure::from(error.into()).into()
}
