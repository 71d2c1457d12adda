//! WebRTC for data only: connections of browsers and of other stock clients, whose data channels
//! carry messages both ways.
//!
//! All peers share one UDP socket. A peer is a task around `engine.rs`, which is str0m and knows no
//! socket; one more task reads the socket and hands each datagram to its peer (`routes.rs`). Peers
//! are known by the name in their ICE checks, and an address is theirs once a check that came from
//! there was signed with their password: whoever does not know it reaches nobody and is sent
//! nothing. The server is ICE lite with host candidates, all of which are in its descriptions, so
//! there is nothing to trickle in either direction.
//!
//! What is not here: media (audio and video of a description are answered as inactive, so that the
//! connection still comes up), TURN, ICE over TCP, and every signalling protocol.

mod channels;
mod driver;
mod engine;
mod events;
mod paths;
mod peer;
mod routes;
mod sdp;
mod socket;
mod stun;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use str0m::config::DtlsCert;
use str0m::crypto::from_feature_flags;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::channels::Channels;
pub use self::channels::{ChannelSpec, SendError};
use self::driver::Driver;
use self::engine::Engine;
pub use self::events::{Event, Events};
pub use self::peer::Peer;
use self::routes::Routes;
use self::socket::Socket;
use crate::error::{Code, Error};

/// Each candidate is a line of every description, and a check of every client.
const ADVERTISED_MAX: usize = 16;
/// Calls of one peer that wait for its task.
const COMMANDS_WAITING_MAX: usize = 8;

/// Where peers find this server.
#[derive(Debug, Clone)]
pub struct RtcOptions {
    pub udp_listen: SocketAddr,
    /// What clients are told, with the port that is listened on. It may stay empty if `udp_listen`
    /// is one address.
    pub advertised: Vec<IpAddr>,
    pub limits: RtcLimits,
}

#[derive(Debug, Clone, Copy)]
pub struct RtcLimits {
    pub peers_max: usize,
    /// Of an offer or answer that a client sends.
    pub sdp_bytes_max: usize,
    pub channels_per_peer_max: usize,
    /// Of one message, in both directions. Clients are told in the description.
    pub message_bytes_max: usize,
    /// What waits in one channel that loses nothing. Who has more to send is told so.
    pub reliable_buffer_bytes_max: usize,
    /// The same for a channel that may lose messages: what is old by then is worth little.
    pub lossy_buffer_bytes_max: usize,
    /// What waits for the owner of a peer to take it. Then the peer's datagrams wait as well.
    pub events_bytes_max: usize,
    /// Datagrams of one peer that wait for its task: as many as a client may send before it waits
    /// for a sign that they came. Further ones are lost, as on any network.
    pub datagrams_waiting_max: usize,
}

impl Default for RtcLimits {
    fn default() -> Self {
        Self {
            peers_max: 10_000,
            sdp_bytes_max: 256 << 10,
            channels_per_peer_max: 16,
            message_bytes_max: 64 << 10,
            reliable_buffer_bytes_max: 4 << 20,
            lossy_buffer_bytes_max: 256 << 10,
            events_bytes_max: 1 << 20,
            datagrams_waiting_max: 1024,
        }
    }
}

/// One UDP socket and the peers behind it. Clones are the same.
#[derive(Clone)]
pub struct Rtc {
    shared: Arc<Shared>,
}

struct Shared {
    socket: Arc<Socket>,
    routes: Arc<Routes>,
    /// Where clients are to find the socket.
    candidates: Arc<[SocketAddr]>,
    /// One for all peers: descriptions carry its fingerprint.
    certificate: DtlsCert,
    limits: RtcLimits,
    places: Arc<Semaphore>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Rtc {
    pub async fn bind(options: RtcOptions) -> io::Result<Self> {
        let RtcOptions { udp_listen, advertised, limits } = options;
        let socket = Arc::new(Socket::bind(udp_listen).await?);
        let local = socket.local_addr()?;
        let candidates = candidates(local, &advertised)?;
        let certificate = from_feature_flags().dtls_provider.generate_certificate();
        let certificate =
            certificate.ok_or_else(|| io::Error::other("cannot make a certificate for DTLS"))?;
        let shared = Arc::new(Shared {
            socket: Arc::clone(&socket),
            routes: Arc::default(),
            candidates: candidates.into(),
            certificate,
            limits,
            places: Arc::new(Semaphore::new(limits.peers_max.min(Semaphore::MAX_PERMITS))),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        let routes = Arc::clone(&shared.routes);
        let stop = shared.stop.clone();
        shared.tasks.spawn(async move {
            stop.run_until_cancelled(socket.read(&routes)).await;
        });
        Ok(Self { shared })
    }

    /// A connection that does not exist yet. Its owner either accepts the client's offer or makes
    /// one, and reads the events: what it does not take stops the client from sending more.
    pub fn peer(&self) -> Result<(Peer, Events), Error> {
        let shared = &self.shared;
        let place = Arc::clone(&shared.places).try_acquire_owned().map_err(|_| {
            let most = shared.limits.peers_max;
            let text = format!("all {most} places for WebRTC connections are taken, retry later");
            Error::new(Code::ResourceExhausted, "RTC_FULL", text)
        })?;
        if shared.stop.is_cancelled() {
            return Err(Error::unavailable("the server is shutting down"));
        }
        let stop = shared.stop.child_token();
        let channels = Arc::new(Channels::new(&shared.limits));
        let (inbox, datagrams) = mpsc::channel(shared.limits.datagrams_waiting_max.max(1));
        let (commands, orders) = mpsc::channel(COMMANDS_WAITING_MAX);
        let (news, events) = events::queue(shared.limits.events_bytes_max, &stop);
        let engine = Engine::new(
            &shared.certificate,
            &shared.limits,
            Arc::clone(&shared.candidates),
            Arc::clone(&channels),
            driver::now(),
        );
        let seat = routes::Seat::new(&shared.routes, inbox, place);
        let driver = Driver {
            engine,
            seat,
            socket: Arc::clone(&shared.socket),
            datagrams,
            orders,
            news,
            channels: Arc::clone(&channels),
            stop: stop.clone(),
        };
        shared.tasks.spawn(driver.run());
        Ok((Peer::new(commands, channels, &stop), events))
    }

    /// The address that is listened on, with its real port.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.shared.socket.local_addr()
    }

    /// How many peers there are.
    pub fn peers_len(&self) -> usize {
        self.shared.limits.peers_max - self.shared.places.available_permits()
    }

    /// Tells all peers goodbye and waits until that is sent.
    pub async fn close(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

/// Whoever forgets to close it still ends its tasks.
impl Drop for Shared {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The certificate has a secret in it.
impl fmt::Debug for Rtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rtc").field("socket", &self.shared.socket).finish_non_exhaustive()
    }
}

fn candidates(local: SocketAddr, advertised: &[IpAddr]) -> io::Result<Vec<SocketAddr>> {
    let wrong = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    let mut ips: Vec<IpAddr> = advertised.iter().map(IpAddr::to_canonical).collect();
    if ips.is_empty() && !local.ip().is_unspecified() {
        ips.push(local.ip().to_canonical());
    }
    ips.sort_unstable();
    ips.dedup();
    if ips.is_empty() || ips.iter().any(|ip| ip.is_unspecified() || ip.is_multicast()) {
        return wrong(format!("advertised: must name addresses that clients reach {local} by"));
    }
    if ips.len() > ADVERTISED_MAX {
        let count = ips.len();
        return wrong(format!("advertised: must be at most {ADVERTISED_MAX}, got {count}"));
    }
    Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, local.port())).collect())
}
