//! Clients of every kind, each of which knows what it should get.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use crate::engine::{EXPORT_BYTES, FAILURES, export};
use crate::random::{Random, sum};
use crate::rules::{FORBIDDEN, SMUGGLERS};
use crate::tally::{Tally, count};

/// How long anything may take that should come.
const PATIENCE: Duration = Duration::from_secs(20);

/// One client: an address of its own, and what it needs to know.
pub(crate) struct Actor {
    pub(crate) proxy: SocketAddr,
    pub(crate) address: Ipv4Addr,
    pub(crate) random: Random,
    pub(crate) tally: Arc<Tally>,
    pub(crate) pause: Arc<AtomicBool>,
    pub(crate) role: Role,
    /// The engine's turn when this round began.
    pub(crate) turn: u64,
}

/// What a client does all the time.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Asks what it may, what it may not, and what makes no sense, in any order.
    Asking,
    /// Carries bodies both ways and compares them.
    Carrying,
    /// Opens streams and tunnels, and leaves them in every way.
    Streaming,
    /// Breaks off anywhere, or never says a word.
    Breaking,
    /// Makes the engine fail.
    Failing,
    /// Opens more connections than one client may.
    Storming,
}

impl Role {
    pub(crate) const ALL: [Self; 6] = [
        Self::Asking,
        Self::Carrying,
        Self::Streaming,
        Self::Breaking,
        Self::Failing,
        Self::Storming,
    ];
}

/// What came in answer.
struct Answer {
    status: u16,
    body: Vec<u8>,
    whole: bool,
    closes: bool,
}

/// A connection to the proxy.
struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Actor {
    /// Does what its role is until `until` says stop, and nothing while everybody pauses.
    pub(crate) async fn play(mut self, over: Arc<AtomicBool>) {
        while !over.load(Ordering::SeqCst) {
            if self.pause.load(Ordering::SeqCst) {
                sleep(Duration::from_millis(50)).await;
                continue;
            }
            self.turn = self.tally.turn();
            let result = match self.role {
                Role::Asking => self.ask().await,
                Role::Carrying => self.carry().await,
                Role::Streaming => self.stream().await,
                Role::Breaking => self.break_off().await,
                Role::Failing => self.fail().await,
                Role::Storming => self.storm().await,
            };
            if let Err(error) = result {
                self.failed(&format!("{:?}: {error}", self.role));
            }
            sleep(Duration::from_millis(self.random.number() % 20)).await;
        }
    }

    /// A failure is the engine's where it was away meanwhile, else it should not be.
    fn failed(&self, what: &str) {
        if self.tally.was_away_since(self.turn) {
            count(&self.tally.cuts);
        } else {
            self.tally.complain(&self.tally.false_refusals, what.to_owned());
        }
    }

    fn wrong(&self, what: String) {
        self.tally.complain(&self.tally.wrong_answers, what);
    }

    async fn connect(&self) -> io::Result<Wire> {
        let socket = TcpSocket::new_v4()?;
        // Each client has an address of its own, so what one takes is not another's.
        socket.set_reuseaddr(true)?;
        socket2::SockRef::from(&socket).set_tcp_nodelay(true)?;
        socket.bind(SocketAddr::new(self.address.into(), 0))?;
        let stream = timeout(PATIENCE, socket.connect(self.proxy)).await??;
        Ok(Wire { stream, unread: Vec::new() })
    }

    fn request(&self, method: &str, target: &str, agent: &str, fields: &str) -> String {
        format!(
            "{method} {target} HTTP/1.1\r\nHost: soak\r\nUser-Agent: soak/{agent}\r\n{fields}\r\n"
        )
    }

    fn target(&mut self) -> (String, String) {
        let version = *self.random.pick(&["", "/v1.24", "/v1.41", "/v1.51"]);
        let path = *self.random.pick(&["/info", "/containers/json", "/containers/app/json"]);
        let query = format!("n={}", self.random.number());
        (format!("{version}{path}?{query}"), query)
    }

    /// Several requests on one connection, some at once.
    async fn ask(&mut self) -> io::Result<()> {
        let mut wire = self.connect().await?;
        for _ in 0..=self.random.below(10) {
            let mut sent = Vec::new();
            let mut bytes = String::new();
            for _ in 0..=self.random.below(4) {
                if self.random.below(3) == 0 {
                    let (method, target) = *self.random.pick(FORBIDDEN);
                    bytes += &self.request(method, target, "forbidden", "");
                    sent.push(None);
                } else {
                    let (target, query) = self.target();
                    bytes += &self.request("GET", &target, "allowed", "");
                    sent.push(Some(query));
                }
            }
            wire.send(&bytes).await?;
            for query in sent {
                let answer = wire.answer().await?;
                let closes = answer.closes;
                match query {
                    Some(query) => self.hold(&answer, &query),
                    None if matches!(answer.status, 400 | 403 | 405) => {
                        count(&self.tally.requests);
                        count(&self.tally.refusals);
                    }
                    // While the engine is away, nobody can say who asks, and then nobody may do anything.
                    None if matches!(answer.status, 502 | 503) => {
                        self.failed(&format!("{} to what is forbidden", answer.status));
                    }
                    None => self.wrong(format!("{} to what is forbidden", answer.status)),
                }
                if closes {
                    return Ok(());
                }
            }
        }
        if self.random.below(3) > 0 {
            return Ok(());
        }
        // What makes no sense is refused, and the connection with it.
        let mut wire = self.connect().await?;
        wire.send(self.random.pick(SMUGGLERS)).await?;
        let answer = wire.answer().await?;
        if (400..500).contains(&answer.status) && answer.closes {
            count(&self.tally.requests);
            count(&self.tally.refusals);
        } else {
            self.wrong(format!("{} to a message with two readings", answer.status));
        }
        Ok(())
    }

    /// The answer is that to this very request.
    fn hold(&self, answer: &Answer, query: &str) {
        let body = String::from_utf8_lossy(&answer.body);
        match answer.status {
            200 if answer.whole && body.contains(&format!("\"query\":\"{query}\"")) => {
                count(&self.tally.requests);
            }
            200 if answer.whole => self.wrong(format!("{body} to {query}")),
            200 | 502 | 503 => self.failed(&format!("{} {body} to {query}", answer.status)),
            _ => self.tally.complain(
                &self.tally.false_refusals,
                format!("{} {body} to {query}", answer.status),
            ),
        }
    }

    async fn carry(&mut self) -> io::Result<()> {
        let mut wire = self.connect().await?;
        let length = self.random.below(300_000);
        let body = self.random.bytes(length);
        let tar = "Content-Type: application/x-tar\r\n";
        let is_chunked = self.random.below(2) == 0;
        if is_chunked {
            let fields = format!("{tar}Transfer-Encoding: chunked\r\n");
            wire.send(self.request("POST", "/images/load", "allowed", &fields)).await?;
            let mut rest = body.as_slice();
            while !rest.is_empty() {
                let (chunk, behind) =
                    rest.split_at((1 + self.random.below(50_000)).min(rest.len()));
                wire.send(format!("{:x}\r\n", chunk.len())).await?;
                wire.send(chunk).await?;
                wire.send("\r\n").await?;
                rest = behind;
            }
            wire.send("0\r\n\r\n").await?;
        } else {
            let fields = format!("{tar}Content-Length: {length}\r\n");
            wire.send(self.request("POST", "/v1.41/images/load", "allowed", &fields)).await?;
            wire.send(&body).await?;
        }
        let answer = wire.answer().await?;
        let text = String::from_utf8_lossy(&answer.body);
        if answer.status == 200 && answer.whole {
            let told: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            if told["length"] == length && told["sum"] == sum(&body) {
                count(&self.tally.requests);
                self.tally.bytes.fetch_add(length as u64, Ordering::Relaxed);
            } else {
                self.wrong(format!("{text} to a body of {length} bytes"));
            }
        } else {
            self.failed(&format!("{} {text} to a body", answer.status));
            return Ok(());
        }
        wire.send(self.request("GET", "/containers/app/export", "allowed", "")).await?;
        let answer = wire.answer().await?;
        if answer.whole && answer.status == 200 {
            if sum(&answer.body) == sum(&export()) {
                count(&self.tally.requests);
                self.tally.bytes.fetch_add(EXPORT_BYTES as u64, Ordering::Relaxed);
            } else {
                self.wrong(format!(
                    "an export of {} bytes: {}",
                    answer.body.len(),
                    String::from_utf8_lossy(answer.body.get(..200).unwrap_or(&answer.body))
                ));
            }
        } else {
            self.failed(&format!("{} to an export", answer.status));
        }
        Ok(())
    }

    async fn stream(&mut self) -> io::Result<()> {
        if self.random.below(2) == 0 {
            return self.tunnel().await;
        }
        let mut streams = Vec::new();
        for _ in 0..=self.random.below(40) {
            let mut wire = self.connect().await?;
            wire.send(self.request("GET", "/events", "allowed", "")).await?;
            streams.push(wire);
        }
        for wire in &mut streams {
            let head = wire.head().await?;
            if !head.starts_with("HTTP/1.1 200") {
                self.failed(&format!("{head} to a stream"));
                return Ok(());
            }
            count(&self.tally.streams);
        }
        // Some go without having read, some read on for a while.
        let reads = self.random.below(3000);
        let reading = async {
            for wire in &mut streams {
                while wire.fill().await? {
                    wire.unread.clear();
                }
            }
            Err::<(), _>(io::Error::other("a stream ended"))
        };
        if let Ok(Err(error)) = timeout(Duration::from_millis(reads as u64), reading).await {
            self.failed(&error.to_string());
        }
        for wire in &streams {
            if self.random.below(2) == 0 {
                socket2::SockRef::from(&wire.stream).set_linger(Some(Duration::ZERO))?;
            }
            count(&self.tally.aborts);
        }
        Ok(())
    }

    async fn tunnel(&mut self) -> io::Result<()> {
        let mut wire = self.connect().await?;
        let upgrade = *self.random.pick(&["", "Connection: Upgrade\r\nUpgrade: tcp\r\n"]);
        // Bytes that look like a forbidden request are just bytes in here.
        let mut typed = self.request("DELETE", "/containers/app", "forbidden", "").into_bytes();
        let length = self.random.below(100_000);
        typed.extend(self.random.bytes(length));
        wire.send(self.request("POST", "/containers/app/attach", "allowed", upgrade)).await?;
        let head = wire.head().await?;
        if !head.starts_with("HTTP/1.1 101") && !head.starts_with("HTTP/1.1 200") {
            self.failed(&format!("{head} to an attach"));
            return Ok(());
        }
        count(&self.tally.streams);
        if self.random.below(4) == 0 {
            wire.send(&typed).await?;
            count(&self.tally.aborts);
            return Ok(());
        }
        let mut received = std::mem::take(&mut wire.unread);
        let (mut reader, mut writer) = wire.stream.split();
        let both = async {
            let writing = async {
                writer.write_all(&typed).await?;
                writer.shutdown().await
            };
            let (read, written) = tokio::join!(reader.read_to_end(&mut received), writing);
            written?;
            read.map(|_| ())
        };
        timeout(PATIENCE, both).await??;
        if received == typed {
            count(&self.tally.requests);
            self.tally.bytes.fetch_add(2 * typed.len() as u64, Ordering::Relaxed);
        } else if typed.starts_with(&received) {
            self.failed(&format!("{} of {} bytes through a tunnel", received.len(), typed.len()));
        } else {
            let same = received.iter().zip(&typed).take_while(|(a, b)| a == b).count();
            self.wrong(format!(
                "{} bytes came out of a tunnel for {}, the first {same} the same, then {}",
                received.len(),
                typed.len(),
                String::from_utf8_lossy(
                    received.get(same..).map_or(&[], |rest| &rest[..rest.len().min(200)])
                )
            ));
        }
        Ok(())
    }

    /// Nothing has to come here; only that nothing gets through is looked at, by the engine.
    async fn break_off(&mut self) -> io::Result<()> {
        let mut wire = self.connect().await?;
        let (target, _) = self.target();
        let whole = match self.random.below(4) {
            0 => self.request("GET", &target, "allowed", ""),
            1 => self.request("DELETE", "/containers/app", "forbidden", ""),
            2 => {
                self.request(
                    "POST",
                    "/images/load",
                    "allowed",
                    "Content-Type: application/x-tar\r\nContent-Length: 4\r\n",
                ) + "body"
            }
            _ => {
                self.request("POST", "/containers/app/attach", "allowed", "Upgrade: tcp\r\n")
                    + "typed"
            }
        };
        let mut bytes = whole.into_bytes();
        match self.random.below(5) {
            // One byte is another.
            0 => {
                let at = self.random.below(bytes.len());
                bytes[at] ^= 1 << self.random.below(8);
                // The engine takes what it does not know for wrong, so only what cannot pass is garbled in the field it looks at.
                let agent = b"User-Agent: soak/";
                let marked = bytes.windows(agent.len() + 9).any(|it| {
                    it.starts_with(agent)
                        && (it.ends_with(b"allowed\r\n") || it.ends_with(b"forbidden"))
                });
                if !marked {
                    return Ok(());
                }
            }
            // Whether it is read is up to the proxy; it may have given up on us meanwhile.
            1 => {
                for byte in &bytes {
                    if wire.stream.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                    if self.random.below(20) == 0 {
                        sleep(Duration::from_millis(10)).await;
                    }
                }
                bytes.clear();
            }
            // A head that takes too long.
            2 if self.random.below(10) == 0 => {
                wire.send(&bytes[..10]).await?;
                let answer = wire.answer().await?;
                if answer.status == 408 {
                    count(&self.tally.limited);
                } else {
                    self.wrong(format!("{} to half a head", answer.status));
                }
                return Ok(());
            }
            _ => bytes.truncate(self.random.below(bytes.len() + 1)),
        }
        let _ = wire.stream.write_all(&bytes).await;
        match self.random.below(3) {
            0 => socket2::SockRef::from(&wire.stream).set_linger(Some(Duration::ZERO))?,
            1 => {
                let _ = wire.stream.shutdown().await;
                let _ = timeout(Duration::from_millis(200), wire.fill()).await;
            }
            _ => {}
        }
        count(&self.tally.aborts);
        Ok(())
    }

    async fn fail(&mut self) -> io::Result<()> {
        let how = *self.random.pick(FAILURES);
        let mut wire = self.connect().await?;
        let target = format!("/containers/fails-{how}/json");
        wire.send(self.request("GET", &target, "allowed", "")).await?;
        if how == "hangs" {
            if let Ok(answer) = timeout(Duration::from_millis(300), wire.answer()).await {
                match answer {
                    Ok(answer) if !matches!(answer.status, 502 | 503) => {
                        self.wrong(format!("{} to what hangs", answer.status));
                    }
                    Ok(_) | Err(_) => self.failed("an answer to what hangs"),
                }
            }
            count(&self.tally.aborts);
            return Ok(());
        }
        let fine = match wire.answer().await {
            Ok(answer) => matches!(answer.status, 502 | 503) || !answer.whole,
            // The connection ended before anything was sent.
            Err(_) => true,
        };
        if fine {
            count(&self.tally.cuts);
        } else {
            self.wrong(format!("a whole answer from an engine that {how}"));
        }
        Ok(())
    }

    async fn storm(&mut self) -> io::Result<()> {
        sleep(Duration::from_secs(5)).await;
        let mut crowd = Vec::new();
        for _ in 0..crate::CONNECTIONS_PER_CLIENT + 50 {
            crowd.push(self.connect().await?);
        }
        let mut turned_away = 0;
        for wire in &mut crowd {
            match timeout(Duration::from_millis(1), wire.fill()).await {
                Ok(_) => turned_away += 1,
                Err(_) => break,
            }
        }
        for wire in crowd.iter_mut().rev().take(50) {
            if timeout(PATIENCE, wire.fill()).await.is_ok() {
                turned_away += 1;
            }
        }
        if turned_away < 50 {
            self.wrong(format!("only {turned_away} of a storm were turned away"));
        }
        self.tally.limited.fetch_add(turned_away, Ordering::Relaxed);
        Ok(())
    }
}

impl Wire {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await?
    }

    /// Reads more; false at the end of the stream.
    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.unread).await? > 0)
    }

    async fn more(&mut self) -> io::Result<()> {
        if timeout(PATIENCE, self.fill()).await?? {
            Ok(())
        } else {
            Err(io::ErrorKind::UnexpectedEof.into())
        }
    }

    async fn head(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.unread.windows(4).position(|it| it == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..at + 4).collect();
                return Ok(String::from_utf8_lossy(&head).into_owned());
            }
            self.more().await?;
        }
    }

    async fn answer(&mut self) -> io::Result<Answer> {
        let head = self.head().await?;
        let field = |name: &str| {
            let fields = head.lines().filter_map(|line| line.split_once(": "));
            fields
                .filter(|(found, _)| found.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
                .next()
        };
        let mut answer = Answer {
            status: head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0),
            body: Vec::new(),
            whole: true,
            closes: field("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        };
        if let Some(length) = field("Content-Length").and_then(|length| length.parse().ok()) {
            answer.whole = self.take(length, &mut answer.body).await;
        } else if field("Transfer-Encoding").is_some() {
            answer.whole = self.chunks(&mut answer.body).await;
        }
        Ok(answer)
    }

    /// So many bytes; false when the stream ends before.
    async fn take(&mut self, length: usize, into: &mut Vec<u8>) -> bool {
        while self.unread.len() < length {
            if self.more().await.is_err() {
                return false;
            }
        }
        into.extend(self.unread.drain(..length));
        true
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let at = loop {
                match self.unread.windows(2).position(|it| it == b"\r\n") {
                    Some(at) => break at,
                    None if self.more().await.is_ok() => {}
                    None => return false,
                }
            };
            let line: Vec<u8> = self.unread.drain(..at + 2).collect();
            let size = std::str::from_utf8(&line[..at]).ok();
            let Some(size) = size.and_then(|size| usize::from_str_radix(size, 16).ok()) else {
                return false;
            };
            if !self.take(size, body).await || !self.take(2, &mut Vec::new()).await {
                return false;
            }
            if size == 0 {
                return true;
            }
        }
    }
}
