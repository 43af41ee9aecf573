//! People who bring the hash of their password along.

use futures::future::join_all;
use souk_proto::accounts::v1::{CreateUserRequest, UserFields};
use souk_rpc::Kind;

use crate::house::{House, PASSWORD, answer, answer_as};
use crate::mailed::outcomes;
use crate::people::{broken_fields, fields, refusal};

crate::on_both! {
    a_hash_of_bcrypt_is_good_for_one_login_and_becomes_argon2id
    a_hash_of_argon2id_of_another_cost_is_made_anew
    many_logins_at_once_upgrade_one_hash
    whoever_brought_a_hash_changes_and_resets_their_password
    only_hashes_that_can_be_checked_are_taken
    only_the_operator_brings_hashes_and_only_for_new_users
    the_same_key_answers_the_same_user
}

/// Of [`PASSWORD`], made by another implementation.
const BCRYPT: &str = "$2b$04$17nIVrIzhpvrp4i4beoKIu9nWgCXEJWNC5js7NzsuvQV.7NU2VRK6";
const ARGON2ID: &str = "$argon2id$v=19$m=64,t=3,p=1$XTss0tGX0zbJv03g6n9wew$OflcKsIds256N9ceyM4XK1SWGPzycCeTDsfDQ5Tsi4k";
/// Of 72 times the letter x.
const LONG: &str = "$2b$04$HIO8x8pYY73rQzbQ.9ZzCevwmqeAcVNOCNaWQi9Tth8pH8n1vmuvS";

fn with_hash(username: &str, hash: &str) -> UserFields {
    UserFields { password: None, password_hash: Some(hash.to_owned()), ..fields(username) }
}

async fn stored(house: &House, username: &str) -> String {
    let sql = format!("SELECT password_hash FROM account WHERE username = '{username}'");
    house.texts(&sql).await.pop().unwrap()
}

async fn a_hash_of_bcrypt_is_good_for_one_login_and_becomes_argon2id(house: &House) {
    for (name, version) in [("ann", "$2a$"), ("ben", "$2b$"), ("cid", "$2y$")] {
        let hash = BCRYPT.replace("$2b$", version);
        let user = house.create(with_hash(name, &hash)).await.unwrap();
        assert_eq!(stored(house, name).await, hash);
        assert_eq!(refusal(house.login(name, "a wrong one").await).1, "invalid_credentials");
        assert_eq!(stored(house, name).await, hash);
        assert_eq!(house.login(name, PASSWORD).await.unwrap().user.unwrap(), user);
        let stronger = stored(house, name).await;
        assert!(stronger.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stronger}");
        assert!(house.login(name, PASSWORD).await.is_ok());
        assert_eq!(refusal(house.login(name, "a wrong one").await).1, "invalid_credentials");
        assert_eq!(stored(house, name).await, stronger);
        // nothing that anybody sees has changed
        assert_eq!(house.get(&user.id).await.unwrap(), user);
    }
    assert_eq!(house.events().await.len(), 3);
    // bcrypt read 72 bytes; from the first login on every one counts
    house.create(with_hash("dan", LONG)).await.unwrap();
    let typed = "x".repeat(80);
    assert!(house.login("dan", &typed).await.is_ok());
    assert!(house.login("dan", &"x".repeat(81)).await.is_err());
    assert!(house.login("dan", &typed).await.is_ok());
}

async fn a_hash_of_argon2id_of_another_cost_is_made_anew(house: &House) {
    house.create(with_hash("ann", ARGON2ID)).await.unwrap();
    assert!(house.login("ann", PASSWORD).await.is_ok());
    assert!(stored(house, "ann").await.starts_with("$argon2id$v=19$m=64,t=1,p=1$"));
    assert!(house.login("ann", PASSWORD).await.is_ok());
}

async fn many_logins_at_once_upgrade_one_hash(house: &House) {
    house.create(with_hash("ann", BCRYPT)).await.unwrap();
    let (good, reasons) = outcomes(join_all((0..8).map(|_| house.login("ann", PASSWORD))).await);
    assert_eq!((good, reasons), (8, Vec::new()));
    assert!(stored(house, "ann").await.starts_with("$argon2id$"));
}

async fn whoever_brought_a_hash_changes_and_resets_their_password(house: &House) {
    house.create(with_hash("ann", BCRYPT)).await.unwrap();
    house.create(with_hash("ben", BCRYPT)).await.unwrap();
    let session = house.token("ann").await;
    house.change_password(&session, PASSWORD, "seven green lanterns").await.unwrap();
    assert!(house.login("ann", "seven green lanterns").await.is_ok());
    house.forgot("ben", "").await.unwrap();
    let link = crate::mailed::token(&house.letter("password_reset").await);
    house.reset(&link, "eight green lanterns").await.unwrap();
    assert!(house.login("ben", "eight green lanterns").await.is_ok());
    assert!(house.login("ben", PASSWORD).await.is_err());
}

async fn only_hashes_that_can_be_checked_are_taken(house: &House) {
    for bad in [
        "",
        PASSWORD,
        "5f4dcc3b5aa765d61d8327deb882cf99",
        &BCRYPT[..59],
        &BCRYPT.replace("$2b$", "$2x$"),
        &BCRYPT.replace("$04$", "$31$"),
        &ARGON2ID.replace("argon2id", "argon2d"),
        &ARGON2ID.replace("m=64", "m=4194304"),
        "$argon2id$v=19$m=64,t=3,p=1$XTss0tGX0zbJv03g6n9wew",
    ] {
        let refused = house.create(with_hash("ann", bad)).await.unwrap_err();
        assert_eq!((refused.kind, broken_fields(&refused)), (Kind::Invalid, vec!["password_hash"]));
    }
    let both = UserFields { password: Some(PASSWORD.into()), ..with_hash("ann", BCRYPT) };
    assert_eq!(broken_fields(&house.create(both).await.unwrap_err()), ["password_hash"]);
    assert!(house.usernames(Default::default()).await.is_empty());
}

async fn only_the_operator_brings_hashes_and_only_for_new_users(house: &House) {
    house.admin("chief").await;
    let token = house.token("chief").await;
    let fields = Some(with_hash("ann", BCRYPT));
    let request = CreateUserRequest { fields, ..Default::default() };
    let refused = answer_as(&token, house.accounts().create_user(request)).await.unwrap_err();
    assert_eq!(broken_fields(&refused), ["password_hash"]);
    let ann = house.person("ann").await;
    let only = || UserFields { password_hash: Some(BCRYPT.into()), ..Default::default() };
    let updated = house.update(&ann.id, only()).await.unwrap_err();
    assert_eq!(broken_fields(&updated), ["password_hash"]);
    let session = house.token("ann").await;
    let own = house.update_me(&session, only()).await.unwrap_err();
    assert_eq!(broken_fields(&own), ["password_hash"]);
}

async fn the_same_key_answers_the_same_user(house: &House) {
    let create = |hash: &str| {
        let fields = Some(with_hash("ann", hash));
        let idempotency_key = "import-1".to_owned();
        let request = CreateUserRequest { fields, idempotency_key, check_only: false };
        let mut client = house.operator();
        async move { answer(client.create_user(request)).await }
    };
    let first = create(BCRYPT).await.unwrap();
    assert_eq!(create(BCRYPT).await.unwrap(), first);
    assert_eq!(refusal(create(LONG).await).1, "idempotency_key_reused");
}
