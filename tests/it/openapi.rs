//! The OpenAPI document against the descriptors that it is made of.

use std::collections::BTreeSet;

use prost_reflect::{DynamicMessage, MethodDescriptor, Value as Reflected};
use serde_json::{Value, json};

use crate::harness::descriptors;

const OPENAPI: &str = include_str!(concat!(env!("OUT_DIR"), "/openapi.json"));
/// The document of `tests/proto/`: one of every kind of field and route.
const TESTING: &str = include_str!(concat!(env!("OUT_DIR"), "/testing/openapi.json"));

fn read(document: &str) -> Value {
    serde_json::from_str(document).unwrap()
}

fn option(method: &MethodDescriptor, name: &str) -> Option<Reflected> {
    let extension = method.parent_pool().get_extension_by_name(name).unwrap();
    let options = method.options();
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

/// `get /v2/rooms/{roomId}`, read from an annotation.
fn route(method: &MethodDescriptor, rule: &DynamicMessage) -> String {
    let verbs = ["get", "put", "post", "delete", "patch"];
    let verb = verbs.into_iter().find(|verb| rule.has_field_by_name(verb)).unwrap();
    let mut path = rule.get_field_by_name(verb).unwrap().as_str().unwrap().to_owned();
    for field in method.input().fields() {
        let (in_proto, in_json) = (field.name(), field.json_name());
        path = path.replace(&format!("{{{in_proto}}}"), &format!("{{{in_json}}}"));
    }
    format!("{verb} {path}")
}

fn routes_of(method: &MethodDescriptor) -> Vec<String> {
    let Some(Reflected::Message(rule)) = option(method, "google.api.http") else {
        return Vec::new();
    };
    let more = rule.get_field_by_name("additional_bindings").unwrap();
    let more = more.as_list().unwrap().iter().map(|rule| rule.as_message().unwrap());
    std::iter::once(&rule).chain(more).map(|rule| route(method, rule)).collect()
}

/// A route without the names of its variables: of two that differ in nothing else, OpenAPI has one
/// path.
fn shape(route: &str) -> String {
    let segment = |segment: &str| if segment.starts_with('{') { "{}" } else { segment }.to_owned();
    route.split('/').map(segment).collect::<Vec<_>>().join("/")
}

/// Every operation as `get /path`, with its object.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (verb, operation) in operations.as_object().unwrap() {
            found.push((format!("{verb} {path}"), operation));
        }
    }
    found
}

fn names(values: &Value, key: &str) -> Vec<String> {
    let values = values.as_array().into_iter().flatten();
    values.map(|value| value[key].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_route_is_documented_with_its_success() {
    let pool = descriptors();
    let document = read(OPENAPI);
    let documented = operations(&document);
    let mut expected = BTreeSet::new();
    for method in pool.services().flat_map(|service| service.methods().collect::<Vec<_>>()) {
        let success = match option(&method, "roomd.success") {
            Some(Reflected::U32(status)) => status.to_string(),
            _ => "200".to_owned(),
        };
        for route in routes_of(&method) {
            let found = documented.iter().find(|(found, _)| shape(found) == shape(&route));
            let (_, operation) = found.unwrap_or_else(|| panic!("{route} is not documented"));
            let responses = operation["responses"].as_object().unwrap();
            let successes: Vec<_> = responses.keys().filter(|key| key.starts_with('2')).collect();
            let mut expected_successes = vec![&success];
            let part = "206".to_owned();
            if option(&method, "roomd.file_reply").is_some() {
                expected_successes.push(&part);
            }
            assert_eq!(successes, expected_successes, "{route}");
            let has_content = responses[&success].get("content").is_some();
            assert_eq!(has_content, success != "204", "{route}");
            expected.insert(shape(&route));
        }
    }
    assert!(!expected.is_empty());
    let documented: BTreeSet<_> = documented.iter().map(|(route, _)| shape(route)).collect();
    assert_eq!(documented, expected);
}

#[test]
fn operations_have_names_of_their_own_and_declare_the_variables_of_their_path() {
    for document in [read(OPENAPI), read(TESTING)] {
        let mut ids = BTreeSet::new();
        for (route, operation) in operations(&document) {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{route}");
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let in_path = parameters.filter(|parameter| parameter["in"] == "path");
            let declared: Vec<_> = in_path
                .map(|parameter| {
                    assert_eq!(parameter["required"], true, "{route}");
                    parameter["name"].as_str().unwrap()
                })
                .collect();
            let named: Vec<_> = route
                .split('/')
                .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
                .collect();
            assert_eq!(declared, named, "{route}");
            assert_eq!(operation["responses"].get("404").is_some(), !named.is_empty(), "{route}");
        }
    }
}

#[test]
fn references_lead_somewhere_and_nothing_is_left_over() {
    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            found.insert(target.trim_start_matches('#').to_owned());
        }
        match value {
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            Value::Object(values) => values.values().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    for document in [read(OPENAPI), read(TESTING)] {
        let mut targets = BTreeSet::new();
        collect(&document, &mut targets);
        for target in &targets {
            assert!(document.pointer(target).is_some_and(Value::is_object), "{target}");
        }
        for name in document["components"]["schemas"].as_object().unwrap().keys() {
            assert!(targets.contains(&format!("/components/schemas/{name}")), "{name} is unused");
        }
    }
}

#[test]
fn rooms_read_as_their_annotations_say() {
    let document = read(OPENAPI);
    let schemas = &document["components"]["schemas"];
    let page = &schemas["ListRoomsResponse"];
    assert_eq!(page["required"], json!(["data", "nextCursor"]));
    assert_eq!(page["properties"]["nextCursor"]["type"], json!(["string", "null"]));
    assert_eq!(schemas["CreateRoomRequest"]["required"], json!(["defaultAccesses", "id"]));
    let accesses = &schemas["Room"]["properties"]["usersAccesses"];
    assert_eq!(accesses["additionalProperties"], json!({"type": "array", "items": {}}));

    let paths = &document["paths"];
    let upsert = &paths["/v2/rooms/{roomId}/upsert"]["post"]["requestBody"];
    let schema = &upsert["content"]["application/json"]["schema"];
    let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["create", "update"]);
    assert_eq!(names(&paths["/v2/rooms"]["post"]["parameters"], "name"), ["idempotent"]);
    let alias = &paths["/v2/rooms/{roomId}/active_users"]["get"];
    assert_eq!(alias["operationId"], "GetActiveUsers_2");
    let description = alias["description"].as_str().unwrap();
    assert!(description.ends_with("An alias of `GET /v2/rooms/{roomId}/active-users`."));
    let public = &paths["/v2/rooms/{roomId}/public/authorize"]["post"];
    assert_eq!((&public["deprecated"], &public["security"]), (&json!(true), &json!([])));
    assert_eq!(public["responses"].get("401"), None);
    // Texts use the names that JSON has.
    let list = paths["/v2/rooms"]["get"]["parameters"].to_string();
    assert!(list.contains("`nextCursor`") && !list.contains("next_cursor"), "{list}");
}

#[test]
fn every_kind_of_field_and_route_has_its_form() {
    let document = read(TESTING);
    let schemas = &document["components"]["schemas"];
    // What must be sent is not what is always written: two schemas for one message.
    assert_eq!(schemas["KindsInput"]["required"], json!(["must"]));
    let kinds = &schemas["Kinds"];
    assert_eq!(kinds["required"], json!(["alwaysList", "alwaysObject", "nullText"]));
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let forms = [
        ("big", json!({"type": "string", "format": "int64"})),
        ("data", json!({"type": "string", "contentEncoding": "base64"})),
        ("nullText", json!({"type": ["string", "null"]})),
        ("inners", json!({"type": "array", "items": reference("Kinds")})),
        ("byNumber", json!({"type": "object", "additionalProperties": reference("Color")})),
        ("at", json!({"type": "string", "format": "date-time"})),
        ("object", json!({"type": "object", "additionalProperties": true})),
        ("any", json!({})),
        ("list", json!({"type": "array", "items": {}})),
        ("wrappedBig", json!({"type": "string", "format": "int64"})),
    ];
    for (name, form) in forms {
        assert_eq!(kinds["properties"][name], form, "{name}");
    }
    assert_eq!(schemas["Color"]["enum"], json!(["COLOR_UNSPECIFIED", "COLOR_RED"]));

    let raw = json!({"application/octet-stream": {}});
    let upload = &document["paths"]["/files/{name}/{number}"]["put"];
    assert_eq!(upload["requestBody"]["content"], raw);
    assert_eq!(upload["responses"]["200"]["content"], raw);
    let list = &document["paths"]["/echo/{text}/list"]["post"];
    let numbers = json!({"type": "array", "items": {"type": "integer", "format": "int32"}});
    let body = json!({"application/json": {"schema": numbers}});
    assert_eq!(list["requestBody"]["content"], body);
    assert_eq!(list["responses"]["200"]["content"], body);
}

#[test]
fn the_query_offers_what_it_can_set() {
    let document = read(TESTING);
    let parameters = &document["paths"]["/echo/{text}"]["get"]["parameters"];
    let offered = names(parameters, "name");
    for name in ["small", "truth", "colors", "maybeText", "at", "words.*", "alwaysList"] {
        assert!(offered.iter().any(|offered| offered == name), "{name}");
    }
    for name in ["inner", "inners", "byTruth", "chosenText", "object", "wrappedText"] {
        assert!(!offered.iter().any(|offered| offered == name), "{name}");
    }
    let find = |name: &str| {
        let mut parameters = parameters.as_array().unwrap().iter();
        parameters.find(|parameter| parameter["name"] == name).unwrap()
    };
    assert_eq!(find("truth")["allowEmptyValue"], true);
    // Bytes are base64 in JSON alone.
    assert_eq!(find("data")["schema"], json!({"type": "string"}));
    assert_eq!(find("words.*")["schema"]["propertyNames"]["pattern"], "^words[.]");
}
