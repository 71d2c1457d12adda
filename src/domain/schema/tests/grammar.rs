use super::super::{SCHEMA_BYTES_MAX, SCHEMA_ERRORS_MAX, SCHEMA_TYPES_MAX, Schema};
use super::{faults, good, shown, shown_type};

#[test]
fn scalars_arrays_and_live_types_are_read() {
    for of in [
        "string",
        "number",
        "boolean",
        "null",
        "string[]",
        "number[][]",
        "(number | string)[]",
        "string | null",
        "LiveList<string>",
        "LiveList<LiveList<LiveList<string>>>",
        "LiveMap<string, number>",
        "LiveMap<string, LiveList<string[]>>",
        "LiveList<string> | LiveMap<string, null> | null",
        "LiveText",
        "LiveFile | null",
        "{}",
        "{ x: number }",
        "{ x: number, y?: { z: string } }",
        "LiveList<{ x: number[][] }>",
        "\"light\" | \"dark\"",
        "200 | 400",
        "-3",
        "true | string",
    ] {
        assert_eq!(shown_type(of), of);
    }
}

#[test]
fn old_spellings_mean_what_they_meant() {
    assert_eq!(shown_type("String"), "string");
    assert_eq!(shown_type("Float"), "number");
    assert_eq!(shown_type("Int"), "Int");
    assert_eq!(shown_type("LiveMap<String, Boolean>"), "LiveMap<string, boolean>");
    // A definition wins.
    assert_eq!(shown("type Int { x: number }\ntype Storage { a: Int[] }", "a"), "Int[]");
}

#[test]
fn space_separators_and_comments_are_free() {
    let expected = good("type Storage { a: number, b: string }");
    for text in [
        "type Storage{a:number,b:string}",
        "type Storage { a: number; b: string; }",
        "type Storage = { a: number\n b: string, }",
        "type Storage {  a: number  b: string}",
        "\u{feff}# one\ntype // two\n Storage\r\n{ # } three\na//:\n:number;b: string}#four",
    ] {
        assert_eq!(good(text), expected, "{text}");
    }
    good("type Storage {}");
    good("type Storage { type: string, LiveList: number, true: null, _1: string, Storage: null }");
    assert_eq!(
        faults("type Storage {\n  /* no */\n a: string\n}"),
        ["2:3: a comment is one line that begins with '#' or '//'"],
    );
}

#[test]
fn literals_are_read() {
    assert_eq!(shown_type(r#""""#), r#""""#);
    assert_eq!(shown_type(r#"'she said: "hello"'"#), r#""she said: \"hello\"""#);
    assert_eq!(shown_type(r#""\s\h\e\ \'\h\i\"""#), r#""she 'hi\"""#);
    assert_eq!(shown_type("'\\\n  lines\\\n'"), r#""  lines""#);
    assert_eq!(shown_type(r#""\u00e9\ud83c\udf89\n\t""#), r#""é🎉\n\t""#);
    assert_eq!(shown_type("'🎉'"), "\"🎉\"");
    assert_eq!(shown_type("42.000"), "42");
    assert_eq!(shown_type("- \n 1"), "-1");
    assert_eq!(shown_type("-0"), "0");
    assert_eq!(shown_type("12345678901234567890.0"), "12345678901234567000");
    assert_eq!(shown_type("false"), "false");
}

#[test]
fn bad_literals_are_named() {
    let fault = |of: &str| faults(&format!("type Storage {{ a: {of} }}")).join("\n");
    assert_eq!(fault("3.14"), "1:19: literal numbers must be whole");
    assert_eq!(fault("- 3.14"), "1:19: literal numbers must be whole");
    assert_eq!(fault("3px"), "1:19: a number is written in digits, such as 42");
    assert_eq!(fault("1e5"), "1:19: a number is written in digits, such as 42");
    assert_eq!(fault("1.2.3"), "1:19: a number is written in digits, such as 42");
    assert_eq!(fault("-x"), "1:20: expected a whole number after '-', got 'x'");
    assert_eq!(fault(&"9".repeat(400)), "1:19: the number is too large");
    assert_eq!(
        fault("\"open }"),
        "1:19: the quote that opens here is never closed\n\
         1:28: expected a field, such as 'name: string', or '}', but the text ends"
    );
    let escape = "1:19: \\u is followed by four hex digits that make a character";
    for of in [r#""\u12""#, r#""\ud83c""#, r#""\ud83c\u0041""#, r#""\udf89""#, r#""\u+123""#] {
        assert!(fault(of).starts_with(escape), "{of}: {}", fault(of));
    }
}

#[test]
fn what_is_expected_is_named() {
    let a_type = "expected a type, such as string, LiveList<number> or a name";
    let a_field = "expected a field, such as 'name: string', or '}'";
    for (text, expected) in [
        ("", "1:1: the type 'Storage' is missing, which describes the root of the document"),
        ("Storage {}", "1:1: expected 'type', which begins a definition, got 'Storage'"),
        ("type", "1:5: expected the name of a type, but the text ends"),
        ("type {}", "1:6: expected the name of a type, got '{'"),
        ("type 8 {}", "1:6: expected the name of a type, got '8'"),
        ("type Foo", "1:9: expected '{' or '=', but the text ends"),
        ("type Foo | Bar {}", "1:10: expected '{' or '=', got '|'"),
        ("type Foo = Bar", "1:12: expected '{', got 'Bar'"),
        ("type X { 123: string }", &format!("1:10: {a_field}, got '123'")),
        ("type X { $foo: string }", "1:10: this character has no meaning here"),
        ("type X { 😈: string }", "1:10: this character has no meaning here"),
        ("type X { a string }", "1:12: expected ':' or '?:', got 'string'"),
        ("type X { a? string }", "1:13: expected ':', got 'string'"),
        ("type X { a: }", &format!("1:13: {a_type}, got '}}'")),
        ("type X { a: A || B }", &format!("1:16: {a_type}, got '|'")),
        ("type X { a: (A }", "1:16: expected ')', '|' or '[]', got '}'"),
        ("type X { a: A[ }", "1:16: expected ']', got '}'"),
        ("type X { a: LiveList }", "1:22: expected '<' after LiveList, got '}'"),
        ("type X { a: LiveList<A, B> }", "1:23: expected '>', '|' or '[]', got ','"),
        (
            "type X { a: LiveMap<string> }",
            "1:27: expected ',' between the types of key and value, got '>'",
        ),
        ("type X { a: LiveObject<{}> }", "1:24: expected the name of a type, got '{'"),
        ("type X { a: LiveObject<A[]> }", "1:25: expected '>' after the name of the type, got '['"),
        ("type X { a: string<A> }", &format!("1:19: {a_field}, got '<'")),
        ("type X { a: string", &format!("1:19: {a_field}, but the text ends")),
        ("type X { a: A } }", "1:17: expected 'type', which begins a definition, got '}'"),
    ] {
        assert_eq!(faults(text)[0], expected, "{text}");
    }
}

#[test]
fn one_answer_names_many_faults() {
    assert_eq!(
        faults(
            "type Storage {\n a: |\n b: string\n c: { d: LiveMap<>, e: 1.5 }\n f: (x\n}\n\
             type {\n}\ntype A { g }"
        ),
        [
            "2:5: expected a type, such as string, LiveList<number> or a name, got '|'",
            "4:18: expected a type, such as string, LiveList<number> or a name, got '>'",
            "4:24: literal numbers must be whole",
            "6:1: expected ')', '|' or '[]', got '}'",
            "7:6: expected the name of a type, got '{'",
            "9:12: expected ':' or '?:', got '}'",
        ],
    );
    assert_eq!(faults(&"type Storage { a: | }\n".repeat(100)).len(), SCHEMA_ERRORS_MAX);
    assert_eq!(faults(&format!("type Storage {{ {} }}", "a: |, ".repeat(100))).len(), 20);
}

#[test]
fn sizes_are_limited() {
    let spaces = |count| format!("type Storage {{}}{}", " ".repeat(count));
    good(&spaces(SCHEMA_BYTES_MAX - 15));
    assert_eq!(
        Schema::parse(&spaces(SCHEMA_BYTES_MAX)).unwrap_err().to_string(),
        "a schema must be at most 65536 bytes, got 65551",
    );
    let types = |count| (0..count).map(|n| format!("type T{n} {{}}\n")).collect::<String>();
    let fault = faults(&types(SCHEMA_TYPES_MAX + 1));
    assert_eq!(fault, ["1001:6: a schema must have at most 1000 types"]);
}

#[test]
fn nesting_is_limited() {
    let deep = |open: &str, close: &str, count: usize| {
        format!("type Storage {{ a: {}null{} }}", open.repeat(count), close.repeat(count))
    };
    for (open, close) in [("LiveList<", ">"), ("{ a: ", "}"), ("(", ")"), ("", "[]")] {
        good(&deep(open, close, 31));
        let fault = faults(&deep(open, close, 32));
        assert!(fault[0].ends_with("types must be nested at most 32 levels deep"), "{fault:?}");
        let _fault = faults(&deep(open, close, 6_000));
    }
}
