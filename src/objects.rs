//! Where the bytes of files lie if not in the database: a folder, or a bucket that speaks S3.
//!
//! An object is written once, under a name that is never used again, and deleted together with all of
//! its content. Which objects there are is the database's to know.

mod bucket;

use std::fmt;
use std::path::{Path as FilePath, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig};

use self::bucket::told;
use crate::domain::ids::ProjectId;
use crate::error::{Code, Error};

/// A call has a deadline of its own, so there is no use in trying for minutes.
const RETRIES_MAX: usize = 3;
const RETRY_TIMEOUT_MS: u64 = 20_000;
/// What is read of an object at once.
const READ_BYTES_MAX: u64 = 1 << 20;

/// What an operator can choose besides the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectsPlace {
    Folder(PathBuf),
    /// Region, endpoint and credentials come from the AWS_* variables, as every program for S3 has
    /// them.
    Bucket {
        name: String,
        prefix: String,
    },
}

impl FromStr for ObjectsPlace {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let expected = "must be 'database', 'file:///path/to/folder' or 's3://bucket/prefix'";
        if let Some(path) = raw.strip_prefix("file://") {
            let is_absolute = path.starts_with('/') && path.len() > 1;
            return is_absolute.then(|| Self::Folder(path.into())).ok_or(expected.to_owned());
        }
        let bucket = raw.strip_prefix("s3://").ok_or(expected)?;
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
        if !(3..=63).contains(&name.len()) || !name.chars().all(word) {
            return Err(format!("{expected}: '{name}' is no name of a bucket"));
        }
        let prefix = Path::parse(prefix).map_err(|error| format!("{expected}: {error}"))?;
        Ok(Self::Bucket { name: name.to_owned(), prefix: prefix.to_string() })
    }
}

impl fmt::Display for ObjectsPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "file://{}", path.display()),
            Self::Bucket { name, prefix } if prefix.is_empty() => write!(f, "s3://{name}"),
            Self::Bucket { name, prefix } => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

/// The handle to a folder or a bucket; clones share it.
#[derive(Debug, Clone)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    place: ObjectsPlace,
}

impl Objects {
    /// Makes a folder that is missing. Asks a bucket for nothing yet: see [`Objects::check`].
    pub fn open(place: &ObjectsPlace) -> Result<Self, Error> {
        let (store, prefix): (Arc<dyn ObjectStore>, Path) = match place {
            ObjectsPlace::Folder(path) => {
                create_private_folder(path).map_err(|error| {
                    let public =
                        format!("option `file_store`: {} cannot be made: {error}", path.display());
                    Error::new(Code::FailedPrecondition, "FILE_STORE", public).because(error)
                })?;
                let folder = LocalFileSystem::new_with_prefix(path);
                let folder = folder.map_err(|cause| unusable(place, &told(&cause)))?;
                // What is acknowledged outlives a power cut.
                (Arc::new(folder.with_fsync(true).with_automatic_cleanup(true)), Path::default())
            }
            ObjectsPlace::Bucket { name, prefix } => {
                let retry = RetryConfig {
                    max_retries: RETRIES_MAX,
                    retry_timeout: Duration::from_millis(RETRY_TIMEOUT_MS),
                    ..RetryConfig::default()
                };
                let bucket = bucket::open(name, retry);
                let bucket = bucket.map_err(|problem| unusable(place, &problem))?;
                (Arc::new(bucket), Path::from(prefix.as_str()))
            }
        };
        Ok(Self { store, prefix, place: place.clone() })
    }

    /// Writes, reads and deletes an object, so that a wrong name or a missing right shows at the
    /// start, and not when the first file comes.
    pub async fn check(&self) -> Result<(), Error> {
        let probe = self.prefix.clone().join("roomd-check");
        let unusable = |cause| unusable(&self.place, &told(&cause));
        self.store.put(&probe, PutPayload::from_static(b"roomd")).await.map_err(unusable)?;
        let read = self.store.get(&probe).await.map_err(unusable)?;
        read.bytes().await.map_err(unusable)?;
        let mut listed = self.store.list(Some(&self.prefix));
        listed.next().await.transpose().map_err(unusable)?;
        self.store.delete(&probe).await.or_else(absent_is_fine).map_err(unusable)
    }

    pub async fn put(&self, name: &ObjectName<'_>, bytes: Bytes) -> Result<(), Error> {
        let written = self.store.put(&self.path(name), bytes.into()).await;
        written.map(drop).map_err(unreachable)
    }

    /// Some bytes of an object of `size` bytes, from one of them on.
    pub async fn read(&self, name: &ObjectName<'_>, from: u64, size: u64) -> Result<Bytes, Error> {
        let end = size.min(from.saturating_add(READ_BYTES_MAX));
        match self.store.get_range(&self.path(name), from..end).await {
            Ok(bytes) => Ok(bytes),
            Err(error @ object_store::Error::NotFound { .. }) => {
                Err(Error::new(Code::DataLoss, "DATA_LOSS", "stored data cannot be read back")
                    .because(told(&error)))
            }
            Err(error) => Err(unreachable(error)),
        }
    }

    pub async fn delete(&self, name: &ObjectName<'_>) -> Result<(), Error> {
        self.store.delete(&self.path(name)).await.or_else(absent_is_fine).map_err(unreachable)
    }

    /// Deletes all objects of a content.
    pub async fn delete_content(&self, project: &ProjectId, content: &str) -> Result<(), Error> {
        let folder = self.folder(project, content);
        let listed = self.store.list(Some(&folder)).map_ok(|object| object.location).boxed();
        let deleted = self.store.delete_stream(listed);
        let each = deleted.map(|done| done.map(drop).or_else(absent_is_fine));
        each.try_collect::<()>().await.map_err(unreachable)
    }

    fn folder(&self, project: &ProjectId, content: &str) -> Path {
        self.prefix.clone().join(project.as_str()).join(content)
    }

    fn path(&self, name: &ObjectName<'_>) -> Path {
        self.folder(name.project, name.content).join(name.number.to_string())
    }
}

/// Content has a random key, and its objects random numbers.
#[derive(Debug, Clone, Copy)]
pub struct ObjectName<'a> {
    pub project: &'a ProjectId,
    pub content: &'a str,
    pub number: i64,
}

/// Files are their uploaders' business, so nobody else on the machine may read them.
fn create_private_folder(path: &FilePath) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn absent_is_fine(error: object_store::Error) -> Result<(), object_store::Error> {
    match error {
        object_store::Error::NotFound { .. } => Ok(()),
        other => Err(other),
    }
}

/// Only the start says this, and to the operator.
fn unusable(place: &ObjectsPlace, problem: &str) -> Error {
    let public = format!("option `file_store`: {place} cannot be used: {problem}");
    Error::new(Code::FailedPrecondition, "FILE_STORE", public)
}

fn unreachable(cause: object_store::Error) -> Error {
    Error::unavailable("The store of files is not reachable, please retry.").because(told(&cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for place in ["file:///var/lib/roomd/files", "s3://bucket", "s3://my.bucket-1/a/b"] {
            assert_eq!(place.parse::<ObjectsPlace>().unwrap().to_string(), place);
        }
        let wrong = [
            "",
            "files",
            "file://",
            "file:///",
            "file://a/b",
            "s3://",
            "s3://B",
            "s3://abc/a//b",
            "gs://b",
        ];
        for place in wrong {
            let problem = place.parse::<ObjectsPlace>().unwrap_err();
            assert!(problem.contains("s3://bucket/prefix"), "{place}: {problem}");
        }
    }

    #[tokio::test]
    async fn an_object_is_read_in_pieces_and_deleted_with_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let place = ObjectsPlace::Folder(folder.path().join("new/files"));
        let objects = Objects::open(&place).unwrap();
        objects.check().await.unwrap();
        let project = ProjectId::trusted("p");
        let name = |content, number| ObjectName { project: &project, content, number };
        let bytes: Bytes = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        for (content, number) in [("a", 1), ("a", 2), ("ab", 1)] {
            objects.put(&name(content, number), bytes.clone()).await.unwrap();
        }
        let mut read = Vec::new();
        while read.len() < bytes.len() {
            let from = read.len() as u64;
            let more = objects.read(&name("a", 2), from, bytes.len() as u64).await.unwrap();
            assert!(!more.is_empty() && more.len() as u64 <= READ_BYTES_MAX);
            read.extend(more);
        }
        assert!(read == bytes);
        objects.delete_content(&project, "a").await.unwrap();
        objects.delete_content(&project, "a").await.unwrap();
        let gone = objects.read(&name("a", 1), 0, 1).await.unwrap_err();
        assert_eq!(gone.code(), Code::DataLoss);
        objects.read(&name("ab", 1), 0, 1).await.unwrap();
        objects.delete(&name("ab", 1)).await.unwrap();
        objects.delete(&name("ab", 1)).await.unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_is_an_error_of_the_start() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let place = ObjectsPlace::Folder(file.path().join("files"));
        let error = Objects::open(&place).unwrap_err();
        assert_eq!(error.code(), Code::FailedPrecondition);
        assert!(error.public().contains(file.path().to_str().unwrap()), "{error}");
    }
}
