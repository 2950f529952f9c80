//! The listening socket: TCP, or a Unix socket with the mode it was asked for, and the connections that come in.

use std::fmt;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::bounds::Bounds;
use crate::client::Peer;
use crate::proxy::{self, Proxy, Stop};
use crate::setting::SettingName;
use crate::socket::Socket;
use crate::workers::{Placement, Workers};

const PORT: SettingName = SettingName::ProxyPort;
const ENDPOINT: SettingName = SettingName::ProxySocketEndpoint;

/// The pause after a failed accept, which is nearly always a lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often failures to accept are told in the log.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// Descriptors kept for everything that is not a client connection.
const SPARE_DESCRIPTORS: u64 = 128;
/// Descriptors a client connection needs: its own, and the engine's.
const DESCRIPTORS_PER_CONNECTION: u64 = 2;
/// How many connections may wait to be accepted. A TCP client that finds no room tries again after a second, then after two more; the
/// libraries' own number is 128.
const BACKLOG: u16 = 1024;
/// How long a peer may be silent before it is asked for a sign of life, and how long between two questions.
const KEEP_ALIVE_IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Connections for which there was no room and which get a moment to see why; beyond that they are closed at once.
const FAREWELLS: usize = 32;

/// Where the proxy listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenerAddress {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket, created with this file mode.
    Unix {
        /// Its path.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl fmt::Display for ListenerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp://{address}"),
            Self::Unix { path, .. } => write!(f, "unix://{}", path.display()),
        }
    }
}

/// A bound listener.
#[derive(Debug)]
pub struct Listener {
    socket: Bound,
}

#[derive(Debug)]
enum Bound {
    Tcp(TcpListener),
    /// The file goes first.
    Unix {
        file: SocketFile,
        listener: UnixListener,
    },
}

/// A socket file of ours; removed when it is dropped, however the process comes to its end.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Device and inode: another sockwarden may have put its own in its place meanwhile.
    place: Option<(u64, u64)>,
}

impl SocketFile {
    fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), place: place_of(path) }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.place.is_some() && place_of(&self.path) == self.place {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn place_of(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Why we cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}; {}", bind_cure(source))]
    Bind {
        /// The address.
        address: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// There is a file where the socket should be, and it is no socket.
    #[error("`{}` exists and is not a socket; remove it or choose another path for {ENDPOINT}", .0.display())]
    NotASocket(PathBuf),
    /// The socket file cannot be made as asked.
    #[error("cannot create the socket `{}`; {}", path.display(), cure(source))]
    SocketFile {
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// What to do where a TCP address cannot be bound.
fn bind_cure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("something else listens there: stop it, or choose another {PORT}")
        }
        io::ErrorKind::AddrNotAvailable => {
            let setting = SettingName::ListenIp;
            format!(
                "the address is not this machine's or container's: give one of its own as {setting}, or `0.0.0.0` for all"
            )
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "a port below 1024 needs a privilege: choose another {PORT}, or add the capability NET_BIND_SERVICE"
            )
        }
        _ => "check that the address is this machine's and that nothing else listens there"
            .to_owned(),
    }
}

/// What to do where a socket file cannot be made.
fn cure(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            format!(
                "make room on its disk (space, or inodes), or choose another path for {ENDPOINT}"
            )
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "its disk is read-only: mount a volume or a tmpfs for its directory".to_owned()
        }
        _ => "check that the directory exists and is writable for us".to_owned(),
    }
}

impl Listener {
    /// Binds the address.
    ///
    /// # Errors
    /// When it is taken, not ours, or a file that is no socket stands in the way.
    pub fn bind(address: &ListenerAddress) -> Result<Self, ListenError> {
        let socket = match address {
            ListenerAddress::Tcp(tcp) => {
                let listener = bind_tcp(*tcp)
                    .map_err(|source| ListenError::Bind { address: address.to_string(), source })?;
                Bound::Tcp(listener)
            }
            ListenerAddress::Unix { path, mode } => bind_unix(path, *mode)?,
        };
        Ok(Self { socket })
    }

    /// The address as bound, with the port the kernel chose for port 0.
    pub fn address(&self) -> String {
        match &self.socket {
            Bound::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|error| error.to_string(), |address| format!("tcp://{address}")),
            Bound::Unix { file, .. } => format!("unix://{}", file.path.display()),
        }
    }

    /// Serves connections until a stop begins, then waits for those that are open.
    pub async fn serve(
        self,
        proxy: Arc<Proxy>,
        bounds: Arc<Bounds>,
        workers: Arc<Workers>,
        mut stop: watch::Receiver<Stop>,
    ) {
        let mut connections = Connections {
            proxy,
            bounds,
            workers,
            farewells: Arc::new(Semaphore::new(FAREWELLS)),
            tasks: JoinSet::new(),
        };
        let mut failures = Failures::default();
        loop {
            tokio::select! {
                accepted = self.accept() => match accepted {
                    Ok((socket, peer)) => connections.serve(socket, peer, &stop),
                    Err(error) => {
                        failures.tell(&error);
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = connections.tasks.join_next(), if !connections.tasks.is_empty() => connections.count_panic(&ended),
                changed = stop.changed() => if changed.is_err() || *stop.borrow() > Stop::Running { break },
            }
        }
        drop(self);
        while let Some(ended) = connections.tasks.join_next().await {
            connections.count_panic(&ended);
        }
    }

    async fn accept(&self) -> io::Result<(Socket, Peer)> {
        match &self.socket {
            Bound::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                let local = stream.local_addr()?.ip();
                Ok((Socket::Tcp(stream), Peer::tcp(address, local)))
            }
            Bound::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let credentials = stream.peer_cred()?;
                // A pid of 0 is a process in a namespace we cannot see into.
                let pid = credentials.pid().filter(|pid| *pid > 0);
                let peer = Peer::Unix { uid: credentials.uid(), gid: credentials.gid(), pid };
                Ok((Socket::Unix(stream), peer))
            }
        }
    }
}

/// Failures to accept, told now and then: as long as there are no descriptors, there is one every [`ACCEPT_PAUSE`].
#[derive(Default)]
struct Failures {
    count: u64,
    told: Option<Instant>,
}

impl Failures {
    fn tell(&mut self, error: &io::Error) {
        self.count += 1;
        if self.told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
            self.told = Some(Instant::now());
            let count = std::mem::take(&mut self.count);
            tracing::error!(error = %error, count, "connections could not be accepted; if this repeats, raise the limit of open files");
        }
    }
}

/// The connections that are open.
struct Connections {
    proxy: Arc<Proxy>,
    bounds: Arc<Bounds>,
    workers: Arc<Workers>,
    farewells: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Connections {
    /// Serves a connection if there is room for it; nothing was read from it yet.
    fn serve(&mut self, socket: Socket, peer: Peer, stop: &watch::Receiver<Stop>) {
        match self.bounds.admit(&peer) {
            Ok(permit) => {
                let (proxy, stop) = (Arc::clone(&self.proxy), stop.clone());
                let Placement { runtime, busy } = self.workers.place();
                let Some(runtime) = runtime else {
                    self.tasks.spawn(async move {
                        proxy.serve(socket, peer, permit, stop).await;
                        drop(busy);
                    });
                    return;
                };
                let moving = async move {
                    match socket.move_here() {
                        Ok(socket) => proxy.serve(socket, peer, permit, stop).await,
                        Err(error) => {
                            tracing::error!(client = %peer, error = %error, "a connection cannot be watched and is closed; if this repeats, raise the limit of open files");
                        }
                    }
                    drop(busy);
                };
                self.tasks.spawn_on(moving, &runtime);
            }
            Err(limit) => {
                self.bounds.reached(limit, &peer);
                if let Ok(farewell) = Arc::clone(&self.farewells).try_acquire_owned() {
                    let bounds = Arc::clone(&self.bounds);
                    self.tasks.spawn(async move {
                        proxy::turn_away(socket, limit, &bounds).await;
                        drop(farewell);
                    });
                }
            }
        }
    }

    /// A panic was logged where it happened; it ends its own connection and nothing else.
    fn count_panic(&self, ended: &Result<(), tokio::task::JoinError>) {
        if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
            self.bounds.panicked();
        }
    }
}

/// As many connections as we have descriptors for; the soft limit is raised to the hard one first.
pub fn connection_limit() -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let descriptors = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let descriptors = descriptors.unwrap_or(u64::MAX);
    let connections = descriptors.saturating_sub(SPARE_DESCRIPTORS) / DESCRIPTORS_PER_CONNECTION;
    usize::try_from(connections).unwrap_or(usize::MAX).max(1)
}

fn bind_unix(path: &Path, mode: u32) -> Result<Bound, ListenError> {
    let failed = |source| ListenError::SocketFile { path: path.to_path_buf(), source };
    match fs::symlink_metadata(path) {
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(ListenError::NotASocket(path.to_path_buf()));
        }
        Ok(_) => fs::remove_file(path).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let (file, listener) = bind_with_mode(path, mode).map_err(failed)?;
    Ok(Bound::Unix { file, listener })
}

/// Binds, sets the mode and only then listens: until then nobody can connect, whatever mode the socket was born with. The umask would do
/// the same to every file that any thread of the process makes meanwhile.
fn bind_with_mode(path: &Path, mode: u32) -> io::Result<(SocketFile, UnixListener)> {
    use socket2::{Domain, SockAddr, Socket, Type};
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    let file = SocketFile::new(path);
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    socket.listen(BACKLOG.into())?;
    Ok((file, UnixListener::from_std(socket.into())?))
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    match bind_one(address) {
        // All addresses are those that there are, also if none is of IPv6.
        Err(error) if address.ip() == Ipv6Addr::UNSPECIFIED && lacks_ipv6(&error) => {
            tracing::info!("there is no IPv6 here, so sockwarden listens on IPv4 alone");
            bind_one(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        bound => bound,
    }
}

fn lacks_ipv6(error: &io::Error) -> bool {
    [rustix::io::Errno::AFNOSUPPORT, rustix::io::Errno::ADDRNOTAVAIL]
        .iter()
        .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library binds: a restart finds its port though old connections linger.
    socket.set_reuseaddr(true)?;
    // The connections inherit these: small writes go at once, and the kernel finds out about peers that vanished. Both are comforts: a
    // socket without them still carries requests.
    let _ = socket.set_nodelay(true);
    let keep_alive =
        socket2::TcpKeepalive::new().with_time(KEEP_ALIVE_IDLE).with_interval(KEEP_ALIVE_INTERVAL);
    let _ = socket2::SockRef::from(&socket).set_tcp_keepalive(&keep_alive);
    socket.bind(address)?;
    socket.listen(BACKLOG.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A burst of clients waits for us, not for its own timers.
    #[tokio::test]
    async fn a_burst_of_connections_finds_room_before_any_is_accepted() {
        let any = ListenerAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&any).unwrap();
        let address = listener.address();
        let address = address.strip_prefix("tcp://").unwrap().parse().unwrap();
        let patience = Duration::from_millis(900);
        let waiting: io::Result<Vec<_>> =
            (0..500).map(|_| std::net::TcpStream::connect_timeout(&address, patience)).collect();
        assert_eq!(waiting.unwrap().len(), 500);
    }

    #[tokio::test]
    async fn connections_are_tuned() {
        let any = ListenerAddress::Tcp("127.0.0.1:0".parse().unwrap());
        let listener = Listener::bind(&any).unwrap();
        let address = listener.address();
        let _client = std::net::TcpStream::connect(address.strip_prefix("tcp://").unwrap());
        let (Socket::Tcp(stream), _) = listener.accept().await.unwrap() else { panic!("no TCP") };
        let socket = socket2::SockRef::from(&stream);
        assert!(stream.nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEP_ALIVE_IDLE);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEP_ALIVE_INTERVAL);
    }

    #[track_caller]
    fn check(kind: io::ErrorKind, want: &str) {
        let error = ListenError::SocketFile { path: "/run/p.sock".into(), source: kind.into() };
        let text = error.to_string();
        assert!(
            text.starts_with("cannot create the socket `/run/p.sock`; ") && text.contains(want),
            "{text}"
        );
    }

    #[test]
    fn an_address_that_cannot_be_bound_comes_with_a_cure() {
        for (kind, want) in [
            (io::ErrorKind::AddrInUse, "something else listens there"),
            (io::ErrorKind::AddrNotAvailable, "not this machine's"),
            (io::ErrorKind::PermissionDenied, "NET_BIND_SERVICE"),
            (io::ErrorKind::Other, "check that the address"),
        ] {
            let error =
                ListenError::Bind { address: "tcp://[::1]:80".to_owned(), source: kind.into() };
            let text = error.to_string();
            assert!(
                text.starts_with("cannot listen on tcp://[::1]:80; ") && text.contains(want),
                "{text}"
            );
        }
    }

    #[tokio::test]
    async fn a_socket_file_goes_with_its_listener_and_no_other_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.sock");
        let unix = ListenerAddress::Unix { path: path.clone(), mode: 0o600 };
        drop(Listener::bind(&unix).unwrap());
        assert!(!path.exists());
        // The next one starts before this one has ended.
        let before = Listener::bind(&unix).unwrap();
        let after = Listener::bind(&unix).unwrap();
        drop(before);
        assert!(path.exists());
        drop(after);
        assert!(!path.exists());
    }

    #[test]
    fn a_socket_that_cannot_be_made_comes_with_a_cure() {
        check(io::ErrorKind::StorageFull, "make room on its disk");
        check(io::ErrorKind::QuotaExceeded, "make room on its disk");
        check(io::ErrorKind::ReadOnlyFilesystem, "mount a volume");
        check(io::ErrorKind::PermissionDenied, "writable for us");
        check(io::ErrorKind::NotFound, "exists");
    }
}
