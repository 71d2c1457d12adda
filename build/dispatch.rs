//! The dispatch table (Twirp, Connect, REST) and the gRPC adapters, both over the handler traits.

use std::fmt::Write;

use heck::{ToSnakeCase, ToUpperCamelCase};
use prost_reflect::{FieldDescriptor, Kind};

use super::handlers;
use super::model::{Api, Body, Method, Rule, Segment, Service, Streaming, is_http_body};
use super::naming;

pub fn generate(api: &Api) -> Result<String, String> {
    let mut out = String::new();
    for service in &api.services {
        registration(api, service, &mut out)?;
        grpc_adapter(api, service, &mut out);
    }
    Ok(out)
}

/// `add_roomd_v1_room_service(&mut table, &mut grpc, Arc<impl RoomService>)`.
fn registration(api: &Api, service: &Service, out: &mut String) -> Result<(), String> {
    let name = service.descriptor.name();
    let package = service.descriptor.package_name().replace('.', "_");
    let server = format!(
        "{}::{}::{}_server::{name}Server",
        api.root,
        service.descriptor.package_name().replace('.', "::"),
        name.to_snake_case()
    );
    _ = writeln!(
        out,
        "/// Serves `{}` over every protocol.\n\
         pub fn add_{package}_{}<S: {}::handlers::{}>(\
         table: &mut crate::wire::table::Table, grpc: &mut crate::wire::grpc::Services, \
         service: ::std::sync::Arc<S>) {{",
        service.descriptor.full_name(),
        name.to_snake_case(),
        api.root,
        handlers::path(service),
    );
    for method in service.streaming() {
        _ = writeln!(out, "table.add_stream({});", spec_code(service, method));
    }
    for method in service.unary() {
        let rules = method.rules.iter().map(|rule| rule_code(method, rule));
        let rules: String = rules.collect::<Result<_, _>>()?;
        let open = match method.file_reply {
            Some(_) => {
                let handler = closure(&handler_call(method));
                format!("let open = crate::wire::download::opener({handler});\n")
            }
            None => String::new(),
        };
        _ = writeln!(
            out,
            "{{ {open}table.add::<{}, {}, _, _, _>({}, vec![{rules}], {}); }}",
            api.message(&method.descriptor.input()),
            api.message(&method.descriptor.output()),
            spec_code(service, method),
            closure(&message_call(api, method)),
        );
    }
    _ = writeln!(
        out,
        "grpc.add(|limits| {server}::new({name}{package}Grpc(service))\
         .max_decoding_message_size(limits.message_bytes_max)\
         .accept_compressed(::tonic::codec::CompressionEncoding::Gzip)\
         .send_compressed(::tonic::codec::CompressionEncoding::Gzip));\n}}"
    );
    Ok(())
}

/// A function of context and request that calls the service.
fn closure(call: &str) -> String {
    format!(
        "{{ let service = service.clone();\nmove |ctx, request| {{ \
         let service = service.clone(); async move {{ {call} }} }} }}"
    )
}

fn handler_call(method: &Method) -> String {
    format!("service.{}(&ctx, request).await", method.descriptor.name().to_snake_case())
}

/// As [`handler_call`], with the reply as one message.
fn message_call(api: &Api, method: &Method) -> String {
    let call = handler_call(method);
    let Some(field) = &method.file_reply else { return call };
    format!(
        "let file = {call}?.whole().await?; Ok::<_, crate::error::Error>({} {{ {}: Some(file) }})",
        api.message(&method.descriptor.output()),
        naming::of_field(field),
    )
}

fn spec_code(service: &Service, method: &Method) -> String {
    let (service_name, name) = (service.descriptor.full_name(), method.descriptor.name());
    let credentials = match method.live_tokens {
        _ if service.descriptor.package_name() == "livekit" => "Livekit",
        true => "OursOrLivekit",
        false => "Ours",
    };
    format!(
        "&crate::wire::table::MethodSpec {{ service: {service_name:?}, method: {name:?}, \
         full_name: \"{service_name}/{name}\", snake_case: {}, open: {}, addresses: {}, \
         credentials: crate::wire::table::Credentials::{credentials} }}",
        service.snake_case, method.open, method.addresses,
    )
}

fn rule_code(method: &Method, rule: &Rule) -> Result<String, String> {
    let segments: String = rule
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(text) => format!("crate::wire::table::Segment::Literal({text:?}),"),
            Segment::Variable(text) => format!("crate::wire::table::Segment::Variable({text:?}),"),
        })
        .collect();
    let body = match &rule.body {
        Body::None => "crate::wire::table::Body::None".to_owned(),
        Body::Whole => "crate::wire::table::Body::Whole".to_owned(),
        Body::Field(field) => body_field(field)?,
    };
    let reply = match (&rule.response_body, method.success) {
        _ if method.file_reply.is_some() => {
            "crate::wire::table::Reply::File(open.clone())".to_owned()
        }
        (_, 204) => "crate::wire::table::Reply::Empty".to_owned(),
        (Some(field), _) => reply_field(field),
        (None, _) if let Some(list) = &method.whole_list => whole_list(list),
        (None, _) if is_http_body(&Kind::Message(method.descriptor.output())) => {
            "crate::wire::table::Reply::Raw(|reply| reply)".to_owned()
        }
        (None, _) => "crate::wire::table::Reply::Whole".to_owned(),
    };
    let rule_of = |verb: &str| {
        format!(
            "crate::wire::table::Rule {{ verb: ::http::Method::{verb}, segments: &[{segments}], \
             path: {:?}, success: {}, body: {body}, reply: {reply} }},",
            rule.path, method.success,
        )
    };
    // What a file is can be asked for without the file.
    let head = if method.file_reply.is_some() { rule_of("HEAD") } else { String::new() };
    Ok(rule_of(&rule.verb) + &head)
}

fn body_field(field: &FieldDescriptor) -> Result<String, String> {
    let name = naming::of_field(field);
    if is_http_body(&field.kind()) {
        return Ok(format!(
            "crate::wire::table::Body::Raw(|request, content_type, data| request.{name} = \
             Some(crate::wire::table::http_body(content_type, data)))"
        ));
    }
    Ok(format!("crate::wire::table::Body::Field({:?})", field.json_name()))
}

fn whole_list(list: &FieldDescriptor) -> String {
    let name = naming::of_field(list);
    format!(
        "crate::wire::table::Reply::Pages(crate::wire::pages::Paging {{ key: {:?}, \
         write: |reply, w| w.list(&reply.{name}), next: |reply| reply.next_cursor.as_deref(), \
         turn: |request, cursor| request.cursor = cursor }})",
        list.json_name()
    )
}

fn reply_field(field: &FieldDescriptor) -> String {
    let name = naming::of_field(field);
    if is_http_body(&field.kind()) {
        return format!("crate::wire::table::Reply::Raw(|reply| reply.{name}.unwrap_or_default())");
    }
    let write = match (field.is_map(), field.is_list()) {
        (true, _) => format!("w.map(&reply.{name})"),
        (_, true) => format!("w.list(&reply.{name})"),
        _ => format!("w.value(&reply.{name})"),
    };
    format!("crate::wire::table::Reply::Field(|reply, w| {write})")
}

fn grpc_adapter(api: &Api, service: &Service, out: &mut String) {
    let name = service.descriptor.name();
    let package = service.descriptor.package_name();
    let adapter = format!("{name}{}Grpc", package.replace('.', "_"));
    _ = writeln!(
        out,
        "#[allow(non_camel_case_types, reason = \"the name is made of the package's\")]\n\
         pub struct {adapter}<S>(::std::sync::Arc<S>);\n\
         #[::tonic::async_trait]\nimpl<S: {root}::handlers::{}> \
         {root}::{}::{}_server::{name} for {adapter}<S> {{",
        handlers::path(service),
        package.replace('.', "::"),
        name.to_snake_case(),
        root = api.root,
    );
    for method in &service.methods {
        _ = writeln!(out, "{}", adapter_method(api, method));
    }
    out.push_str("}\n");
}

/// One method of tonic's trait, over the one of ours.
fn adapter_method(api: &Api, method: &Method) -> String {
    let name = method.descriptor.name();
    let handler = name.to_snake_case();
    let handled = message_call(api, method);
    let input = api.message(&method.descriptor.input());
    let output = api.message(&method.descriptor.output());
    let grpc = "crate::wire::grpc";
    let streams = "crate::wire::grpc_stream";
    let stream = format!("{streams}::ReplyStream<{output}>");
    let (request, reply, call, types) = match method.streaming {
        Streaming::Unary => (input, output, format!("{grpc}::unary"), String::new()),
        Streaming::Replies | Streaming::Both => {
            let types = format!("type {}Stream = {stream};\n", name.to_upper_camel_case());
            match method.streaming {
                Streaming::Both => {
                    let request = format!("::tonic::Streaming<{input}>");
                    (request, stream, format!("{streams}::both"), types)
                }
                _ => (input, stream, format!("{streams}::replies"), types),
            }
        }
    };
    format!(
        "{types}async fn {handler}(&self, request: ::tonic::Request<{request}>) \
         -> Result<::tonic::Response<{reply}>, ::tonic::Status> {{\n\
         let service = self.0.clone();\n\
         {call}(request, |ctx, request| async move {{ {handled} }}).await\n}}",
    )
}
