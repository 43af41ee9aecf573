//! Keys come and go; accounts may be away; many ask at once.
use std::sync::Arc;

use serde_json::json;
use souk_auth::{AccessClaims, SigningKey, TokenError};

use crate::forge::{Door, NOW, claims};

fn claims_at(now: i64) -> AccessClaims {
    AccessClaims { iat: now, nbf: now, exp: now + 600, ..claims() }
}

#[tokio::test]
async fn two_keys_count_at_once_and_a_withdrawn_one_no_more() {
    let door = Door::new();
    let new = SigningKey::from_seed(&[8; 32]);
    assert!(door.verifier.verify(&door.key.sign(&claims())).await.is_ok());

    door.later(11);
    door.serve(&[&door.key, &new]);
    assert!(door.verifier.verify(&new.sign(&claims())).await.is_ok());
    assert!(door.verifier.verify(&door.key.sign(&claims())).await.is_ok());
    assert_eq!(door.fetches(), 2);

    // the old key is withdrawn: found out by the next look, at most five minutes later
    door.serve(&[&new]);
    door.later(301);
    let now = NOW + 312;
    let old = door.verifier.verify(&door.key.sign(&claims_at(now))).await;
    assert_eq!(old, Err(TokenError::Invalid));
    assert!(door.verifier.verify(&new.sign(&claims_at(now))).await.is_ok());
}

#[tokio::test]
async fn checked_tokens_of_a_withdrawn_key_are_forgotten_with_it() {
    let door = Door::new();
    let new = SigningKey::from_seed(&[8; 32]);
    let token = door.key.sign(&claims());
    assert!(door.verifier.verify(&token).await.is_ok());
    door.later(11);
    door.serve(&[&new]);
    assert!(door.verifier.verify(&token).await.is_ok());
    assert!(door.verifier.verify(&new.sign(&claims())).await.is_ok());
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid));
}

#[tokio::test]
async fn unknown_keys_cost_one_fetch_in_ten_seconds() {
    let door = Door::new();
    let foreign = SigningKey::from_seed(&[9; 32]);
    for _ in 0..50 {
        let refused = door.verifier.verify(&foreign.sign(&claims())).await;
        assert_eq!(refused, Err(TokenError::Invalid));
    }
    assert_eq!(door.fetches(), 1);
    door.later(10);
    let refused = door.verifier.verify(&foreign.sign(&claims())).await;
    assert_eq!((refused, door.fetches()), (Err(TokenError::Invalid), 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_callers_share_one_fetch() {
    let door = Arc::new(Door::new());
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let door = door.clone();
            tokio::spawn(async move { door.verifier.verify(&door.key.sign(&claims())).await })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().is_ok());
    }
    assert_eq!(door.fetches(), 1);
}

#[tokio::test]
async fn while_accounts_is_away_nothing_is_decided_and_soon_tried_again() {
    let door = Door::new();
    let token = door.key.sign(&claims());
    door.cut();
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Unavailable));
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Unavailable));
    assert_eq!(door.fetches(), 1);
    door.serve(&[&door.key]);
    door.later(1);
    assert!(door.verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn known_keys_outlive_an_outage_of_accounts() {
    let door = Door::new();
    assert!(door.verifier.verify(&door.key.sign(&claims())).await.is_ok());
    door.cut();
    door.later(3000);
    assert!(door.verifier.verify(&door.key.sign(&claims_at(NOW + 3000))).await.is_ok());
    assert_eq!(door.fetches(), 2);
}

#[tokio::test]
async fn keys_of_other_kinds_in_the_set_are_passed_over() {
    let door = Door::new();
    let ours = door.key.jwks().keys[0].clone();
    let mut for_encryption = SigningKey::from_seed(&[8; 32]).jwks().keys[0].clone();
    for_encryption["use"] = json!("enc");
    let set = json!({"keys": [
        {"kty": "RSA", "kid": "a", "n": "AQAB", "e": "AQAB"},
        {"kty": "oct", "kid": door.key.key_id(), "k": "c2VjcmV0"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "short", "x": "AAAA"},
        for_encryption, 7, ours,
    ]});
    door.serve_text(&set.to_string());
    assert!(door.verifier.verify(&door.key.sign(&claims())).await.is_ok());
    let other = SigningKey::from_seed(&[8; 32]).sign(&claims());
    assert_eq!(door.verifier.verify(&other).await, Err(TokenError::Invalid));
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_is_a_failed_fetch() {
    let door = Door::new();
    door.serve_text("<html>bad gateway</html>");
    let token = door.key.sign(&claims());
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Unavailable));
}
