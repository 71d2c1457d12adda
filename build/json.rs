//! `WriteJson` and `ReadJson` for every message: straight-line code over the runtime in
//! `src/wire/json/`, so that writing a reply touches nothing but its fields and the buffer.

use std::fmt::Write;

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::model::{Api, flag};
use super::naming;

pub fn generate(api: &Api) -> Result<String, String> {
    let mut out = String::new();
    for message in &api.messages {
        writer(api, message, &mut out)?;
        reader(api, message, &mut out);
    }
    for found in &api.enums {
        let path = naming::enumeration(api.root, found);
        _ = writeln!(
            out,
            "impl crate::wire::json::ProtoEnum for {path} {{\n\
             fn name_of(number: i32) -> Option<&'static str> {{ \
             Self::try_from(number).ok().map(|found| found.as_str_name()) }}\n\
             fn number_of(name: &str) -> Option<i32> {{ \
             Self::from_str_name(name).map(|found| found as i32) }}\n}}"
        );
    }
    Ok(out)
}

/// How prost holds a field, as far as it matters here.
enum Shape {
    /// A bare value: zero is the same as unset.
    Implicit,
    /// An `Option`.
    Optional {
        message: bool,
    },
    List,
    Map,
    /// A member of a oneof: the path of the oneof's enum and the variant.
    Member {
        field: String,
        variant: String,
    },
}

fn shape(api: &Api, field: &FieldDescriptor) -> Shape {
    if let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
        let variant = naming::variant(field.name());
        return Shape::Member {
            field: naming::field(oneof.name()),
            variant: format!("{}::{variant}", naming::oneof(api.root, &oneof)),
        };
    }
    if field.is_map() {
        Shape::Map
    } else if field.is_list() {
        Shape::List
    } else if field.supports_presence() {
        Shape::Optional { message: matches!(field.kind(), Kind::Message(_)) }
    } else {
        Shape::Implicit
    }
}

/// The enum behind a field, a list of them or a map to them.
fn enum_of(api: &Api, field: &FieldDescriptor) -> Option<String> {
    let kind = match field.kind() {
        Kind::Message(entry) if entry.is_map_entry() => entry.map_entry_value_field().kind(),
        kind => kind,
    };
    kind.as_enum().map(|found| naming::enumeration(api.root, found))
}

fn writer(api: &Api, message: &MessageDescriptor, out: &mut String) -> Result<(), String> {
    let path = api.message(message);
    _ = writeln!(out, "impl crate::wire::json::WriteJson for {path} {{");
    _ = writeln!(out, "fn write_json(&self, w: &mut crate::wire::json::Writer) {{");
    let mutable = if message.fields().len() == 0 { "" } else { "mut " };
    _ = writeln!(out, "let {mutable}object = w.object();");
    for field in declared(message) {
        if let Kind::Message(found) = field.kind()
            && found.full_name() == "google.protobuf.Any"
        {
            return Err(format!("{}: Any has no JSON form here", field.full_name()));
        }
        write_field(api, &field, out);
    }
    _ = writeln!(out, "object.end();\n}}\n}}");
    Ok(())
}

/// In the order in which the file declares them, as protobuf's own libraries write them.
fn declared(message: &MessageDescriptor) -> impl Iterator<Item = FieldDescriptor> {
    let fields = &message.descriptor_proto().field;
    fields.iter().filter_map(|field| message.get_field(u32::try_from(field.number()).ok()?))
}

fn write_field(api: &Api, field: &FieldDescriptor, out: &mut String) {
    let name = naming::of_field(field);
    let key = format!("\",\\\"{}\\\":\", \",\\\"{}\\\":\"", field.json_name(), field.name());
    let always = flag(field, "roomd.always");
    let nullable = flag(field, "roomd.nullable");
    let enumeration = enum_of(api, field);
    // How a value is handed to the writer, from a place or from a reference to it.
    let enum_new = |path: &str| format!("&crate::wire::json::Enum::<{path}>::new");
    let place = |of: &str| match &enumeration {
        Some(path) => format!("{}({of})", enum_new(path)),
        None => format!("&{of}"),
    };
    let value = |of: &str| match &enumeration {
        Some(path) => format!("{}(*{of})", enum_new(path)),
        None => of.to_owned(),
    };
    let line = match shape(api, field) {
        Shape::Implicit => {
            let write = format!("object.key({key}).value({});", place(&format!("self.{name}")));
            if always {
                write
            } else {
                let unset = "crate::wire::json::is_zero";
                format!("if object.writes_zeros() || !{unset}(&self.{name}) {{ {write} }}")
            }
        }
        Shape::Optional { message } => {
            let unset = match (nullable, always) {
                (true, _) => format!("None => object.key({key}).null(),"),
                (false, true) => format!("None => object.key({key}).empty_object(),"),
                (false, false) if message => {
                    format!("None => if object.writes_zeros() {{ object.key({key}).null() }},")
                }
                _ => "None => {}".to_owned(),
            };
            let some = format!("Some(value) => object.key({key}).value({}),", value("value"));
            format!("match &self.{name} {{ {some} {unset} }}")
        }
        Shape::List | Shape::Map => {
            let kind = if field.is_map() { "map" } else { "list" };
            let write = match &enumeration {
                Some(path) => format!("object.key({key}).enum_{kind}::<{path}>(&self.{name});"),
                None => format!("object.key({key}).{kind}(&self.{name});"),
            };
            match always {
                true => write,
                false => {
                    format!("if object.writes_zeros() || !self.{name}.is_empty() {{ {write} }}")
                }
            }
        }
        Shape::Member { field: holder, variant } => format!(
            "if let Some({variant}(value)) = &self.{holder} \
             {{ object.key({key}).value({}); }}",
            value("value")
        ),
    };
    _ = writeln!(out, "{line}");
}

fn reader(api: &Api, message: &MessageDescriptor, out: &mut String) {
    let path = api.message(message);
    let fields: Vec<FieldDescriptor> = message.fields().collect();
    let required: String = (fields.iter().enumerate())
        .filter(|(_, field)| flag(field, "roomd.required"))
        .map(|(index, field)| format!("({index}, \"{}\"),", field.json_name()))
        .collect();
    _ = writeln!(
        out,
        "impl crate::wire::json::JsonMessage for {path} {{\n\
         const NAME: &'static str = \"{}\";\n\
         const REQUIRED: &'static [(usize, &'static str)] = &[{required}];\n\
         fn index_of(name: &str) -> Option<usize> {{\nmatch name {{",
        message.name(),
    );
    for (index, field) in fields.iter().enumerate() {
        let (camel, snake) = (field.json_name(), field.name());
        let names = match camel == snake {
            true => format!("\"{camel}\""),
            false => format!("\"{camel}\" | \"{snake}\""),
        };
        _ = writeln!(out, "{names} => Some({index}),");
    }
    _ = writeln!(
        out,
        "_ => None,\n}}\n}}\n\
         fn read_field<'de, A: ::serde::de::MapAccess<'de>>(&mut self, index: usize, \
         map: &mut A, options: crate::wire::json::ReadOptions) -> Result<(), A::Error> {{\n\
         match index {{"
    );
    for (index, field) in fields.iter().enumerate() {
        let line = read_field(api, field);
        _ = writeln!(out, "{index} => {{ {line} }}");
    }
    _ = writeln!(out, "_ => {{ _ = (map, options); }}\n}}\nOk(())\n}}\n}}");
    _ = writeln!(
        out,
        "impl crate::wire::json::ReadJson for {path} {{\n\
         fn read_json<'de, D: ::serde::Deserializer<'de>>(source: D, \
         options: crate::wire::json::ReadOptions) -> Result<Self, D::Error> {{ \
         crate::wire::json::read_message(source, options) }}\n}}"
    );
}

fn read_field(api: &Api, field: &FieldDescriptor) -> String {
    let name = naming::of_field(field);
    let json = "crate::wire::json";
    let enumeration = enum_of(api, field);
    let enum_type = enumeration.map(|path| format!("{json}::Enum::<{path}>"));
    let next = |wrapped: Option<String>| match wrapped {
        Some(path) => format!("{json}::next::<{path}, A>(map, options)?"),
        None => format!("{json}::next(map, options)?"),
    };
    match shape(api, field) {
        Shape::Implicit => match enum_type {
            Some(path) => format!(
                "if let Some(value) = {}.and_then(|found| found.number()) {{ self.{name} = value; }}",
                next(Some(path))
            ),
            None => format!("if let Some(value) = {} {{ self.{name} = value; }}", next(None)),
        },
        Shape::Optional { .. } => match enum_type {
            Some(path) => {
                format!("self.{name} = {}.and_then(|found| found.number());", next(Some(path)))
            }
            None => format!("self.{name} = {};", next(None)),
        },
        Shape::List => match enum_type {
            Some(path) => format!(
                "if let Some(values) = {} {{ self.{name} = \
                 values.into_iter().filter_map(|found| found.number()).collect(); }}",
                next(Some(format!("Vec<{path}>")))
            ),
            None => format!("if let Some(values) = {} {{ self.{name} = values; }}", next(None)),
        },
        Shape::Map => match enum_type {
            Some(path) => format!(
                "if let Some(values) = {} {{ self.{name} = values.into_iter()\
                 .filter_map(|(key, value)| Some((key, value.number()?))).collect(); }}",
                next(Some(format!("::std::collections::BTreeMap<_, {path}>")))
            ),
            None => format!("if let Some(values) = {} {{ self.{name} = values; }}", next(None)),
        },
        Shape::Member { field: holder, variant } => {
            let taken = format!("{json}::refuse_second::<A, _>(&self.{holder}, \"{holder}\")?;");
            let value = match enum_type {
                Some(path) => format!("{}.and_then(|found| found.number())", next(Some(path))),
                None => next(None),
            };
            format!(
                "if let Some(value) = {value} {{ {taken} self.{holder} = Some({variant}(value)); }}"
            )
        }
    }
}
