//! What the tests of webhooks have in common: an application that receives them, and an engine that
//! delivers them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::HeaderMap;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use roomd::domain::ctx::Clock;
use roomd::domain::ids::{ProjectId, WebhookQueueName};
use roomd::domain::webhook::WebhookEvent;
use roomd::jobs;
use roomd::store::Store;
use roomd::webhooks::{Endpoint, EventFilter, LiveKitSigner, WebhookLimits, WebhookUrl, Webhooks};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub const API_KEY: &str = "APItest";
pub const SECRET: &str = "a secret of thirty-two characters";
/// Only ends a test that would never end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A call that the application got.
#[derive(Debug, Clone)]
pub struct Call {
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Call {
    /// The queue and the number that [`event`] put into the body.
    pub fn event(&self) -> (String, u32) {
        let text = std::str::from_utf8(&self.body).unwrap();
        let (queue, number) = text.split_once('/').unwrap();
        (queue.to_owned(), number.parse().unwrap())
    }

    pub fn number(&self) -> u32 {
        self.event().1
    }
}

/// What the application does about a call.
#[derive(Debug, Clone)]
pub enum Answer {
    Status(u16),
    Redirect(String),
    /// A status, and a body that never ends.
    Endless(u16),
    HangUp,
    /// Nothing, until the caller goes away.
    Silence,
    /// 200, once the test lets it: see [`Receiver::open_gate`].
    Gated,
}

/// How many calls of each queue are being answered.
#[derive(Debug, Default)]
pub struct InFlight {
    now: BTreeMap<String, usize>,
    /// The most at once, of one queue and of all.
    pub of_one_max: usize,
    pub of_all_max: usize,
}

/// The application: a server that tells the test of each call, in order.
pub struct Receiver {
    address: SocketAddr,
    calls: AsyncMutex<mpsc::UnboundedReceiver<Call>>,
    gate: CancellationToken,
    pub in_flight: Arc<Mutex<InFlight>>,
    stop: CancellationToken,
}

struct Shared {
    answer: Box<dyn Fn(&Call) -> Answer + Send + Sync>,
    told: mpsc::UnboundedSender<Call>,
    gate: CancellationToken,
    in_flight: Arc<Mutex<InFlight>>,
}

impl Receiver {
    pub async fn start(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (told, calls) = mpsc::unbounded_channel();
        let (gate, stop) = (CancellationToken::new(), CancellationToken::new());
        let in_flight: Arc<Mutex<InFlight>> = Arc::default();
        let shared = Arc::new(Shared {
            answer: Box::new(answer),
            told,
            gate: gate.clone(),
            in_flight: Arc::clone(&in_flight),
        });
        let stopped = stop.clone();
        tokio::spawn(stopped.run_until_cancelled_owned(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&shared)));
            }
        }));
        Self { address, calls: AsyncMutex::new(calls), gate, in_flight, stop }
    }

    /// One that takes everything.
    pub async fn content() -> Self {
        Self::start(|_| Answer::Status(200)).await
    }

    pub fn url(&self, path: &str) -> WebhookUrl {
        format!("http://{}{path}", self.address).parse().unwrap()
    }

    pub async fn next(&self) -> Call {
        let next = async { self.calls.lock().await.recv().await.unwrap() };
        patiently("a call", next).await
    }

    /// The numbers of the next calls.
    pub async fn numbers(&self, count: usize) -> Vec<u32> {
        let mut numbers = Vec::new();
        while numbers.len() < count {
            numbers.push(self.next().await.number());
        }
        numbers
    }

    /// Whether all calls so far were seen.
    pub async fn is_quiet(&self) -> bool {
        self.calls.lock().await.is_empty()
    }

    /// Waits until nobody waits for an answer any more.
    pub async fn abandoned(&self) {
        patiently("callers to go away", async {
            while self.in_flight.lock().unwrap().now.values().any(|count| *count > 0) {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    pub fn open_gate(&self) {
        self.gate.cancel();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.cancel();
        self.gate.cancel();
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    let connection =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    // Callers that hang up are what some tests are about.
    drop(connection.await);
}

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Body>, &'static str> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| "the caller went away")?.to_bytes();
    let call = Call { headers: head.headers, body };
    let queue = call.event().0;
    let _open = Open::begin(&shared.in_flight, &queue);
    let answer = (shared.answer)(&call);
    // The test may have ended.
    drop(shared.told.send(call));
    let nothing = || Empty::new().boxed_unsync();
    let response = match answer {
        Answer::Status(status) => Response::builder().status(status).body(nothing()),
        Answer::Redirect(to) => {
            Response::builder().status(307).header("location", to).body(nothing())
        }
        Answer::Endless(status) => {
            let piece = || Ok(Frame::data(Bytes::from_static(&[b'x'; 4_096])));
            let body = StreamBody::new(stream::repeat_with(piece));
            Response::builder().status(status).body(body.boxed_unsync())
        }
        Answer::HangUp => return Err("hung up"),
        Answer::Silence => std::future::pending().await,
        Answer::Gated => {
            shared.gate.cancelled().await;
            Response::builder().status(200).body(nothing())
        }
    };
    Ok(response.unwrap())
}

/// A call that is being answered.
struct Open(Arc<Mutex<InFlight>>, String);

impl Open {
    fn begin(in_flight: &Arc<Mutex<InFlight>>, queue: &str) -> Self {
        let mut calls = in_flight.lock().unwrap();
        let of_one = calls.now.entry(queue.to_owned()).or_default();
        *of_one += 1;
        let of_one = *of_one;
        calls.of_one_max = calls.of_one_max.max(of_one);
        calls.of_all_max = calls.of_all_max.max(calls.now.values().sum());
        Self(Arc::clone(in_flight), queue.to_owned())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(count) = self.0.lock().unwrap().now.get_mut(&self.1) {
            *count -= 1;
        }
    }
}

/// A clock that stands still until the test moves it.
#[derive(Clone)]
pub struct Time(Arc<AtomicI64>);

impl Time {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_700_000_000_000)))
    }

    pub fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Clock::from_fn(move || now.load(Ordering::SeqCst))
    }

    pub fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    pub fn pass(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::SeqCst);
    }
}

/// Webhooks that are being delivered.
pub struct Engine {
    pub webhooks: Webhooks,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Engine {
    pub fn start(webhooks: Webhooks) -> Self {
        let stop = CancellationToken::new();
        let running = tokio::spawn(jobs::webhook::run(webhooks.clone(), stop.clone()));
        Self { webhooks, stop, running }
    }

    pub async fn stop(mut self) {
        self.stop.cancel();
        patiently("the end of the engine", &mut self.running).await.unwrap();
    }

    /// As a process ends that is killed: nothing is finished or released.
    pub async fn kill(mut self) {
        self.running.abort();
        assert!((&mut self.running).await.unwrap_err().is_cancelled());
    }

    /// What an orderly server does first.
    pub fn ask_to_stop(&self) {
        self.stop.cancel();
    }

    /// Waits until nothing waits for any endpoint.
    pub async fn delivered(&self) {
        self.waiting(0).await;
    }

    /// Waits until so many events wait for the first endpoint, and none for the others.
    pub async fn waiting(&self, events: i64) {
        patiently("the queues", async {
            for (place, served) in self.webhooks.endpoints().iter().enumerate() {
                let expected = if place == 0 { events } else { 0 };
                let store = self.webhooks.store();
                while store.count_webhooks(&served.endpoint.id).await.unwrap() != expected {
                    tokio::task::yield_now().await;
                }
            }
        })
        .await;
    }

    /// Waits until the only queue of the only endpoint has been let go of, and says until when.
    pub async fn released_until_ms(&self) -> i64 {
        let (webhooks, id) = (&self.webhooks, &self.webhooks.endpoints()[0].endpoint.id);
        patiently("the end of an attempt", async {
            loop {
                let at_ms = webhooks.store().next_webhook_at_ms(id).await.unwrap().unwrap();
                let pause_ms = i64::try_from(webhooks.limits().backoff_ms_max).unwrap();
                if at_ms <= webhooks.now_ms() + pause_ms {
                    return at_ms;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub fn endpoint(url: WebhookUrl) -> Endpoint {
    let signer = Arc::new(LiveKitSigner::new(API_KEY, SECRET));
    Endpoint { id: url.endpoint_id(), url, signer, events: EventFilter::All, project: project() }
}

/// The tiny limits, but for queues that a test means to fill.
pub fn limits() -> WebhookLimits {
    WebhookLimits {
        events_per_queue_max: 1_000,
        events_per_endpoint_max: 10_000,
        ..WebhookLimits::TINY
    }
}

pub fn webhooks(store: &Store, clock: Clock, receiver: &Receiver) -> Webhooks {
    let endpoints = vec![endpoint(receiver.url("/"))];
    Webhooks::new(store.clone(), clock, endpoints, limits()).unwrap()
}

pub fn project() -> ProjectId {
    ProjectId::trusted("p")
}

pub fn queue(name: &str) -> WebhookQueueName {
    WebhookQueueName::parse("queue", name).unwrap()
}

/// An event whose body says which it is.
pub fn event(queue: &str, number: u32) -> WebhookEvent {
    let body = Bytes::from(format!("{queue}/{number}"));
    WebhookEvent::new(&format!("EV_{queue}_{number}"), "room_started", body).unwrap()
}

pub async fn enqueue(webhooks: &Webhooks, name: &str, numbers: std::ops::Range<u32>) {
    for number in numbers {
        webhooks.enqueue(&project(), &queue(name), event(name, number)).await.unwrap();
    }
}

pub async fn patiently<T>(what: &str, wait: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    waited.unwrap_or_else(|_| panic!("waited for {what} in vain"))
}
