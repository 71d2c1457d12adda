//! The messages, gRPC services and handler traits that `build.rs` makes out of `proto/`.

#![allow(clippy::all, clippy::pedantic, missing_docs, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// What `service/` implements: a trait for each service, over messages and `Ctx`.
pub mod handlers {
    include!(concat!(env!("OUT_DIR"), "/handlers.rs"));
}

/// All files, for server reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

/// Messages that only tests know: one of every kind of field.
#[cfg(test)]
pub mod testing {
    include!(concat!(env!("OUT_DIR"), "/testing/modules.rs"));

    pub mod handlers {
        include!(concat!(env!("OUT_DIR"), "/testing/handlers.rs"));
    }
}
