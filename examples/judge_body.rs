//! What it costs to judge a create with a body of 10 KiB: `cargo run --release --example judge_body`. Reading, every clause with access to the
//! host denied and a list of directories to mount from, and printing what will be sent; in microseconds of the process's own CPU time.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program for developers, which prints its result and may fail loudly"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};
use sockwarden::clauses::Defaults;
use sockwarden::client::{Admission, Client, Identity, Peer};
use sockwarden::policy::{DeclaredBody, Judgement, Policy};
use sockwarden::request::{Head, Method, RequestTarget};
use sockwarden::rule::HostAccess;
use sockwarden::rule::{Allowlist, AnchoredRegex, Origin, Rule};

const ROUNDS: u32 = 40;
const JUDGEMENTS: u32 = 500;

fn main() {
    let body = body();
    let policy = policy();
    let client = client();
    let target = RequestTarget::parse("/v1.41/containers/create?name=web").expect("it is a target");
    let head = Head::new(Method::Post, target, [("Content-Type", &b"application/json"[..])]);

    // The best round is the one that was disturbed least; the median says how much the others were.
    let mut rounds: Vec<u64> = (0..ROUNDS)
        .map(|_| {
            let began = cpu_nanoseconds();
            for _ in 0..JUDGEMENTS {
                judge(&policy, &client, head.clone(), black_box(&body));
            }
            (cpu_nanoseconds() - began) / u64::from(JUDGEMENTS)
        })
        .collect();
    rounds.sort_unstable();
    let micro = |nanoseconds: u64| format!("{}.{}", nanoseconds / 1000, nanoseconds % 1000 / 100);
    println!(
        "{} bytes: {} µs of CPU time per judgement at best, {} in the median of {ROUNDS} rounds of {JUDGEMENTS}",
        body.len(),
        micro(rounds[0]),
        micro(rounds[rounds.len() / 2]),
    );
}

fn judge(policy: &Policy, client: &Client, head: Head, body: &[u8]) {
    match policy.judge(client, None, head, DeclaredBody { body: Some(body) }) {
        Judgement::Pending(mut pending) => {
            let body = pending.take_body().expect("the body was not taken yet");
            match pending.read(body) {
                Judgement::Allowed(allowed) => drop(black_box(allowed)),
                other => panic!("it should be allowed: {other:?}"),
            }
        }
        other => panic!("the body should be asked for: {other:?}"),
    }
}

/// A create as compose sends it for a large service, in all 10 KiB.
fn body() -> Vec<u8> {
    let mut body = String::from(
        r#"{"Hostname":"","Domainname":"","User":"1000:1000","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"ExposedPorts":{"8080/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Cmd":["serve","--config","/etc/app/app.toml"],"Image":"registry.example/app:1.2.3","Volumes":{},"WorkingDir":"/srv","Entrypoint":null,"OnBuild":null,"Labels":{"#,
    );
    let mut separator = "";
    for index in 0..40 {
        let _ = write!(
            body,
            r#"{separator}"traefik.http.routers.app{index}.rule":"Host(`app{index}.example.com`) && PathPrefix(`/v{index}`)""#
        );
        separator = ",";
    }
    body += r#"},"HostConfig":{"Binds":["/srv/data/a:/a","/srv/data/b/c:/b:ro"],"ContainerIDFile":"","LogConfig":{"Type":"json-file","Config":{"max-size":"10m","max-file":"3"}},"NetworkMode":"bridge","PortBindings":{"8080/tcp":[{"HostIp":"127.0.0.1","HostPort":"8080"}]},"RestartPolicy":{"Name":"unless-stopped","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[0,0],"CapAdd":null,"CapDrop":["ALL"],"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":true,"SecurityOpt":["no-new-privileges"],"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":536870912,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,"BlkioDeviceReadIOps":null,"BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"KernelMemory":0,"KernelMemoryTCP":0,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"Ulimits":null,"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"Mounts":[{"Type":"bind","Source":"/srv/data/d","Target":"/d","ReadOnly":true},{"Type":"tmpfs","Target":"/tmp"}],"MaskedPaths":null,"ReadonlyPaths":null},"NetworkingConfig":{"EndpointsConfig":{"bridge":{"IPAMConfig":null,"Links":null,"Aliases":["app"],"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"MacAddress":"","DriverOpts":null}}},"Env":["#;
    let mut separator = "";
    for index in 0.. {
        let entry = format!(
            r#"{separator}"APP_SETTING_{index}=postgres://app:secret@db-{index}.internal:5432/app?sslmode=\"verify-full\"""#
        );
        if body.len() + entry.len() > 10 * 1024 - 2 {
            break;
        }
        body += &entry;
        separator = ",";
    }
    body += "]}";
    body.into_bytes()
}

fn policy() -> Policy {
    let path = AnchoredRegex::new(r"/v1\.[0-9]+/containers/create").expect("it is a pattern");
    let rule = Rule {
        origin: Origin::Flag("-allowPOST".to_owned()),
        method: Method::Post,
        path: Arc::new(path),
    };
    let default = Allowlist { rules: [rule].into_iter().collect(), ..Allowlist::default() };
    let directories = ["/home", "/var/lib/app", "/srv/data"].map(Into::into).to_vec();
    let defaults = Defaults {
        exceptions: sockwarden::rule::words::Exceptions::default(),
        bind_mount_from: Some(directories),
        deny_host_mounts: false,
        deny_network_volumes: false,
        host_access: HostAccess::Deny,
        admitted: sockwarden::clauses::Names::default(),
        engine_socket: String::new(),
    };
    Policy::new(default, defaults)
}

fn client() -> Client {
    let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let peer = Peer::tcp(SocketAddr::new(local, 40_000), local);
    Client { peer, admission: Admission::Listed, identity: Identity::Plain }
}

/// The CPU time of this process, as `clock_gettime(2)` has it.
fn cpu_nanoseconds() -> u64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanoseconds) = (time.tv_sec.cast_unsigned(), time.tv_nsec.cast_unsigned());
    seconds * 1_000_000_000 + nanoseconds
}
