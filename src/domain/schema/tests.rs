//! Each rule of the language with texts that keep it and texts that break it.

mod grammar;
mod hostile;
mod references;
mod unions;

use super::{Schema, Type};

fn good(text: &str) -> Schema {
    Schema::parse(text).unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// The errors of a text, without the lines that they quote.
fn faults(text: &str) -> Vec<String> {
    let errors = Schema::parse(text).expect_err(text);
    let place = |error: &super::SchemaError| format!("{}:{}", error.line, error.column);
    errors.iter().map(|error| format!("{}: {}", place(error), error.problem)).collect()
}

/// The type of a field of `Storage`, as the language writes it.
fn shown(text: &str, field: &str) -> String {
    let schema = good(text);
    let object = schema.object(schema.root());
    schema.show(&object.fields[field].of).to_string()
}

/// The type `a` of `type Storage { a: … }`.
fn shown_type(of: &str) -> String {
    shown(&format!("type Storage {{ a: {of} }}"), "a")
}

#[test]
fn the_published_example_is_read() {
    let schema = good(
        "type Storage {\n  todos: LiveList<LiveObject<Todo>>\n}\n\n\
         type Todo {\n  text: string\n  checked?: boolean\n}\n",
    );
    let root = schema.object(schema.root());
    let Type::LiveList(item) = &root.fields["todos"].of else { panic!("{root:?}") };
    let Type::LiveObject(todo) = **item else { panic!("{item:?}") };
    let todo = schema.object(todo);
    assert_eq!(todo.name.as_deref(), Some("Todo"));
    assert!(!todo.fields["text"].is_optional && todo.fields["checked"].is_optional);
}

#[test]
fn an_error_quotes_the_line_and_points_at_the_fault() {
    let errors = Schema::parse("type Storage {\n\ta: Strng | null\n  b: 4.5;\n}").unwrap_err();
    assert_eq!(errors.to_string(), "3:6: literal numbers must be whole\n    b: 4.5;\n       ^^^",);
    let errors = Schema::parse("type Storage {\n\té: Strng\n  b: [\n}").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "2:2: this character has no meaning here\n   é: Strng\n   ^\n\
         3:6: expected a type, such as string, LiveList<number> or a name, got '['\n    \
         b: [\n       \
         ^",
    );
    let errors = Schema::parse("type Storage {\n\ta: Strng | null }").unwrap_err();
    assert_eq!(
        errors.to_string(),
        "2:5: unknown type 'Strng'; did you mean 'string'?\n   a: Strng | null }\n      ^^^^^",
    );
}

#[test]
fn a_quote_of_a_long_line_is_short() {
    let text =
        format!("type Storage {{ {} a: Nope, {} }}", " ".repeat(500), "b: string, ".repeat(50));
    let errors = Schema::parse(&text).unwrap_err().to_string();
    assert!(errors.lines().all(|line| line.len() < 200), "{errors}");
    let mut lines = errors.lines().filter(|line| line.starts_with("  "));
    let (line, mark) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(line[mark.find('^').unwrap()..].starts_with("Nope"), "{errors}");
}
