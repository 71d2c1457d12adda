//! Every limit that the program puts on its callers, each with its unit in its name.

/// What one process accepts before it says no. All of it is configurable; tests run with
/// [`Limits::TINY`], so that the code behind a limit runs there and not first in production.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections that are open at once; one more is closed as soon as it is accepted.
    pub connections_max: usize,
    /// Requests that are being answered at once; one more is shed with `resource_exhausted`.
    pub requests_in_flight_max: usize,
    pub request_body_bytes_max: usize,
    /// The request line and all headers together.
    pub request_header_bytes_max: usize,
    pub request_headers_max: usize,
    /// The deadline of a call that brings none.
    pub request_timeout_ms: u64,
    /// The longest deadline that a caller can ask for.
    pub request_timeout_ms_max: u64,
    /// From accepting a connection to having read the head of its first request.
    pub header_read_timeout_ms: u64,
    pub tls_handshake_timeout_ms: u64,
    /// How long a connection without a request is kept.
    pub connection_idle_ms: u64,
    /// Streams that are open at once on one HTTP/2 connection.
    pub http2_streams_max: u32,
    /// After this long without a frame an HTTP/2 peer is pinged.
    pub http2_ping_interval_ms: u64,
    /// A peer that has not answered the ping by then is gone.
    pub http2_ping_timeout_ms: u64,
    /// How deep JSON and protobuf may be nested.
    pub json_depth_max: usize,
    pub query_params_max: usize,
    /// Connections that are in one room at once; one more is told that the room is full.
    pub room_connections_max: usize,
    /// What may wait for one connection to read it. A peer that lets more wait is disconnected.
    pub room_outbox_bytes_max: usize,
    /// After this long without an edit a room's documents are kept as a version; 0 is never.
    pub version_quiet_ms: u64,
    /// How long a room without anybody in it stays in memory.
    pub room_idle_ms: u64,
    /// WebSocket connections that are open at once. They do not count as connections.
    pub websocket_connections_max: usize,
    /// A message of a client, in however many frames it comes.
    pub websocket_frame_bytes_max: usize,
    /// After this long without a byte from it a client is gone.
    pub websocket_idle_ms: u64,
    /// How long a client may take nothing of what it is sent.
    pub websocket_write_timeout_ms: u64,
    /// What one client may send by a WebSocket or by a stream of gRPC. Twice as much can be saved
    /// up.
    pub websocket_frames_per_second_max: u32,
    pub websocket_bytes_per_second_max: u32,
}

impl Limits {
    pub const PRODUCTION: Self = Self {
        connections_max: 10_000,
        requests_in_flight_max: 4_096,
        request_body_bytes_max: 10 << 20,
        request_header_bytes_max: 32 << 10,
        request_headers_max: 100,
        request_timeout_ms: 30_000,
        request_timeout_ms_max: 300_000,
        header_read_timeout_ms: 30_000,
        tls_handshake_timeout_ms: 10_000,
        // Longer than the 60 s that load balancers commonly reuse a connection for, so that it is
        // never we who close one under a request that is on its way.
        connection_idle_ms: 75_000,
        http2_streams_max: 256,
        http2_ping_interval_ms: 20_000,
        http2_ping_timeout_ms: 20_000,
        json_depth_max: 100,
        query_params_max: 256,
        room_connections_max: 1_000,
        room_outbox_bytes_max: 32 << 20,
        version_quiet_ms: 0,
        room_idle_ms: 10_000,
        websocket_connections_max: 10_000,
        // What the hosted service's own server takes; clients do not split what they send.
        websocket_frame_bytes_max: 16 << 20,
        // Clients say something every 30 s, and browsers slow down the timers of hidden tabs.
        websocket_idle_ms: 90_000,
        websocket_write_timeout_ms: 20_000,
        websocket_frames_per_second_max: 4_000,
        websocket_bytes_per_second_max: 32 << 20,
    };

    pub const TINY: Self = Self {
        connections_max: 8,
        requests_in_flight_max: 4,
        request_body_bytes_max: 4 << 10,
        // HTTP/1 needs a read buffer of at least this size.
        request_header_bytes_max: 8 << 10,
        request_headers_max: 32,
        request_timeout_ms: 2_000,
        request_timeout_ms_max: 5_000,
        header_read_timeout_ms: 300,
        tls_handshake_timeout_ms: 300,
        connection_idle_ms: 300,
        http2_streams_max: 4,
        http2_ping_interval_ms: 200,
        http2_ping_timeout_ms: 200,
        json_depth_max: 8,
        query_params_max: 8,
        room_connections_max: 4,
        room_outbox_bytes_max: 64 << 10,
        version_quiet_ms: 0,
        room_idle_ms: 50,
        websocket_connections_max: 4,
        websocket_frame_bytes_max: 64 << 10,
        websocket_idle_ms: 2_000,
        websocket_write_timeout_ms: 500,
        websocket_frames_per_second_max: 50,
        websocket_bytes_per_second_max: 256 << 10,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::PRODUCTION
    }
}

const _: () = {
    let limits = Limits::PRODUCTION;
    assert!(limits.request_timeout_ms <= limits.request_timeout_ms_max);
    assert!(limits.connection_idle_ms > 15_000, "clients reuse a connection for up to 15 s");
    assert!(limits.requests_in_flight_max <= limits.connections_max);
};
