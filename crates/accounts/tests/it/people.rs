//! People for the tests, and what they do.

use souk_proto::accounts::v1::{
    CreateUserRequest, DeleteUserRequest, GetMeRequest, GetUserRequest, ListUsersRequest,
    UpdateMeRequest, UpdateUserRequest, User, UserFields,
};
use souk_rpc::{Failure, Kind};

use crate::house::{House, PASSWORD, answer, answer_as};

/// Fields of a person with this username.
pub(crate) fn fields(username: &str) -> UserFields {
    UserFields {
        username: Some(username.to_owned()),
        email: Some(format!("{username}@shop.example")),
        full_name: Some(format!("{username} Example")),
        password: Some(PASSWORD.to_owned()),
        ..UserFields::default()
    }
}

pub(crate) fn broken_fields(failure: &Failure) -> Vec<&str> {
    failure.violations.iter().map(|violation| violation.field.as_str()).collect()
}

/// Kind and reason of a refusal.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Failure>) -> (Kind, String) {
    let failure = answer.unwrap_err();
    (failure.kind, failure.reason)
}

impl House {
    pub(crate) async fn person(&self, username: &str) -> User {
        self.create(fields(username)).await.unwrap()
    }

    pub(crate) async fn admin(&self, username: &str) -> User {
        self.create(UserFields { role: Some("admin".into()), ..fields(username) }).await.unwrap()
    }

    /// An access token of a person who logs in now.
    pub(crate) async fn token(&self, username: &str) -> String {
        self.login(username, PASSWORD).await.unwrap().access_token
    }

    pub(crate) async fn create(&self, fields: UserFields) -> Result<User, Failure> {
        let request = CreateUserRequest { fields: Some(fields), ..Default::default() };
        answer(self.operator().create_user(request)).await
    }

    pub(crate) async fn update(&self, id: &str, fields: UserFields) -> Result<User, Failure> {
        self.update_at(id, fields, None).await
    }

    pub(crate) async fn update_at(
        &self,
        id: &str,
        fields: UserFields,
        expected_version: Option<u64>,
    ) -> Result<User, Failure> {
        let id = id.to_owned();
        let request =
            UpdateUserRequest { id, fields: Some(fields), expected_version, check_only: false };
        answer(self.operator().update_user(request)).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<User, Failure> {
        let request = DeleteUserRequest { id: id.to_owned(), expected_version: None };
        answer(self.operator().delete_user(request)).await
    }

    pub(crate) async fn get(&self, id: &str) -> Result<User, Failure> {
        answer(self.operator().get_user(GetUserRequest { id: id.to_owned() })).await
    }

    pub(crate) async fn me(&self, token: &str) -> Result<User, Failure> {
        answer_as(token, self.accounts().get_me(GetMeRequest {})).await
    }

    pub(crate) async fn update_me(&self, token: &str, fields: UserFields) -> Result<User, Failure> {
        let request = UpdateMeRequest { fields: Some(fields), ..Default::default() };
        answer_as(token, self.accounts().update_me(request)).await
    }

    pub(crate) async fn usernames(&self, request: ListUsersRequest) -> Vec<String> {
        let list = answer(self.operator().list_users(request)).await.unwrap();
        list.items.into_iter().map(|user| user.username).collect()
    }
}
