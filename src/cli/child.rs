//! The command that `roomd dev --cmd` runs beside the server.

use std::io::{self, IsTerminal};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::process::{Pid, kill_process, kill_process_group};
use tokio::process;

use super::{Signal, Signals};
use crate::auth::api_key::{WELL_KNOWN_PUBLIC_KEY, WELL_KNOWN_SECRET_KEY};
use crate::auth::livekit::{WELL_KNOWN_LIVE_KEY, WELL_KNOWN_LIVE_SECRET};
use crate::error::Error;

/// What a shell reports for a process that a signal ended: this plus the signal's number.
const STATUS_OF_SIGNAL: i32 = 128;

pub struct Child {
    process: process::Child,
    pid: Option<Pid>,
    /// Whether it shares the terminal with us, which then sends it Ctrl-C by itself.
    on_terminal: bool,
}

impl Child {
    pub fn spawn(command: &str, url: &str) -> Result<Self, Error> {
        let on_terminal = io::stdin().is_terminal();
        let mut shell = process::Command::new("sh");
        shell
            .arg("-c")
            .arg(command)
            .env("LIVEBLOCKS_BASE_URL", url)
            .env("LIVEBLOCKS_SECRET_KEY", WELL_KNOWN_SECRET_KEY)
            .env("LIVEBLOCKS_PUBLIC_KEY", WELL_KNOWN_PUBLIC_KEY)
            .env("LIVEKIT_URL", url.replacen("http", "ws", 1))
            .env("LIVEKIT_API_KEY", WELL_KNOWN_LIVE_KEY)
            .env("LIVEKIT_API_SECRET", WELL_KNOWN_LIVE_SECRET)
            .env("ROOMD_URL", url)
            .kill_on_drop(true);
        if !on_terminal {
            // A group of its own, so that a signal reaches what the shell started as well.
            shell.process_group(0);
        }
        let process = shell.spawn().map_err(|error| {
            Error::unavailable("cannot start the command with sh").because(error)
        })?;
        let pid = process.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        Ok(Self { process, pid, on_terminal })
    }

    fn pass_on(&self, signal: Signal) {
        let number = match signal {
            // The terminal has sent it to the command already; twice means "at once" to many.
            Signal::Interrupt | Signal::Hangup if self.on_terminal => return,
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Hangup => rustix::process::Signal::HUP,
        };
        let Some(pid) = self.pid else { return };
        let sent = match self.on_terminal {
            true => kill_process(pid, number),
            false => kill_process_group(pid, number),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "the command cannot be signalled");
        }
    }
}

/// Waits for the command and gives its exit status; signals go to it.
pub async fn wait(mut child: Child, signals: &mut Signals) -> Result<u8, Error> {
    loop {
        tokio::select! {
            ended = child.process.wait() => {
                let status = ended.map_err(Error::internal)?;
                return Ok(status_of(status));
            }
            Some(signal) = signals.recv() => child.pass_on(signal),
        }
    }
}

fn status_of(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| STATUS_OF_SIGNAL + signal);
    let code = status.code().or(signal).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    async fn run(command: &str, signal: Option<Signal>) -> u8 {
        let (sender, mut signals) = mpsc::channel(1);
        let child = Child::spawn(command, "http://127.0.0.1:9").unwrap();
        if let Some(signal) = signal {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            sender.send(signal).await.unwrap();
        }
        wait(child, &mut signals).await.unwrap()
    }

    #[tokio::test]
    async fn the_command_finds_the_server_and_its_status_is_ours() {
        let check = "test \"$LIVEBLOCKS_BASE_URL $LIVEBLOCKS_SECRET_KEY $LIVEBLOCKS_PUBLIC_KEY\" = \
                     'http://127.0.0.1:9 sk_localdev pk_localdev' && test -n \"$ROOMD_URL\"";
        assert_eq!(run(check, None).await, 0);
        let check = "test \"$LIVEKIT_URL $LIVEKIT_API_KEY $LIVEKIT_API_SECRET\" = \
                     'ws://127.0.0.1:9 devkey secret'";
        assert_eq!(run(check, None).await, 0);
        assert_eq!(run("exit 7", None).await, 7);
        assert_eq!(run("kill -9 $$", None).await, 137);
    }

    #[tokio::test]
    async fn signals_reach_the_command() {
        let trap = "trap 'exit 42' TERM; while :; do sleep 0.05; done";
        assert_eq!(run(trap, Some(Signal::Terminate)).await, 42);
        assert_eq!(run("sleep 20 & wait", Some(Signal::Terminate)).await, 143);
    }
}
