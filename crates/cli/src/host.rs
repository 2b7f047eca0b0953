//! What to put into a link: where this machine can be reached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use url::Url;

use crate::exit::{Error, Result};

/// The base of links to a server that listens on `listening`: as the person says, else by the address in the local
/// network.
pub(crate) fn link_base(host: Option<&str>, listening: SocketAddr) -> Result<String> {
    match host {
        Some(url) if url.contains("://") => Ok(url.trim_end_matches('/').to_owned()),
        Some(host) => with_port(host, listening.port()),
        None => Ok(format!("http://{}", SocketAddr::new(reachable(listening.ip()), listening.port()))),
    }
}

/// The address by which this process reaches its own server.
pub(crate) fn own_base(listening: SocketAddr) -> String {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        // A socket on `::` takes IPv4 too unless the system is told otherwise; its own kind is the safe choice.
        IpAddr::V6(ip) if ip.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, listening.port()))
}

fn with_port(host: &str, port: u16) -> Result<String> {
    // An IPv6 address may come without its brackets.
    let host = match host.parse::<IpAddr>() {
        Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
        _ => host.to_owned(),
    };
    let url = Url::parse(&format!("http://{host}"))
        .ok()
        .filter(|url| url.path() == "/" && url.query().is_none() && url.fragment().is_none())
        .ok_or_else(|| Error::usage(format!("--host {host}: expected a name, an address or an http(s) URL")))?;
    let name = url.host_str().unwrap_or_default();
    // `example.org:80` says a port, which the parser drops because it is the usual one.
    let says_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) && !host.ends_with(']');
    match (url.port(), says_port) {
        (Some(said), _) => Ok(format!("http://{name}:{said}")),
        (None, true) => Ok(format!("http://{name}")),
        (None, false) => Ok(format!("http://{name}:{port}")),
    }
}

/// The address under which others reach a server that listens on `ip`.
fn reachable(ip: IpAddr) -> IpAddr {
    if !ip.is_unspecified() {
        return ip;
    }
    default_route().or_else(|| best_of(&interfaces())).unwrap_or(Ipv4Addr::LOCALHOST.into())
}

/// The address from which this machine would speak to the world. Connecting a UDP socket asks the system for the route
/// and sends nothing; the far end is an address reserved for documentation.
fn default_route() -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((Ipv4Addr::new(198, 51, 100, 1), 9)).ok()?;
    socket.local_addr().ok().map(|address| address.ip()).filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
}

/// The addresses of a machine without a way to the world.
fn interfaces() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.into_iter().filter(|interface| !interface.is_loopback()).map(|interface| interface.ip()).collect()
}

/// IPv4 in a private network first, since that is where people share, but after those in 172.16/12, which mostly are
/// containers' bridges; then any IPv4; then IPv6 that is not bound to a link.
fn best_of(addresses: &[IpAddr]) -> Option<IpAddr> {
    let rank = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) if ip.is_link_local() => None,
        IpAddr::V4(ip) if ip.is_private() => Some(u8::from(ip.octets()[0] == 172)),
        IpAddr::V4(_) => Some(2),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => None,
        IpAddr::V6(_) => Some(3),
    };
    addresses.iter().filter_map(|ip| Some((rank(ip)?, *ip))).min_by_key(|(rank, _)| *rank).map(|(_, ip)| ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_is_taken_as_people_write_it() {
        let listening: SocketAddr = "0.0.0.0:8080".parse().unwrap();
        let base = |host| link_base(Some(host), listening).map_err(drop);
        assert_eq!(base("laptop.local"), Ok("http://laptop.local:8080".into()));
        assert_eq!(base("laptop.local:9000"), Ok("http://laptop.local:9000".into()));
        assert_eq!(base("laptop.local:80"), Ok("http://laptop.local".into()));
        assert_eq!(base("10.0.0.7"), Ok("http://10.0.0.7:8080".into()));
        assert_eq!(base("fd00::7"), Ok("http://[fd00::7]:8080".into()));
        assert_eq!(base("[fd00::7]:81"), Ok("http://[fd00::7]:81".into()));
        assert_eq!(base("https://files.example/share/"), Ok("https://files.example/share".into()));
        assert!(base("a b").is_err());
        assert!(base("laptop/path").is_err());
    }

    #[test]
    fn private_addresses_are_preferred() {
        let parse = |list: &[&str]| list.iter().map(|ip| ip.parse().unwrap()).collect::<Vec<IpAddr>>();
        let best = |list: &[&str]| best_of(&parse(list)).map(|ip| ip.to_string());
        assert_eq!(best(&["fe80::1", "172.17.0.1", "192.168.1.5"]), Some("192.168.1.5".into()));
        assert_eq!(best(&["fd00::2", "203.0.113.9"]), Some("203.0.113.9".into()));
        assert_eq!(best(&["169.254.3.3", "fe80::1"]), None);
    }
}
