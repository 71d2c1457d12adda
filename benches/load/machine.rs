//! The machine under the measurement: pinning, processor time, and who else used it.

use std::fs;
use std::process::{Command, Stdio};

use crate::Fail;

/// The server has the first core for itself, the load generator the second.
pub const SERVER_CORE: usize = 0;
pub const LOAD_CORE: usize = 1;
/// `USER_HZ`, in which Linux counts processor time for user space on every architecture it has.
const TICKS_PER_SECOND: f64 = 100.0;

/// Pins this thread, and whatever it starts from now on. `false` where that is not possible: then
/// the figures still come, marked.
pub fn pin_load_generator() -> bool {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores < 2 {
        return false;
    }
    let process = std::process::id().to_string();
    let core = LOAD_CORE.to_string();
    let mut taskset = Command::new("taskset");
    taskset.args(["-cp", &core, &process]).stdout(Stdio::null()).stderr(Stdio::null());
    taskset.status().is_ok_and(|status| status.success())
}

/// A command that runs on one core, when pinning works here at all.
pub fn pinned(program: &str, pinning: bool) -> Command {
    if !pinning {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &SERVER_CORE.to_string(), program]);
    command
}

/// Processor seconds so far: a process, this process, and the two cores with everybody on them.
#[derive(Clone, Copy)]
pub struct Used {
    pub server: f64,
    pub load: f64,
    pub cores: f64,
}

impl Used {
    pub fn now(server_pid: u32) -> Result<Self, Fail> {
        let server = process_seconds(&format!("/proc/{server_pid}/stat"))?;
        let load = process_seconds("/proc/self/stat")?;
        Ok(Self { server, load, cores: core_seconds()? })
    }
}

/// Memory of a process that is in use, in bytes.
pub fn resident_bytes(pid: u32) -> Result<u64, Fail> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.strip_suffix("kB"));
    Ok(kib.ok_or("no VmRSS in a status file")?.trim().parse::<u64>()? << 10)
}

fn process_seconds(path: &str) -> Result<f64, Fail> {
    let text = fs::read_to_string(path)?;
    // The second field is the program's name in brackets, and may hold spaces.
    let (_, rest) = text.rsplit_once(')').ok_or("no process name in its stat file")?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut ticks = || -> Result<f64, Fail> { Ok(fields.next().ok_or("a short stat")?.parse()?) };
    Ok((ticks()? + ticks()?) / TICKS_PER_SECOND)
}

/// User, nice, system and stolen time of both cores. What the hypervisor took was somebody's too.
fn core_seconds() -> Result<f64, Fail> {
    let text = fs::read_to_string("/proc/stat")?;
    let names = [format!("cpu{SERVER_CORE}"), format!("cpu{LOAD_CORE}")];
    let mut ticks = 0.0;
    for line in text.lines() {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if !fields.first().is_some_and(|name| names.iter().any(|core| core == name)) {
            continue;
        }
        for column in [1, 2, 3, 8] {
            ticks += fields.get(column).ok_or("a short cpu line")?.parse::<f64>()?;
        }
    }
    Ok(ticks / TICKS_PER_SECOND)
}

/// One line for the report.
pub fn describe() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown processor", |(_, name)| name);
    let cores = info.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default();
    format!("{cores} x {model}, {} GiB, Linux {}", kib >> 20, kernel.trim())
}
