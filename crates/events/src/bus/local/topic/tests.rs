//! The table of the AMQP specification, and a few more.
use super::matches;

#[test]
fn patterns_match_as_in_amqp() {
    for (pattern, key, expected) in [
        ("catalog.product.*.v1", "catalog.product.changed.v1", true),
        ("catalog.product.*.v1", "catalog.product.v1", false),
        ("catalog.product.*.v1", "catalog.product.changed.again.v1", false),
        ("#", "catalog.product.changed.v1", true),
        ("#", "", true),
        ("*", "", true),
        ("catalog.#", "catalog", true),
        ("catalog.#", "catalog.product.changed.v1", true),
        ("catalog.#", "catalogs.product", false),
        ("#.v1", "catalog.product.changed.v1", true),
        ("#.v1", "v1", true),
        ("#.v1", "v2", false),
        ("*.#.v1", "v1", false),
        ("*.stock.#", "catalog.stock.moved.v1", true),
        ("gateway.products.viewed.v1", "gateway.products.viewed.v1", true),
        ("gateway.products.viewed.v1", "gateway.products.viewed.v2", false),
        ("#.#", "a", true),
    ] {
        assert_eq!(matches(pattern, key), expected, "{pattern} and {key}");
    }
}
