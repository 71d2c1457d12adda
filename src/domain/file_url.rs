//! Addresses from which a file can be downloaded without a credential, for a time.
//!
//! The signature covers project, room, file and time, and only this deployment can make it.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::ids::{ProjectId, RoomId};
use crate::error::{Code, Error};

/// Seconds for which an address works.
pub const FILE_URL_LIFETIME_SECONDS: u32 = 3600;
/// Half of an HMAC-SHA-256: nobody can try 2^128 of them.
const TAG_BYTES: usize = 16;

/// The deployment's secret for addresses of files.
#[derive(Clone)]
pub struct FileUrlKey(hmac::Key);

/// What a file is for, which its address tells. Ids of different kinds differ, so the signature need
/// not cover it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    Storage,
    Attachment,
}

impl FileKind {
    const fn path(self) -> &'static str {
        match self {
            Self::Storage => "storage/files",
            Self::Attachment => "attachments",
        }
    }
}

/// A file, and until when it may be downloaded, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub struct FileUrl<'a> {
    pub kind: FileKind,
    pub project: &'a ProjectId,
    pub room: &'a RoomId,
    pub file: &'a str,
    pub expires: u32,
}

impl FileUrlKey {
    pub fn new(secret: [u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }

    /// The path and the query of an address.
    pub fn sign(&self, url: FileUrl<'_>) -> String {
        let encode = |text| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let signature = URL_SAFE_NO_PAD.encode(self.tag(url));
        format!(
            "/v2/rooms/{}/{}/{}/content?project={}&expires={}&signature={signature}",
            encode(url.room.as_str()),
            url.kind.path(),
            encode(url.file),
            encode(url.project.as_str()),
            url.expires,
        )
    }

    pub fn verify(&self, url: FileUrl<'_>, signature: &str, now_ms: i64) -> Result<(), Error> {
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        if constant_time::verify_slices_are_equal(&signature, &self.tag(url)).is_err() {
            return Err(refused("The signature of this address is not valid."));
        }
        if i64::from(url.expires) * 1000 <= now_ms {
            return Err(refused("This address has expired."));
        }
        Ok(())
    }

    fn tag(&self, url: FileUrl<'_>) -> [u8; TAG_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        let (project, room) = (url.project.as_str().as_bytes(), url.room.as_str().as_bytes());
        for part in [project, room, url.file.as_bytes(), &url.expires.to_be_bytes()] {
            // With its length before it, a part cannot be taken for the end of another.
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut tag = [0; TAG_BYTES];
        for (to, from) in tag.iter_mut().zip(context.sign().as_ref()) {
            *to = *from;
        }
        tag
    }
}

impl fmt::Debug for FileUrlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileUrlKey")
    }
}

fn refused(problem: &'static str) -> Error {
    Error::new(Code::PermissionDenied, "INVALID_FILE_URL", problem)
        .suggest("Please fetch a new address of the file.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_signed_is_good_and_only_for_its_time() {
        let key = FileUrlKey::new([7; 32]);
        let (project, room) = (ProjectId::trusted("p"), RoomId::trusted("a/b c"));
        let kind = FileKind::Storage;
        let url = FileUrl { kind, project: &project, room: &room, file: "fl_x", expires: 100 };
        let text = key.sign(url);
        let start = "/v2/rooms/a%2Fb%20c/storage/files/fl%5Fx/content?project=p&expires=100&";
        let signature = text.strip_prefix(start).and_then(|rest| rest.strip_prefix("signature="));
        let signature = signature.expect("the form of an address");
        let code = |url, signature: &str, now_ms| {
            key.verify(url, signature, now_ms).map_err(|error| error.code())
        };
        let denied = Err(Code::PermissionDenied);
        assert_eq!(code(url, signature, 99_999), Ok(()));
        assert_eq!(code(url, signature, 100_000), denied);
        assert_eq!(code(FileUrl { expires: 101, ..url }, signature, 0), denied);
        assert_eq!(code(FileUrl { file: "fl_y", ..url }, signature, 0), denied);
        let elsewhere = RoomId::trusted("a");
        assert_eq!(code(FileUrl { room: &elsewhere, ..url }, signature, 0), denied);
        assert_eq!(code(url, "", 0), denied);
        assert_eq!(code(url, &signature[1..], 0), denied);
        let other = FileUrlKey::new([8; 32]);
        assert!(other.verify(url, signature, 0).is_err());
    }
}
