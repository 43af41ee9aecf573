//! The scanner against the corners of Rust's syntax.

use super::*;

fn written(code: &str) -> Vec<String> {
    paths(code).into_iter().map(|path| path.text).collect()
}

#[test]
fn strings_comments_and_characters_are_no_code() {
    let text = r####"let a = "todo!() \" //"; // dbg!(x)
let b = r#"say "todo!""#; let c = '"'; let d = '\''; let e = b'\\';
/* outer /* inner */ todo!() */ fn f<'a>(x: &'a str, y: char) { y == 'ß' }
let r#type = br"x\";"####;
    let source = Source::new(text);
    assert!(!source.code.contains("todo") && !source.code.contains("dbg"), "{}", source.code);
    for code in ["let b =", "let c =", "let d =", "let e =", "fn f<'a>(x: &'a str", "let r#type ="]
    {
        assert!(source.code.contains(code), "{code} in {}", source.code);
    }
    assert!(source.comments.contains("// dbg!(x)") && source.comments.contains("inner"));
    assert!(!source.comments.contains("\" //"), "{}", source.comments);
    assert_eq!(source.code.lines().count(), text.lines().count());
    assert_eq!(source.code.len(), text.len());
}

#[test]
fn an_unfinished_file_is_read_to_its_end() {
    for text in
        ["\"open", "r#\"open", "/* open", "'", "'\\", "use a::{b", "use", "#[cfg(test)] mod x {"]
    {
        let source = Source::new(text);
        paths(&source.product_code());
    }
}

#[test]
fn code_for_tests_is_no_product_code() {
    let text = "use a::b;\n#[cfg(test)]\nuse c::d;\nfn f() {}\n#[cfg(test)]\nmod tests {\n    use e::f;\n    fn g() {}\n}\nuse h::i;\n";
    assert_eq!(written(&Source::new(text).product_code()), ["a::b", "h::i"]);
}

#[test]
fn use_trees_give_every_leaf() {
    let code =
        "pub use crate::{domain::order, store::{self, cart as basket}};\nuse ::serde::*;\nuse std;";
    assert_eq!(
        written(code),
        ["crate::domain::order", "crate::store::self", "crate::store::cart", "serde::*", "std"]
    );
}

#[test]
fn paths_in_place_are_found_with_their_lines() {
    let code =
        "fn f() -> tonic::Result<()> {\n    let v = Vec::<u8>::new();\n    sea_orm :: Db::x()\n}";
    let found = paths(code);
    let expected = [("tonic::Result", 1), ("Vec", 2), ("sea_orm::Db::x", 3)];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (path, (text, line)) in found.iter().zip(expected) {
        assert_eq!((path.text.as_str(), path.line), (text, line));
    }
}

#[test]
fn captured_lifetimes_import_nothing() {
    assert_eq!(written("fn f<'a>() -> impl A + use<'a> { b::c() }"), ["b::c"]);
}
