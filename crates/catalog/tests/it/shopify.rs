//! Shopify's product files.

use std::collections::BTreeMap;

use crate::files::counts;
use crate::shop::Shop;

crate::on_both! {
    variants_become_products_with_options_and_pictures
}

const FILE: &str = "\
Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU,\
Variant Inventory Qty,Variant Price,Variant Compare At Price,Variant Requires Shipping,Image Src,\
Image Position\n\
pot,Clay Pot,<p>Round</p>,Kiln,Home > Pots,\"clay, red\",true,Size,Small,POT-S,5,9.99,12.00,true,\
https://x.example/1.png,1\n\
pot,,,,,,,,Large,,2,15.99,15.99,true,https://x.example/2.png,2\n\
pot,,,,,,,,,,,,,,https://x.example/3.png,3\n\
guide,Guide,,Kiln,,,false,Title,Default Title,GUIDE,,4.00,,false,,\n\
empty,No price,,Kiln,,,true,,,EMPTY,,,,true,,\n";

async fn variants_become_products_with_options_and_pictures(shop: &Shop) {
    let job = shop.import(FILE).await;
    assert_eq!(job.status, "succeeded");
    assert_eq!(counts(&job), BTreeMap::from([("created", 3), ("rejected", 1)]));
    let small = shop.get("POT-S").await.unwrap();
    assert_eq!((small.name.as_str(), small.stock), ("Clay Pot (Small)", Some(5)));
    assert_eq!((small.old_price_minor, small.category.as_str()), (Some(1200), "home/pots"));
    assert_eq!((small.attributes["Size"].as_str(), small.handle.as_str()), ("Small", "pot"));
    assert_eq!((small.brand.as_str(), small.description.as_str()), ("Kiln", "<p>Round</p>"));
    assert_eq!(small.tags, ["clay", "red"]);
    assert_eq!(small.images.len(), 3);
    let large = shop.get("pot/Large").await.unwrap();
    assert_eq!((large.old_price_minor, large.price.unwrap().minor), (None, 1599));
    let guide = shop.restore("GUIDE").await.unwrap();
    assert_eq!((guide.name.as_str(), guide.stock), ("Guide", None));
    let rejected: Vec<u64> = shop
        .results(&job)
        .await
        .iter()
        .filter(|r| r.outcome == "rejected")
        .map(|r| r.position)
        .collect();
    assert_eq!(rejected, [6]);
    shop.delete("GUIDE").await.unwrap();
    let events = shop.events().await.len();
    assert_eq!(counts(&shop.import(FILE).await)["unchanged"], 3);
    assert_eq!(shop.events().await.len(), events);
}
