use super::{faults, good};

#[test]
fn types_may_be_defined_after_their_use() {
    good(
        "type Storage { foo: LiveObject<Foo> }\ntype Foo { bar: Color }\ntype Color { r: number }",
    );
    good("type Storage { ok: LiveObject<_Thing> }\ntype _Thing {}");
}

#[test]
fn names_of_types_have_rules() {
    assert_eq!(
        faults("type Storage { a: number }\ntype number { a: string }"),
        [
            "2:6: 'number' is built in and cannot be defined",
            "2:6: the type 'number' is defined but never used"
        ],
    );
    assert_eq!(
        faults("type LiveThing {}\ntype Storage { a: LiveThing }"),
        ["1:6: 'LiveThing' is reserved, as are all names that begin with 'Live'"],
    );
    assert_eq!(
        faults("type Storage { x: foo }\ntype foo {}"),
        ["2:6: the name of a type begins with a capital letter, unlike 'foo'"],
    );
    assert_eq!(
        faults("type Storage { x: Foo }\ntype Foo {}\ntype Foo {}"),
        [
            "3:6: 'Foo' is already defined on line 2",
            "3:6: the type 'Foo' is defined but never used",
        ],
    );
}

#[test]
fn names_of_fields_have_rules() {
    assert_eq!(
        faults("type Storage { a: string, b: null, a: number }"),
        ["1:36: the field 'a' is already defined in this type"],
    );
    assert_eq!(
        faults("type Storage { a: { b: { liveblocksType: string } } }"),
        ["1:26: the name 'liveblocksType' is reserved"],
    );
}

#[test]
fn unknown_names_get_a_suggestion() {
    for (wrong, suggestion) in [
        ("strng", Some("string")),
        ("STRING", Some("string")),
        ("Strong", Some("string")),
        ("booLeaN", Some("boolean")),
        ("Nul", Some("null")),
        ("Todos", Some("Todo")),
        ("LiveFiel", Some("LiveFile")),
        ("Unrelated", None),
        (&"string".repeat(50), None),
    ] {
        let fault = faults(&format!("type Storage {{ a: {wrong}, b: Todo }}\ntype Todo {{}}"));
        let expected = match suggestion {
            Some(near) => format!("1:19: unknown type '{wrong}'; did you mean '{near}'?"),
            None => format!("1:19: unknown type '{wrong}'"),
        };
        assert_eq!(fault, [expected]);
    }
    assert_eq!(
        faults("type Storage { a: LiveObject<Toto> | LiveObject<string> }\ntype Todo {}"),
        [
            "1:30: unknown type 'Toto'; did you mean 'Todo'?",
            "1:49: LiveObject<> takes the name of a type that is defined with 'type'",
            "2:6: the type 'Todo' is defined but never used",
        ],
    );
}

#[test]
fn storage_must_be_there_and_everything_else_be_used() {
    assert_eq!(
        faults("type Foo { a: Foo[] }"),
        ["1:22: the type 'Storage' is missing, which describes the root of the document"],
    );
    assert_eq!(
        faults("type Foo {}\n\ntype Storage {}"),
        ["1:6: the type 'Foo' is defined but never used"],
    );
}

#[test]
fn plain_json_holds_nothing_live() {
    assert_eq!(
        faults("type Storage { a: { b: { c: LiveList<string> } } }"),
        ["1:29: an inline object is plain JSON and cannot hold anything live"],
    );
    assert_eq!(
        faults("type Storage { a: LiveMap<string, null>[] }"),
        ["1:19: an array is plain JSON and cannot hold anything live"],
    );
    assert_eq!(
        faults("type Storage { a: LiveText[], b: { c: LiveFile } }"),
        [
            "1:19: an array is plain JSON and cannot hold anything live",
            "1:39: an inline object is plain JSON and cannot hold anything live",
        ],
    );
    assert_eq!(
        faults("type Storage { foo: Foo }\ntype Foo { bar: LiveList<string> }"),
        ["1:21: 'Foo' holds something live, so refer to it as 'LiveObject<Foo>'"],
    );
    assert_eq!(
        faults("type Storage { a: LiveList<{ foo: Foo[] }> }\ntype Foo { bar: null | LiveText }"),
        ["1:35: 'Foo' holds something live, so refer to it as 'LiveObject<Foo>'"],
    );
}

#[test]
fn a_type_is_either_live_or_plain() {
    let fault = "'Thing' is 'LiveObject<Thing>' on line 3; it cannot be both";
    assert_eq!(
        faults("type Storage {\n a: Thing\n b: LiveObject<Thing>\n c: Thing[]\n}\ntype Thing {}"),
        [format!("2:5: {fault}"), format!("4:5: {fault}")],
    );
    assert_eq!(
        faults("type Storage { a?: Storage }"),
        ["1:20: 'Storage' is the root, which is live, so refer to it as 'LiveObject<Storage>'"],
    );
}

#[test]
fn the_keys_of_a_map_are_texts() {
    let fault = "the keys of a LiveMap are always of type 'string'";
    assert_eq!(
        faults("type Storage { a: LiveMap<number, string>, b: LiveMap<\"x\" | \"y\", null> }"),
        [format!("1:27: {fault}"), format!("1:55: {fault}")],
    );
}

#[test]
fn a_type_may_refer_to_itself_if_some_value_fits_it() {
    good("type Foo { foo?: Foo }\ntype Storage { foo: Foo }");
    good("type Foo { foos: Foo[] }\ntype Storage { foo: Foo }");
    good("type Foo { foo: Foo | null }\ntype Storage { foo: Foo }");
    good(
        "type Foo { foos: LiveMap<string, LiveObject<Foo>> }\ntype Storage { a: LiveObject<Foo> }",
    );
    good(
        "type Storage { moo: Moo }\ntype Moo { boo: Boo }\ntype Boo { zoo: Zoo }\n\
         type Zoo { moo?: Moo }",
    );
    good("type Storage { a?: LiveObject<Storage> }");
    let fault = |name: &str, field: &str| {
        format!(
            "no value can ever fit '{name}': its field '{field}' leads back to it; make one of \
             the fields on the way optional"
        )
    };
    assert_eq!(
        faults("type Foo { x: string, foo: Foo }\ntype Storage { foo?: Foo }"),
        [format!("1:28: {}", fault("Foo", "foo"))],
    );
    assert_eq!(
        faults("type Storage { a?: A }\ntype A { b: { c: B } }\ntype B { a: A | A2 }\ntype A2 {}")
            .len(),
        1,
    );
    assert_eq!(
        faults("type Storage { a?: A }\ntype A { b: { c: B } }\ntype B { a: A }"),
        [format!("2:13: {}", fault("A", "b")), format!("3:13: {}", fault("B", "a"))],
    );
}
