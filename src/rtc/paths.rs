//! The ways to one client that proved to be its own. Nothing is ever sent elsewhere.

use std::net::SocketAddr;
use std::time::Instant;

use super::socket::NetPath;

/// A client has a few interfaces, and tries each of our addresses from each of them.
const PATHS_MAX: usize = 32;
/// How many there may be over time before the client has to restart ICE. A client that moves
/// between networks does so by itself; this stops one that makes addresses up.
const PATHS_EVER_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Paths {
    known: Vec<Path>,
    ever: usize,
}

#[derive(Debug)]
struct Path {
    /// Which of our candidates the client sent to.
    ours: SocketAddr,
    theirs: SocketAddr,
    net: NetPath,
    heard_at: Instant,
}

/// What came of hearing from a way.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// There were too many already.
    Refused,
    Kept,
    /// It took the place of one that was silent for longer; nothing else leads to that address.
    InsteadOf(SocketAddr),
}

impl Paths {
    pub(super) fn leads_to(&self, theirs: SocketAddr) -> bool {
        self.known.iter().any(|path| path.theirs == theirs)
    }

    pub(super) fn find(&self, ours: SocketAddr, theirs: SocketAddr) -> Option<NetPath> {
        let path = self.known.iter().find(|path| path.ours == ours && path.theirs == theirs)?;
        Some(path.net)
    }

    pub(super) fn heard(
        &mut self,
        ours: SocketAddr,
        theirs: SocketAddr,
        net: NetPath,
        now: Instant,
    ) -> Heard {
        let known = self.known.iter_mut().find(|path| path.ours == ours && path.theirs == theirs);
        if let Some(path) = known {
            path.net = net;
            path.heard_at = now;
            return Heard::Kept;
        }
        if self.ever >= PATHS_EVER_MAX {
            return Heard::Refused;
        }
        self.ever += 1;
        let gone = if self.known.len() < PATHS_MAX { None } else { self.forget_oldest() };
        self.known.push(Path { ours, theirs, net, heard_at: now });
        match gone {
            Some(gone) if !self.leads_to(gone.theirs) => Heard::InsteadOf(gone.net.remote),
            _ => Heard::Kept,
        }
    }

    /// ICE begins anew.
    pub(super) fn restart(&mut self) {
        self.ever = self.known.len();
    }

    fn forget_oldest(&mut self) -> Option<Path> {
        let (at, _) = self.known.iter().enumerate().min_by_key(|(_, path)| path.heard_at)?;
        Some(self.known.swap_remove(at))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(port: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], u16::try_from(port).unwrap()))
    }

    fn net(port: usize) -> NetPath {
        NetPath { remote: address(port), local_ip: None }
    }

    #[test]
    fn the_way_that_was_silent_for_longest_makes_room() {
        let (mut paths, start) = (Paths::default(), Instant::now());
        let at = |second: usize| start + Duration::from_secs(second as u64);
        for port in 0..PATHS_MAX {
            assert_eq!(paths.heard(address(9), address(port), net(port), at(port)), Heard::Kept);
        }
        assert_eq!(paths.heard(address(9), address(0), net(0), at(PATHS_MAX)), Heard::Kept);
        let newest = paths.heard(address(9), address(500), net(500), at(PATHS_MAX + 1));
        assert_eq!(newest, Heard::InsteadOf(address(1)));
        assert!(paths.leads_to(address(0)) && !paths.leads_to(address(1)));
        assert_eq!(paths.find(address(9), address(500)), Some(net(500)));
    }

    #[test]
    fn addresses_that_are_made_up_come_to_an_end() {
        let (mut paths, now) = (Paths::default(), Instant::now());
        for port in 0..PATHS_EVER_MAX {
            assert_ne!(paths.heard(address(9), address(port), net(port), now), Heard::Refused);
        }
        let (ours, next) = (address(9), PATHS_EVER_MAX);
        assert_eq!(paths.heard(ours, address(next), net(next), now), Heard::Refused);
        paths.restart();
        assert_ne!(paths.heard(ours, address(next), net(next), now), Heard::Refused);
    }
}
