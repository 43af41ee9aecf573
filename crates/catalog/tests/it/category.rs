//! The tree of categories.

use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::{
    Category, CreateCategoryRequest, DeleteCategoryRequest, ListCategoriesRequest, ProductFields,
};
use souk_rpc::{Failure, Kind, Transport};

use crate::shop::{Shop, answer, broken_fields, named, refusal};

crate::on_both! {
    the_tree_comes_parents_first_with_counts_of_what_is_below
    a_category_needs_its_parent
    a_category_exists_once
    a_category_in_use_stays
    what_is_no_category_is_refused
}

fn client(shop: &Shop) -> CategoryServiceClient<Transport> {
    CategoryServiceClient::new(shop.operator())
}

async fn create(shop: &Shop, path: &str, name: &str) -> Result<Category, Failure> {
    let request = CreateCategoryRequest { path: path.into(), name: name.into() };
    answer(client(shop).create_category(request)).await
}

async fn delete(shop: &Shop, path: &str) -> Result<Category, Failure> {
    answer(client(shop).delete_category(DeleteCategoryRequest { path: path.into() })).await
}

async fn tree(shop: &Shop) -> Vec<(String, u64)> {
    let all = answer(client(shop).list_categories(ListCategoriesRequest {})).await.unwrap();
    all.items.into_iter().map(|c| (c.path, c.products)).collect()
}

async fn put(shop: &Shop, sku: &str, category: &str) {
    let fields = ProductFields { category: Some(category.into()), ..named(sku, "1") };
    shop.create(fields).await.unwrap();
}

async fn the_tree_comes_parents_first_with_counts_of_what_is_below(shop: &Shop) {
    let made = create(shop, "phones", " Phones & more ").await.unwrap();
    assert!(made.id.starts_with("cat_"));
    assert_eq!((made.path.as_str(), made.name.as_str()), ("phones", "Phones & more"));
    for path in ["phones/used", "phones/used/old", "audio"] {
        create(shop, path, "x").await.unwrap();
    }
    put(shop, "1", "phones").await;
    put(shop, "2", "phones/used/old").await;
    put(shop, "3", "phones/used/old").await;
    put(shop, "4", "phones/used").await;
    shop.delete("4").await.unwrap();
    let expected = [("audio", 0), ("phones", 3), ("phones/used", 2), ("phones/used/old", 2)];
    assert_eq!(tree(shop).await, expected.map(|(path, n)| (path.to_owned(), n)));
}

async fn a_category_needs_its_parent(shop: &Shop) {
    let orphan = create(shop, "phones/used", "x").await;
    assert_eq!(refusal(orphan), (Kind::NotFound, "parent_not_found".to_owned()));
    create(shop, "phones", "x").await.unwrap();
    assert!(create(shop, "phones/used", "x").await.is_ok());
    assert!(tree(shop).await.len() == 2);
}

async fn a_category_exists_once(shop: &Shop) {
    create(shop, "phones", "x").await.unwrap();
    let twice = create(shop, "phones", "y").await;
    assert_eq!(refusal(twice), (Kind::Conflict, "category_exists".to_owned()));
    let calls = (0..10).map(|_| create(shop, "audio", "x"));
    let made = futures::future::join_all(calls).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    assert_eq!(tree(shop).await.len(), 2);
}

async fn a_category_in_use_stays(shop: &Shop) {
    for path in ["phones", "phones/used", "phones-old"] {
        create(shop, path, "x").await.unwrap();
    }
    let in_use = (Kind::Conflict, "category_in_use".to_owned());
    assert_eq!(refusal(delete(shop, "phones").await), in_use);
    put(shop, "1", "phones/used").await;
    assert_eq!(refusal(delete(shop, "phones/used").await), in_use);
    // a hidden product is still in it
    shop.delete("1").await.unwrap();
    assert_eq!(refusal(delete(shop, "phones/used").await), in_use);
    let none = ProductFields { category: Some(String::new()), ..Default::default() };
    shop.update("1", none).await.unwrap();
    assert_eq!(delete(shop, "phones/used").await.unwrap().path, "phones/used");
    assert!(delete(shop, "phones").await.is_ok());
    let unknown = (Kind::NotFound, "category_not_found".to_owned());
    assert_eq!(refusal(delete(shop, "phones").await), unknown);
    assert_eq!(refusal(delete(shop, "No Slug").await), unknown);
    assert_eq!(tree(shop).await, [("phones-old".to_owned(), 0)]);
}

async fn what_is_no_category_is_refused(shop: &Shop) {
    for path in ["", "/", "A", "a//b", "a/", "a/b/c/d/e/f"] {
        assert_eq!(broken_fields(create(shop, path, " ").await), ["path", "name"], "{path}");
    }
    assert_eq!(broken_fields(create(shop, "a", &"x".repeat(101)).await), ["name"]);
    assert!(tree(shop).await.is_empty());
}
