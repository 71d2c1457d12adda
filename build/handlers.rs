//! The traits that `service/` implements: one method per unary RPC, over messages and `Ctx` alone.

use heck::ToSnakeCase;

use super::model::{Api, Method, Service};

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
    let message = api.message(&method.descriptor.output());
    let reply = match method.shared_reply {
        true => format!("crate::proto::reply::Reply<{message}>"),
        false => message,
    };
    format!(
        "fn {}(&self, ctx: &crate::domain::ctx::Ctx, request: {}) -> impl ::std::future::Future<\
         Output = Result<{reply}, crate::error::Error>> + Send;\n",
        method.descriptor.name().to_snake_case(),
        api.message(&method.descriptor.input()),
    )
}
