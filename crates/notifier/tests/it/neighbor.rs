//! Accounts as tests need them: it knows who gets notices and what its letters say, and can be away.
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use souk_auth::{MethodTable, Permission, Rule, ServiceTokens, Verifier};
use souk_notifier::app::Recipient;
use souk_proto::accounts::v1 as proto;
use souk_proto::accounts::v1::account_service_server::{AccountService, AccountServiceServer};
use souk_proto::accounts::v1::mail_service_server::{MailService, MailServiceServer};
use souk_proto::accounts::v1::newsletter_service_server::{
    NewsletterService, NewsletterServiceServer,
};
use souk_rpc::{CallContext, Guarded, Identity, Stack, Transport};
use souk_testkit::people;
use souk_values::{Clock, SubscriberId, UserId};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

const METHODS: MethodTable = &[
    ("/souk.accounts.v1.AccountService/ListNoticeRecipients", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.AccountService/GetContact", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.AccountService/GetHeldPermissions", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.MailService/GetMail", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.NewsletterService/ListNewsletterRecipients", Rule::Service(&["notifier"])),
    ("/souk.accounts.v1.NewsletterService/GetNewsletterRecipient", Rule::Service(&["notifier"])),
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
    /// By request id.
    pub(crate) mails: Mutex<HashMap<String, proto::Mail>>,
    /// Who confirmed, in order, and where their letters go; empty: they took it back meanwhile.
    pub(crate) subscribers: Mutex<BTreeMap<SubscriberId, String>>,
    /// What people may do; who is not in it nothing.
    pub(crate) held: Mutex<HashMap<String, Vec<Permission>>>,
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

    /// That user may do this from now on, and nothing else.
    pub(crate) fn holds(&self, user: UserId, permissions: &[Permission]) {
        let mut held = self.accounts.held.lock().expect("unpoisoned");
        held.insert(user.to_string(), permissions.to_vec());
    }

    /// Accounts has that letter to be sent.
    pub(crate) fn has_mail(&self, mail: proto::Mail) {
        let id = mail.request_id.clone();
        self.accounts.mails.lock().expect("unpoisoned").insert(id, mail);
    }

    /// The notifier's way to accounts.
    pub(crate) fn client(&self) -> souk_notifier::clients::accounts::Accounts {
        let server = AccountServiceServer::from_arc(self.accounts.clone());
        let mail = MailServiceServer::from_arc(self.accounts.clone());
        let newsletter = NewsletterServiceServer::from_arc(self.accounts.clone());
        let routes = Routes::new(server).add_service(mail).add_service(newsletter);
        let guarded = self.guard("accounts", METHODS, routes);
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
        Stack { name, methods, verifier, tokens, concurrency: 0, refusals: None }.guard(routes)
    }

    pub(crate) fn identity(&self, name: &str) -> Identity {
        Identity { name: name.into(), tokens: self.tokens.clone() }
    }

    /// A call of that user, with these permissions.
    pub(crate) fn call_of(&self, user: UserId, permissions: &[Permission]) -> CallContext {
        let permissions: Vec<&str> = permissions.iter().map(|p| p.as_str()).collect();
        let token = people::token_of(&user.to_string(), &self.clock, &permissions);
        // nobody's deadline counts here: a busy machine is no failure
        let deadline = Some(std::time::Instant::now() + std::time::Duration::from_secs(180));
        CallContext { token: Some(token.into()), deadline, ..CallContext::default() }
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
    async fn get_held_permissions(
        &self,
        request: Request<proto::GetHeldPermissionsRequest>,
    ) -> Result<Response<proto::HeldPermissions>, Status> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let held = self.held.lock().expect("unpoisoned");
        let held = held.get(&request.into_inner().user_id).cloned().unwrap_or_default();
        let permissions = held.iter().map(ToString::to_string).collect();
        Ok(Response::new(proto::HeldPermissions { permissions }))
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

#[tonic::async_trait]
impl MailService for Accounts {
    async fn get_mail(
        &self,
        request: Request<proto::GetMailRequest>,
    ) -> Result<Response<proto::Mail>, Status> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let mails = self.mails.lock().expect("unpoisoned");
        let found = mails.get(&request.into_inner().request_id).cloned();
        found.map(Response::new).ok_or_else(|| Status::not_found("no such mail"))
    }
}

#[tonic::async_trait]
impl NewsletterService for Accounts {
    async fn list_newsletter_recipients(
        &self,
        request: Request<proto::ListNewsletterRecipientsRequest>,
    ) -> Result<Response<proto::ListNewsletterRecipientsResponse>, Status> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let request = request.into_inner();
        let after: Option<SubscriberId> = request.after.parse().ok();
        let subscribers = self.subscribers.lock().expect("unpoisoned");
        let wanted = subscribers.keys().filter(|id| after.is_none_or(|after| **id > after));
        let ids = wanted.take(request.limit as usize).map(ToString::to_string).collect();
        let total = subscribers.len() as u64;
        Ok(Response::new(proto::ListNewsletterRecipientsResponse { ids, total }))
    }
    async fn get_newsletter_recipient(
        &self,
        request: Request<proto::GetNewsletterRecipientRequest>,
    ) -> Result<Response<proto::NewsletterRecipient>, Status> {
        if self.away.load(Ordering::SeqCst) {
            return Err(Status::unavailable("away"));
        }
        let id = request.into_inner().id;
        let subscribers = self.subscribers.lock().expect("unpoisoned");
        let email = id.parse().ok().and_then(|id| subscribers.get(&id).cloned());
        let email = email.filter(|email| !email.is_empty());
        let email = email.ok_or_else(|| Status::not_found("no such subscriber"))?;
        let link = format!("/newsletter/unsubscribe?token={id}");
        Ok(Response::new(proto::NewsletterRecipient { email, link }))
    }
    async fn get_consent_text(
        &self,
        _: Request<proto::GetConsentTextRequest>,
    ) -> Result<Response<proto::ConsentText>, Status> {
        Err(never())
    }
    async fn subscribe(
        &self,
        _: Request<proto::SubscribeRequest>,
    ) -> Result<Response<proto::SubscribeResponse>, Status> {
        Err(never())
    }
    async fn confirm_subscription(
        &self,
        _: Request<proto::ConfirmSubscriptionRequest>,
    ) -> Result<Response<proto::ConfirmSubscriptionResponse>, Status> {
        Err(never())
    }
    async fn unsubscribe(
        &self,
        _: Request<proto::UnsubscribeRequest>,
    ) -> Result<Response<proto::UnsubscribeResponse>, Status> {
        Err(never())
    }
    async fn get_my_subscription(
        &self,
        _: Request<proto::GetMySubscriptionRequest>,
    ) -> Result<Response<proto::MySubscription>, Status> {
        Err(never())
    }
    async fn set_my_subscription(
        &self,
        _: Request<proto::SetMySubscriptionRequest>,
    ) -> Result<Response<proto::MySubscription>, Status> {
        Err(never())
    }
    async fn list_subscribers(
        &self,
        _: Request<proto::ListSubscribersRequest>,
    ) -> Result<Response<proto::ListSubscribersResponse>, Status> {
        Err(never())
    }
    async fn count_subscribers(
        &self,
        _: Request<proto::CountSubscribersRequest>,
    ) -> Result<Response<proto::CountSubscribersResponse>, Status> {
        Err(never())
    }
    async fn end_subscription(
        &self,
        _: Request<proto::EndSubscriptionRequest>,
    ) -> Result<Response<proto::Subscriber>, Status> {
        Err(never())
    }
}

/// The notifier has no business asking that.
fn never() -> Status {
    Status::permission_denied("the notifier asks for recipients and contacts only")
}
