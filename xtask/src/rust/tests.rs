use super::*;

#[test]
fn comments_strings_and_characters_are_blanked_in_place() {
    let source =
        "let a = \"std::fs\"; // std::net\nlet b = r#\"x\"y\"#; /* a /* b */ c */ let c = '{'; let d: &'static str;";
    let code = code_only(source);
    assert_eq!(code.len(), source.len());
    assert!(!code.contains("std") && !code.contains('{') && !code.contains('y'));
    assert!(code.contains("let b =") && code.contains("let c =") && code.contains("&'static str"));
}

#[test]
fn escapes_end_where_rust_ends_them() {
    let code = code_only(r#"let q = '\''; let s = "\"{"; let b = b'\\'; let t = b"}"; keep()"#);
    assert!(code.ends_with("keep()"));
    assert!(!code.contains('{') && !code.contains('}'));
}

#[test]
fn functions_span_their_bodies_and_declarations_have_none() {
    let code = code_only("trait T {\n  fn none(a: [u8; 4]);\n}\nfn some() -> [u8; 2] {\n  { }\n}\n");
    assert_eq!(functions(&code), [Function { name: "some".to_owned(), first: 4, last: 6 }]);
}

#[test]
fn test_modules_are_left_out() {
    let code = code_only("use a::b;\n#[cfg(test)]\nmod tests {\n  use std::fs;\n}\nuse c::d;\n");
    let shipped = without_tests(&code);
    assert!(!shipped.contains("std::fs") && shipped.contains("c::d"));
    let code = code_only("#[cfg(test)]\nmod tests;\nuse c::d;\n");
    assert!(without_tests(&code).contains("c::d"));
}

#[test]
fn grouped_imports_are_written_out() {
    let paths: Vec<String> = imports("pub use std::{fs, io::{self, Read as _}};\nuse a::b as c;")
        .into_iter()
        .map(|(line, path)| format!("{line} {path}"))
        .collect();
    assert_eq!(paths, ["1 std::fs", "1 std::io::self", "1 std::io::Read", "2 a::b"]);
}

#[test]
fn a_word_inside_a_name_is_not_that_word() {
    assert_eq!(words("fn_a fn a_fn", "fn").collect::<Vec<_>>(), [5]);
}
