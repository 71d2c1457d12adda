//! The traits that `service/` implements: one method per RPC, over messages, streams of them
//! and `Ctx` alone.

use heck::ToSnakeCase;

use super::model::{Api, Method, Service, Streaming};

pub fn generate(api: &Api) -> String {
    api.services.iter().map(|service| handler_trait(api, service)).collect()
}

/// The module that a service's trait stands in: two packages may have services of one name.
pub fn path(service: &Service) -> String {
    format!("{}::{}", module(service), service.descriptor.name())
}

fn module(service: &Service) -> String {
    format!(
        "{}_{}",
        service.descriptor.package_name().replace('.', "_"),
        service.descriptor.name().to_snake_case()
    )
}

fn handler_trait(api: &Api, service: &Service) -> String {
    let methods: String = service.methods.iter().map(|method| handler(api, method)).collect();
    format!(
        "pub mod {} {{\n/// `{}`, free of every protocol.\n\
         pub trait {} : Send + Sync + 'static {{\n{methods}}}\n}}\n",
        module(service),
        service.descriptor.full_name(),
        service.descriptor.name(),
    )
}

fn handler(api: &Api, method: &Method) -> String {
    let (input, output) = (method.descriptor.input(), method.descriptor.output());
    let (input, output) = (api.message(&input), api.message(&output));
    let request = match method.streaming {
        Streaming::Both => format!("requests: crate::proto::stream::Requests<{input}>"),
        Streaming::Unary | Streaming::Replies => format!("request: {input}"),
    };
    let reply = match (method.streaming, method.shared_reply) {
        _ if method.file_reply.is_some() => "crate::proto::download::Download".to_owned(),
        (Streaming::Unary, true) => format!("crate::proto::reply::Reply<{output}>"),
        (Streaming::Unary, false) => output,
        (Streaming::Replies | Streaming::Both, _) => {
            format!("crate::proto::stream::Replies<{output}>")
        }
    };
    format!(
        "fn {}(&self, ctx: &crate::domain::ctx::Ctx, {request}) -> impl ::std::future::Future<\
         Output = Result<{reply}, crate::error::Error>> + Send;\n",
        method.descriptor.name().to_snake_case(),
    )
}
