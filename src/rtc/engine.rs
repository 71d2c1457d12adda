//! One connection without a socket or a clock: str0m, and what it is allowed to do.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::channel::{ChannelId, Reliability};
use str0m::config::DtlsCert;
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Output as Polled, Rtc as Machine};

use super::RtcLimits;
use super::channels::{ChannelSpec, Channels};
use super::events::Event;
use super::paths::{Heard, Paths};
use super::sdp::Description;
use super::socket::{Datagram, NetPath};
use super::stun::{Kind, kind};
use crate::error::{Code, Error};

/// What str0m holds of a peer's messages until the client has confirmed them, which is also what
/// can be on its way at once. A browser that is busy loses more than this, as its socket holds some
/// hundred datagrams.
const IN_FLIGHT_BYTES_MAX: usize = 128 << 10;
/// RFC 8832 allows 65,535.
const LABEL_BYTES_MAX: usize = 256;
/// What str0m calls the section of data that a client offers.
const MID: &str = "0";

pub(super) struct Engine {
    machine: Machine,
    candidates: Arc<[SocketAddr]>,
    paths: Paths,
    channels: Arc<Channels>,
    /// By what str0m calls them, in the order in which they opened.
    labels: Vec<(ChannelId, Arc<str>)>,
    limits: RtcLimits,
    /// Our offer that has no answer yet.
    offered: Option<Offered>,
    /// Labels of the channels that we opened.
    ours: Vec<String>,
    /// Who makes the offers, once one of them was taken.
    side: Option<Side>,
    is_secured: bool,
    is_reachable: bool,
    was_connected: bool,
    turn: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

struct Offered {
    sdp: String,
    pending: SdpPendingOffer,
    labels: Vec<String>,
}

pub(super) enum Output {
    Send {
        path: NetPath,
        contents: Bytes,
    },
    Event(Event),
    /// There is nothing to do until then, or until something comes.
    Wait(Instant),
    Ended,
}

impl Engine {
    pub(super) fn new(
        certificate: &DtlsCert,
        limits: &RtcLimits,
        candidates: Arc<[SocketAddr]>,
        channels: Arc<Channels>,
        now: Instant,
    ) -> Self {
        let message_bytes_max = u32::try_from(limits.message_bytes_max).unwrap_or(u32::MAX);
        let mut machine = Machine::builder()
            .set_ice_lite(true)
            .set_dtls_cert(certificate.clone())
            .set_sctp_max_message_size(message_bytes_max)
            .set_sctp_max_buffered_amount(IN_FLIGHT_BYTES_MAX.max(limits.message_bytes_max))
            .clear_extension_map()
            .build(now);
        for address in &*candidates {
            match Candidate::host(*address, Protocol::Udp) {
                Ok(candidate) => drop(machine.add_local_candidate(candidate)),
                Err(error) => tracing::warn!(%error, %address, "cannot be a candidate"),
            }
        }
        Self {
            machine,
            candidates,
            paths: Paths::default(),
            channels,
            labels: Vec::new(),
            limits: *limits,
            offered: None,
            ours: Vec::new(),
            side: None,
            is_secured: false,
            is_reachable: false,
            was_connected: false,
            turn: 0,
        }
    }

    /// The name that checks for this peer carry.
    pub(super) fn ufrag(&mut self) -> String {
        self.machine.direct_api().local_ice_credentials().ufrag
    }

    pub(super) fn accept(&mut self, offer: &str) -> Result<String, Error> {
        self.check_side(Side::Client)?;
        let offer = Description::parse("offer", offer, self.limits.sdp_bytes_max)?;
        let ours = SdpOffer::from_sdp_string(&offer.for_data(MID));
        let ours = ours.map_err(|error| does_not_fit("offer", error))?;
        let answer = self.negotiate(|machine| machine.sdp_api().accept_offer(ours));
        let answer = answer.map_err(|error| does_not_fit("offer", error))?.to_sdp_string();
        self.side = Some(Side::Client);
        self.offered = None;
        Ok(offer.answer(&answer))
    }

    pub(super) fn offer(&mut self, channels: &[ChannelSpec]) -> Result<String, Error> {
        self.check_side(Side::Server)?;
        if let Some(offered) = &self.offered {
            return Ok(offered.sdp.clone());
        }
        let is_new = |channel: &&ChannelSpec| !self.ours.contains(&channel.label);
        let channels: Vec<&ChannelSpec> = channels.iter().filter(is_new).collect();
        self.check_channels(&channels)?;
        let mut change = self.machine.sdp_api();
        if self.side.is_some() {
            change.ice_restart(true);
        }
        for channel in &channels {
            change.add_channel_with_config(channel.config());
        }
        let Some((offer, pending)) = change.apply() else {
            return Err(Error::missing("channels"));
        };
        let sdp = offer.to_sdp_string();
        let labels = channels.iter().map(|channel| channel.label.clone()).collect();
        self.offered = Some(Offered { sdp: sdp.clone(), pending, labels });
        Ok(sdp)
    }

    /// Whoever makes the first offer makes all of them, so that no two can cross.
    fn check_side(&self, side: Side) -> Result<(), Error> {
        let other = match side {
            _ if self.side.is_none_or(|taken| taken == side) => return Ok(()),
            Side::Client => "server",
            Side::Server => "client",
        };
        let text = format!("the {other} makes the offers of this connection");
        Err(Error::new(Code::FailedPrecondition, "RTC_WRONG_SIDE", text))
    }

    fn check_channels(&self, channels: &[&ChannelSpec]) -> Result<(), Error> {
        let channels_max = self.limits.channels_per_peer_max;
        let count = self.ours.len() + channels.len();
        if count > channels_max {
            let problem = format!("must be at most {channels_max} in all, got {count}");
            return Err(Error::invalid("channels", problem));
        }
        match channels.iter().find(|channel| channel.label.len() > LABEL_BYTES_MAX) {
            Some(channel) => {
                let bytes = channel.label.len();
                let problem = format!("must be at most {LABEL_BYTES_MAX} bytes, got {bytes}");
                Err(Error::invalid("channels.label", problem))
            }
            None => Ok(()),
        }
    }

    pub(super) fn answered(&mut self, answer: &str) -> Result<(), Error> {
        let answer = Description::parse("answer", answer, self.limits.sdp_bytes_max)?;
        let mid = answer.data_mid();
        let mid = mid.ok_or_else(|| Error::invalid("answer", "must take the section of data"))?;
        let Some(Offered { pending, labels, .. }) = self.offered.take() else {
            let text = "there is no offer that waits for an answer";
            return Err(Error::new(Code::FailedPrecondition, "RTC_NO_OFFER", text));
        };
        let ours = SdpAnswer::from_sdp_string(&answer.for_data(mid));
        let ours = ours.map_err(|error| does_not_fit("answer", error))?;
        self.negotiate(|machine| machine.sdp_api().accept_answer(pending, ours))
            .map_err(|error| does_not_fit("answer", error))?;
        self.side = Some(Side::Server);
        self.ours.extend(labels);
        Ok(())
    }

    fn negotiate<T>(&mut self, change: impl FnOnce(&mut Machine) -> T) -> T {
        let before = self.ufrag();
        let changed = change(&mut self.machine);
        if self.ufrag() != before {
            self.paths.restart();
        }
        changed
    }

    /// Takes a datagram. `claim` is asked whether the sender's address may become this peer's, once
    /// its check has proved that it knows the password; an address that is given up is returned.
    pub(super) fn receive(
        &mut self,
        datagram: &Datagram,
        now: Instant,
        claim: impl FnOnce(SocketAddr) -> bool,
    ) -> Option<SocketAddr> {
        let net = datagram.path;
        let source = SocketAddr::new(net.remote.ip().to_canonical(), net.remote.port());
        let destination = self.candidate(net)?;
        let contents = (&*datagram.contents).try_into().ok()?;
        let received = Receive { proto: Protocol::Udp, source, destination, contents };
        let input = Input::Receive(now, received);
        let mut given_up = None;
        if let Kind::Check { .. } = kind(&datagram.contents) {
            if !self.machine.accepts(&input) || !claim(net.remote) {
                return None;
            }
            match self.paths.heard(destination, source, net, now) {
                Heard::Refused => {
                    return (!self.paths.leads_to(source)).then_some(net.remote);
                }
                Heard::Kept => {}
                Heard::InsteadOf(address) => given_up = Some(address),
            }
        } else if !self.paths.leads_to(source) {
            return None;
        }
        self.input(input);
        given_up
    }

    /// Which of our candidates a datagram was sent to. Behind address translation that is not the
    /// address that it came to.
    fn candidate(&self, net: NetPath) -> Option<SocketAddr> {
        let local = net.local_ip.map(|ip| ip.to_canonical());
        let is_v4 = net.remote.ip().to_canonical().is_ipv4();
        let mut candidates = self.candidates.iter();
        let exact = candidates.find(|candidate| Some(candidate.ip()) == local);
        exact
            .or_else(|| self.candidates.iter().find(|candidate| candidate.is_ipv4() == is_v4))
            .copied()
    }

    pub(super) fn tick(&mut self, now: Instant) {
        self.input(Input::Timeout(now));
    }

    /// Anybody can send garbage from a known address, so an error here is no reason to end.
    fn input(&mut self, input: Input<'_>) {
        if let Err(error) = self.machine.handle_input(input) {
            tracing::debug!(%error, "WebRTC input was refused");
        }
    }

    pub(super) fn close(&mut self) {
        self.channels.close_all();
        if let Err(error) = self.machine.close() {
            tracing::debug!(%error, "failed to close a WebRTC connection in good order");
            self.machine.disconnect();
        }
    }

    /// Hands the next message that waits to str0m, channels in turn; `false` when there is none or
    /// no room. Everything has to be polled before the next one.
    pub(super) fn write_next(&mut self) -> bool {
        let mut waiting = self.channels.next();
        if !waiting.is_empty() {
            let first = self.turn % waiting.len();
            waiting.rotate_left(first);
        }
        for next in waiting {
            let Some(mut channel) = self.machine.channel(next.id) else { continue };
            match channel.write(true, &next.bytes) {
                Ok(false) => continue,
                Ok(true) => self.channels.shift(next.id),
                // Such as a message that is larger than the client takes.
                Err(error) if next.is_reliable => {
                    tracing::debug!(%error, "a WebRTC connection would lose a message");
                    self.close();
                }
                Err(_) => self.channels.shift(next.id),
            }
            self.turn = self.turn.wrapping_add(1);
            return true;
        }
        false
    }

    /// To be called until it says to wait, after everything else.
    pub(super) fn poll(&mut self) -> Output {
        while self.machine.is_alive() {
            match self.machine.poll_output() {
                Ok(Polled::Timeout(at)) if self.machine.is_alive() => return Output::Wait(at),
                Ok(Polled::Timeout(_)) => {}
                Ok(Polled::Transmit(transmit)) => {
                    let (ours, theirs) = (transmit.source, transmit.destination);
                    if let Some(path) = self.paths.find(ours, theirs) {
                        let contents = Vec::from(transmit.contents).into();
                        return Output::Send { path, contents };
                    }
                }
                Ok(Polled::Event(event)) => {
                    if let Some(event) = self.event(event) {
                        return Output::Event(event);
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "a WebRTC connection failed");
                    self.machine.disconnect();
                }
            }
        }
        self.channels.close_all();
        Output::Ended
    }

    fn event(&mut self, event: str0m::Event) -> Option<Event> {
        match event {
            str0m::Event::Connected => {
                self.is_secured = true;
                self.connection()
            }
            str0m::Event::IceConnectionStateChange(state) => {
                self.is_reachable = state.is_connected();
                self.connection()
            }
            str0m::Event::ChannelOpen(id, label) => self.channel_opened(id, &label),
            str0m::Event::ChannelClose(id) => {
                let at = self.labels.iter().position(|(known, _)| *known == id)?;
                let (_, label) = self.labels.remove(at);
                self.channels.closed(id).then_some(Event::ChannelClosed { label })
            }
            str0m::Event::ChannelData(data) => {
                let (_, label) = self.labels.iter().find(|(known, _)| *known == data.id)?;
                let (label, bytes) = (Arc::clone(label), data.data.into());
                Some(Event::Data { label, bytes, is_binary: data.binary })
            }
            _ => None,
        }
    }

    fn connection(&mut self) -> Option<Event> {
        let is_connected = self.is_secured && self.is_reachable;
        let was_connected = std::mem::replace(&mut self.was_connected, is_connected);
        match (was_connected, is_connected) {
            (false, true) => Some(Event::Connected),
            (true, false) => Some(Event::Disconnected),
            _ => None,
        }
    }

    fn channel_opened(&mut self, id: ChannelId, label: &str) -> Option<Event> {
        if self.labels.len() >= self.limits.channels_per_peer_max || label.len() > LABEL_BYTES_MAX {
            tracing::debug!(
                "closing a WebRTC connection that opens too many or ill-named channels"
            );
            self.close();
            return None;
        }
        let label: Arc<str> = label.into();
        let channel = self.machine.channel(id)?;
        let is_reliable =
            channel.config().is_none_or(|config| config.reliability == Reliability::Reliable);
        self.labels.push((id, Arc::clone(&label)));
        self.channels.opened(id, &label, is_reliable);
        Some(Event::ChannelOpen { label })
    }
}

/// The client hears what is wrong in general, the log hears what str0m says.
fn does_not_fit(
    field: &'static str,
    cause: impl std::error::Error + Send + Sync + 'static,
) -> Error {
    Error::invalid(field, "does not fit this connection").because(cause)
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("labels", &self.labels).finish_non_exhaustive()
    }
}
