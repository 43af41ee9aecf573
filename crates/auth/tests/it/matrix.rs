//! The matrix of broken tokens: each is refused, and the good one beside them passes.
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use souk_auth::{Permission, ServiceTokens, TokenError};

use crate::forge::{Door, NOW, claims, header, message, signed, with};

#[tokio::test]
async fn a_good_token_names_its_user() {
    let door = Door::new();
    let claims = claims();
    let user = door.verifier.verify(&door.key.sign(&claims)).await.unwrap();
    assert_eq!((user.id.to_string(), user.session.to_string()), (claims.sub, claims.sid));
    assert_eq!((user.role.as_str(), user.expires_at), ("catalog_admin", NOW + 600));
    // what this process does not know is passed over
    assert_eq!(user.permissions.iter().collect::<Vec<_>>(), [&Permission::ProductsWrite]);
}

#[tokio::test]
async fn the_token_made_by_hand_is_the_one_made_by_the_key() {
    let door = Door::new();
    let payload = serde_json::to_value(claims()).unwrap();
    assert!(door.verifier.verify(&signed(&header(&door.key), &payload)).await.is_ok());
}

#[tokio::test]
async fn a_header_that_is_not_ours_is_refused_although_the_signature_is_right() {
    let door = Door::new();
    let payload = serde_json::to_value(claims()).unwrap();
    let good = header(&door.key);
    let jwk = door.key.jwks().keys[0].clone();
    for (member, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("HS256")),
        ("alg", json!("RS256")),
        ("alg", json!("ES256")),
        ("alg", json!("eddsa")),
        ("alg", json!(["EdDSA"])),
        ("alg", Value::Null),
        ("typ", json!("JWT")),
        ("typ", json!("rt+jwt")),
        ("typ", json!("AT+JWT")),
        ("typ", json!(1)),
        ("typ", Value::Null),
        ("kid", json!("unknown")),
        ("kid", json!("../../etc/passwd")),
        ("kid", json!("' OR 1=1 --")),
        ("kid", json!("")),
        ("kid", json!(1)),
        ("kid", Value::Null),
        ("jwk", jwk),
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/chain.pem")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["b64"])),
    ] {
        let header = with(&good, member, value);
        let token = signed(&header, &payload);
        assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid), "{header}");
    }
}

#[tokio::test]
async fn claims_that_are_wrong_missing_or_of_another_type_are_refused() {
    let door = Door::new();
    let good = serde_json::to_value(claims()).unwrap();
    for (member, value) in [
        ("iss", json!("evil")),
        ("iss", json!(["souk"])),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["souk"])),
        ("aud", Value::Null),
        ("sub", json!("ses_01JD0000000000000000000000")),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", Value::Null),
        ("sid", json!("nonsense")),
        ("sid", Value::Null),
        ("exp", json!(NOW - 5)),
        ("exp", json!((NOW + 600).to_string())),
        ("exp", json!(NOW as f64 + 600.5)),
        ("exp", json!(-1)),
        ("exp", json!(i64::MAX)),
        ("exp", json!(1e30)),
        ("exp", json!(NOW + 3601)),
        ("exp", Value::Null),
        ("nbf", json!(NOW + 6)),
        ("nbf", json!(NOW.to_string())),
        ("nbf", Value::Null),
        ("iat", json!("now")),
        ("iat", json!(i64::MIN)),
        ("iat", Value::Null),
        ("perms", json!("products.write")),
        ("perms", json!([1])),
        ("perms", Value::Null),
        ("role", json!(true)),
        ("jti", Value::Null),
    ] {
        let payload = with(&good, member, value);
        let token = signed(&header(&door.key), &payload);
        assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid), "{payload}");
    }
}

#[tokio::test]
async fn the_leeway_is_five_seconds_on_either_side() {
    let door = Door::new();
    let good = serde_json::to_value(claims()).unwrap();
    for (member, value) in [("exp", NOW - 4), ("nbf", NOW + 5)] {
        let token = signed(&header(&door.key), &with(&good, member, json!(value)));
        assert!(door.verifier.verify(&token).await.is_ok(), "{member}");
    }
}

#[tokio::test]
async fn duplicate_members_are_refused() {
    let door = Door::new();
    let payload = serde_json::to_string(&claims()).unwrap();
    let twice = payload.replacen('{', r#"{"sub":"usr_01JD0000000000000000000000","#, 1);
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header(&door.key).to_string()),
        URL_SAFE_NO_PAD.encode(twice)
    );
    let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&crate::forge::SEED).unwrap();
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(pair.sign(message.as_bytes())));
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid));
}

#[tokio::test]
async fn signatures_of_others_are_refused() {
    let door = Door::new();
    let payload = serde_json::to_value(claims()).unwrap();
    let mut tokens = Vec::new();

    // the public key used as a secret
    let jwk = door.key.jwks().keys[0].clone();
    let public = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().unwrap()).unwrap();
    for alg in ["HS256", "EdDSA"] {
        let message = message(&with(&header(&door.key), "alg", json!(alg)), &payload);
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), message.as_bytes());
        tokens.push(format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac)));
    }
    // another key under the known name
    let foreign = souk_auth::SigningKey::from_seed(&[9; 32]).sign(&claims());
    let foreign_signature = foreign.rsplit('.').next().unwrap();
    tokens.push(format!("{}.{foreign_signature}", message(&header(&door.key), &payload)));
    // parts of two good tokens
    let (one, two) = (door.key.sign(&claims()), door.key.sign(&claims()));
    let (one, two): (Vec<_>, Vec<_>) = (one.split('.').collect(), two.split('.').collect());
    tokens.push(format!("{}.{}.{}", one[0], one[1], two[2]));
    // no signature, an empty one, a longer one, padding, four parts, another alphabet
    tokens.push(format!("{}.{}", one[0], one[1]));
    tokens.push(format!("{}.{}.", one[0], one[1]));
    tokens.push(format!("{}.{}.{}AAAA", one[0], one[1], one[2]));
    tokens.push(format!("{}.{}.{}==", one[0], one[1], one[2]));
    tokens.push(format!("{}.{}.{}.{}", one[0], one[1], one[2], one[2]));
    tokens.push(format!(" {}", one.join(".")));
    tokens.push(String::new());
    tokens.push("...".to_owned());
    for token in tokens {
        assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid), "{token}");
    }
}

#[tokio::test]
async fn every_changed_character_of_a_good_token_breaks_it() {
    let door = Door::new();
    let token = door.key.sign(&claims());
    assert!(door.verifier.verify(&token).await.is_ok());
    for at in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(door.verifier.verify(&changed).await, Err(TokenError::Invalid), "at {at}");
    }
}

#[tokio::test]
async fn tokens_of_other_kinds_are_refused() {
    let door = Door::new();
    let service = ServiceTokens::new(b"secret", door.clock.clone()).issue("gateway", "catalog");
    let refresh = URL_SAFE_NO_PAD.encode([5; 32]);
    for token in [service, refresh, "Bearer".to_owned(), "\0".to_owned()] {
        assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid), "{token}");
    }
}

#[tokio::test]
async fn a_token_of_nine_kibibytes_is_refused_unread() {
    let door = Door::new();
    let mut large = claims();
    large.perms = vec!["x".repeat(40); 160];
    let token = door.key.sign(&large);
    assert!(token.len() > 8 * 1024 && token.len() < 12 * 1024, "{}", token.len());
    assert_eq!(door.verifier.verify(&token).await, Err(TokenError::Invalid));
    assert_eq!(door.fetches(), 0);
    large.perms.truncate(100);
    assert!(door.verifier.verify(&door.key.sign(&large)).await.is_ok());
}
