//! Everybody who tries a door.
use prost::Message;
use serde_json::json;
use souk_proto::accounts::v1::{ApiKeyToken, ExchangeApiKeyRequest};
use souk_testkit::{Client, Shop};

use crate::wire::Port;

/// People with accounts of their own, so that nobody spoils another's.
pub(super) struct Actors {
    pub(super) anonymous: Client,
    /// A customer, to whom the objects belong that are asked for.
    pub(super) owner: Client,
    pub(super) owner_email: String,
    pub(super) owner_id: String,
    /// Another customer.
    pub(super) other: Client,
    pub(super) catalog_admin: Client,
    /// May everything.
    pub(super) admin: Client,
    /// A program of an admin, with a key that allows nothing that is asked here.
    pub(super) api_key: Client,
}

impl Actors {
    pub(super) async fn of(shop: &Shop) -> Self {
        let (owner, owner_client) = shop.person("customer").await;
        let (_, holder) = shop.person("admin").await;
        let key = json!({ "name": "scopeless", "scopes": ["notices.receive"] });
        let key = holder.post("/api/me/api-keys", &key).await;
        key.expect(201);
        let text = |name: &str| owner[name].as_str().expect("a text").to_owned();
        Self {
            anonymous: shop.anonymous(),
            owner_email: text("email"),
            owner_id: text("id"),
            owner: owner_client,
            other: shop.customer().await,
            catalog_admin: shop.person("catalog_admin").await.1,
            admin: shop.person("admin").await.1,
            api_key: shop.anonymous().with_token(&key.field("key")),
        }
    }

    /// The access token that the gateway gets for the key.
    pub(super) async fn token_of_key(&self, port: &Port) -> String {
        token_of(port, self.api_key.token()).await
    }
}

/// The access token that the gateway gets for a key.
pub(super) async fn token_of(port: &Port, key: &str) -> String {
    let request = ExchangeApiKeyRequest { key: key.to_owned(), address: "127.0.0.1".to_owned() };
    let says = port.says(Some("gateway"), "accounts", None);
    let path = "/souk.accounts.v1.ApiKeyService/ExchangeApiKey";
    let said = port.call(path, &says, request.encode_to_vec()).await;
    let token = ApiKeyToken::decode(said.message.as_slice()).expect("a token");
    assert!(!token.access_token.is_empty(), "{:?}", said.code);
    token.access_token
}
