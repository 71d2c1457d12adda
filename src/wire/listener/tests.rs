use std::convert::Infallible;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};

use super::*;
use crate::wire::tls::Certificate;

type TestBody = BoxBody<Bytes, Infallible>;

/// `/wait/N` answers after N ms, `/drip/N` sends its body in three parts with N ms between them,
/// `/never` never answers, everything else says hello.
async fn answer(request: Request<Incoming>) -> Result<Response<TestBody>, Infallible> {
    let mut parts = request.uri().path().split('/').skip(1);
    let verb = parts.next().unwrap_or_default().to_owned();
    let pause = Duration::from_millis(parts.next().and_then(|n| n.parse().ok()).unwrap_or(0));
    let body = match verb.as_str() {
        "never" => std::future::pending().await,
        "drip" => StreamBody::new(futures_util::stream::unfold(0, move |sent| async move {
            tokio::time::sleep(pause).await;
            (sent < 3).then(|| (Ok(Frame::data(Bytes::from_static(b"drip"))), sent + 1))
        }))
        .boxed(),
        _ => {
            tokio::time::sleep(pause).await;
            Full::new(Bytes::from_static(b"hello")).boxed()
        }
    };
    Ok(Response::new(body))
}

use http_body::Frame;

struct World {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<Drained>,
}

impl World {
    async fn start(tls: Option<Arc<ServerConfig>>, grace_ms: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let drain = Drain { grace: Duration::from_millis(grace_ms) };
        let token = shutdown.clone();
        let server = tokio::spawn(async move {
            serve(listener, tls, tower::service_fn(answer), &Limits::TINY, token, drain).await
        });
        Self { address, shutdown, server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) -> Drained {
        self.shutdown.cancel();
        self.server.await.unwrap()
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Reads until the text ends so, or the peer closes.
async fn read_until(stream: &mut (impl AsyncRead + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        match stream.read_u8().await {
            Ok(byte) => text.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(text).unwrap()
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn one_http1_connection_carries_many_requests() {
    let world = World::start(None, 1000).await;
    let mut stream = world.connect().await;
    for _ in 0..3 {
        send(&mut stream, "/").await;
        let answer = read_until(&mut stream, "hello").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("content-length: 5\r\n"), "{answer}");
    }
    assert_eq!(world.stop().await.connections_cut, 0);
}

async fn get_over_h2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, path: &str) {
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    for _ in 0..2 {
        let request = Request::get(format!("http://test{path}")).body(()).unwrap();
        let (response, _) = client.send_request(request, true).unwrap();
        let response = response.await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.into_body().data().await.unwrap().unwrap(), "hello");
    }
    drop(client);
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn http2_is_spoken_to_whoever_begins_with_it() {
    let world = World::start(None, 1000).await;
    get_over_h2(world.connect().await, "/").await;
    assert_eq!(world.stop().await.connections_cut, 0);
}

#[tokio::test]
async fn a_drain_waits_for_what_is_in_flight() {
    let world = World::start(None, 5000).await;
    let mut idle = world.connect().await;
    let mut silent = world.connect().await;
    let mut busy = world.connect().await;
    send(&mut idle, "/").await;
    read_until(&mut idle, "hello").await;
    send(&mut busy, "/wait/200").await;
    tokio::time::sleep(Duration::from_millis(50)).await;

    world.shutdown.cancel();
    let answer = read_until(&mut busy, "hello").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert!(is_closed(&mut idle).await && is_closed(&mut silent).await);
    let address = world.address;
    assert_eq!(world.stop().await.connections_cut, 0);
    assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
}

#[tokio::test]
async fn http2_in_flight_survives_a_drain_too() {
    let world = World::start(None, 5000).await;
    let stream = world.connect().await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut client = client.ready().await.unwrap();
    let request = Request::get("http://test/wait/200").body(()).unwrap();
    let (response, _) = client.send_request(request, true).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    world.shutdown.cancel();
    assert_eq!(response.await.unwrap().status(), 200);
    drop(client);
    let _ = connection.await.unwrap();
    assert_eq!(world.stop().await.connections_cut, 0);
}

#[tokio::test]
async fn what_outlasts_the_grace_is_cut() {
    let world = World::start(None, 100).await;
    let mut stream = world.connect().await;
    send(&mut stream, "/never").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    assert_eq!(world.stop().await.connections_cut, 1);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn one_connection_too_many_is_refused() {
    let world = World::start(None, 1000).await;
    let mut streams = Vec::new();
    for _ in 0..Limits::TINY.connections_max {
        let mut stream = world.connect().await;
        send(&mut stream, "/").await;
        assert_eq!(read_until(&mut stream, "hello").await.matches("200 OK").count(), 1);
        streams.push(stream);
    }
    assert!(is_closed(&mut world.connect().await).await);

    drop(streams.pop());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut stream = world.connect().await;
    send(&mut stream, "/").await;
    assert!(read_until(&mut stream, "hello").await.contains("200 OK"));
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_closed() {
    let world = World::start(None, 1000).await;
    let (mut silent, mut dribbling) = (world.connect().await, world.connect().await);
    let began = Instant::now();
    let dribble = async {
        while dribbling.write_all(b"G").await.is_ok() && began.elapsed() < Duration::from_secs(9) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let (closed, ()) = tokio::join!(is_closed(&mut silent), dribble);
    assert!(closed && began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_idle_connection_is_closed_and_a_slow_answer_is_not() {
    let world = World::start(None, 1000).await;
    let mut stream = world.connect().await;
    send(&mut stream, &format!("/wait/{}", 3 * Limits::TINY.connection_idle_ms)).await;
    assert!(read_until(&mut stream, "hello").await.contains("200 OK"));
    send(&mut stream, &format!("/drip/{}", 2 * Limits::TINY.connection_idle_ms)).await;
    let answer = read_until(&mut stream, "0\r\n\r\n").await;
    assert_eq!(answer.matches("drip").count(), 3, "{answer}");
    assert!(is_closed(&mut stream).await);
}

#[tokio::test]
async fn a_head_that_is_too_big_is_refused() {
    let world = World::start(None, 1000).await;
    let mut stream = world.connect().await;
    let filler = "x".repeat(Limits::TINY.request_header_bytes_max);
    let request = format!("GET / HTTP/1.1\r\nhost: test\r\nfiller: {filler}\r\n\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let answer = read_until(&mut stream, "\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

struct Pem {
    folder: tempfile::TempDir,
}

impl Pem {
    fn new() -> Self {
        let pem = Self { folder: tempfile::tempdir().unwrap() };
        pem.renew();
        pem
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(self.path("cert.pem"), made.cert.pem()).unwrap();
        std::fs::write(self.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    }

    fn load(&self) -> Result<Arc<Certificate>, crate::error::Error> {
        Certificate::load(&self.path("cert.pem"), &self.path("key.pem"))
    }

    /// A client that trusts the certificate that is in the file now.
    fn connector(&self, protocol: &str) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.path("cert.pem")).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        TlsConnector::from(Arc::new(config))
    }
}

#[tokio::test]
async fn tls_speaks_both_versions_and_takes_a_new_certificate() {
    let pem = Pem::new();
    let certificate = pem.load().unwrap();
    let world = World::start(Some(certificate.server_config().unwrap()), 1000).await;
    let name = ServerName::try_from("localhost").unwrap();

    let stream = pem.connector("h2").connect(name.clone(), world.connect().await).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    get_over_h2(stream, "/").await;

    pem.renew();
    let renewed = pem.connector("http/1.1");
    renewed.connect(name.clone(), world.connect().await).await.unwrap_err();
    certificate.reload().unwrap();
    let mut stream = renewed.connect(name, world.connect().await).await.unwrap();
    send(&mut stream, "/").await;
    assert!(read_until(&mut stream, "hello").await.contains("200 OK"));

    let mut plain = world.connect().await;
    send(&mut plain, "/").await;
    assert!(!read_until(&mut plain, "hello").await.contains("200 OK"));
    let mut silent = world.connect().await;
    assert!(is_closed(&mut silent).await, "the handshake has a time limit");
}

#[tokio::test]
async fn bad_tls_files_are_named() {
    let (pem, other) = (Pem::new(), Pem::new());
    std::fs::copy(other.path("key.pem"), pem.path("key.pem")).unwrap();
    assert!(pem.load().unwrap_err().to_string().contains("cert.pem"), "keys do not match");
    std::fs::remove_file(pem.path("key.pem")).unwrap();
    assert!(pem.load().unwrap_err().to_string().contains("key.pem"));
}
