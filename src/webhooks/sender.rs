//! One attempt: a call to an address of the application.
//!
//! Addresses are the operator's, so they may lie in any network; but an answer leads nowhere else.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use super::endpoint::{Endpoint, Outgoing};
use super::limits::WebhookLimits;
use crate::domain::webhook::WebhookEvent;
use crate::error::{Code, Error, chain};

/// Clones share the connections.
#[derive(Clone)]
pub struct Sender {
    client: Client,
    response_bytes_max: usize,
}

/// Why an attempt failed, for the log.
#[derive(Debug)]
pub enum Refusal {
    /// Anything but 2xx.
    Status(StatusCode),
    /// Nobody answered, or not in time.
    Unanswered(String),
    Unsigned(Error),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it answered {status}"),
            Self::Unanswered(why) => f.write_str(why),
            Self::Unsigned(error) => write!(f, "it cannot be signed: {}", chain(error)),
        }
    }
}

impl Sender {
    /// Fails where https is to be spoken and the system has no certificates to trust.
    pub fn new(endpoints: &[Endpoint], limits: &WebhookLimits) -> Result<Self, Error> {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(Duration::from_millis(limits.connect_timeout_ms))
            .timeout(Duration::from_millis(limits.request_timeout_ms))
            .pool_max_idle_per_host(limits.deliveries_max);
        let speaks_https = endpoints.iter().any(|it| it.url.expose().scheme() == "https");
        let client = if speaks_https { client } else { client.tls_certs_only([]) };
        let client = client.build().map_err(|error| {
            let public =
                "Webhooks cannot be sent over https: the system has no certificates to trust.";
            Error::new(Code::FailedPrecondition, "WEBHOOKS", public).because(error)
        })?;
        Ok(Self { client, response_bytes_max: limits.response_bytes_max })
    }

    /// Done when the endpoint has answered 2xx.
    pub async fn send(
        &self,
        endpoint: &Endpoint,
        event: &WebhookEvent,
        now_ms: i64,
    ) -> Result<(), Refusal> {
        let message = Outgoing { id: &event.id, body: &event.body, now_ms };
        let headers = endpoint.signer.headers(&message).map_err(Refusal::Unsigned)?;
        let request = self.client.post(endpoint.url.expose().clone()).headers(headers);
        let response = request.body(Bytes::clone(&event.body)).send().await;
        // The address may hold a secret.
        let response =
            response.map_err(|error| Refusal::Unanswered(chain(&error.without_url())))?;
        let status = response.status();
        self.read_away(response).await;
        if status.is_success() { Ok(()) } else { Err(Refusal::Status(status)) }
    }

    /// A connection whose answer was read can be used again. What is too long or too slow is not
    /// waited for: the status has said everything.
    async fn read_away(&self, mut response: Response) {
        let mut bytes = 0;
        while let Ok(Some(piece)) = response.chunk().await {
            bytes += piece.len();
            if bytes > self.response_bytes_max {
                break;
            }
        }
    }
}
