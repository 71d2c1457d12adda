//! The messages, gRPC services and handler traits that `build.rs` makes out of `proto/`, and the
//! conversions between messages and domain values.

pub mod comment;
pub mod download;
pub mod feed;
pub mod group;
pub mod live;
pub mod live_token;
pub mod livechat;
pub mod notification;
pub mod reply;
pub mod room;
pub mod stream;
pub mod thread;
pub mod value;

pub use generated::{google, livekit, roomd};

/// All files, for server reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.bin"));

#[allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/modules.rs"));
}

/// What `service/` implements: a trait for each service, over messages and `Ctx`.
pub mod handlers {
    include!(concat!(env!("OUT_DIR"), "/handlers.rs"));
}

/// Messages that only tests know: one of every kind of field.
#[cfg(test)]
#[allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
pub mod testing {
    include!(concat!(env!("OUT_DIR"), "/testing/modules.rs"));

    pub mod handlers {
        include!(concat!(env!("OUT_DIR"), "/testing/handlers.rs"));
    }
}
