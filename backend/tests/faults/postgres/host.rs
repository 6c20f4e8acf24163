//! A simulated host: a network namespace on a pair of virtual interfaces, whose cable can be pulled.

use std::{net::Ipv4Addr, process::Command};

use super::programs::run;
use crate::{Failed, programs::is_root};

/// A documentation network (RFC 5737), which hardly any machine uses. Each host takes four of its addresses.
const NETWORK: [u8; 3] = [203, 0, 113];

/// The host's hardware address, fixed so that no ARP is needed while it is away.
const HARDWARE: &str = "02:00:00:00:00:02";

/// Dropping it removes it.
pub(crate) struct Host {
    /// The name of the namespace and, with a letter appended, of the interfaces.
    name: String,
    first: u8,
    moved: bool,
}

impl Host {
    /// Creates one; the error says why that is not possible here.
    pub(crate) fn create() -> Result<Result<Self, &'static str>, Failed> {
        if !is_root() {
            return Ok(Err("only root may make network namespaces"));
        }
        if Command::new("ip").arg("-V").output().is_err() {
            return Ok(Err("no ip: Debian's package iproute2"));
        }
        let [a, b, c] = NETWORK;
        if !run(Command::new("ip").args(["route", "show", "root", &format!("{a}.{b}.{c}.0/24")]))?.is_empty() {
            return Ok(Err("the network for documentation is in use here"));
        }
        let random = getrandom::u32()?;
        let host = Self { name: format!("bs{random:08x}"), first: (random & 0xfc) as u8, moved: false };
        let Self { name, .. } = &host;
        let (here, there) = (host.near(), host.address());
        ip(&format!("netns add {name}"))?;
        ip(&format!("link add {name}a type veth peer name {name}b address {HARDWARE} netns {name}"))?;
        // Whatever happens to the interfaces, packets for it never leave this machine.
        ip(&format!("route add blackhole {}/30 metric 4000", host.number(0)))?;
        ip(&format!("address add {here}/30 dev {name}a"))?;
        ip(&format!("link set {name}a up"))?;
        ip(&format!("neigh replace {there} lladdr {HARDWARE} dev {name}a nud permanent"))?;
        ip(&format!("-n {name} address add {there}/30 dev {name}b"))?;
        ip(&format!("-n {name} link set {name}b up"))?;
        ip(&format!("-n {name} link set lo up"))?;
        Ok(Ok(host))
    }

    /// Its namespace, for `ip netns exec`.
    pub(crate) fn namespace(&self) -> &str {
        &self.name
    }

    /// Its address, from outside.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.number(2)
    }

    /// Pulls the cable: no packet reaches it or leaves it.
    pub(crate) fn vanish(&self) -> Result<(), Failed> {
        ip(&format!("-n {0} link set {0}b down", self.name))
    }

    /// Moves its address to this machine, as a cluster manager does with a virtual IP.
    pub(crate) fn take_over_address(&mut self) -> Result<(), Failed> {
        ip(&format!("address add {}/32 dev lo", self.address()))?;
        self.moved = true;
        Ok(())
    }

    fn near(&self) -> Ipv4Addr {
        self.number(1)
    }

    fn number(&self, number: u8) -> Ipv4Addr {
        let [a, b, c] = NETWORK;
        Ipv4Addr::new(a, b, c, self.first + number)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Removes whatever exists.
        if self.moved {
            let _ = ip(&format!("address del {}/32 dev lo", self.address()));
        }
        let _ = ip(&format!("link del {}a", self.name));
        let _ = ip(&format!("netns del {}", self.name));
        let _ = ip(&format!("route del blackhole {}/30 metric 4000", self.number(0)));
    }
}

fn ip(arguments: &str) -> Result<(), Failed> {
    run(Command::new("ip").args(arguments.split(' ')))
        .map(drop)
        .map_err(|error| format!("ip {arguments}: {error}").into())
}
