//! Second factors: enrolled, asked for at a login and again for what matters, lost and taken away.

use chrono::TimeDelta;
use futures::future::join_all;
use souk_proto::accounts::v1::second_factor_service_client::SecondFactorServiceClient;
use souk_proto::accounts::v1::session_service_client::SessionServiceClient;
use souk_proto::accounts::v1::{
    BeginSecondFactorRequest, ConfirmSecondFactorRequest, GetSecondFactorRequest, LoginRequest,
    RefreshSessionRequest, RemoveSecondFactorRequest, ReplaceRecoveryCodesRequest,
    ResetSecondFactorRequest, SecondFactor, SecondFactorConfirmed, SecondFactorSecret,
    SessionTokens, UpdateUserRequest, User, UserFields, VerifySecondFactorRequest,
};
use souk_rpc::{Failure, Kind, Transport};
use totp_rs::{Builder, Secret, Totp};

use crate::devices::attempt;
use crate::house::{House, PASSWORD, answer, answer_as};
use crate::people::{broken_fields, refusal};
use crate::told::fact;

crate::on_both! {
    s12_a_login_needs_a_code_that_counts_once
    s12_after_five_wrong_codes_nobody_is_heard_for_a_while
    s12_the_sixth_guess_of_an_open_session_is_not_heard_either
    s12_nobody_who_came_in_without_a_code_stays_in_when_one_is_enrolled
    a_second_factor_is_fresh_for_five_minutes_and_may_be_given_again
    a_code_that_many_use_at_once_passes_once
    a_recovery_code_counts_once
    new_recovery_codes_replace_the_old
    secrets_are_sealed_and_codes_only_recognised
    nothing_counts_before_it_is_confirmed
    enrolling_needs_the_password_and_the_first_code
    an_owner_takes_it_away_by_password_and_code
    an_admin_takes_it_away_from_somebody_who_lost_it
    roles_and_passwords_of_admins_need_a_fresh_second_factor
}

/// An authenticator app.
pub(crate) struct Phone(Totp);

impl Phone {
    pub(crate) fn new(base32: &str) -> Self {
        let secret = Secret::try_from_base32(base32).unwrap();
        Self(Builder::new().with_secret(secret).build().unwrap())
    }

    /// What it shows so many seconds from now.
    pub(crate) fn shows(&self, house: &House, seconds: i64) -> String {
        let at = house.clock.now().timestamp() + seconds;
        self.0.generate(at.unsigned_abs()).to_string()
    }

    /// A code that it does not show around now.
    fn wrong(&self, house: &House) -> String {
        let right: Vec<String> = (-2..=2).map(|step| self.shows(house, step * 30)).collect();
        let codes = (0..10).map(|n| format!("{n:06}"));
        codes.into_iter().find(|code| !right.contains(code)).unwrap()
    }
}

impl House {
    pub(crate) fn second_factors(&self) -> SecondFactorServiceClient<Transport> {
        SecondFactorServiceClient::new(self.from("gateway"))
    }

    pub(crate) async fn begin_factor(
        &self,
        token: &str,
        password: &str,
    ) -> Result<SecondFactorSecret, Failure> {
        let request = BeginSecondFactorRequest { current_password: password.to_owned() };
        answer_as(token, self.second_factors().begin_second_factor(request)).await
    }

    pub(crate) async fn confirm_factor(
        &self,
        token: &str,
        code: String,
    ) -> Result<SecondFactorConfirmed, Failure> {
        let request = ConfirmSecondFactorRequest { code };
        answer_as(token, self.second_factors().confirm_second_factor(request)).await
    }

    /// Enrols whoever has this token, with the code of half a minute ago: the one that is shown
    /// now is still good.
    pub(crate) async fn enrol(&self, token: &str) -> (Phone, SecondFactorConfirmed) {
        let phone = Phone::new(&self.begin_factor(token, PASSWORD).await.unwrap().secret_base32);
        let confirmed = self.confirm_factor(token, phone.shows(self, -30)).await.unwrap();
        (phone, confirmed)
    }

    async fn give_code(&self, token: &str, code: &str) -> Result<SessionTokens, Failure> {
        let request = VerifySecondFactorRequest { code: code.to_owned() };
        answer_as(token, self.second_factors().verify_second_factor(request)).await
    }

    pub(crate) async fn second_factor(&self, token: &str) -> SecondFactor {
        let request = GetSecondFactorRequest {};
        answer_as(token, self.second_factors().get_second_factor(request)).await.unwrap()
    }

    async fn replace_codes(&self, token: &str) -> Result<Vec<String>, Failure> {
        let request = ReplaceRecoveryCodesRequest {};
        let codes = answer_as(token, self.second_factors().replace_recovery_codes(request)).await;
        codes.map(|answer| answer.codes)
    }

    async fn remove_factor(
        &self,
        token: &str,
        password: &str,
        code: &str,
    ) -> Result<SecondFactor, Failure> {
        let request = RemoveSecondFactorRequest {
            current_password: password.to_owned(),
            code: code.to_owned(),
        };
        answer_as(token, self.second_factors().remove_second_factor(request)).await
    }

    async fn reset_factor(&self, token: &str, id: &str) -> Result<SecondFactor, Failure> {
        let request = ResetSecondFactorRequest { user_id: id.to_owned() };
        answer_as(token, self.second_factors().reset_second_factor(request)).await
    }

    async fn login_with(&self, login: &str, code: &str) -> Result<SessionTokens, Failure> {
        let second_factor_code = code.to_owned();
        self.enter(LoginRequest { second_factor_code, ..attempt(login) }).await
    }

    /// Somebody with an app, their first token, and what enrolling gave.
    pub(crate) async fn somebody_enrolled(
        &self,
        name: &str,
    ) -> (User, Phone, SecondFactorConfirmed) {
        let user = self.person(name).await;
        let (phone, confirmed) = self.enrol(&self.token(name).await).await;
        (user, phone, confirmed)
    }

    pub(crate) async fn change_as(
        &self,
        token: &str,
        id: &str,
        fields: UserFields,
    ) -> Result<User, Failure> {
        let request =
            UpdateUserRequest { id: id.to_owned(), fields: Some(fields), ..Default::default() };
        answer_as(token, self.accounts().update_user(request)).await
    }

    /// The changes that letters about second factors told, oldest first.
    async fn changes_told(&self) -> Vec<String> {
        let letters = self.letters("second_factor_changed").await;
        letters.iter().map(|letter| fact(letter, "change").to_owned()).collect()
    }
}

pub(crate) fn needed() -> (Kind, String) {
    (Kind::Forbidden, "second_factor_needed".to_owned())
}

fn wrong_at_login() -> (Kind, String) {
    (Kind::Unauthenticated, "wrong_second_factor".to_owned())
}

fn wrong() -> (Kind, String) {
    (Kind::Invalid, "wrong_code".to_owned())
}

async fn s12_a_login_needs_a_code_that_counts_once(house: &House) {
    let (_, phone, _) = house.somebody_enrolled("ann").await;
    let required = (Kind::Unauthenticated, "second_factor_required".to_owned());
    assert_eq!(refusal(house.login("ann", PASSWORD).await), required);
    // who does not know the password does not learn that there is a second factor
    let guess = house.login("ann", "a wrong password").await;
    assert_eq!(refusal(guess).1, "invalid_credentials");
    // the code that confirmed it, and one that nobody was shown
    for code in [phone.shows(house, -30), phone.wrong(house), "123".into(), "x".repeat(500)] {
        assert_eq!(refusal(house.login_with("ann", &code).await), wrong_at_login(), "{code}");
    }
    let code = phone.shows(house, 0);
    let session = house.login_with("ann", &code).await.unwrap();
    assert_eq!(house.me(&session.access_token).await.unwrap().username, "ann");
    assert_eq!(refusal(house.login_with("ann", &code).await), wrong_at_login());
    house.clock.advance(TimeDelta::seconds(30));
    assert_eq!(refusal(house.login_with("ann", &code).await), wrong_at_login());
    assert!(house.login_with("ann", &phone.shows(house, 0)).await.is_ok());
    // others have none
    house.person("ben").await;
    assert!(house.login_with("ben", "123456").await.is_ok());
}

async fn s12_after_five_wrong_codes_nobody_is_heard_for_a_while(house: &House) {
    let (_, phone, confirmed) = house.somebody_enrolled("ann").await;
    let wrong = phone.wrong(house);
    for _ in 0..5 {
        assert_eq!(refusal(house.login_with("ann", &wrong).await), wrong_at_login());
    }
    let refused = house.login_with("ann", &phone.shows(house, 0)).await.unwrap_err();
    assert_eq!((refused.kind, refused.reason.as_str()), (Kind::Exhausted, "too_many_attempts"));
    assert_eq!(refused.retry_after.unwrap().as_secs(), 15);
    let spare = house.login_with("ann", &confirmed.recovery_codes[0]).await;
    assert_eq!(refusal(spare).1, "too_many_attempts");
    house.clock.advance(TimeDelta::seconds(15));
    assert!(house.login_with("ann", &phone.shows(house, 0)).await.is_ok());
    // and the count begins anew
    assert_eq!(refusal(house.login_with("ann", &wrong).await), wrong_at_login());
    assert_eq!(refusal(house.login_with("ann", &wrong).await), wrong_at_login());
}

async fn s12_the_sixth_guess_of_an_open_session_is_not_heard_either(house: &House) {
    let (_, phone, confirmed) = house.somebody_enrolled("ann").await;
    let token = confirmed.tokens.unwrap().access_token;
    let code = phone.wrong(house);
    let refused = house.give_code(&token, &code).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["code"]);
    // together, and however they are sent
    let guesses = join_all((0..12).map(|_| house.give_code(&token, &code))).await;
    let reasons: Vec<String> = guesses.into_iter().map(|guess| refusal(guess).1).collect();
    let heard = reasons.iter().filter(|reason| *reason == "wrong_code").count();
    let braked = reasons.iter().filter(|reason| *reason == "too_many_attempts").count();
    assert_eq!((heard, braked), (4, 8));
    let right = phone.shows(house, 0);
    assert_eq!(refusal(house.login_with("ann", &right).await).1, "too_many_attempts");
}

/// Whoever knows the password may have come first.
async fn s12_nobody_who_came_in_without_a_code_stays_in_when_one_is_enrolled(house: &House) {
    house.admin("root").await;
    let roomy = house.configured(|config| config.max_devices = 50);
    let login = || {
        let mut client = SessionServiceClient::new(house.transport(&roomy, "gateway"));
        async move { answer(client.login(attempt("root"))).await }
    };
    let thief = house.strict_login("root").await;
    let (open, mine) = (login().await.unwrap(), login().await.unwrap());
    let secret = house.begin_factor(&mine.access_token, PASSWORD).await.unwrap().secret_base32;
    let code = Phone::new(&secret).shows(house, 0);
    // and those who come in the same moment
    let crowd = join_all((0..4).map(|_| login()));
    let (confirmed, crowd) = tokio::join!(house.confirm_factor(&mine.access_token, code), crowd);
    let kept = confirmed.unwrap().tokens.unwrap();
    for other in crowd.into_iter().flatten().chain([thief, open]) {
        assert!(house.verifier.verify(&other.access_token).await.is_err());
        let refresh_token = other.refresh_token;
        let mut strict = SessionServiceClient::new(house.strict());
        let again = answer(strict.refresh_session(RefreshSessionRequest { refresh_token })).await;
        assert_eq!(refusal(again).1, "invalid_refresh_token");
    }
    assert_eq!(house.ends().await.last().unwrap().reason, "second_factor");
    assert_eq!(kept.session_id, mine.session_id);
    for token in [&kept.access_token, &mine.access_token] {
        assert!(house.me(token).await.is_ok());
    }
    assert!(house.refresh(&mine.refresh_token).await.is_ok());
}

async fn a_second_factor_is_fresh_for_five_minutes_and_may_be_given_again(house: &House) {
    let (_, phone, _) = house.somebody_enrolled("ann").await;
    let session = house.login_with("ann", &phone.shows(house, 0)).await.unwrap();
    let token = session.access_token;
    let begun = house.clock.now().timestamp();
    let user = house.verifier.verify(&token).await.unwrap();
    assert_eq!((user.fresh_until, user.enrol_only), (begun + 300, false));
    assert_eq!(house.second_factor(&token).await.fresh_until_us, (begun + 300) * 1_000_000);
    house.clock.advance(TimeDelta::seconds(299));
    assert!(house.replace_codes(&token).await.is_ok());
    house.clock.advance(TimeDelta::seconds(2));
    assert_eq!(refusal(house.replace_codes(&token).await), needed());
    assert_eq!(house.second_factor(&token).await.fresh_until_us, 0);
    // a rotation gives it back no freshness
    let next = house.refresh(&session.refresh_token).await.unwrap();
    assert_eq!(refusal(house.replace_codes(&next.access_token).await), needed());
    assert_eq!(refusal(house.give_code(&token, &phone.wrong(house)).await), wrong());
    let again = house.give_code(&token, &phone.shows(house, 0)).await.unwrap();
    assert_eq!(again.session_id, session.session_id);
    assert!(again.refresh_token.is_empty() && again.session_secret.is_empty());
    assert!(house.replace_codes(&again.access_token).await.is_ok());
    // the refresh token is still the session's
    let next = house.refresh(&next.refresh_token).await.unwrap();
    assert!(house.replace_codes(&next.access_token).await.is_ok());
}

async fn a_code_that_many_use_at_once_passes_once(house: &House) {
    let (_, phone, confirmed) = house.somebody_enrolled("ann").await;
    let token = confirmed.tokens.unwrap().access_token;
    for step in [0, 30] {
        let code = phone.shows(house, step);
        let given = join_all((0..4).map(|_| house.give_code(&token, &code))).await;
        assert_eq!(given.iter().filter(|given| given.is_ok()).count(), 1);
        let refused = given.into_iter().filter(Result::is_err);
        assert!(refused.into_iter().all(|given| refusal(given) == wrong()));
    }
    house.clock.advance(TimeDelta::seconds(60));
    let code = phone.shows(house, 0);
    let logins = join_all((0..4).map(|_| house.login_with("ann", &code))).await;
    assert_eq!(logins.iter().filter(|login| login.is_ok()).count(), 1);
}

async fn a_recovery_code_counts_once(house: &House) {
    let (_, _, confirmed) = house.somebody_enrolled("ann").await;
    let codes = confirmed.recovery_codes;
    let token = confirmed.tokens.unwrap().access_token;
    assert_eq!((codes.len(), house.second_factor(&token).await.recovery_codes_left), (10, 10));
    assert!(codes.iter().all(|code| code.len() == 10));
    let typed = format!(" {}-{} ", &codes[0][..5], codes[0][5..].to_lowercase());
    assert!(house.login_with("ann", &typed).await.is_ok());
    for spelling in [&codes[0], &typed] {
        assert_eq!(refusal(house.login_with("ann", spelling).await), wrong_at_login());
    }
    let given = join_all((0..4).map(|_| house.give_code(&token, &codes[1]))).await;
    assert_eq!(given.into_iter().filter(Result::is_ok).count(), 1);
    assert_eq!(house.second_factor(&token).await.recovery_codes_left, 8);
    // another's codes are nobody's
    let (_, _, others) = house.somebody_enrolled("ben").await;
    let stolen = house.login_with("ann", &others.recovery_codes[0]).await;
    assert_eq!(refusal(stolen), wrong_at_login());
    assert!(house.login_with("ben", &others.recovery_codes[0]).await.is_ok());
}

async fn new_recovery_codes_replace_the_old(house: &House) {
    let (_, _, confirmed) = house.somebody_enrolled("ann").await;
    let token = confirmed.tokens.unwrap().access_token;
    assert!(house.login_with("ann", &confirmed.recovery_codes[0]).await.is_ok());
    let codes = house.replace_codes(&token).await.unwrap();
    assert_eq!(house.second_factor(&token).await.recovery_codes_left, 10);
    for old in &confirmed.recovery_codes[..2] {
        assert_eq!(refusal(house.login_with("ann", old).await), wrong_at_login());
    }
    assert!(house.login_with("ann", &codes[0]).await.is_ok());
    assert_eq!(house.changes_told().await, ["enrolled", "recovery_codes"]);
    house.person("ben").await;
    let none = house.replace_codes(&house.token("ben").await).await;
    assert_eq!(refusal(none).1, "second_factor_not_enrolled");
}

async fn secrets_are_sealed_and_codes_only_recognised(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let begun = house.begin_factor(&token, PASSWORD).await.unwrap();
    assert!(begun.otpauth_uri.starts_with("otpauth://totp/Lantern%20%26%20Co:ann?secret="));
    assert!(begun.otpauth_uri.contains(&begun.secret_base32));
    let phone = Phone::new(&begun.secret_base32);
    let confirmed = house.confirm_factor(&token, phone.shows(house, 0)).await.unwrap();
    let secret = Secret::try_from_base32(&begun.secret_base32).unwrap();
    let mut secrets = vec![begun.secret_base32, secret.to_string()];
    secrets.extend(confirmed.recovery_codes);
    let everything = house.everything().await;
    for secret in secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for text in [secret.to_lowercase(), hex] {
            assert!(!everything.contains(&text), "{text}");
        }
    }
}

async fn nothing_counts_before_it_is_confirmed(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let first = Phone::new(&house.begin_factor(&token, PASSWORD).await.unwrap().secret_base32);
    assert!(!house.second_factor(&token).await.enrolled);
    assert!(house.login("ann", PASSWORD).await.is_ok());
    let early = house.give_code(&token, &first.shows(house, 0)).await;
    assert_eq!(refusal(early).1, "second_factor_not_enrolled");
    // only the newest secret can be confirmed
    let second = Phone::new(&house.begin_factor(&token, PASSWORD).await.unwrap().secret_base32);
    assert_eq!(refusal(house.confirm_factor(&token, first.shows(house, 0)).await), wrong());
    house.clock.advance(TimeDelta::minutes(15));
    let token = house.token("ann").await;
    assert!(house.confirm_factor(&token, second.shows(house, 0)).await.is_ok());
    assert!(house.second_factor(&token).await.enrolled);
}

async fn enrolling_needs_the_password_and_the_first_code(house: &House) {
    house.person("ann").await;
    let token = house.token("ann").await;
    let refused = house.begin_factor(&token, "a wrong password").await.unwrap_err();
    assert_eq!((refused.reason.as_str(), refused.kind), ("wrong_password", Kind::Invalid));
    let nothing = (Kind::Conflict, "second_factor_not_begun".to_owned());
    assert_eq!(refusal(house.confirm_factor(&token, "123456".into()).await), nothing);
    let phone = Phone::new(&house.begin_factor(&token, PASSWORD).await.unwrap().secret_base32);
    for code in [phone.wrong(house), "ABCDEFGHJK".to_owned(), String::new()] {
        let refused = house.confirm_factor(&token, code).await.unwrap_err();
        assert_eq!(broken_fields(&refused), ["code"]);
    }
    house.clock.advance(TimeDelta::seconds(901));
    let token = house.token("ann").await;
    assert_eq!(refusal(house.confirm_factor(&token, phone.shows(house, 0)).await), nothing);
    let (phone, _) = house.enrol(&token).await;
    let twice = (Kind::Conflict, "second_factor_enrolled".to_owned());
    assert_eq!(refusal(house.begin_factor(&token, PASSWORD).await), twice);
    assert_eq!(refusal(house.confirm_factor(&token, phone.shows(house, 0)).await), twice);
    assert_eq!(house.changes_told().await, ["enrolled"]);
}

async fn an_owner_takes_it_away_by_password_and_code(house: &House) {
    let (_, phone, confirmed) = house.somebody_enrolled("ann").await;
    let session = confirmed.tokens.unwrap();
    let token = session.access_token;
    let code = phone.shows(house, 0);
    assert_eq!(
        refusal(house.remove_factor(&token, "a wrong one", &code).await).1,
        "wrong_password"
    );
    assert_eq!(refusal(house.remove_factor(&token, PASSWORD, &phone.wrong(house)).await), wrong());
    house.clock.advance(TimeDelta::seconds(301));
    let code = phone.shows(house, 0);
    assert_eq!(refusal(house.remove_factor(&token, PASSWORD, &code).await), needed());
    let token = house.give_code(&token, &phone.shows(house, 30)).await.unwrap().access_token;
    house.clock.advance(TimeDelta::seconds(60));
    let left = house.remove_factor(&token, PASSWORD, &phone.shows(house, 0)).await.unwrap();
    assert_eq!((left.enrolled, left.recovery_codes_left), (false, 0));
    assert_eq!(house.changes_told().await, ["enrolled", "removed"]);
    let ended = house.ends().await.pop().unwrap();
    assert_eq!(ended.reason, "second_factor");
    assert!(ended.session_ids.contains(&session.session_id));
    assert!(house.verifier.verify(&token).await.is_err());
    assert!(house.login("ann", PASSWORD).await.is_ok());
    let old = house.login_with("ann", &confirmed.recovery_codes[0]).await;
    assert!(old.is_ok(), "nobody looks at a code any more");
}

async fn an_admin_takes_it_away_from_somebody_who_lost_it(house: &House) {
    let (ann, _, lost) = house.somebody_enrolled("ann").await;
    let root = house.admin("root").await;
    let token = house.token("root").await;
    let own = house.reset_factor(&token, &root.id).await;
    assert_eq!(refusal(own), (Kind::Forbidden, "own_account".to_owned()));
    let (phone, confirmed) = house.enrol(&token).await;
    // without a fresh one of their own nobody takes another's
    let stale = house.reset_factor(&token, &ann.id).await;
    assert!(stale.is_ok(), "the token was made before root had one");
    assert_eq!(refusal(house.reset_factor(&token, &ann.id).await).1, "second_factor_not_enrolled");
    let session = lost.tokens.unwrap();
    assert!(house.verifier.verify(&session.access_token).await.is_err());
    let ended = house.ends().await.pop().unwrap();
    assert_eq!((ended.user_id, ended.reason.as_str()), (ann.id.clone(), "second_factor"));
    assert_eq!(house.changes_told().await, ["enrolled", "enrolled", "reset"]);
    let token = house.token("ann").await;
    assert_eq!(house.second_factor(&token).await.recovery_codes_left, 0);

    house.enrol(&token).await;
    let fresh = confirmed.tokens.unwrap().access_token;
    house.clock.advance(TimeDelta::seconds(301));
    assert_eq!(refusal(house.reset_factor(&fresh, &ann.id).await), needed());
    let fresh = house.give_code(&fresh, &phone.shows(house, 0)).await.unwrap().access_token;
    assert!(house.reset_factor(&fresh, &ann.id).await.is_ok());
    let ann = house.token("ann").await;
    assert_eq!(refusal(house.reset_factor(&ann, &root.id).await).0, Kind::Forbidden);
    let nobody = souk_values::UserId::new().to_string();
    for id in [nobody.as_str(), "x"] {
        assert_eq!(refusal(house.reset_factor(&fresh, id).await).1, "user_not_found");
    }
}

async fn roles_and_passwords_of_admins_need_a_fresh_second_factor(house: &House) {
    house.admin("root").await;
    let other = house.admin("other").await;
    let ann = house.person("ann").await;
    let (phone, confirmed) = house.enrol(&house.token("root").await).await;
    let token = confirmed.tokens.unwrap().access_token;
    let role = |role: &str| UserFields { role: Some(role.to_owned()), ..Default::default() };
    let password =
        || UserFields { password: Some("quite another password".into()), ..Default::default() };
    let name = |name: &str| UserFields { full_name: Some(name.into()), ..Default::default() };
    assert!(house.change_as(&token, &ann.id, role("catalog_admin")).await.is_ok());
    house.clock.advance(TimeDelta::seconds(301));
    for fields in [role("customer"), password()] {
        assert_eq!(refusal(house.change_as(&token, &ann.id, fields).await), needed());
    }
    assert_eq!(refusal(house.change_as(&token, &other.id, password()).await), needed());
    let email = UserFields { email: Some("mine@shop.example".into()), ..Default::default() };
    assert_eq!(refusal(house.change_as(&token, &other.id, email).await), needed());
    assert!(house.change_as(&token, &other.id, name("Other")).await.is_ok());
    let ben = house.person("ben").await;
    assert!(house.change_as(&token, &ben.id, password()).await.is_ok());
    // a role that they have already is no change
    assert!(house.change_as(&token, &ben.id, role("customer")).await.is_ok());
    let token = house.give_code(&token, &phone.shows(house, 0)).await.unwrap().access_token;
    assert!(house.change_as(&token, &ann.id, role("customer")).await.is_ok());
    assert!(house.change_as(&token, &other.id, password()).await.is_ok());
}
