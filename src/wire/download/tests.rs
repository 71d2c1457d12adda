//! Answers with files whose pieces are counted, and which end before they should.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::{IF_MATCH, IF_NONE_MATCH, RANGE};
use http::{HeaderMap, Method as Verb};

use super::*;
use crate::domain::ctx::{Clock, TokenTimes};

const PIECE_BYTES: usize = 10;

/// Bytes that tell their place, in pieces.
struct Counted {
    bytes: Bytes,
    reads: Arc<AtomicUsize>,
}

impl Pieces for Counted {
    fn read(&self, from: u64) -> BoxFuture<'_, Result<Bytes, Error>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let from = usize::try_from(from).unwrap().min(self.bytes.len());
        // Pieces begin where they are stored, not where somebody begins to read.
        let end = (from / PIECE_BYTES + 1) * PIECE_BYTES;
        let piece = self.bytes.slice(from..end.min(self.bytes.len()));
        Box::pin(async move { Ok(piece) })
    }
}

/// A file that says to be larger than what is stored of it, by so much.
struct World {
    bytes: Bytes,
    missing: u64,
    reads: Arc<AtomicUsize>,
}

impl World {
    fn new(len: u8, missing: u64) -> Self {
        Self { bytes: (0..len).collect(), missing, reads: Arc::default() }
    }

    async fn ask(
        &self,
        verb: Verb,
        headers: &[(HeaderName, &'static str)],
    ) -> Result<Answer, Error> {
        let (bytes, reads) = (self.bytes.clone(), self.reads.clone());
        let size_bytes = bytes.len() as u64 + self.missing;
        let open = opener(move |_, ()| {
            let pieces = Box::new(Counted { bytes: bytes.clone(), reads: reads.clone() });
            let (name, media_type) = ("a.png".to_owned(), "image/png".to_owned());
            let tag = "abc".to_owned();
            async move { Ok(Download { name, media_type, size_bytes, tag, fresh_s: 60, pieces }) }
        });
        let headers =
            headers.iter().map(|(name, text)| (name.clone(), HeaderValue::from_static(text)));
        let asked = Asked::new(&verb, &headers.collect::<HeaderMap>());
        let ctx = Ctx {
            caller: None,
            request_id: "id".into(),
            deadline: None,
            clock: Clock::from_fn(|| 0),
            origin: None,
            token: TokenTimes::default(),
        };
        answer(open, ctx, (), asked).await
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

fn header(answer: &Answer, name: &HeaderName) -> Option<String> {
    let found = answer.headers.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.to_str().unwrap().to_owned())
}

/// All bytes of an answer.
async fn all(answer: Answer) -> Result<Vec<u8>, Error> {
    let mut all = answer.body.to_vec();
    if let Some(rest) = answer.rest {
        all.extend(rest.collect().await?);
    }
    Ok(all)
}

#[tokio::test]
async fn a_file_comes_in_pieces_with_what_browsers_want_to_know() {
    let world = World::new(35, 0);
    let answer = world.ask(Verb::GET, &[]).await.unwrap();
    assert_eq!((answer.status, &*answer.content_type), (StatusCode::OK, "image/png"));
    assert_eq!(answer.body.len(), PIECE_BYTES);
    assert_eq!(world.reads(), 1, "nothing is read before the client takes it");
    for (name, text) in [
        (ETAG, "\"abc\""),
        (CACHE_CONTROL, "private, max-age=60, immutable"),
        (VARY, "origin"),
        (CONTENT_DISPOSITION, "inline; filename=\"a.png\"; filename*=UTF-8''a.png"),
        (CONTENT_LENGTH, "35"),
        (ACCEPT_RANGES, "bytes"),
    ] {
        assert_eq!(header(&answer, &name).as_deref(), Some(text), "{name}");
    }
    assert_eq!(header(&answer, &CONTENT_RANGE), None);
    assert!(all(answer).await.unwrap() == world.bytes);
    assert_eq!(world.reads(), 4);
}

#[tokio::test]
async fn every_part_is_what_it_says() {
    for first in 0..25 {
        for last in first..25 {
            let world = World::new(25, 0);
            let range: &'static str = format!("bytes={first}-{last}").leak();
            let answer = world.ask(Verb::GET, &[(RANGE, range)]).await.unwrap();
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
            let place = format!("bytes {first}-{last}/25");
            assert_eq!(header(&answer, &CONTENT_RANGE), Some(place));
            let len = (last - first + 1).to_string();
            assert_eq!(header(&answer, &CONTENT_LENGTH), Some(len));
            assert_eq!(all(answer).await.unwrap(), world.bytes[first..=last]);
            assert_eq!(world.reads(), last / PIECE_BYTES - first / PIECE_BYTES + 1);
        }
    }
}

#[tokio::test]
async fn what_needs_no_bytes_reads_none() {
    let world = World::new(35, 0);
    let head = world.ask(Verb::HEAD, &[]).await.unwrap();
    assert_eq!(header(&head, &CONTENT_LENGTH).as_deref(), Some("35"));
    let known = world.ask(Verb::GET, &[(IF_NONE_MATCH, "\"abc\"")]).await.unwrap();
    assert_eq!(known.status, StatusCode::NOT_MODIFIED);
    assert_eq!(header(&known, &ETAG).as_deref(), Some("\"abc\""));
    assert_eq!(header(&known, &CONTENT_LENGTH), None);
    let other = world.ask(Verb::GET, &[(IF_MATCH, "\"x\"")]).await.unwrap();
    assert_eq!(other.status, StatusCode::PRECONDITION_FAILED);
    let empty = World::new(0, 0).ask(Verb::GET, &[(RANGE, "bytes=0-")]).await.unwrap();
    assert_eq!(empty.status, StatusCode::OK);
    assert_eq!(header(&empty, &CONTENT_LENGTH).as_deref(), Some("0"));
    for answer in [head, known, other, empty] {
        assert!(all(answer).await.unwrap().is_empty());
    }
    assert_eq!(world.reads(), 0);

    let behind = world.ask(Verb::GET, &[(RANGE, "bytes=35-")]).await.unwrap();
    assert_eq!(behind.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(header(&behind, &CONTENT_RANGE).as_deref(), Some("bytes */35"));
    let error: serde_json::Value = serde_json::from_slice(&all(behind).await.unwrap()).unwrap();
    assert_eq!(error["error"], "RANGE_NOT_SATISFIABLE");
    assert_eq!(world.reads(), 0);
}

#[tokio::test]
async fn a_file_that_ends_early_is_an_error_and_no_short_file() {
    let broken = World::new(25, 1);
    let answer = broken.ask(Verb::GET, &[]).await.unwrap();
    assert_eq!(all(answer).await.unwrap_err().code(), Code::DataLoss);
    let nothing = World::new(0, 1).ask(Verb::GET, &[]).await;
    assert_eq!(nothing.unwrap_err().code(), Code::DataLoss);
    // The part that is there can be had.
    let answer = broken.ask(Verb::GET, &[(RANGE, "bytes=0-24")]).await.unwrap();
    assert!(all(answer).await.unwrap() == broken.bytes);
}

#[tokio::test]
async fn the_other_protocols_get_the_same_bytes() {
    for (missing, is_whole) in [(0, true), (1, false)] {
        let World { bytes, reads, .. } = World::new(35, missing);
        let size_bytes = bytes.len() as u64 + missing;
        let pieces = Box::new(Counted { bytes: bytes.clone(), reads });
        let (name, media_type) = ("a.png".to_owned(), "image/png".to_owned());
        let file =
            Download { name, media_type, size_bytes, tag: "abc".into(), fresh_s: 60, pieces };
        match file.whole().await {
            Ok(body) => assert!(is_whole && body.data == bytes && body.content_type == "image/png"),
            Err(error) => assert!(!is_whole && error.code() == Code::DataLoss),
        }
    }
}
