//! Accounts as tests need them: it knows who gets notices, and can be away.
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use souk_auth::{MethodTable, Permission, Rule, ServiceTokens, Verifier};
use souk_notifier::app::Recipient;
use souk_proto::accounts::v1 as proto;
use souk_proto::accounts::v1::account_service_server::{AccountService, AccountServiceServer};
use souk_rpc::{CallContext, Guarded, Identity, Stack, Transport};
use souk_testkit::people;
use souk_values::{Clock, UserId};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

const METHODS: MethodTable = &[
    ("/souk.accounts.v1.AccountService/ListNoticeRecipients", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.AccountService/GetContact", Rule::Service(&["notifier"])),
];

/// Everybody's keys, and one neighbor.
pub(crate) struct Neighborhood {
    pub(crate) accounts: Arc<Accounts>,
    tokens: Arc<ServiceTokens>,
    clock: Clock,
}

#[derive(Default)]
pub(crate) struct Accounts {
    pub(crate) people: Mutex<Vec<Recipient>>,
    /// With whether their account is open.
    pub(crate) buyers: Mutex<Vec<(Recipient, bool)>>,
    pub(crate) away: AtomicBool,
    pub(crate) asked: AtomicU32,
}

impl Neighborhood {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self {
            accounts: Arc::default(),
            tokens: Arc::new(ServiceTokens::new(&[7; 32], clock.clone())),
            clock: clock.clone(),
        }
    }

    pub(crate) fn knows(&self, people: &[Recipient]) {
        *self.accounts.people.lock().expect("unpoisoned") = people.to_vec();
    }

    pub(crate) fn has_buyer(&self, who: &Recipient, active: bool) {
        self.accounts.buyers.lock().expect("unpoisoned").push((who.clone(), active));
    }

    /// The notifier's way to accounts.
    pub(crate) fn client(&self) -> souk_notifier::clients::accounts::Accounts {
        let server = AccountServiceServer::from_arc(self.accounts.clone());
        let guarded = self.guard("accounts", METHODS, Routes::new(server));
        let way = Transport::local("accounts", guarded, self.identity("notifier"));
        souk_notifier::clients::accounts::Accounts::new(way)
    }

    pub(crate) fn guard(
        &self,
        name: &'static str,
        methods: MethodTable,
        routes: Routes,
    ) -> Guarded {
        let keys = people::jwks();
        let source = move || {
            let keys = keys.clone();
            let answer: futures::future::BoxFuture<'static, _> = Box::pin(async move { Ok(keys) });
            answer
        };
        let verifier = Arc::new(Verifier::new(Arc::new(source), self.clock.clone()));
        let tokens = self.tokens.clone();
        Stack { name, methods, verifier, tokens, concurrency: 0 }.guard(routes)
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        Identity { name: name.into(), tokens: self.tokens.clone() }
    }

    /// A call of that user, with these permissions.
    pub(crate) fn call_of(&self, user: UserId, permissions: &[Permission]) -> CallContext {
        let permissions: Vec<&str> = permissions.iter().map(|p| p.as_str()).collect();
        let token = people::token_of(&user.to_string(), &self.clock, &permissions);
        CallContext { token: Some(token.into()), ..CallContext::default() }
    }
}

#[tonic::async_trait]
impl AccountService for Accounts {
    async fn list_notice_recipients(
        &self,
        _: Request<proto::ListNoticeRecipientsRequest>,
    ) -> Result<Response<proto::ListNoticeRecipientsResponse>, Status> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let recipient = |p: &Recipient| proto::Recipient {
            user_id: p.user_id.to_string(),
            email: p.email.clone(),
            name: p.name.clone(),
        };
        let items = self.people.lock().expect("unpoisoned").iter().map(recipient).collect();
        Ok(Response::new(proto::ListNoticeRecipientsResponse { items }))
    }
    async fn get_contact(
        &self,
        request: Request<proto::GetContactRequest>,
    ) -> Result<Response<proto::Contact>, Status> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let asked = request.into_inner().user_id;
        let buyers = self.buyers.lock().expect("unpoisoned");
        let found = buyers.iter().find(|(who, _)| who.user_id.to_string() == asked);
        let (who, active) = found.ok_or_else(|| Status::not_found("no such account"))?;
        Ok(Response::new(proto::Contact {
            user_id: asked,
            email: who.email.clone(),
            name: who.name.clone(),
            active: *active,
        }))
    }
    async fn create_user(
        &self,
        _: Request<proto::CreateUserRequest>,
    ) -> Result<Response<proto::User>, Status> {
        Err(never())
    }
    async fn get_user(
        &self,
        _: Request<proto::GetUserRequest>,
    ) -> Result<Response<proto::User>, Status> {
        Err(never())
    }
    async fn list_users(
        &self,
        _: Request<proto::ListUsersRequest>,
    ) -> Result<Response<proto::ListUsersResponse>, Status> {
        Err(never())
    }
    async fn update_user(
        &self,
        _: Request<proto::UpdateUserRequest>,
    ) -> Result<Response<proto::User>, Status> {
        Err(never())
    }
    async fn delete_user(
        &self,
        _: Request<proto::DeleteUserRequest>,
    ) -> Result<Response<proto::User>, Status> {
        Err(never())
    }
    async fn get_me(
        &self,
        _: Request<proto::GetMeRequest>,
    ) -> Result<Response<proto::User>, Status> {
        Err(never())
    }
    async fn update_me(
        &self,
        _: Request<proto::UpdateMeRequest>,
    ) -> Result<Response<proto::User>, Status> {
        Err(never())
    }
    async fn create_first_admin(
        &self,
        _: Request<proto::CreateFirstAdminRequest>,
    ) -> Result<Response<proto::CreateFirstAdminResponse>, Status> {
        Err(never())
    }
    async fn list_roles(
        &self,
        _: Request<proto::ListRolesRequest>,
    ) -> Result<Response<proto::ListRolesResponse>, Status> {
        Err(never())
    }
}

/// The notifier has no business asking that.
fn never() -> Status {
    Status::permission_denied("the notifier asks for recipients and contacts only")
}
