//! The syntax: what is read, what is refused and where, and that nothing makes it panic.

use proptest::prelude::*;

use super::*;

fn term(name: &str, key: Option<&str>, op: Op, value: Value) -> Term {
    let field = Field { name: name.to_owned(), key: key.map(str::to_owned) };
    Term { field, op, value, span: 0..0 }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn metadata(key: &str, op: Op, value: Value) -> Term {
    term("metadata", Some(key), op, value)
}

fn value_of(query: &str) -> Value {
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    assert_eq!(query.terms.len(), 1);
    query.terms.into_iter().next().unwrap().value
}

fn refusal(query: &str) -> (usize, String) {
    let error = Query::parse(query).unwrap_err();
    (error.position, error.problem)
}

#[test]
fn the_example_of_the_real_client_is_read() {
    let query = "resolved:true visibility:'private' roomId^'a:' metadata['status']:'open' \
                 metadata['n']:3 metadata['z']:null metadata['a b']:\"it's\" metadata['q']^'x' \
                 metadata['k']>1";
    let expected = [
        term("resolved", None, Op::Equals, Value::Bool(true)),
        term("visibility", None, Op::Equals, text("private")),
        term("roomId", None, Op::StartsWith, text("a:")),
        metadata("status", Op::Equals, text("open")),
        metadata("n", Op::Equals, Value::Number(3.0)),
        metadata("z", Op::Equals, Value::Null),
        metadata("a b", Op::Equals, text("it's")),
        metadata("q", Op::StartsWith, text("x")),
        metadata("k", Op::Greater, Value::Number(1.0)),
    ];
    assert_eq!(Query::parse(query).unwrap().terms, expected);
}

#[test]
fn terms_are_joined_by_and_or_space_in_any_case() {
    let expected = Query::parse("a:1 b:2").unwrap();
    assert_eq!(expected.terms[1].span, 4..7);
    for joined in
        ["a:1 AND b:2", "a:1 and b:2", "a:1\tAnD\nb:2 ", "  a:1    b:2", "a : 1 b\u{a0}:2"]
    {
        assert_eq!(Query::parse(joined).unwrap(), expected, "{joined}");
    }
    assert_eq!(Query::parse("").unwrap(), Query::default());
    assert_eq!(Query::parse(" \n ").unwrap(), Query::default());
    // With an operator behind it, it is a field.
    assert_eq!(Query::parse("and:1 and:2 AND and:3").unwrap().terms.len(), 3);
}

#[test]
fn operators_are_read_in_full() {
    for (op, query) in [
        (Op::Equals, "n:5"),
        (Op::Less, "n<5"),
        (Op::LessOrEqual, "n<=5"),
        (Op::Greater, "n>5"),
        (Op::GreaterOrEqual, "n >= 5"),
    ] {
        assert_eq!(Query::parse(query).unwrap().terms, [term("n", None, op, Value::Number(5.0))]);
    }
}

#[test]
fn texts_have_either_quote_and_the_escapes_of_json() {
    for (query, expected) in [
        (r#"a:"it's""#, "it's"),
        (r#"a:'say "x"'"#, r#"say "x""#),
        (r#"a:'it\'s'"#, "it's"),
        (r#"a:"a'b\"c""#, r#"a'b"c"#),
        (r"a:'a\\b'", r"a\b"),
        (r"a:'\b\f\n\r\t\/'", "\u{8}\u{c}\n\r\t/"),
        (r"a:'\u0041\u00e9\u2028'", "Aé\u{2028}"),
        (r"a:'\ud83d\ude00\uD83D\uDE00'", "😀😀"),
        ("a:'é😀\n'", "é😀\n"),
        ("a:''", ""),
        ("a:'AND b:1'", "AND b:1"),
    ] {
        assert_eq!(value_of(query), text(expected), "{query}");
    }
}

#[test]
fn numbers_are_read_as_json_writes_them() {
    for (query, expected) in [
        ("a:0", 0.0),
        ("a:-0.5", -0.5),
        ("a:1e+21", 1e21),
        ("a:-1.5e-9", -1.5e-9),
        ("a:12E2", 1200.0),
        ("a:007", 7.0),
        ("a:1e-999", 0.0),
    ] {
        assert_eq!(value_of(query), Value::Number(expected), "{query}");
    }
    for bad in
        ["NaN", "Infinity", "-Infinity", "inf", "+1", ".5", "1.", "1e", "-", "1_000", "0x1", "3px"]
    {
        let (position, problem) = refusal(&format!("a:{bad}"));
        assert_eq!(position, 2, "{bad}: {problem}");
    }
    assert_eq!(refusal("a:1e999"), (2, "the number is too large".to_owned()));
    assert_eq!(number_of("-1.5e3"), Some(-1500.0));
    for bad in ["", " 1", "1 ", "1e999", "one", "NaN", "١"] {
        assert_eq!(number_of(bad), None, "{bad}");
    }
}

#[test]
fn a_refusal_says_what_was_expected_and_where() {
    let rows = [
        ("roomId", 6, "expected one of the operators : ^ < <= > >=, but the query ends"),
        ("roomId='x'", 6, "expected one of the operators : ^ < <= > >=, got '='x''"),
        ("a:1,b:2", 2, "expected a value"),
        ("a:open", 2, r#"expected a value: "text" in quotes, a number, true, false or null, got"#),
        ("a:trueish", 2, "expected a value"),
        ("a:", 2, "expected a value"),
        ("a:'x'b:1", 5, "expected a space, or AND and another term, got 'b:1'"),
        ("a:'x'AND b:1", 5, "expected a space, or AND"),
        ("a:1 AND", 7, "expected a term after AND, but the query ends"),
        ("AND a:1", 0, r#"expected a field, such as roomId or metadata["key"], got 'AND'"#),
        ("a:1 AND AND b:1", 8, "expected a field"),
        ("a:1 OR b:1", 4, "OR and NOT do not exist here"),
        ("not a:1", 0, "OR and NOT do not exist here"),
        ("a:1 (b:1)", 4, "parentheses do not exist here"),
        ("metadata.k:'v'", 8, r#"a key is written in brackets, as in metadata["key"]"#),
        ("metadata[k]:'v'", 9, r#"expected a key in quotes, as in ["key"], got 'k]:'v''"#),
        ("metadata['k':1", 12, "expected ']' after the key"),
        ("metadata['']:1", 9, "a key must not be empty"),
        ("é:1", 0, "expected a field"),
        ("a:é", 2, "got 'é'"),
        ("a:'x", 2, "the quote that opens here is never closed"),
        (r"a:'x\", 4, "expected one of the escapes"),
        (r"a:'\x'", 3, "expected one of the escapes"),
        (r"a:'\u12'", 3, "expected one of the escapes"),
        (r"a:'\ud83d'", 3, "half of a surrogate pair"),
        (r"a:'\ud83d\u0041'", 3, "half of a surrogate pair"),
        (r"a:'\ude00'", 3, "half of a surrogate pair"),
        (r"a:'\u0000'", 3, "NUL"),
        ("a:'\0'", 3, "NUL"),
        ("a^5", 2, "expected a text in quotes after ^, got '5'"),
        ("a^null", 2, "expected a text in quotes after ^"),
        ("a<'5'", 2, "expected a number after <, <=, > or >="),
        ("a>=null", 3, "expected a number after"),
    ];
    for (query, position, expected) in rows {
        let (at, problem) = refusal(query);
        assert_eq!(at, position, "{query}: {problem}");
        assert!(problem.contains(expected), "{query}: {problem}");
    }
    let error = crate::error::Error::from(Query::parse("a:").unwrap_err());
    assert_eq!(error.fields()[0].field, "query");
    assert!(error.public().ends_with("but the query ends (at byte 2)"), "{error}");
}

#[test]
fn the_text_and_its_terms_are_limited() {
    let fits = format!("a:'{}'", "x".repeat(QUERY_BYTES_MAX - 4));
    assert_eq!(Query::parse(&fits).unwrap().terms.len(), 1);
    let (position, problem) = refusal(&format!("{fits} "));
    assert_eq!((position, problem.as_str()), (8192, "must be at most 8192 bytes, got 8193"));

    let terms = |n: usize| vec!["a:1"; n].join(" ");
    assert_eq!(Query::parse(&terms(QUERY_TERMS_MAX)).unwrap().terms.len(), QUERY_TERMS_MAX);
    let (position, problem) = refusal(&terms(QUERY_TERMS_MAX + 1));
    assert_eq!(position, QUERY_TERMS_MAX * "a:1 ".len());
    assert!(problem.contains("at most 50 terms"));
    // A message never repeats a long text.
    assert!(refusal(&"b".repeat(QUERY_BYTES_MAX)).1.len() < 200);
    assert!(refusal(&format!("a:{}", "b".repeat(4000))).1.len() < 200);
}

#[test]
fn printing_is_canonical() {
    let query = Query::parse(r#"a:'it\'s "x" \\' and metadata['k']>=-2.50 b:null  c^"" d:1e300"#);
    assert_eq!(
        query.unwrap().to_string(),
        r#"a:"it's \"x\" \\" AND metadata["k"]>=-2.5 AND b:null AND c^"" AND d:1e300"#
    );
}

/// Texts that look like the syntax, so that the interesting branches are reached.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof!["[^\0]{0,12}", r#"['"\\a-c :\n]{0,12}"#]
}

fn any_number() -> impl Strategy<Value = f64> {
    use proptest::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
    prop_oneof![POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO, any::<i32>().prop_map(f64::from)]
}

fn any_term() -> impl Strategy<Value = Term> {
    let name = prop_oneof!["[a-zA-Z_][a-zA-Z0-9_]{0,8}", "and|AND|or|not|true|null"];
    let key = proptest::option::of(any_text().prop_filter("not empty", |key| !key.is_empty()));
    let orders =
        proptest::sample::select(vec![Op::Less, Op::LessOrEqual, Op::Greater, Op::GreaterOrEqual]);
    let op_and_value = prop_oneof![
        any_text().prop_map(|text| (Op::Equals, Value::Text(text))),
        any_text().prop_map(|text| (Op::StartsWith, Value::Text(text))),
        any_number().prop_map(|number| (Op::Equals, Value::Number(number))),
        (orders, any_number()).prop_map(|(op, number)| (op, Value::Number(number))),
        any::<bool>().prop_map(|value| (Op::Equals, Value::Bool(value))),
        Just((Op::Equals, Value::Null)),
    ];
    (name, key, op_and_value).prop_map(|(name, key, (op, value))| Term {
        field: Field { name, key },
        op,
        value,
        span: 0..0,
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_back(terms in proptest::collection::vec(any_term(), 0..8)) {
        let query = Query { terms };
        let printed = query.to_string();
        let parsed = Query::parse(&printed);
        prop_assert_eq!(parsed.as_ref(), Ok(&query), "{}", printed);
        prop_assert_eq!(parsed.unwrap().to_string(), printed);
    }

    #[test]
    fn spans_cut_the_terms_out_of_the_text(
        terms in proptest::collection::vec(any_term(), 1..8), space in "[ \t]{1,3}",
    ) {
        let printed: Vec<String> = terms.iter().map(Term::to_string).collect();
        let joined = printed.join(&space);
        let spans = Query::parse(&joined).unwrap().terms.into_iter().map(|term| term.span);
        let cut: Vec<_> = spans.map(|span| joined[span].to_owned()).collect();
        prop_assert_eq!(cut, printed);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>()) {
        check_any(&text)?;
    }

    #[test]
    fn no_text_like_the_syntax_makes_the_parser_panic(
        words in proptest::collection::vec(
            prop_oneof![
                proptest::sample::select(vec![
                    "a", "metadata", "roomId", "[", "]", "['k']", "\"", "'", ":", "^", "<", "<=",
                    ">", ">=", " ", "AND", "OR", "\\", "\\u", "\\ud83d", "\\ude00", "null", "true",
                    "1", "-", ".", "e", "é", "\0", "(",
                ]).prop_map(str::to_owned),
                any::<char>().prop_map(String::from),
            ],
            0..24,
        ),
    ) {
        check_any(&words.concat())?;
    }

    #[test]
    fn a_valid_query_with_a_part_cut_off_makes_no_panic(
        terms in proptest::collection::vec(any_term(), 1..4),
        at in any::<proptest::sample::Index>(),
    ) {
        let printed = Query { terms }.to_string();
        let chars: Vec<char> = printed.chars().collect();
        let (head, tail) = chars.split_at(at.index(chars.len()));
        check_any(&head.iter().collect::<String>())?;
        check_any(&tail.iter().collect::<String>())?;
    }
}

/// Any outcome is right that is a query within its limits, or an error at a place in the text.
fn check_any(text: &str) -> Result<(), TestCaseError> {
    match Query::parse(text) {
        Ok(query) => {
            prop_assert!(query.terms.len() <= QUERY_TERMS_MAX);
            prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
        }
        Err(error) => {
            prop_assert!(text.is_char_boundary(error.position), "{error}");
            prop_assert!(!error.problem.is_empty());
        }
    }
    let _ = RoomFilter::from_query(text);
    Ok(())
}
