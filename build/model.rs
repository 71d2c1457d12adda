//! What the proto files say, as the generators want to read it.

use prost_reflect::{
    DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
    ServiceDescriptor, Value,
};

use super::naming;

pub struct Api {
    pub root: &'static str,
    pub services: Vec<Service>,
    /// Every message and enum of our packages, nested ones too.
    pub messages: Vec<MessageDescriptor>,
    pub enums: Vec<prost_reflect::EnumDescriptor>,
}

pub struct Service {
    pub descriptor: ServiceDescriptor,
    pub snake_case: bool,
    pub methods: Vec<Method>,
}

pub struct Method {
    pub descriptor: MethodDescriptor,
    pub open: bool,
    /// Whether the handler answers with a shared message.
    pub shared_reply: bool,
    /// Whether the call has to know the server's address.
    pub addresses: bool,
    /// Whether tokens of LiveKit's are taken besides our own.
    pub live_tokens: bool,
    /// The list that REST gives whole.
    pub whole_list: Option<FieldDescriptor>,
    /// The one field of a reply that is a file.
    pub file_reply: Option<FieldDescriptor>,
    pub streaming: Streaming,
    pub success: u16,
    pub rules: Vec<Rule>,
}

/// Which sides of a call are streams. Streams are for gRPC and Connect alone.
#[derive(Clone, Copy, PartialEq)]
pub enum Streaming {
    Unary,
    Replies,
    Both,
}

impl Service {
    pub fn unary(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(|method| method.streaming == Streaming::Unary)
    }

    pub fn streaming(&self) -> impl Iterator<Item = &Method> {
        self.methods.iter().filter(|method| method.streaming != Streaming::Unary)
    }
}

pub struct Rule {
    pub verb: String,
    pub path: String,
    pub segments: Vec<Segment>,
    pub body: Body,
    pub response_body: Option<FieldDescriptor>,
}

#[derive(Clone, PartialEq)]
pub enum Segment {
    Literal(String),
    Variable(String),
}

pub enum Body {
    None,
    Whole,
    Field(FieldDescriptor),
}

impl Api {
    pub fn read(pool: &DescriptorPool, root: &'static str) -> Result<Self, String> {
        let ours = |package: &str| !package.starts_with("google.") && package != "roomd";
        let services = pool.services().filter(|service| ours(service.package_name()));
        Ok(Self {
            root,
            services: services
                .map(|service| read_service(pool, service))
                .collect::<Result<_, _>>()?,
            messages: pool
                .all_messages()
                .filter(|message| ours(message.package_name()) || is_raw_body(root, message))
                .filter(|message| !message.is_map_entry())
                .collect(),
            enums: pool.all_enums().filter(|found| ours(found.package_name())).collect(),
        })
    }

    pub fn message(&self, message: &MessageDescriptor) -> String {
        naming::message(self.root, message)
    }
}

/// The one message of Google's that has no JSON form of its own and is generated with the API.
fn is_raw_body(root: &str, message: &MessageDescriptor) -> bool {
    root == "crate::proto" && message.full_name() == "google.api.HttpBody"
}

fn read_service(pool: &DescriptorPool, descriptor: ServiceDescriptor) -> Result<Service, String> {
    let profile = extension(pool, &descriptor.options(), "roomd.json_profile");
    let methods = descriptor.methods().map(|method| read_method(pool, method));
    Ok(Service {
        snake_case: matches!(profile, Some(Value::EnumNumber(1))),
        methods: methods.collect::<Result<_, _>>()?,
        descriptor,
    })
}

fn read_method(pool: &DescriptorPool, descriptor: MethodDescriptor) -> Result<Method, String> {
    let options = descriptor.options();
    let flag = |name| matches!(extension(pool, &options, name), Some(Value::Bool(true)));
    let success = match extension(pool, &options, "roomd.success") {
        Some(Value::U32(status)) => u16::try_from(status).map_err(|e| e.to_string())?,
        _ => 200,
    };
    let mut rules = Vec::new();
    if let Some(Value::Message(rule)) = extension(pool, &options, "google.api.http") {
        rules.push(read_rule(&descriptor, &rule)?);
        if let Some(Value::List(more)) = rule.get_field_by_name("additional_bindings").as_deref() {
            for binding in more.iter().filter_map(Value::as_message) {
                rules.push(read_rule(&descriptor, binding)?);
            }
        }
    }
    if rules.is_empty() && !flag("roomd.no_rest") {
        let name = descriptor.full_name();
        return Err(format!("{name}: has neither a google.api.http route nor roomd.no_rest"));
    }
    let streaming = match (descriptor.is_client_streaming(), descriptor.is_server_streaming()) {
        (false, false) => Streaming::Unary,
        (false, true) => Streaming::Replies,
        (true, true) => Streaming::Both,
        (true, false) => {
            let name = descriptor.full_name();
            return Err(format!("{name}: a stream of requests with one reply is not generated"));
        }
    };
    if streaming != Streaming::Unary && (!rules.is_empty() || flag("roomd.shared_reply")) {
        let name = descriptor.full_name();
        return Err(format!("{name}: a stream has neither a route nor a shared reply"));
    }
    let whole_list = match extension(pool, &options, "roomd.whole_list") {
        Some(Value::String(field)) => Some(read_whole_list(&descriptor, &field)?),
        _ => None,
    };
    let file_reply = match flag("roomd.file_reply") {
        true => Some(read_file_reply(&descriptor, &rules)?),
        false => None,
    };
    Ok(Method {
        whole_list,
        file_reply,
        open: flag("roomd.open"),
        shared_reply: flag("roomd.shared_reply"),
        addresses: flag("roomd.addresses"),
        live_tokens: flag("roomd.live_tokens"),
        streaming,
        success,
        rules,
        descriptor,
    })
}

fn read_whole_list(method: &MethodDescriptor, field: &str) -> Result<FieldDescriptor, String> {
    let list = method.output().get_field_by_name(field).filter(FieldDescriptor::is_list);
    let is_text = |field: &FieldDescriptor| field.kind() == Kind::String && !field.is_list();
    let cursor = method.input().get_field_by_name("cursor").filter(is_text);
    let next = method.output().get_field_by_name("next_cursor").filter(is_text);
    let is_paged = cursor.is_some_and(|field| !field.supports_presence())
        && next.is_some_and(|field| field.supports_presence());
    match list {
        Some(list) if is_paged => Ok(list),
        _ => Err(format!(
            "{}: whole_list needs a list `{field}`, a `cursor` and an optional `next_cursor`",
            method.full_name()
        )),
    }
}

fn read_file_reply(method: &MethodDescriptor, rules: &[Rule]) -> Result<FieldDescriptor, String> {
    let mut fields = method.output().fields().collect::<Vec<_>>();
    let is_file = fields.len() == 1 && is_http_body(&fields[0].kind()) && !fields[0].is_list();
    let is_fetched =
        |rule: &Rule| rule.verb == "GET" && rule.response_body.as_ref() == fields.first();
    match is_file && rules.iter().all(is_fetched) {
        true => Ok(fields.remove(0)),
        false => Err(format!(
            "{}: file_reply needs one field, a google.api.HttpBody, that routes with GET answer",
            method.full_name()
        )),
    }
}

pub fn is_http_body(kind: &Kind) -> bool {
    matches!(kind, Kind::Message(message) if message.full_name() == "google.api.HttpBody")
}

fn read_rule(method: &MethodDescriptor, rule: &DynamicMessage) -> Result<Rule, String> {
    let name = method.full_name();
    let text = |field: &str| match rule.get_field_by_name(field).as_deref() {
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let verbs = ["get", "put", "post", "delete", "patch"];
    let verb = verbs.into_iter().find(|verb| rule.has_field_by_name(verb));
    let verb = verb.ok_or_else(|| format!("{name}: a route without a method and path"))?;
    let path = text(verb);
    let segments = read_path(method, &path).map_err(|e| format!("{name}: {path}: {e}"))?;
    let field_named = |message: MessageDescriptor, field: String| {
        message
            .get_field_by_name(&field)
            .ok_or_else(|| format!("{name}: {path}: {} has no field {field}", message.name()))
    };
    let body = match text("body").as_str() {
        "" => Body::None,
        "*" => Body::Whole,
        field => Body::Field(field_named(method.input(), field.to_owned())?),
    };
    let response_body = match text("response_body").as_str() {
        "" => None,
        field => Some(field_named(method.output(), field.to_owned())?),
    };
    Ok(Rule { verb: verb.to_uppercase(), path, segments, body, response_body })
}

/// `/v2/rooms/{room_id}`: literals, and variables that are one segment and one string field.
fn read_path(method: &MethodDescriptor, path: &str) -> Result<Vec<Segment>, String> {
    let path = path.strip_prefix('/').ok_or("must begin with /")?;
    let segment = |raw: &str| {
        let Some(variable) = raw.strip_prefix('{').and_then(|raw| raw.strip_suffix('}')) else {
            let literal = !raw.is_empty() && !raw.contains(['{', '}', '*', ':']);
            return literal
                .then(|| Segment::Literal(raw.to_owned()))
                .ok_or_else(|| format!("segment `{raw}` is neither a literal nor {{field}}"));
        };
        let field = method.input().get_field_by_name(variable);
        let field = field.ok_or_else(|| format!("names the missing field {variable}"))?;
        match (field.kind(), field.is_list()) {
            (Kind::String, false) => Ok(Segment::Variable(variable.to_owned())),
            (Kind::Int32 | Kind::Int64 | Kind::Uint32, false) => {
                Ok(Segment::Variable(variable.to_owned()))
            }
            _ => Err(format!("{variable} is not a single string or integer")),
        }
    };
    path.split('/').map(segment).collect()
}

fn extension(pool: &DescriptorPool, options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool.get_extension_by_name(name)?;
    options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())
}

/// Whether a boolean option of ours is set on a field.
pub fn flag(field: &FieldDescriptor, name: &str) -> bool {
    let pool = field.parent_pool();
    matches!(extension(pool, &field.options(), name), Some(Value::Bool(true)))
}

/// What a raw body holds.
pub fn media_type(field: &FieldDescriptor) -> String {
    match extension(field.parent_pool(), &field.options(), "roomd.media_type") {
        Some(Value::String(found)) => found,
        _ => "application/octet-stream".to_owned(),
    }
}
