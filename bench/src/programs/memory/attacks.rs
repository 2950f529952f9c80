//! The attacks.

use std::fmt::Write as _;
use std::time::Duration;

use super::scripted::{FAT_ID, Script};
use super::{Client, Victim};

/// Who the attackers are to the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Clients that `-allowfrom` names, from several addresses.
    Addresses,
    /// A container with labels that allow everything.
    Labels,
    /// Nobody it knows.
    Strangers,
}

/// Something that somebody does to the proxy.
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) mode: Mode,
    pub(super) script: Script,
    /// On how many connections at once, each alone.
    pub(super) connections: &'static [usize],
    /// What each connection does.
    pub(super) act: fn(&Client) -> anyhow::Result<()>,
    /// What must be true at its end besides.
    pub(super) check: fn(&Victim, answered: u64, connections: usize) -> Option<String>,
    /// How long it goes on at most.
    pub(super) longest: Duration,
    /// What the clients are limited by, so that what they name is looked at.
    pub(super) limit: &'static str,
    /// Whether somebody reads the log.
    pub(super) log_is_read: bool,
}

const fn attack(
    name: &'static str,
    connections: &'static [usize],
    act: fn(&Client) -> anyhow::Result<()>,
) -> Attack {
    Attack {
        name,
        mode: Mode::Addresses,
        script: Script { fat_containers: 0, fat_events: 0, members: 0 },
        connections,
        act,
        check: |_, _, _| None,
        longest: Duration::from_secs(4),
        limit: "-allowbindmountfrom=/srv",
        log_is_read: true,
    }
}

const fn from_a_container(attack: Attack) -> Attack {
    Attack { mode: Mode::Labels, ..attack }
}

const fn denied(attack: Attack) -> Attack {
    Attack { limit: "-hostaccess=deny", ..attack }
}

const SECOND: Duration = Duration::from_secs(1);
const CREATE: &str = "/v1.41/containers/create";

/// All of them, each by its mechanism.
pub(super) const ATTACKS: &[Attack] = &[
    // What the engine answers about what a request names.
    attack(
        "51 names in `VolumesFrom` of one container with a label of 4 MiB",
        &[1, 4, 100],
        volumes_from,
    ),
    from_a_container(attack("the same as links", &[4], links)),
    attack("60 volumes with labels of 4 MiB", &[4], volumes),
    denied(attack("execs in a container with a label of 4 MiB", &[100], execs)),
    denied(attack("60 networks with labels of 4 MiB", &[4], networks)),
    // What the engine tells of everything.
    Attack {
        script: Script { fat_containers: 25, fat_events: 0, members: 0 },
        check: serves,
        ..from_a_container(attack("25 containers with labels of 4 MiB", &[1], ping))
    },
    Attack {
        script: Script { fat_containers: 66, fat_events: 0, members: 0 },
        check: serves,
        ..from_a_container(attack("66 containers with labels of 4 MiB", &[1, 100], ping))
    },
    Attack {
        script: Script { fat_containers: 0, fat_events: 6, members: 0 },
        check: serves,
        ..from_a_container(attack("events with labels of 4 MiB", &[1], ping))
    },
    Attack {
        script: Script { fat_containers: 0, fat_events: 0, members: 10_000 },
        ..from_a_container(attack("a network of 10,000 containers", &[1, 1000], ping))
    },
    // Bodies that are judged.
    attack("bodies of 65 KB of numbers", &[1, 300, 1000], numbers),
    attack("bodies of 65 KB of lists of one number", &[300], lists),
    attack("bodies of 65 KB of objects of one member", &[300], objects),
    attack("bodies of 4 MB of numbers, of which there are too many", &[40], too_many_numbers),
    Attack {
        check: all_are_answered,
        longest: Duration::from_secs(20),
        ..attack("bodies of 4 MB at once, all of which are answered", &[1, 40], large_bodies)
    },
    attack("bodies of 4 MB, chunked", &[40], chunked_bodies),
    attack("bodies of 4 MB of which half comes", &[1000], half_bodies),
    attack("bodies of 400 KB of keys", &[100], keys),
    attack("judged bodies of 60 KB for an engine that does not read", &[1000], unread_bodies),
    attack("judged bodies of 4 MB for an engine that does not read", &[100], unread_large_bodies),
    // What every connection may hold.
    attack("connections that say nothing", &[1000], silent),
    attack("request heads of 63 KB without an end", &[1000], half_heads),
    Attack { mode: Mode::Strangers, ..attack("the same from strangers", &[1000], half_heads) },
    attack("event streams with request heads of 60 KB", &[900], long_heads),
    attack("clients that read nothing of an endless answer", &[1, 100, 1000], slow_readers),
    attack("uploads to an engine that does not read", &[1, 100, 1000], stalled_uploads),
    attack("tunnels in which nobody reads", &[900], tunnels),
    attack("pipelined requests whose answers nobody reads", &[1000], pipelined),
    // What is written down.
    Attack {
        log_is_read: false,
        ..attack("refusals of long paths, and nobody reads the log", &[1, 100], refusals)
    },
    Attack {
        mode: Mode::Strangers,
        log_is_read: false,
        ..attack("refusals of strangers, and nobody reads the log", &[1, 1000], refusals)
    },
];

fn serves(victim: &Victim, _: u64, _: usize) -> Option<String> {
    (!victim.answers()).then(|| "the client is not served".to_owned())
}

fn all_are_answered(_: &Victim, answered: u64, connections: usize) -> Option<String> {
    (answered < connections as u64).then(|| format!("{answered} of {connections} are answered"))
}

fn again_and_again(client: &Client, mut act: impl FnMut()) -> anyhow::Result<()> {
    while !client.is_over() {
        act();
    }
    Ok(())
}

/// So many names of the fat container, by the beginning of its id.
fn names(count: usize) -> impl Iterator<Item = &'static str> {
    (0..count).map(|number| &FAT_ID[..12 + number])
}

fn quoted(texts: impl Iterator<Item = String>) -> String {
    texts.map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(",")
}

fn volumes_from(client: &Client) -> anyhow::Result<()> {
    let names = quoted(names(51).map(str::to_owned));
    let body = format!(r#"{{"Image":"x","HostConfig":{{"VolumesFrom":[{names}]}}}}"#);
    client.post(CREATE, body.as_bytes());
    Ok(())
}

fn links(client: &Client) -> anyhow::Result<()> {
    let names = quoted(names(51).map(|name| format!("{name}:x")));
    let body = format!(r#"{{"Image":"x","HostConfig":{{"Links":[{names}]}}}}"#);
    client.post(CREATE, body.as_bytes());
    Ok(())
}

fn volumes(client: &Client) -> anyhow::Result<()> {
    let binds = quoted((0..60).map(|number| format!("v{number}:/v")));
    let body = format!(r#"{{"Image":"x","HostConfig":{{"Binds":[{binds}]}}}}"#);
    client.post(CREATE, body.as_bytes());
    Ok(())
}

fn networks(client: &Client) -> anyhow::Result<()> {
    let networks =
        (0..60).map(|number| format!(r#""n{number}":{{}}"#)).collect::<Vec<_>>().join(",");
    let body =
        format!(r#"{{"Image":"x","NetworkingConfig":{{"EndpointsConfig":{{{networks}}}}}}}"#);
    client.post(CREATE, body.as_bytes());
    Ok(())
}

fn execs(client: &Client) -> anyhow::Result<()> {
    client.post(&format!("/v1.41/exec/{}/start", "ec".repeat(32)), b"{\"Detach\":true}");
    Ok(())
}

fn ping(client: &Client) -> anyhow::Result<()> {
    again_and_again(client, || {
        client.ask(
            "GET /v1.41/containers/own/top HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n",
            &[],
        );
        std::thread::sleep(Duration::from_millis(50));
    })
}

fn exec_with(client: &Client, command: &str) -> anyhow::Result<()> {
    client.post("/v1.41/containers/fat/exec", format!(r#"{{"Cmd":{command}}}"#).as_bytes());
    client.hold();
    Ok(())
}

fn numbers(client: &Client) -> anyhow::Result<()> {
    exec_with(client, &format!("[{}0]", "0,".repeat(32_500)))
}

fn lists(client: &Client) -> anyhow::Result<()> {
    exec_with(client, &format!("[{}0]", "[0],".repeat(16_000)))
}

fn objects(client: &Client) -> anyhow::Result<()> {
    exec_with(client, &format!("[{}0]", "{\"\":0},".repeat(9_200)))
}

fn too_many_numbers(client: &Client) -> anyhow::Result<()> {
    exec_with(client, &format!("[{}0]", "0,".repeat(2_000_000)))
}

fn keys(client: &Client) -> anyhow::Result<()> {
    let labels = (0..30_000).map(|number| format!("\"{number:x}\":\"\"")).collect::<Vec<_>>();
    let body = format!(r#"{{"Image":"x","Labels":{{{}}}}}"#, labels.join(","));
    again_and_again(client, || {
        client.post(CREATE, body.as_bytes());
    })
}

fn large(bytes: usize) -> Vec<u8> {
    format!(r#"{{"Image":"x","Labels":{{"x":"{}"}}}}"#, "x".repeat(bytes - 40)).into_bytes()
}

fn large_bodies(client: &Client) -> anyhow::Result<()> {
    client.post(CREATE, &large(4_000_000));
    Ok(())
}

fn chunked_bodies(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    client.write(
        &stream,
        format!("POST {CREATE} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes(),
    )?;
    let body = large(4_000_000);
    for piece in body.chunks(40_000) {
        client.write(&stream, format!("{:x}\r\n", piece.len()).as_bytes())?;
        client.write(&stream, piece)?;
        client.write(&stream, b"\r\n")?;
    }
    client.write(&stream, b"0\r\n\r\n")?;
    client.read_all(&stream);
    Ok(())
}

fn half_bodies(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    let body = large(4_000_000);
    let head = format!(
        "POST {CREATE} HTTP/1.1\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.write(&stream, head.as_bytes())?;
    client.write(&stream, &body[..body.len() / 2])?;
    client.hold();
    Ok(())
}

fn unread_bodies(client: &Client) -> anyhow::Result<()> {
    client.post(&format!("{CREATE}?name=deaf"), &large(60_000));
    Ok(())
}

fn unread_large_bodies(client: &Client) -> anyhow::Result<()> {
    client.post(&format!("{CREATE}?name=deaf"), &large(4_000_000));
    Ok(())
}

fn silent(client: &Client) -> anyhow::Result<()> {
    let _stream = client.connect()?;
    client.hold();
    Ok(())
}

fn half_heads(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    let field = format!("X-Long: {}\r\n", "x".repeat(6_000));
    client.write(&stream, b"GET /version HTTP/1.1\r\nHost: d\r\n")?;
    for _ in 0..10 {
        client.write(&stream, field.as_bytes())?;
        std::thread::sleep(SECOND / 10);
    }
    client.hold();
    Ok(())
}

fn long_heads(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    let field = format!("X-Long: {}\r\n", "x".repeat(10_000)).repeat(3);
    let filters = "x".repeat(30_000);
    let head = format!("GET /v1.41/events?filters={filters} HTTP/1.1\r\nHost: d\r\n{field}\r\n");
    client.write(&stream, head.as_bytes())?;
    client.hold();
    Ok(())
}

fn slow_readers(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    client.write(&stream, b"GET /v1.41/containers/endless/export HTTP/1.1\r\nHost: d\r\n\r\n")?;
    if client.number == 0 {
        // One that reads, so that the room for those who do is seen too.
        client.read_all(&stream);
    }
    client.hold();
    Ok(())
}

fn stalled_uploads(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    client.write(
        &stream,
        b"POST /v1.41/images/load?deaf HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\nContent-Length: 1000000000\r\n\r\n",
    )?;
    let piece = vec![b'x'; 256 * 1024];
    while !client.is_over() {
        client.write(&stream, &piece)?;
    }
    Ok(())
}

fn tunnels(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    let body = b"{\"Detach\":false,\"Tty\":true}";
    let head = format!(
        "POST /v1.41/exec/{}/start HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        "ec".repeat(32),
        body.len()
    );
    client.write(&stream, head.as_bytes())?;
    client.write(&stream, body)?;
    let piece = vec![b'x'; 256 * 1024];
    while !client.is_over() {
        client.write(&stream, &piece)?;
    }
    Ok(())
}

fn pipelined(client: &Client) -> anyhow::Result<()> {
    let stream = client.connect()?;
    let requests = "GET /v1.41/containers/own/top HTTP/1.1\r\nHost: d\r\n\r\n".repeat(1000);
    while !client.is_over() {
        client.write(&stream, requests.as_bytes())?;
    }
    Ok(())
}

/// Requests that are refused for their method, again and again.
fn refusals(client: &Client) -> anyhow::Result<()> {
    let mut requests = String::new();
    for number in 0..8 {
        let path = "x".repeat(7_000);
        let _ =
            write!(requests, "DELETE /v1.41/containers/{number}{path} HTTP/1.1\r\nHost: d\r\n\r\n");
    }
    again_and_again(client, || {
        if let Ok(stream) = client.connect() {
            let _ = client.write(&stream, requests.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            client.read_all(&stream);
        }
    })
}
