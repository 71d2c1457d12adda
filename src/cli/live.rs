//! What rooms that are alive need: who is told of them, and WebRTC.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use crate::app::LiveDeps;
use crate::auth::credentials::Authenticator;
use crate::config::{Config, RtcListen};
use crate::error::{Code, Error};
use crate::rtc::{Rtc, RtcLimits, RtcOptions};
use crate::webhooks::{Endpoint, EventFilter, LiveKitSigner};

/// `address` is the one that is served on.
pub async fn open_live(
    config: &Config,
    authenticator: &Authenticator,
    address: SocketAddr,
    now_ms: i64,
) -> Result<LiveDeps, Error> {
    Ok(LiveDeps {
        endpoints: endpoints(config, authenticator, now_ms).await?,
        may_unmute: config.livekit_remote_unmute,
        rtc: open_rtc(config, address).await?,
        auto_create: config.livekit_auto_create,
    })
}

async fn endpoints(
    config: &Config,
    authenticator: &Authenticator,
    now_ms: i64,
) -> Result<Vec<Endpoint>, Error> {
    let Some(id) = &config.livekit_webhook_api_key else { return Ok(Vec::new()) };
    if config.webhook_urls.is_empty() {
        return Ok(Vec::new());
    }
    let key = authenticator.live().key(id, now_ms).await?.ok_or_else(|| {
        let problem = format!(
            "option `livekit_webhook_api_key`: there is no LiveKit key `{id}`; name one of \
             `livekit_keys`, or one that `roomd keys create --livekit` made"
        );
        Error::new(Code::FailedPrecondition, "LIVEKIT_KEY_NOT_FOUND", problem)
    })?;
    let signer = Arc::new(LiveKitSigner::new(id, key.secret.expose()));
    let endpoint = |url: &crate::webhooks::WebhookUrl| Endpoint {
        id: url.endpoint_id(),
        url: url.clone(),
        signer: signer.clone(),
        events: EventFilter::All,
        project: key.project_id.clone(),
    };
    Ok(config.webhook_urls.iter().map(endpoint).collect())
}

/// Where nobody said that there must be WebRTC, a server without it is better than none.
async fn open_rtc(config: &Config, address: SocketAddr) -> Result<Option<Rtc>, Error> {
    let udp_listen = match config.rtc_listen {
        RtcListen::Off => return Ok(None),
        RtcListen::Auto => address,
        RtcListen::At(udp_listen) => udp_listen,
    };
    let advertised = match config.rtc_addresses.as_slice() {
        [] if udp_listen.ip().is_unspecified() => vec![own_address(udp_listen.ip())],
        given => given.to_vec(),
    };
    let options = RtcOptions { udp_listen, advertised, limits: RtcLimits::default() };
    match Rtc::bind(options).await {
        Ok(rtc) => Ok(Some(rtc)),
        Err(error) if config.rtc_listen == RtcListen::Auto => {
            tracing::warn!(%error, "no WebRTC: UDP cannot be served on {udp_listen}");
            Ok(None)
        }
        Err(error) => {
            let problem = format!("option `rtc_listen`: cannot serve UDP on {udp_listen}");
            Err(Error::unavailable(problem).because(error))
        }
    }
}

/// The address of this machine from which others would be reached. Nothing is sent to find it.
fn own_address(unspecified: IpAddr) -> IpAddr {
    let find = || -> io::Result<IpAddr> {
        let socket = UdpSocket::bind((unspecified, 0))?;
        // Addresses for documentation, which nobody has.
        match unspecified {
            IpAddr::V4(_) => socket.connect("192.0.2.1:9")?,
            IpAddr::V6(_) => socket.connect("[2001:db8::1]:9")?,
        }
        Ok(socket.local_addr()?.ip())
    };
    find().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}
