//! The OpenAPI 3.1 document of the REST routes. It says what the generated code does, out of the
//! same annotations; all of its maps are sorted, so that equal protos give equal bytes.

mod params;
mod schema;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{Kind, MessageDescriptor};
use serde_json::{Map, Value, json};

use self::schema::{Direction, Schemas, described};
use self::text::{Texts, join, split_summary};
use super::model::{Api, Body, Method, Rule, Segment, Service, is_http_body, media_type};

const VERSION: &str = "3.1.0";

pub fn generate(api: &Api) -> Result<String, String> {
    let texts = Texts::read(api);
    let mut routes = Routes {
        texts: &texts,
        schemas: Schemas::new(api, &texts),
        paths: BTreeMap::new(),
        shapes: BTreeMap::new(),
        operation_ids: BTreeSet::new(),
    };
    let mut tags = BTreeMap::new();
    for service in &api.services {
        for method in &service.methods {
            for index in 0..method.rules.len() {
                routes.add(service, method, index)?;
                let name = service.descriptor.name();
                let tag = described(json!({"name": name}), &texts.of(&service.descriptor));
                tags.insert(name, tag);
            }
        }
    }
    let mut schemas = routes.schemas.finish();
    schemas.insert(schema::ERROR.to_owned(), error_schema());
    let document = json!({
        "openapi": VERSION,
        "info": {
            "title": env!("CARGO_PKG_NAME"),
            "version": env!("CARGO_PKG_VERSION"),
            "description": env!("CARGO_PKG_DESCRIPTION"),
            "license": {
                "name": env!("CARGO_PKG_LICENSE"),
                "identifier": env!("CARGO_PKG_LICENSE"),
            },
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "tags": tags.into_values().collect::<Vec<_>>(),
        "paths": routes.paths,
        "components": {
            "schemas": schemas,
            "responses": error_responses(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A project's secret key, or a user's token where the operation \
                                    takes one.",
                },
            },
        },
    });
    serde_json::to_string(&document).map_err(|e| e.to_string())
}

struct Routes<'a> {
    texts: &'a Texts,
    schemas: Schemas<'a>,
    paths: BTreeMap<String, Map<String, Value>>,
    /// Paths by their shape.
    shapes: BTreeMap<String, String>,
    operation_ids: BTreeSet<String>,
}

impl Routes<'_> {
    fn add(&mut self, service: &Service, method: &Method, index: usize) -> Result<(), String> {
        let rule = &method.rules[index];
        let path = template(method, rule);
        let shape = rule.segments.iter().map(|segment| match segment {
            Segment::Literal(text) => text.as_str(),
            Segment::Variable(_) => "{}",
        });
        let shape = shape.collect::<Vec<_>>().join("/");
        // OpenAPI takes two paths that differ in a variable's name for one: the first name counts.
        let shared = self.shapes.entry(shape).or_insert_with(|| path.clone()).clone();
        let mut operation = self.operation(service, method, index)?;
        rename_variables(&mut operation, &path, &shared);
        self.paths.entry(shared).or_default().insert(rule.verb.to_lowercase(), operation);
        Ok(())
    }

    fn operation(
        &mut self,
        service: &Service,
        method: &Method,
        index: usize,
    ) -> Result<Value, String> {
        let (rule, descriptor) = (&method.rules[index], &method.descriptor);
        let mut id = descriptor.name().to_owned();
        let (summary, mut description) = split_summary(&self.texts.of(descriptor));
        if index > 0 {
            id = format!("{id}_{}", index + 1);
            let first = &method.rules[0];
            let note = format!("An alias of `{} {}`.", first.verb, template(method, first));
            description = join(&description, &note);
        }
        if !self.operation_ids.insert(id.clone()) {
            return Err(format!("{}: another service has a method {id}", descriptor.full_name()));
        }
        let mut operation = json!({
            "operationId": id,
            "tags": [service.descriptor.name()],
            "responses": self.responses(method, rule)?,
        });
        if !summary.is_empty() {
            operation["summary"] = summary.into();
        }
        let parameters = params::of_route(method, rule, &mut self.schemas, self.texts)?;
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = self.request_body(method, rule)? {
            operation["requestBody"] = body;
        }
        if method.open {
            operation["security"] = json!([]);
        }
        let options = descriptor.method_descriptor_proto().options.as_ref();
        if options.is_some_and(|options| options.deprecated()) {
            operation["deprecated"] = true.into();
        }
        Ok(described(operation, &description))
    }

    fn request_body(&mut self, method: &Method, rule: &Rule) -> Result<Option<Value>, String> {
        let input = method.descriptor.input();
        let body = match &rule.body {
            Body::None => return Ok(None),
            Body::Field(field) if is_http_body(&field.kind()) => {
                described(json!({"content": raw(&media_type(field))}), &self.texts.of(field))
            }
            Body::Field(field) => {
                let schema = self.schemas.field(field, Direction::Request)?;
                let body = json!({"content": content(&schema), "required": true});
                described(body, &self.texts.of(field))
            }
            Body::Whole => {
                let (schema, required) = self.whole_body(&input, &params::variables(rule))?;
                // Without required keys, a body may be left out altogether.
                json!({"content": content(&schema), "required": required})
            }
        };
        Ok(Some(body))
    }

    /// The schema of a request, and whether it has required keys. Without variables in the path it
    /// is the message itself; else what remains of the message has no name but a title.
    fn whole_body(
        &mut self,
        input: &MessageDescriptor,
        in_path: &[&str],
    ) -> Result<(Value, bool), String> {
        let mut schema = self.schemas.object(input, Direction::Request, in_path)?;
        let required = schema.get("required").is_some();
        if in_path.is_empty() {
            schema = self.schemas.message(input, Direction::Request)?;
        } else {
            schema["title"] = input.name().into();
        }
        Ok((schema, required))
    }

    fn responses(&mut self, method: &Method, rule: &Rule) -> Result<Value, String> {
        let mut responses = Map::new();
        responses.insert(method.success.to_string(), self.success(method, rule)?);
        if let Some(file) = &method.file_reply {
            responses.extend(responses_of_part(&media_type(file)));
        }
        for (status, name, _) in ERRORS {
            let can_be = match status {
                "401" => !method.open,
                "404" => !params::variables(rule).is_empty(),
                _ => true,
            };
            if can_be {
                let name = format!("#/components/responses/{name}");
                responses.insert(status.to_owned(), json!({"$ref": name}));
            }
        }
        Ok(responses.into())
    }

    fn success(&mut self, method: &Method, rule: &Rule) -> Result<Value, String> {
        let output = method.descriptor.output();
        if method.success == 204 {
            return Ok(json!({"description": "Done; the reply has no body."}));
        }
        let (kind, text) = match &rule.response_body {
            Some(field) => (field.kind(), self.texts.of(field)),
            None => (Kind::Message(output.clone()), self.texts.of(&output)),
        };
        let content = match &rule.response_body {
            Some(field) if is_http_body(&kind) => raw(&media_type(field)),
            None if is_http_body(&kind) => raw("application/octet-stream"),
            Some(field) => content(&self.schemas.field(field, Direction::Reply)?),
            None => content(&self.schemas.message(&output, Direction::Reply)?),
        };
        let text = if text.is_empty() { "The answer.".to_owned() } else { text };
        Ok(json!({"description": text, "content": content}))
    }
}

/// What a file is answered with besides itself: the statuses of `src/wire/download.rs`.
fn responses_of_part(media_type: &str) -> [(String, Value); 4] {
    let answer = |status: &str, text| (status.to_owned(), json!({"description": text}));
    let mut part = answer("206", "The part of the file that `Range` asks for.");
    part.1["content"] = raw(media_type);
    [
        part,
        answer("304", "The file is one of those that `If-None-Match` names."),
        answer("412", "The file is none of those that `If-Match` names."),
        answer("416", "The file has no byte of what `Range` asks for."),
    ]
}

/// Gives an operation's variables the names that they have in another path of the same shape.
fn rename_variables(operation: &mut Value, path: &str, shared: &str) {
    let Some(parameters) = operation.get_mut("parameters").and_then(Value::as_array_mut) else {
        return;
    };
    let variable = |segment: &str| segment.strip_prefix('{')?.strip_suffix('}').map(str::to_owned);
    let names = path.split('/').zip(shared.split('/'));
    let names: Vec<_> = names.filter_map(|(a, b)| Some((variable(a)?, variable(b)?))).collect();
    for parameter in parameters.iter_mut().filter(|parameter| parameter["in"] == "path") {
        if let Some((_, name)) = names.iter().find(|(own, _)| parameter["name"] == *own) {
            parameter["name"] = name.as_str().into();
        }
    }
}

/// A route's path with the names that its variables have in JSON.
fn template(method: &Method, rule: &Rule) -> String {
    let input = method.descriptor.input();
    let segments = rule.segments.iter().map(|segment| match segment {
        Segment::Literal(text) => format!("/{text}"),
        Segment::Variable(name) => match input.get_field_by_name(name) {
            Some(field) => format!("/{{{}}}", field.json_name()),
            None => format!("/{{{name}}}"),
        },
    });
    segments.collect()
}

fn content(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn raw(media_type: &str) -> Value {
    json!({ media_type: {} })
}

/// Status, name and meaning of the errors that clients should expect. The statuses are those of
/// `src/wire/status.rs`.
const ERRORS: [(&str, &str, &str); 6] = [
    ("401", "Unauthenticated", "No credential came."),
    ("403", "Forbidden", "The credential is not valid, or it does not allow this."),
    ("404", "NotFound", "It does not exist, or the caller may not know that it does."),
    (
        "422",
        "Unprocessable",
        "A field is missing or wrong, which the message names, or the state does not allow this.",
    ),
    ("503", "Unavailable", "A part that is needed is down; retry later."),
    ("default", "OtherError", "Any other error."),
];

fn error_responses() -> Value {
    let response = |(_, name, text): &(&str, &str, &str)| {
        let schema = schema::reference(schema::ERROR);
        let response = json!({"description": text, "content": content(&schema)});
        ((*name).to_owned(), response)
    };
    Value::Object(ERRORS.iter().map(response).collect())
}

fn error_schema() -> Value {
    let text = |description: &str| json!({"type": "string", "description": description});
    json!({
        "type": "object",
        "description": "Why a call failed.",
        "properties": {
            "error": text("The reason, as a word for programs, such as ROOM_NOT_FOUND."),
            "message": text("The reason, in words for people."),
            "suggestion": text("What to do about it."),
        },
        "required": ["error", "message"],
    })
}
