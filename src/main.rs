//! Flags become a configuration, and that is run. The only place that installs tracing and signal
//! handlers and that decides the exit status.

use std::io;
use std::process::ExitCode;

use clap::Parser;
use roomd::cli::{Cli, Failure, Plan, Signal, Signals};
use roomd::config::Environment;
use roomd::error::Error;
use roomd::telemetry;
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// The hot path allocates small things often, which the C library's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXIT_RUNTIME: u8 = 1;
const EXIT_USAGE: u8 = 2;
/// A person presses Ctrl-C a few times at most.
const SIGNALS_QUEUED_MAX: usize = 8;

fn main() -> ExitCode {
    // Wrong usage ends here, with status 2 and an explanation.
    let cli = Cli::parse();
    let planned = cli.plan(&Environment::from_process()).map_err(Failure::from);
    let status = planned.and_then(|plan| match plan.run_simple() {
        None => Ok(0),
        Some(plan) => run(plan),
    });
    match status {
        Ok(status) => ExitCode::from(status),
        Err(failure) => {
            eprintln!("roomd: {failure}");
            ExitCode::from(match failure {
                Failure::Usage(_) => EXIT_USAGE,
                Failure::Runtime(_) => EXIT_RUNTIME,
            })
        }
    }
}

fn run(plan: Plan) -> Result<u8, Failure> {
    let runtime =
        runtime::Builder::new_multi_thread().enable_all().build().map_err(Error::internal)?;
    // The exporter of traces needs the runtime around it.
    let entered = runtime.enter();
    let telemetry = telemetry::init(&plan.loaded.config)?;
    let signals = listen_for_signals().map_err(Error::internal)?;
    drop(entered);
    let status = runtime.block_on(plan.run(signals));
    telemetry.shutdown();
    // Whatever still runs has been told to stop and had its time.
    runtime.shutdown_background();
    status
}

fn listen_for_signals() -> io::Result<Signals> {
    let (sender, signals) = mpsc::channel(SIGNALS_QUEUED_MAX);
    let kinds = [
        (SignalKind::interrupt(), Signal::Interrupt),
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::hangup(), Signal::Hangup),
    ];
    for (kind, meaning) in kinds {
        let mut arrivals = signal(kind)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() && sender.send(meaning).await.is_ok() {}
        });
    }
    Ok(signals)
}
