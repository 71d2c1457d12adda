//! The UDP socket of all peers. It tells which of our addresses a datagram came to, and the answer
//! leaves from there: on a machine with several addresses, a client takes nothing from another one.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::routes::Routes;

/// What the kernel is asked to hold while we are busy; it may give less.
const KERNEL_BUFFER_BYTES: usize = 4 << 20;
/// The kernel may hand over several datagrams of one sender as one of this size.
const READ_BYTES_MAX: usize = 64 << 10;
/// Real ones fit into an Ethernet frame.
const DATAGRAM_BYTES_MAX: usize = 2048;
/// A socket that only fails is tried this often.
const RETRY_MS: u64 = 20;

#[derive(Debug)]
pub(super) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
}

#[derive(Debug, Clone)]
pub(super) struct Datagram {
    pub(super) contents: Bytes,
    pub(super) path: NetPath,
}

/// Both ends of the way of a datagram, as the kernel spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NetPath {
    pub(super) remote: SocketAddr,
    pub(super) local_ip: Option<IpAddr>,
}

impl Socket {
    pub(super) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let io = UdpSocket::bind(address).await?;
        let state = UdpSocketState::new((&io).into())?;
        for sized in [
            state.set_recv_buffer_size((&io).into(), KERNEL_BUFFER_BYTES),
            state.set_send_buffer_size((&io).into(), KERNEL_BUFFER_BYTES),
        ] {
            if let Err(error) = sized {
                tracing::debug!(%error, "the buffer of the UDP socket stays as it is");
            }
        }
        Ok(Self { io, state })
    }

    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.local_addr()
    }

    /// Hands every datagram to whom it is for; never ends.
    pub(super) async fn read(&self, routes: &Routes) {
        let mut buffers = vec![0; BATCH_SIZE * READ_BYTES_MAX];
        let mut metas = [RecvMeta::default(); BATCH_SIZE];
        loop {
            let read = self.io.async_io(Interest::READABLE, || {
                let mut chunks = buffers.chunks_mut(READ_BYTES_MAX);
                let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                    std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
                self.state.recv((&self.io).into(), &mut slices, &mut metas)
            });
            match read.await {
                Ok(count) => {
                    let filled = buffers.chunks(READ_BYTES_MAX).zip(&metas).take(count);
                    routes.deliver(filled.flat_map(|(buffer, meta)| datagrams(buffer, meta)));
                }
                Err(error) => {
                    tracing::warn!(%error, "failed to read the UDP socket");
                    sleep(Duration::from_millis(RETRY_MS)).await;
                }
            }
        }
    }

    /// What cannot be sent is lost, as on any network.
    pub(super) async fn send(&self, path: NetPath, contents: &[u8]) {
        let transmit = Transmit {
            destination: path.remote,
            ecn: None,
            contents,
            segment_size: None,
            src_ip: path.local_ip,
        };
        let send = || self.state.try_send((&self.io).into(), &transmit);
        if let Err(error) = self.io.async_io(Interest::WRITABLE, send).await {
            tracing::debug!(%error, remote = %path.remote, "failed to send a datagram");
        }
    }
}

/// The datagrams that the kernel put into one buffer.
fn datagrams<'a>(buffer: &'a [u8], meta: &RecvMeta) -> impl Iterator<Item = (&'a [u8], NetPath)> {
    let path = NetPath { remote: meta.addr, local_ip: meta.dst_ip };
    let filled = buffer.get(..meta.len).unwrap_or_default();
    filled
        .chunks(meta.stride.max(1))
        .filter(|datagram| datagram.len() <= DATAGRAM_BYTES_MAX)
        .map(move |datagram| (datagram, path))
}
