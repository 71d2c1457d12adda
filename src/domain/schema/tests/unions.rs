use super::{faults, good};

/// The faults of a type that stands in the fifth line, in which Foo is plain and Bar is live.
fn fault(of: &str) -> String {
    let uses = "type Uses { a: Foo[], b: LiveList<LiveObject<Bar>> }";
    let storage = format!("type Storage {{ uses: LiveObject<Uses>,\n a: {of} }}");
    faults(&format!("{uses}\ntype Foo {{}}\ntype Bar {{}}\n{storage}\n")).join("\n")
}

#[test]
fn members_that_can_be_told_apart_are_fine() {
    good("type Storage { ids: (string | number)[]\n selectedId: string | null }");
    good("type Storage { a: LiveObject<P> | null, b: LiveList<LiveObject<P>> | null }\ntype P {}");
    good("type Storage { a: Foo | LiveObject<Bar> | string[] }\ntype Foo {}\ntype Bar {}");
    good("type Storage { a: \"x\" | 'y' | number | true | null | (boolean[] | {}) }");
}

#[test]
fn members_that_repeat_each_other_are_refused() {
    assert_eq!(fault("number | number"), "5:14: 'number' cannot stand beside 'number'");
    assert_eq!(fault("Float | Int"), "5:13: 'Int' cannot stand beside 'number'");
    assert_eq!(
        fault("((string | number) | (boolean | number))"),
        "5:37: 'number' cannot stand beside 'number'",
    );
    assert_eq!(fault("\"hi\" | 'hi'"), "5:12: '\"hi\"' cannot stand beside '\"hi\"'");
    assert_eq!(fault("1 | 1.00"), "5:9: '1' cannot stand beside '1'");
    assert_eq!(fault("0 | -0"), "5:9: '0' cannot stand beside '0'");
    assert_eq!(fault("-1 | 2 | - 1"), "5:14: '-1' cannot stand beside '-1'");
}

#[test]
fn a_literal_does_not_stand_beside_its_scalar() {
    assert_eq!(fault("42 | number"), "5:10: 'number' cannot stand beside '42'");
    assert_eq!(fault("null | \"hi\" | string"), "5:19: 'string' cannot stand beside '\"hi\"'");
    assert_eq!(fault("string | (null | 'hey')"), "5:22: '\"hey\"' cannot stand beside 'string'");
    assert_eq!(fault("boolean | true"), "5:15: 'true' cannot stand beside 'boolean'");
    assert_eq!(fault("true | false | boolean"), "5:20: 'boolean' cannot stand beside 'true'");
}

#[test]
fn there_is_one_member_of_each_kind() {
    assert_eq!(
        fault("LiveList<Int> | LiveList<string>"),
        "5:21: a union has at most one LiveList: 'LiveList<string>' cannot stand beside \
         'LiveList<Int>'",
    );
    assert_eq!(
        fault("Foo | { x: number }"),
        "5:11: a union has at most one object type: '{ x: number }' cannot stand beside 'Foo'",
    );
    assert_eq!(
        fault("LiveObject<Bar> | LiveObject<Uses>"),
        "5:23: a union has at most one LiveObject: 'LiveObject<Uses>' cannot stand beside \
         'LiveObject<Bar>'",
    );
    assert_eq!(
        fault("string[] | number[]"),
        "5:16: a union has at most one array type: 'number[]' cannot stand beside 'string[]'",
    );
    assert_eq!(
        fault("LiveMap<string, null> | LiveMap<string, string>"),
        "5:29: a union has at most one LiveMap: 'LiveMap<string, string>' cannot stand beside \
         'LiveMap<string, null>'",
    );
}
