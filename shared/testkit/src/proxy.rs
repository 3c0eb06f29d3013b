//! A TCP proxy that breaks links on demand: between a service and its database, its broker or its cache.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

/// What the proxy does with bytes and with new links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Pass,
    Hang,
    Refuse,
}

#[derive(Clone, Copy, Debug)]
struct State {
    mode: Mode,
    /// How often every link was cut.
    cuts: u64,
}

/// A TCP proxy in front of one server; it ends with the value.
#[derive(Debug)]
pub struct FaultProxy {
    url: String,
    address: SocketAddr,
    state: watch::Sender<State>,
    task: AbortHandle,
}

impl FaultProxy {
    /// A proxy in front of the server that `url` names (`scheme://[login@]host:port[/…]`).
    pub async fn to(url: &str) -> Self {
        let target = authority(url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port on the loopback address");
        let address = listener.local_addr().expect("a bound listener has an address");
        let (state, seen) = watch::channel(State { mode: Mode::Pass, cuts: 0 });
        let proxied = url.replacen(&target, &address.to_string(), 1);
        let task = spawn(accept(listener, target, seen));
        Self { url: proxied, address, state, task }
    }

    /// The server's url, by way of the proxy.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where the proxy listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resets every link that is open now; new ones pass.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Resets every link, and every new one at once, until [`FaultProxy::resume`].
    pub fn refuse(&self) {
        self.state.send_modify(|state| *state = State { mode: Mode::Refuse, cuts: state.cuts + 1 });
    }

    /// Links stay open and are taken, but nothing flows until [`FaultProxy::resume`].
    pub fn hang(&self) {
        self.state.send_modify(|state| state.mode = Mode::Hang);
    }

    /// Lets everything pass again.
    pub fn resume(&self) {
        self.state.send_modify(|state| state.mode = Mode::Pass);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// `host:port` of a url.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['/', '?']).next().unwrap_or(rest);
    rest.rsplit_once('@').map_or(rest, |(_, host)| host)
}

#[expect(clippy::disallowed_methods, reason = "the proxy stands outside the product, whose tasks the lifecycle owns")]
fn spawn(future: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(future).abort_handle()
}

async fn accept(listener: TcpListener, target: String, state: watch::Receiver<State>) {
    // Links end with the set, and the set with this task.
    let mut links = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => { links.spawn(link(client, target.clone(), state.clone())); }
            Some(_) = links.join_next() => {}
        }
    }
}

async fn link(client: TcpStream, target: String, mut state: watch::Receiver<State>) {
    // Closing with zero linger is what a crash or a firewall does: a reset, not an orderly end.
    let _closed = client.set_zero_linger();
    let born = *state.borrow_and_update();
    if born.mode == Mode::Refuse {
        return;
    }
    let mut cut = state.clone();
    tokio::select! {
        () = carry(client, target, state) => {}
        _ = cut.wait_for(|state| state.cuts > born.cuts) => {}
    }
}

async fn carry(client: TcpStream, target: String, mut state: watch::Receiver<State>) {
    if state.wait_for(|state| state.mode != Mode::Hang).await.is_err() {
        return;
    }
    let Ok(Ok(server)) = tokio::time::timeout(Duration::from_secs(5), TcpStream::connect(&target)).await else {
        return;
    };
    // Small messages go at once, as they would without a proxy in between.
    let _without = (client.set_nodelay(true), server.set_nodelay(true));
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::join!(pump(from_client, to_server, state.clone()), pump(from_server, to_client, state));
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        // What was read before a hang waits with it, and is not lost.
        if state.wait_for(|state| state.mode != Mode::Hang).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    let _closed = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::authority;

    #[test]
    fn the_address_is_found_in_every_kind_of_url() {
        assert_eq!(authority("postgres://app@127.0.0.1:5432/db?x=1"), "127.0.0.1:5432");
        assert_eq!(authority("amqp://app:a@b@127.0.0.1:5672/v"), "127.0.0.1:5672");
        assert_eq!(authority("redis://127.0.0.1:6379"), "127.0.0.1:6379");
    }
}
