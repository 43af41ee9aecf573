//! Good tokens that count no more: expired while remembered, logged out, deleted.
use souk_auth::{AccessClaims, TokenError};
use souk_values::UserId;

use crate::forge::{Door, NOW, claims};

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let door = Door::new();
    let token = door.key.sign(&AccessClaims { exp: NOW + 20, ..claims() });
    assert!(door.verifier.verify(&token).await.is_ok());
    door.later(24);
    assert!(door.verifier.verify(&token).await.is_ok(), "within the leeway");
    door.later(1);
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid));
}

#[tokio::test]
async fn a_revoked_session_is_out_at_once_and_others_stay() {
    let door = Door::new();
    let (one, two) = (claims(), claims());
    let (one_token, two_token) = (door.key.sign(&one), door.key.sign(&two));
    assert!(door.verifier.verify(&one_token).await.is_ok());
    door.verifier.revoke_session(one.sid.parse().unwrap());
    assert_eq!(door.verifier.verify(&one_token).await, Err(TokenError::Invalid));
    assert!(door.verifier.verify(&two_token).await.is_ok());
    // a token of that session that was never seen before
    let renewed = door.key.sign(&AccessClaims { iat: NOW + 1, jti: "2".into(), ..one });
    assert_eq!(door.verifier.verify(&renewed).await, Err(TokenError::Invalid));
}

#[tokio::test]
async fn tokens_from_before_a_user_was_changed_are_out_and_later_ones_good() {
    let door = Door::new();
    let claims = claims();
    let user: UserId = claims.sub.parse().unwrap();
    let before = door.key.sign(&claims);
    let after = door.key.sign(&AccessClaims { iat: NOW + 30, ..claims });
    assert!(door.verifier.verify(&before).await.is_ok());
    door.verifier.revoke_user(user, NOW + 30);
    assert_eq!(door.verifier.verify(&before).await, Err(TokenError::Invalid));
    assert!(door.verifier.verify(&after).await.is_ok());
}

#[tokio::test]
async fn a_deleted_user_is_out_with_every_token() {
    let door = Door::new();
    let claims = claims();
    door.verifier.revoke_user(claims.sub.parse().unwrap(), i64::MAX);
    let token = door.key.sign(&claims);
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid));
}

#[tokio::test]
async fn a_revocation_holds_until_the_last_token_has_expired() {
    let door = Door::new();
    let long = AccessClaims { exp: NOW + AccessClaims::MAX_LIFETIME_S, ..claims() };
    let token = door.key.sign(&long);
    door.verifier.revoke_session(long.sid.parse().unwrap());
    door.later(AccessClaims::MAX_LIFETIME_S - 1);
    // another revocation sweeps out what may be forgotten
    door.verifier.revoke_session(claims().sid.parse().unwrap());
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid));
}
