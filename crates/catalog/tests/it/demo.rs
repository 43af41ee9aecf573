//! The demo shop.

use souk_proto::catalog::v1::category_service_client::CategoryServiceClient;
use souk_proto::catalog::v1::transfer_service_client::TransferServiceClient;
use souk_proto::catalog::v1::{
    GetImageRequest, ListCategoriesRequest, ListProductsRequest, LoadDemoShopRequest,
};
use souk_proto::types::v1::PageRequest;

use crate::shop::{Shop, answer};

crate::on_both! {
    an_empty_store_gets_sixty_products_without_a_letter
    a_store_with_products_stays_as_it_is
}

async fn load(shop: &Shop) -> u32 {
    let mut client = TransferServiceClient::new(shop.operator());
    answer(client.load_demo_shop(LoadDemoShopRequest {})).await.unwrap().products
}

async fn an_empty_store_gets_sixty_products_without_a_letter(shop: &Shop) {
    assert_eq!(load(shop).await, 60);
    let page = Some(PageRequest { limit: 100, cursor: String::new() });
    let request = ListProductsRequest { page, ..Default::default() };
    let items = answer(shop.products().list_products(request)).await.unwrap().items;
    assert_eq!(items.len(), 60);
    for product in &items {
        assert!(!product.name.is_empty() && !product.category.is_empty(), "{}", product.sku);
        let name = product.images[0].trim_start_matches("/api/images/").to_owned();
        let image = answer(shop.products().get_image(GetImageRequest { name })).await.unwrap();
        assert_eq!(image.content_type, "image/svg+xml");
    }
    let mut categories = CategoryServiceClient::new(shop.operator());
    let tree = answer(categories.list_categories(ListCategoriesRequest {})).await.unwrap().items;
    let roots = tree.iter().filter(|c| !c.path.contains('/'));
    assert_eq!(roots.map(|c| c.products).sum::<u64>(), 60);
    let events = shop.events().await;
    assert_eq!(events.len(), 60);
    assert!(events.iter().all(|(_, e)| e.quiet && e.kind == "created"));
    assert_eq!(load(shop).await, 0);
    assert_eq!(shop.events().await.len(), 60);
}

async fn a_store_with_products_stays_as_it_is(shop: &Shop) {
    shop.product("A", "1").await;
    shop.delete("A").await.unwrap();
    assert_eq!(load(shop).await, 0);
    assert_eq!(shop.events().await.len(), 2);
}
