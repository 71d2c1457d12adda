//! `roomd serve`: the server, until a signal stops it.

use super::server::Server;
use super::{Failure, Signals, banner};
use crate::config::Config;

pub async fn run(config: &Config, mut signals: Signals) -> Result<u8, Failure> {
    let server = Server::start(config).await?;
    banner::show(config, &server);
    server.run_until_stopped(&mut signals).await?;
    Ok(0)
}
