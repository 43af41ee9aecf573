//! Where admins must have a second factor: who has none can enrol one and do nothing else.

use souk_accounts::{AdminSecondFactor, METHODS};
use souk_auth::{Caller, Refusal, Rule};
use souk_proto::accounts::v1::account_service_client::AccountServiceClient;
use souk_proto::accounts::v1::second_factor_service_client::SecondFactorServiceClient;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{
    BeginSecondFactorRequest, ConfirmSecondFactorRequest, GetMeRequest, GetSecondFactorRequest,
    RefreshSessionRequest, RemoveSecondFactorRequest, SessionTokens, UserFields,
};
use souk_rpc::{Kind, Transport};

use crate::devices::attempt;
use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{fields, refusal};
use crate::second_factor::Phone;

crate::on_both! {
    who_must_have_one_and_has_none_can_only_enrol
    an_enrolled_admin_has_all_rights_and_keeps_the_second_factor
    customers_need_none
    it_is_required_on_a_server_and_not_on_a_laptop_unless_told_otherwise
}

impl House {
    /// The way to a process where admins must have a second factor.
    pub(crate) fn strict(&self) -> Transport {
        let required = AdminSecondFactor::Required;
        let process = self.configured(|config| config.admin_second_factor = required);
        self.transport(&process, "gateway")
    }

    pub(crate) async fn strict_login(&self, login: &str) -> SessionTokens {
        let mut client = SessionServiceClient::new(self.strict());
        answer(client.login(attempt(login))).await.unwrap()
    }
}

async fn who_must_have_one_and_has_none_can_only_enrol(house: &House) {
    house.admin("root").await;
    house.create(UserFields { role: Some("catalog_admin".into()), ..fields("cat") }).await.unwrap();
    for name in ["root", "cat"] {
        let session = house.strict_login(name).await;
        assert!(session.enrolment_required, "{name}");
        assert!(session.user.unwrap().permissions.is_empty(), "{name}");
        let user = house.verifier.verify(&session.access_token).await.unwrap();
        assert!(user.enrol_only && user.permissions.is_empty() && user.fresh_until == 0);
        // every method but those that lead to a second factor
        let caller = Caller { service: Some("gateway".into()), user: Some(user) };
        let open = METHODS.iter().filter(|(_, rule)| {
            let checked = rule.check(&caller, house.clock.now().timestamp());
            assert!(checked == Ok(()) || checked == Err(Refusal::NotEnrolled));
            checked.is_ok()
        });
        let open: Vec<&str> = open.map(|(path, _)| path.rsplit('/').next().unwrap()).collect();
        let expected =
            ["GetSecondFactor", "BeginSecondFactor", "ConfirmSecondFactor", "VerifySecondFactor"];
        assert_eq!(open, expected);
        assert!(METHODS.iter().filter(|(_, rule)| *rule == Rule::Enrolling).count() == open.len());
        let mut accounts = AccountServiceClient::new(house.strict());
        let me = answer_as(&session.access_token, accounts.get_me(GetMeRequest {})).await;
        let refused = (Kind::Forbidden, "second_factor_enrolment_required".to_owned());
        assert_eq!(refusal(me), refused);
        // a rotation opens nothing either
        let refresh_token = session.refresh_token;
        let mut sessions = SessionServiceClient::new(house.strict());
        let next = answer(sessions.refresh_session(RefreshSessionRequest { refresh_token })).await;
        assert!(next.unwrap().enrolment_required);
    }
}

async fn an_enrolled_admin_has_all_rights_and_keeps_the_second_factor(house: &House) {
    let root = house.admin("root").await;
    let session = house.strict_login("root").await;
    let token = session.access_token;
    let mut client = SecondFactorServiceClient::new(house.strict());
    let status = answer_as(&token, client.get_second_factor(GetSecondFactorRequest {})).await;
    let status = status.unwrap();
    assert_eq!((status.enrolled, status.required, status.fresh_until_us), (false, true, 0));
    let request = BeginSecondFactorRequest { current_password: PASSWORD.to_owned() };
    let begun = answer_as(&token, client.begin_second_factor(request)).await.unwrap();
    let phone = Phone::new(&begun.secret_base32);
    let request = ConfirmSecondFactorRequest { code: phone.shows(house, 0) };
    let confirmed = answer_as(&token, client.confirm_second_factor(request)).await.unwrap();
    let tokens = confirmed.tokens.unwrap();
    assert_eq!((tokens.session_id, tokens.enrolment_required), (session.session_id, false));
    assert!(tokens.refresh_token.is_empty());
    let user = house.verifier.verify(&tokens.access_token).await.unwrap();
    assert_eq!(user.permissions.len(), root.permissions.len());
    assert_eq!(house.me(&tokens.access_token).await.unwrap(), root);
    // the refresh token from before leads to the same rights
    let refresh_token = session.refresh_token;
    let mut sessions = SessionServiceClient::new(house.strict());
    let next = answer(sessions.refresh_session(RefreshSessionRequest { refresh_token })).await;
    assert_eq!(next.unwrap().user.unwrap().permissions, root.permissions);

    let request = RemoveSecondFactorRequest {
        current_password: PASSWORD.to_owned(),
        code: phone.shows(house, 30),
    };
    let removed = answer_as(&tokens.access_token, client.remove_second_factor(request)).await;
    assert_eq!(refusal(removed), (Kind::Forbidden, "second_factor_required".to_owned()));
    assert!(house.second_factor(&tokens.access_token).await.enrolled);
}

async fn customers_need_none(house: &House) {
    let ann = house.person("ann").await;
    let session = house.strict_login("ann").await;
    assert!(!session.enrolment_required);
    let mut accounts = AccountServiceClient::new(house.strict());
    let me = answer_as(&session.access_token, accounts.get_me(GetMeRequest {})).await;
    assert_eq!(me.unwrap(), ann);
    let user = house.verifier.verify(&session.access_token).await.unwrap();
    assert_eq!(user.fresh_until, user.expires_at);
}

async fn it_is_required_on_a_server_and_not_on_a_laptop_unless_told_otherwise(house: &House) {
    house.admin("root").await;
    for (setting, expected) in [
        (AdminSecondFactor::Auto, house.db.is_postgres()),
        (AdminSecondFactor::Off, false),
        (AdminSecondFactor::Required, true),
    ] {
        let process = house.configured(|config| config.admin_second_factor = setting);
        let mut client = SessionServiceClient::new(house.transport(&process, "gateway"));
        let session = answer(client.login(attempt("root"))).await.unwrap();
        assert_eq!(session.enrolment_required, expected, "{setting:?}");
    }
}
