//! `AccountService` on the wire.

use std::collections::BTreeSet;

use souk_auth::Permission;
use souk_proto::accounts::v1 as pb;
use souk_proto::accounts::v1::account_service_server::AccountService;
use souk_rpc::{Violation, caller};
use souk_values::{Page, UserId};
use tonic::{Request, Response, Status};

use super::{Door, status};
use crate::Error;
use crate::app::{account as app, actor, first_admin};
use crate::domain::account::Fields;
use crate::store::account::{Filter, Model};
use crate::store::role::Roles;
use crate::store::{self, newest};

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl AccountService for Door {
    async fn create_user(&self, request: Request<pb::CreateUserRequest>) -> Answer<pb::User> {
        let caller = caller(&request);
        let pb::CreateUserRequest { fields, idempotency_key: key, check_only } =
            request.into_inner();
        let fields = from_proto(fields);
        if check_only {
            return checked(app::check_new(&self.app, &caller, &fields, &key).await);
        }
        self.user(app::create(&self.app, &caller, fields, &key).await).await
    }

    async fn get_user(&self, request: Request<pb::GetUserRequest>) -> Answer<pb::User> {
        self.app.admit(&caller(&request)).await.map_err(status)?;
        let id = user_id(&request.into_inner().id).map_err(status)?;
        let found = store::account::find(newest(self.app.db()), id).await.map_err(status)?;
        self.user(found.filter(|account| account.active).ok_or(Error::UserNotFound)).await
    }

    async fn list_users(
        &self,
        request: Request<pb::ListUsersRequest>,
    ) -> Answer<pb::ListUsersResponse> {
        self.app.admit(&caller(&request)).await.map_err(status)?;
        let db = newest(self.app.db());
        let roles = store::role::all(db).await.map_err(status)?;
        let (filter, page, after) = wanted(request.into_inner(), &roles).map_err(status)?;
        let found = store::account::list(db, &filter, &page, after).await.map_err(status)?;
        Ok(Response::new(pb::ListUsersResponse {
            items: found.0.iter().map(|account| with_roles(account, &roles)).collect(),
            next_cursor: found.1.map(|c| c.as_str().to_owned()).unwrap_or_default(),
        }))
    }

    async fn update_user(&self, request: Request<pb::UpdateUserRequest>) -> Answer<pb::User> {
        let caller = caller(&request);
        let pb::UpdateUserRequest { id, fields, expected_version, check_only } =
            request.into_inner();
        let id = user_id(&id).map_err(status)?;
        let fields = from_proto(fields);
        if check_only {
            return checked(app::check_change(&self.app, &caller, id, &fields).await);
        }
        self.user(app::update(&self.app, &caller, id, fields, expected_version).await).await
    }

    async fn delete_user(&self, request: Request<pb::DeleteUserRequest>) -> Answer<pb::User> {
        let caller = caller(&request);
        let pb::DeleteUserRequest { id, expected_version } = request.into_inner();
        let id = user_id(&id).map_err(status)?;
        self.user(app::delete(&self.app, &caller, id, expected_version).await).await
    }

    async fn get_me(&self, request: Request<pb::GetMeRequest>) -> Answer<pb::User> {
        let caller = caller(&request);
        self.app.admit(&caller).await.map_err(status)?;
        let user = caller.user.ok_or(Error::NotLoggedIn).map_err(status)?;
        let found = store::account::find(newest(self.app.db()), user.id).await.map_err(status)?;
        self.user(found.ok_or(Error::UserNotFound)).await
    }

    async fn update_me(&self, request: Request<pb::UpdateMeRequest>) -> Answer<pb::User> {
        let caller = caller(&request);
        let pb::UpdateMeRequest { fields, expected_version, check_only } = request.into_inner();
        let fields = from_proto(fields);
        if check_only {
            return checked(app::check_me(&self.app, &caller, &fields).await);
        }
        self.user(app::update_me(&self.app, &caller, fields, expected_version).await).await
    }

    async fn list_roles(
        &self,
        request: Request<pb::ListRolesRequest>,
    ) -> Answer<pb::ListRolesResponse> {
        self.app.admit(&caller(&request)).await.map_err(status)?;
        let Roles(roles) = store::role::all(newest(self.app.db())).await.map_err(status)?;
        let items = roles.iter().map(|role| pb::Role {
            name: role.name.clone(),
            number: role.number().unwrap_or_default(),
            permissions: words(role.permissions()),
        });
        Ok(Response::new(pb::ListRolesResponse { items: items.collect() }))
    }

    async fn list_notice_recipients(
        &self,
        _request: Request<pb::ListNoticeRecipientsRequest>,
    ) -> Answer<pb::ListNoticeRecipientsResponse> {
        let db = newest(self.app.db());
        let roles = store::role::all(db).await.map_err(status)?;
        let roles = roles.holding(Permission::NoticesReceive);
        let found = store::account::active_with_roles(db, roles).await.map_err(status)?;
        let items = found.into_iter().map(|account| pb::Recipient {
            user_id: account.id.to_string(),
            name: if account.full_name.is_empty() { account.username } else { account.full_name },
            email: account.email,
        });
        Ok(Response::new(pb::ListNoticeRecipientsResponse { items: items.collect() }))
    }

    async fn get_contact(&self, request: Request<pb::GetContactRequest>) -> Answer<pb::Contact> {
        let id = user_id(&request.into_inner().user_id).map_err(status)?;
        let found = store::account::find(newest(self.app.db()), id).await.map_err(status)?;
        let account = found.ok_or(Error::UserNotFound).map_err(status)?;
        Ok(Response::new(pb::Contact {
            user_id: account.id.to_string(),
            email: account.email,
            name: if account.full_name.is_empty() { account.username } else { account.full_name },
            active: account.active,
        }))
    }

    async fn get_held_permissions(
        &self,
        request: Request<pb::GetHeldPermissionsRequest>,
    ) -> Answer<pb::HeldPermissions> {
        // nobody holds nothing
        let held = match request.into_inner().user_id.parse() {
            Ok(id) => actor::held(newest(self.app.db()), id, self.app.now()).await,
            Err(_) => Ok(BTreeSet::new()),
        };
        Ok(Response::new(pb::HeldPermissions { permissions: words(held.map_err(status)?) }))
    }

    async fn create_first_admin(
        &self,
        request: Request<pb::CreateFirstAdminRequest>,
    ) -> Answer<pb::CreateFirstAdminResponse> {
        let caller = caller(&request);
        let pb::CreateFirstAdminRequest { email, username, password } = request.into_inner();
        let made = first_admin::create(&self.app, &caller, &email, &username, &password).await;
        let Some(made) = made.map_err(status)? else {
            return Ok(Response::new(pb::CreateFirstAdminResponse::default()));
        };
        let user = self.user(Ok(made.account)).await?.into_inner();
        Ok(Response::new(pb::CreateFirstAdminResponse {
            created: true,
            password: made.password.unwrap_or_default(),
            user: Some(user),
        }))
    }
}

impl Door {
    pub(super) async fn user(&self, account: Result<Model, Error>) -> Answer<pb::User> {
        let account = account.map_err(status)?;
        let roles = store::role::all(newest(self.app.db())).await.map_err(status)?;
        Ok(Response::new(with_roles(&account, &roles)))
    }
}

fn wanted(
    request: pb::ListUsersRequest,
    roles: &Roles,
) -> Result<(Filter, Page, Option<UserId>), Error> {
    let mut broken = Vec::new();
    let wish = request.page.unwrap_or_default();
    let page = Page::new(wish.limit, &wish.cursor)
        .map_err(|error| broken.push(Violation::new("limit", error)))
        .ok();
    let after = page.as_ref().and_then(|page| page.cursor.as_ref()).and_then(|cursor| {
        cursor.decode::<UserId>().map_err(|e| broken.push(Violation::new("cursor", e))).ok()
    });
    let role = (!request.role.is_empty()).then(|| roles.find(&request.role));
    if role == Some(None) {
        broken.push(Violation::new("role", "is not a role"));
    }
    if request.text.len() > 254 || request.text.chars().any(char::is_control) {
        broken.push(Violation::new("text", "must have at most 254 printable characters"));
    }
    let active = request.active.unwrap_or(true);
    let filter = Filter { role: role.flatten(), active, text: request.text };
    match page {
        Some(page) if broken.is_empty() => Ok((filter, page, after)),
        _ => Err(Error::Invalid(broken)),
    }
}

/// Nothing was written, so there is nobody to show.
fn checked<T>(result: Result<T, Error>) -> Answer<pb::User> {
    result.map(|_| Response::new(pb::User::default())).map_err(status)
}

/// What is no id names nobody.
fn user_id(text: &str) -> Result<UserId, Error> {
    text.parse().map_err(|_| Error::UserNotFound)
}

pub(super) fn from_proto(fields: Option<pb::UserFields>) -> Fields {
    let pb::UserFields { username, email, full_name, password, role, active, password_hash } =
        fields.unwrap_or_default();
    Fields { username, email, full_name, password, role, active, password_hash }
}

fn with_roles(account: &Model, roles: &Roles) -> pb::User {
    to_proto(account, roles.permissions(&account.role))
}

pub(super) fn to_proto(
    account: &Model,
    permissions: impl IntoIterator<Item = Permission>,
) -> pb::User {
    pb::User {
        id: account.id.to_string(),
        username: account.username.clone(),
        email: account.email.clone(),
        full_name: account.full_name.clone(),
        role: account.role.clone(),
        active: account.active,
        version: u64::try_from(account.version).unwrap_or_default(),
        created_at_us: account.created_at.timestamp_micros(),
        updated_at_us: account.updated_at.timestamp_micros(),
        permissions: permissions.into_iter().map(|p| p.to_string()).collect(),
    }
}

fn words(permissions: BTreeSet<Permission>) -> Vec<String> {
    permissions.into_iter().map(|permission| permission.to_string()).collect()
}
