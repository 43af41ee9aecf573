//! What needs a letter: registering, new passwords, new addresses.

use sea_orm::{ConnectionTrait, Statement};
use souk_proto::accounts::v1::credential_service_client::CredentialServiceClient;
use souk_proto::accounts::v1::registration_service_client::RegistrationServiceClient;
use souk_proto::accounts::v1::{
    ChangePasswordRequest, ConfirmEmailChangeRequest, ConfirmRegistrationRequest,
    ForgotPasswordRequest, Mail, PendingEmailChange, PendingRegistration, RegisterRequest,
    RegisterResponse, RequestEmailChangeRequest, ResendRegistrationCodeRequest,
    ResetPasswordRequest, User, UserFields,
};
use souk_rpc::{Failure, Transport};

use crate::house::{House, answer, answer_as};
use crate::people::fields;

/// A code that no letter holds, but for one of 10^12.
pub(crate) const WRONG: &str = "ZZZZ-ZZZZ";

impl House {
    pub(crate) fn registrations(&self) -> RegistrationServiceClient<Transport> {
        RegistrationServiceClient::new(self.from("gateway"))
    }

    pub(crate) fn credentials(&self) -> CredentialServiceClient<Transport> {
        CredentialServiceClient::new(self.from("gateway"))
    }

    pub(crate) async fn register(&self, fields: UserFields) -> Result<RegisterResponse, Failure> {
        let address = "203.0.113.9".to_owned();
        let request = RegisterRequest { fields: Some(fields), address, check_only: false };
        answer(self.registrations().register(request)).await
    }

    /// Somebody who registers under this name and this address.
    pub(crate) async fn pend(&self, username: &str, email: &str) -> PendingRegistration {
        let fields = UserFields { email: Some(email.to_owned()), ..fields(username) };
        self.register(fields).await.unwrap().pending.unwrap()
    }

    pub(crate) async fn confirm(&self, id: &str, code: &str) -> Result<User, Failure> {
        let (registration_id, code) = (id.to_owned(), code.to_owned());
        let request = ConfirmRegistrationRequest { registration_id, code };
        answer(self.registrations().confirm_registration(request)).await
    }

    pub(crate) async fn resend(&self, id: &str) -> Result<PendingRegistration, Failure> {
        let request = ResendRegistrationCodeRequest { registration_id: id.to_owned() };
        answer(self.registrations().resend_registration_code(request)).await
    }

    pub(crate) async fn change_password(
        &self,
        token: &str,
        current: &str,
        new: &str,
    ) -> Result<User, Failure> {
        let (current_password, new_password) = (current.to_owned(), new.to_owned());
        let request = ChangePasswordRequest { current_password, new_password };
        answer_as(token, self.credentials().change_password(request)).await
    }

    pub(crate) async fn forgot(&self, login: &str, also_login: &str) -> Result<(), Failure> {
        let (login, also_login) = (login.to_owned(), also_login.to_owned());
        let request = ForgotPasswordRequest { login, also_login };
        answer(self.credentials().forgot_password(request)).await.map(|_| ())
    }

    pub(crate) async fn reset(&self, token: &str, new: &str) -> Result<(), Failure> {
        let (token, new_password) = (token.to_owned(), new.to_owned());
        let request = ResetPasswordRequest { token, new_password };
        answer(self.credentials().reset_password(request)).await.map(|_| ())
    }

    pub(crate) async fn want_email(
        &self,
        token: &str,
        new: &str,
        password: &str,
    ) -> Result<PendingEmailChange, Failure> {
        let (new_email, current_password) = (new.to_owned(), password.to_owned());
        let request = RequestEmailChangeRequest { new_email, current_password };
        answer_as(token, self.credentials().request_email_change(request)).await
    }

    pub(crate) async fn confirm_email(&self, token: &str, code: &str) -> Result<User, Failure> {
        let request = ConfirmEmailChangeRequest { code: code.to_owned() };
        answer_as(token, self.credentials().confirm_email_change(request)).await
    }

    /// The newest letter of this kind.
    pub(crate) async fn letter(&self, kind: &str) -> Mail {
        self.letters(kind).await.pop().unwrap_or_else(|| panic!("no letter {kind}"))
    }

    /// The first column of every row.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let db = self.db.write();
        let sql = Statement::from_string(db.get_database_backend(), sql);
        let rows = db.query_all_raw(sql).await.unwrap();
        rows.into_iter().map(|row| row.try_get_by_index::<String>(0).unwrap()).collect()
    }
}

/// Whether [`House::everything`] holds these bytes, as text or in binary.
pub(crate) fn holds(everything: &str, secret: &[u8]) -> bool {
    let text = String::from_utf8_lossy(secret).to_lowercase();
    let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    everything.contains(&text) || everything.contains(&digits)
}

/// The token in a link.
pub(crate) fn token(mail: &Mail) -> String {
    mail.link.rsplit_once("?token=").unwrap().1.to_owned()
}

/// Reasons of refusals, and how many calls went well.
pub(crate) fn outcomes<T>(answers: Vec<Result<T, Failure>>) -> (usize, Vec<String>) {
    let (good, bad): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    (good.len(), bad.into_iter().filter_map(Result::err).map(|failure| failure.reason).collect())
}
