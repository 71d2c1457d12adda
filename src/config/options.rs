//! The one table of options. Flags, variables, keys of the file, `--help`, `check-config` and the
//! table in docs/operate.md are all made from it, so that none of them can lack an option.

use super::value::{self, whole};
use super::{Config, Limits, rtc};
use crate::domain::live::LiveKeyPair;

/// Which subcommands take an option as a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything that opens the database, which is every subcommand with work to do. The rest
    /// still heeds the variable and the file there.
    Data,
    /// Only what runs a server.
    Server,
}

/// One option. It has one name in three spellings: `--log-filter`, `ROOMD_LOG_FILTER` and
/// `log_filter`.
pub struct OptionSpec {
    pub name: &'static str,
    /// What a value looks like or its unit, with the range where there is one.
    pub unit: &'static str,
    pub group: &'static str,
    pub reach: Reach,
    pub help: &'static str,
    /// Variables of other programs that are heeded when ours is not set.
    pub borrowed_env: &'static [&'static str],
    /// Reads the text into the configuration; the error completes "option `x` …".
    pub set: fn(&mut Config, &str) -> Result<(), String>,
    /// The effective value without any secret; empty when there is none.
    pub show: fn(&Config) -> String,
}

impl OptionSpec {
    /// The flag without its dashes.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    pub fn env(&self) -> String {
        format!("ROOMD_{}", self.name.to_ascii_uppercase())
    }
}

const SERVER: &str = "Server";
const DATA: &str = "Data";
const TOKENS: &str = "Tokens";
const LOGS: &str = "Logs";
const WEBHOOKS: &str = "Webhooks";
pub const LIMITS: &str = "Limits";

fn shown<T: ToString>(value: Option<&T>) -> String {
    value.map(T::to_string).unwrap_or_default()
}

fn shown_path(path: Option<&std::path::PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// An option that is a whole number: its range stands once, in the help and in the check.
macro_rules! number {
    ($name:literal, $unit:literal, $min:literal..=$max:literal, $group:expr, $reach:expr,
        $($field:ident).+, $help:literal) => {
        OptionSpec {
            name: $name,
            unit: concat!($unit, ", ", stringify!($min), " to ", stringify!($max)),
            group: $group,
            reach: $reach,
            help: $help,
            borrowed_env: &[],
            set: |config, raw| whole(raw, $min, $max).map(|n| config.$($field).+ = n),
            show: |config| config.$($field).+.to_string(),
        }
    };
}

macro_rules! limit {
    ($field:ident, $unit:literal, $min:literal..=$max:literal, $help:literal) => {
        OptionSpec {
            name: stringify!($field),
            unit: concat!($unit, ", ", stringify!($min), " to ", stringify!($max)),
            group: LIMITS,
            reach: Reach::Server,
            help: $help,
            borrowed_env: &[],
            set: |config, raw| whole(raw, $min, $max).map(|n| config.limits.$field = n),
            show: |config| config.limits.$field.to_string(),
        }
    };
}

pub static OPTIONS: &[OptionSpec] = &[
    OptionSpec {
        name: "listen",
        unit: "host:port",
        group: SERVER,
        reach: Reach::Server,
        help: "Address that every protocol is served on. Port 0 takes a free one. Use 0.0.0.0 or \
               [::] as host to be reached from other machines",
        borrowed_env: &[],
        set: |config, raw| raw.parse().map(|address| config.listen = address),
        show: |config| config.listen.to_string(),
    },
    OptionSpec {
        name: "tls_cert",
        unit: "path",
        group: SERVER,
        reach: Reach::Server,
        help: "PEM file with the certificate chain, leaf first. Turns TLS on, together with \
               tls_key. Both are read again on SIGHUP",
        borrowed_env: &[],
        set: |config, raw| value::path(raw).map(|path| config.tls_cert = Some(path)),
        show: |config| shown_path(config.tls_cert.as_ref()),
    },
    OptionSpec {
        name: "tls_key",
        unit: "path",
        group: SERVER,
        reach: Reach::Server,
        help: "PEM file with the private key of tls_cert",
        borrowed_env: &[],
        set: |config, raw| value::path(raw).map(|path| config.tls_key = Some(path)),
        show: |config| shown_path(config.tls_key.as_ref()),
    },
    number!(
        "shutdown_grace_ms",
        "milliseconds",
        0..=600_000,
        SERVER,
        Reach::Server,
        shutdown_grace_ms,
        "How long requests in flight may still run after SIGTERM or SIGINT"
    ),
    OptionSpec {
        name: "data_dir",
        unit: "path",
        group: DATA,
        reach: Reach::Data,
        help: "Folder for the SQLite database, roomd.db. Created when it is missing",
        borrowed_env: &[],
        set: |config, raw| value::path(raw).map(|path| config.data_dir = path),
        show: |config| config.data_dir.display().to_string(),
    },
    OptionSpec {
        name: "database_url",
        unit: "url",
        group: DATA,
        reach: Reach::Data,
        help: "Database to use instead of the SQLite file in data_dir: \
               postgres://user:password@host:5432/database, or sqlite:path/to/file. Prefer the \
               variable to the flag, since a flag shows in the process list",
        borrowed_env: &["DATABASE_URL"],
        set: |config, raw| raw.parse().map(|url| config.database_url = Some(url)),
        show: |config| shown(config.database_url.as_ref()),
    },
    number!(
        "database_connections_max",
        "connections",
        2..=1_000,
        DATA,
        Reach::Server,
        database_connections_max,
        "Connections that are held to the database"
    ),
    number!(
        "database_timeout_ms",
        "milliseconds",
        100..=60_000,
        DATA,
        Reach::Server,
        database_timeout_ms,
        "How long a call waits for a database connection before it answers unavailable"
    ),
    number!(
        "group_commit_max",
        "writes",
        1..=4_096,
        DATA,
        Reach::Server,
        group_commit_max,
        "Writes that share one SQLite commit at most"
    ),
    number!(
        "room_cache_bytes_max",
        "bytes",
        0..=1_099_511_627_776,
        DATA,
        Reach::Server,
        room_cache_bytes_max,
        "Memory for rooms that were read lately. 0 turns the cache off"
    ),
    OptionSpec {
        name: "file_store",
        unit: "database, file:///path or s3://bucket/prefix",
        group: DATA,
        reach: Reach::Server,
        help: "Where the bytes of new attachments and Storage files are kept. A folder is created when \
               it is missing. For a bucket the AWS_* variables give region, credentials and, for other \
               servers that speak S3, AWS_ENDPOINT",
        borrowed_env: &[],
        set: |config, raw| value::file_store(raw).map(|place| config.file_store = place),
        show: |config| value::shown_file_store(config.file_store.as_ref()),
    },
    number!(
        "token_ttl_seconds",
        "seconds",
        10..=86_400,
        TOKENS,
        Reach::Data,
        token_ttl_seconds,
        "How long a token is valid"
    ),
    OptionSpec {
        name: "livekit_keys",
        unit: "key: secret, …",
        group: TOKENS,
        reach: Reach::Data,
        help: "LiveKit API keys of the default project, with commas or line ends between, besides \
               those of `roomd keys create --livekit`. Prefer the variable to the flag, since a \
               flag shows in the process list",
        borrowed_env: &["LIVEKIT_KEYS"],
        set: |config, raw| LiveKeyPair::parse_list(raw).map(|keys| config.livekit_keys = keys),
        show: |config| value::shown_keys(&config.livekit_keys),
    },
    OptionSpec {
        name: "signing_algorithm",
        unit: "ES256 or EdDSA",
        group: TOKENS,
        reach: Reach::Data,
        help: "How new tokens are signed. Tokens signed the other way stay valid",
        borrowed_env: &[],
        set: |config, raw| raw.parse().map(|algorithm| config.signing_algorithm = algorithm),
        show: |config| config.signing_algorithm.as_str().to_owned(),
    },
    number!(
        "signing_key_max_age_days",
        "days",
        1..=3_650,
        TOKENS,
        Reach::Data,
        signing_key_max_age_days,
        "Age at which the signing key is replaced by a new one"
    ),
    OptionSpec {
        name: "log_format",
        unit: "auto, pretty or json",
        group: LOGS,
        reach: Reach::Data,
        help: "How log lines look on standard error. auto is pretty on a terminal, JSON elsewhere",
        borrowed_env: &[],
        set: |config, raw| raw.parse().map(|format| config.log_format = format),
        show: |config| config.log_format.as_str().to_owned(),
    },
    OptionSpec {
        name: "log_filter",
        unit: "directives",
        group: LOGS,
        reach: Reach::Data,
        help: "Which log lines are written: a level (error, warn, info, debug, trace), and levels \
               for single modules, such as info,roomd=debug",
        borrowed_env: &["RUST_LOG"],
        set: |config, raw| value::log_filter(raw).map(|filter| config.log_filter = filter),
        show: |config| config.log_filter.clone(),
    },
    OptionSpec {
        name: "otlp_endpoint",
        unit: "url",
        group: LOGS,
        reach: Reach::Server,
        help: "OpenTelemetry collector that traces are sent to over OTLP/gRPC, such as \
               http://localhost:4317. Nothing is sent without it",
        borrowed_env: &["OTEL_EXPORTER_OTLP_ENDPOINT"],
        set: |config, raw| value::http_url(raw).map(|url| config.otlp_endpoint = Some(url)),
        show: |config| config.otlp_endpoint.as_deref().map(value::redact_url).unwrap_or_default(),
    },
    OptionSpec {
        name: "page_networks",
        unit: "networks",
        group: SERVER,
        reach: Reach::Server,
        help: "Networks in which pages that people link to may be fetched although they are not \
               public, on any port: such as 10.0.0.0/8,fd00::/8. Others are never asked",
        borrowed_env: &[],
        set: |config, raw| raw.parse().map(|networks| config.page_networks = networks),
        show: |config| config.page_networks.to_string(),
    },
    OptionSpec {
        name: "livekit_auto_create",
        unit: "true or false",
        group: SERVER,
        reach: Reach::Server,
        help: "Whether a client of LiveKit may enter a room that CreateRoom was not called for",
        borrowed_env: &[],
        set: |config, raw| value::truth(raw).map(|is_on| config.livekit_auto_create = is_on),
        show: |config| config.livekit_auto_create.to_string(),
    },
    OptionSpec {
        name: "livekit_remote_unmute",
        unit: "true or false",
        group: SERVER,
        reach: Reach::Server,
        help: "Whether LiveKit's MutePublishedTrack may unmute people",
        borrowed_env: &[],
        set: |config, raw| value::truth(raw).map(|is_on| config.livekit_remote_unmute = is_on),
        show: |config| config.livekit_remote_unmute.to_string(),
    },
    OptionSpec {
        name: "rtc_listen",
        unit: "address:port, auto or off",
        group: SERVER,
        reach: Reach::Server,
        help: "UDP address of WebRTC, by which LiveKit's clients send and get data. auto is that \
               of listen",
        borrowed_env: &[],
        set: |config, raw| raw.parse().map(|listen| config.rtc_listen = listen),
        show: |config| config.rtc_listen.to_string(),
    },
    OptionSpec {
        name: "rtc_addresses",
        unit: "IP addresses, at most 16",
        group: SERVER,
        reach: Reach::Server,
        help: "Where clients are told to find rtc_listen, with commas between; this machine's own \
               address when unset",
        borrowed_env: &[],
        set: |config, raw| rtc::parse_addresses(raw).map(|found| config.rtc_addresses = found),
        show: |config| rtc::shown_addresses(&config.rtc_addresses),
    },
    OptionSpec {
        name: "webhook_urls",
        unit: "http or https addresses, 8 at most",
        group: WEBHOOKS,
        reach: Reach::Server,
        help: "Addresses, separated by commas, that are told what happens in rooms, in LiveKit's form",
        borrowed_env: &[],
        set: |config, raw| raw.parse().map(|urls| config.webhook_urls = urls),
        show: |config| config.webhook_urls.to_string(),
    },
    OptionSpec {
        name: "livekit_webhook_api_key",
        unit: "key",
        group: WEBHOOKS,
        reach: Reach::Server,
        help: "LiveKit API key whose secret signs what is sent to webhook_urls",
        borrowed_env: &[],
        set: |config, raw| {
            value::key_name(raw).map(|key| config.livekit_webhook_api_key = Some(key))
        },
        show: |config| shown(config.livekit_webhook_api_key.as_ref()),
    },
    limit!(connections_max, "connections", 1..=1_000_000, "Connections that are open at once"),
    limit!(
        requests_in_flight_max,
        "requests",
        1..=1_000_000,
        "Requests that are answered at once. More are refused with resource_exhausted"
    ),
    limit!(
        request_body_bytes_max,
        "bytes",
        1_024..=1_073_741_824,
        "Size of a request's body, uncompressed"
    ),
    limit!(
        request_header_bytes_max,
        "bytes",
        8_192..=1_048_576,
        "Size of a request's first line and headers together"
    ),
    limit!(request_headers_max, "headers", 16..=1_000, "Headers of a request"),
    limit!(
        request_timeout_ms,
        "milliseconds",
        10..=3_600_000,
        "Deadline of a call that brings none of its own"
    ),
    limit!(
        request_timeout_ms_max,
        "milliseconds",
        10..=3_600_000,
        "Longest deadline that a caller can ask for"
    ),
    limit!(
        header_read_timeout_ms,
        "milliseconds",
        100..=600_000,
        "How long a new connection may take to send the head of its first request"
    ),
    limit!(
        tls_handshake_timeout_ms,
        "milliseconds",
        100..=600_000,
        "How long a TLS handshake may take"
    ),
    limit!(
        connection_idle_ms,
        "milliseconds",
        100..=86_400_000,
        "How long a connection is kept without a request. Keep it above what the load balancer in \
         front uses, commonly 60000"
    ),
    limit!(
        http2_streams_max,
        "streams",
        1..=65_536,
        "Requests that are open at once on one HTTP/2 connection"
    ),
    limit!(
        http2_ping_interval_ms,
        "milliseconds",
        100..=3_600_000,
        "Silence after which an HTTP/2 peer is pinged"
    ),
    limit!(
        http2_ping_timeout_ms,
        "milliseconds",
        100..=3_600_000,
        "How long an HTTP/2 peer may take to answer a ping"
    ),
    limit!(
        room_connections_max,
        "connections",
        1..=100_000,
        "Connections that are in one room at once"
    ),
    limit!(
        room_outbox_bytes_max,
        "bytes",
        65_536..=1_073_741_824,
        "What may wait for one connection to read it. A peer that lets more wait is disconnected"
    ),
    limit!(
        room_idle_ms,
        "milliseconds",
        0..=86_400_000,
        "How long a room without anybody in it stays in memory"
    ),
    limit!(
        version_quiet_ms,
        "milliseconds",
        0..=86_400_000,
        "Quiet time after an edit before a room's documents are kept as a version. 0 is never"
    ),
    limit!(json_depth_max, "levels", 8..=128, "How deep the JSON of a request may be nested"),
    limit!(query_params_max, "parameters", 1..=10_000, "Parameters in a request's URL"),
    limit!(
        websocket_connections_max,
        "connections",
        1..=10_000_000,
        "WebSocket connections that are open at once, besides connections_max"
    ),
    limit!(
        websocket_frame_bytes_max,
        "bytes",
        1_024..=1_073_741_824,
        "Size of a WebSocket message. Clients do not split what they send, and never come back \
         after a larger one"
    ),
    limit!(
        websocket_idle_ms,
        "milliseconds",
        1_000..=86_400_000,
        "Silence after which a WebSocket client counts as gone. Clients ping every 30000"
    ),
    limit!(
        websocket_write_timeout_ms,
        "milliseconds",
        100..=600_000,
        "How long a WebSocket client may take nothing of what it is sent"
    ),
    limit!(
        websocket_frames_per_second_max,
        "frames per second",
        1..=1_000_000,
        "Frames that one WebSocket client may send, and messages in them, and requests of one \
         stream of gRPC. Twice as many can be saved up, and as many messages as one frame can hold"
    ),
    limit!(
        websocket_bytes_per_second_max,
        "bytes per second",
        1_024..=4_294_967_295,
        "Bytes that one WebSocket client or one stream of gRPC may send. Twice as many can be \
         saved up"
    ),
];

const _: () = assert!(Limits::PRODUCTION.request_header_bytes_max >= 8_192);
