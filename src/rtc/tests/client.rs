//! A client made of str0m alone: full ICE, its own socket, nothing of the code under test.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelConfig, ChannelId, Reliability};
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Event, Input, Output, Rtc as Machine};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

const WITHIN: Duration = Duration::from_secs(30);
/// Enough for one large message and some small ones.
const BUFFERED_BYTES_MAX: usize = 1 << 20;

/// What a client saw.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Connected,
    Open(String),
    Data(String, Bytes),
    ChannelClosed,
    Closed,
}

enum Order {
    Send { label: String, bytes: Bytes, is_binary: bool },
    Garbage(Vec<u8>),
    Pause(bool),
    Open(ChannelConfig),
    Close,
}

/// Before the descriptions are exchanged.
pub(super) struct Client {
    machine: Machine,
    socket: UdpSocket,
    address: SocketAddr,
    pending: Option<SdpPendingOffer>,
}

/// Afterwards, when it runs in a task of its own.
pub(super) struct Running {
    orders: mpsc::UnboundedSender<Order>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Client {
    pub(super) async fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let builder = Machine::builder().set_sctp_max_buffered_amount(BUFFERED_BYTES_MAX);
        let mut machine = builder.build(Instant::now());
        machine.add_local_candidate(Candidate::host(address, Protocol::Udp).unwrap());
        Self { machine, socket, address, pending: None }
    }

    pub(super) fn offer(&mut self, channels: &[ChannelConfig]) -> String {
        let mut change = self.machine.sdp_api();
        for channel in channels {
            change.add_channel_with_config(channel.clone());
        }
        let (offer, pending) = change.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// As stock clients do when they want to send and receive audio and video too.
    pub(super) fn offer_with_media(&mut self, channels: &[ChannelConfig]) -> String {
        let mut change = self.machine.sdp_api();
        change.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        for channel in channels {
            change.add_channel_with_config(channel.clone());
        }
        let (offer, pending) = change.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    pub(super) fn answered(&mut self, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.machine.sdp_api().accept_answer(pending, answer).unwrap();
    }

    pub(super) fn accept(&mut self, offer: &str) -> String {
        let offer = SdpOffer::from_sdp_string(offer).unwrap();
        self.machine.sdp_api().accept_offer(offer).unwrap().to_sdp_string()
    }

    pub(super) fn run(self) -> Running {
        let (orders, taken) = mpsc::unbounded_channel();
        let (news, seen) = mpsc::unbounded_channel();
        let labels = HashMap::new();
        let Self { machine, socket, address, .. } = self;
        let (server, is_paused) = (None, false);
        let body = Body { machine, socket, address, server, labels, news, is_paused };
        tokio::spawn(body.run(taken));
        Running { orders, seen }
    }
}

struct Body {
    machine: Machine,
    socket: UdpSocket,
    address: SocketAddr,
    /// Known once something came from there.
    server: Option<SocketAddr>,
    labels: HashMap<String, ChannelId>,
    news: mpsc::UnboundedSender<Seen>,
    is_paused: bool,
}

impl Body {
    async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut buffer = vec![0; 2048];
        self.machine.handle_input(Input::Timeout(Instant::now())).unwrap();
        while let Some(until) = self.drain().await {
            tokio::select! {
                received = self.socket.recv_from(&mut buffer), if !self.is_paused => {
                    let (length, source) = received.unwrap();
                    self.received(&buffer[..length], source);
                }
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                () = sleep_until(until.into()) => {
                    self.machine.handle_input(Input::Timeout(Instant::now())).unwrap();
                }
            }
        }
    }

    fn received(&mut self, datagram: &[u8], source: SocketAddr) {
        self.server = Some(source);
        let (proto, destination) = (Protocol::Udp, self.address);
        let contents = datagram.try_into().unwrap();
        let receive = Receive { proto, source, destination, contents };
        self.machine.handle_input(Input::Receive(Instant::now(), receive)).unwrap();
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Send { label, bytes, is_binary } => {
                let mut channel = self.machine.channel(self.labels[&label]).unwrap();
                assert!(channel.write(is_binary, &bytes).unwrap(), "the client's buffer is full");
            }
            Order::Garbage(datagram) => {
                self.socket.send_to(&datagram, self.server.unwrap()).await.unwrap();
            }
            Order::Pause(is_paused) => self.is_paused = is_paused,
            Order::Open(config) => {
                self.machine.direct_api().create_data_channel(config);
            }
            Order::Close => self.machine.close().unwrap(),
        }
    }

    async fn drain(&mut self) -> Option<Instant> {
        while self.machine.is_alive() {
            match self.machine.poll_output().unwrap() {
                Output::Timeout(until) => return Some(until),
                Output::Transmit(transmit) => {
                    // Not every address of the server can be reached from here.
                    let (contents, to) = (transmit.contents, transmit.destination);
                    let _ = self.socket.send_to(&contents, to).await;
                }
                Output::Event(event) => self.saw(event),
            }
        }
        None
    }

    fn saw(&mut self, event: Event) {
        let seen = match event {
            Event::Connected => Seen::Connected,
            Event::ChannelOpen(id, label) => {
                self.labels.insert(label.clone(), id);
                Seen::Open(label)
            }
            Event::ChannelData(data) => {
                let label = self.labels.iter().find(|(_, id)| **id == data.id).unwrap().0;
                Seen::Data(label.clone(), data.data.into())
            }
            Event::ChannelClose(_) => Seen::ChannelClosed,
            Event::Closed => Seen::Closed,
            _ => return,
        };
        // A test may have seen enough.
        let _ = self.news.send(seen);
    }
}

impl Running {
    pub(super) fn send(&self, label: &str, bytes: impl Into<Bytes>) {
        self.order(Order::Send { label: label.to_owned(), bytes: bytes.into(), is_binary: true });
    }

    pub(super) fn send_text(&self, label: &str, text: &'static str) {
        let bytes = Bytes::from(text);
        self.order(Order::Send { label: label.to_owned(), bytes, is_binary: false });
    }

    /// From the very socket of the connection.
    pub(super) fn send_garbage(&self, datagram: Vec<u8>) {
        self.order(Order::Garbage(datagram));
    }

    /// Reads nothing from the network until it is told to go on.
    pub(super) fn pause(&self, is_paused: bool) {
        self.order(Order::Pause(is_paused));
    }

    pub(super) fn open(&self, config: ChannelConfig) {
        self.order(Order::Open(config));
    }

    pub(super) fn close(&self) {
        self.order(Order::Close);
    }

    fn order(&self, order: Order) {
        assert!(self.orders.send(order).is_ok(), "the client is gone");
    }

    pub(super) async fn next(&mut self) -> Seen {
        timeout(WITHIN, self.seen.recv()).await.unwrap().unwrap()
    }

    /// Waits for something and skips what comes before.
    pub(super) async fn sees(&mut self, expected: &Seen) {
        while self.next().await != *expected {}
    }

    /// Waits until this many channels are open.
    pub(super) async fn opens(&mut self, mut count: usize) {
        while count > 0 {
            if let Seen::Open(_) = self.next().await {
                count -= 1;
            }
        }
    }

    pub(super) async fn data(&mut self) -> (String, Bytes) {
        loop {
            if let Seen::Data(label, bytes) = self.next().await {
                return (label, bytes);
            }
        }
    }
}

pub(super) fn reliable() -> ChannelConfig {
    ChannelConfig { label: "_reliable".to_owned(), ..ChannelConfig::default() }
}

pub(super) fn lossy() -> ChannelConfig {
    let reliability = Reliability::MaxRetransmits { retransmits: 0 };
    ChannelConfig {
        label: "_lossy".to_owned(),
        ordered: false,
        reliability,
        ..ChannelConfig::default()
    }
}
