//! The limits: servers that do nothing but answer the same bytes, on the libraries under roomd.
//!
//! They run as child processes of the bench (`--reference <kind> <file with the reply>`), so that
//! their processor time is counted apart.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::path::Path;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tonic_prost::ProstCodec;

use crate::{Fail, ws_reference};

pub const HTTP_JSON: &str = "http-json";
pub const HTTP_PROTOBUF: &str = "http-protobuf";
pub const GRPC: &str = "grpc";

pub fn run(kind: &str, reply: &Path) -> Result<(), Fail> {
    let reply = Bytes::from(std::fs::read(reply)?);
    // One worker on the one core, which is what roomd starts there too.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let serving = tokio::spawn(serve(kind.to_owned(), reply));
        serving.await?.map_err(|error| error.to_string().into())
    })
}

async fn serve(kind: String, reply: Bytes) -> Result<(), std::io::Error> {
    if ws_reference::is_kind(&kind) {
        return ws_reference::serve(kind, reply.to_vec()).await;
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", listener.local_addr()?);
    let content_type = match kind.as_str() {
        HTTP_JSON => "application/json",
        _ => "application/protobuf",
    };
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (io, reply) = (TokioIo::new(stream), reply.clone());
        if kind == GRPC {
            tokio::spawn(async move {
                let service = service_fn(move |request| echo(reply.clone(), request));
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                // A connection ends when the load generator closes it.
                let _ = server.serve_connection(io, service).await;
            });
        } else {
            tokio::spawn(async move {
                let service =
                    service_fn(move |request| answer(content_type, reply.clone(), request));
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(io, service).await;
            });
        }
    }
}

async fn answer(
    content_type: &'static str,
    reply: Bytes,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, hyper::Error> {
    if request.method() == http::Method::POST {
        request.into_body().collect().await?;
    }
    let length = reply.len();
    let mut response = http::Response::new(Full::new(reply));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// One field of bytes: decoded from what came, encoded to as many bytes as roomd's reply has.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Echo {
    #[prost(bytes = "bytes", tag = "1")]
    pub payload: Bytes,
}

struct EchoService(Bytes);

impl tonic::server::UnaryService<Echo> for EchoService {
    type Response = Echo;
    type Future = std::future::Ready<Result<tonic::Response<Echo>, tonic::Status>>;

    fn call(&mut self, _request: tonic::Request<Echo>) -> Self::Future {
        std::future::ready(Ok(tonic::Response::new(Echo { payload: self.0.clone() })))
    }
}

async fn echo(
    reply: Bytes,
    request: http::Request<Incoming>,
) -> Result<http::Response<tonic::body::Body>, Infallible> {
    let mut grpc = tonic::server::Grpc::new(ProstCodec::<Echo, Echo>::default());
    Ok(grpc.unary(EchoService(reply), request).await)
}

/// The echo's payload that makes its whole message `bytes` long (two bytes of tag, one of length
/// up to 127, else two).
pub fn echo_payload_for(bytes: usize) -> Vec<u8> {
    let overhead = if bytes < 130 { 2 } else { 3 };
    vec![b'x'; bytes.saturating_sub(overhead)]
}

/// The message that the echo answers for `payload`.
pub fn echo_message(payload: Vec<u8>) -> Vec<u8> {
    prost::Message::encode_to_vec(&Echo { payload: payload.into() })
}
