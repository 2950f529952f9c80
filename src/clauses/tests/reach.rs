//! Which containers reach the host, by which way: what runs in them does as well.

use super::*;

/// The containers of these tests, by name, as an engine shows them.
pub(super) fn inspect(name: &str) -> Option<String> {
    let config =
        |config: &str| Some(format!(r#"{{"Id":"{}","HostConfig":{{{config}}}}}"#, id("61")));
    let bind = |source: &str, written: bool| {
        Some(format!(
            r#"{{"Mounts":[{{"Type":"bind","Source":"{source}","Destination":"/m","RW":{written}}}]}}"#
        ))
    };
    let volume =
        |name: &str| Some(format!(r#"{{"Mounts":[{{"Type":"volume","Name":"{name}"}}]}}"#));
    if let Some(source) = name.strip_prefix("reach-ro") {
        return bind(&source.replace("--", "/"), false);
    }
    if let Some(source) = name.strip_prefix("reach-rw") {
        return bind(&source.replace("--", "/"), true);
    }
    if let Some(name) = name.strip_prefix("reach-volume-") {
        return volume(name);
    }
    match name {
        "reach-cluster" => Some(r#"{"Mounts":[{"Type":"cluster","Name":"x"}]}"#.to_owned()),
        "reach-uts" => config(r#""UTSMode":"host""#),
        "reach-net-of-net" => config(r#""NetworkMode":"container:reach-net-of-host""#),
        "reach-net-of-host" => config(r#""NetworkMode":"container:reach-on-host""#),
        "reach-on-host" => config(r#""NetworkMode":"host""#),
        "reach-ipc" => config(r#""IpcMode":"container:reach-ipc-host""#),
        "reach-ipc-host" => config(r#""IpcMode":"host""#),
        "reach-pid" => config(r#""PidMode":"container:reach-rw--var--run--docker.sock""#),
        "reach-pid-deep" => config(r#""PidMode":"container:reach-pid""#),
        "reach-pid-volume" => config(r#""PidMode":"container:reach-volume-etc""#),
        // Its network is another's business.
        "reach-pid-on-host" => config(r#""PidMode":"container:reach-on-host""#),
        "reach-net-of-socket" => config(r#""NetworkMode":"container:reach-rw--etc""#),
        "reach-itself" => config(r#""PidMode":"container:reach-itself""#),
        "reach-gone" => config(r#""NetworkMode":"container:none-such""#),
        "reach-readonly" => config(r#""ReadonlyPaths":["/proc/bus"]"#),
        "reach-default" => config(
            r#""NetworkMode":"bridge","IpcMode":"private","ReadonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"],"MaskedPaths":["/proc/kcore"]"#,
        ),
        _ => None,
    }
}

/// The volumes of these tests.
pub(super) fn volume(name: &str) -> Option<&'static str> {
    Some(match name {
        "etc" => r#"{"Driver":"local","Options":{"type":"none","o":"bind","device":"/etc"}}"#,
        "run" => r#"{"Driver":"local","Options":{"type":"none","o":"bind,ro","device":"/run"}}"#,
        "root" => r#"{"Driver":"local","Options":{"type":"none","o":"rbind","device":"/"}}"#,
        "up" => r#"{"Driver":"local","Options":{"type":"none","o":"bind","device":"/srv/../etc"}}"#,
        "disk" => r#"{"Driver":"local","Options":{"type":"ext4","device":"/dev/sda1"}}"#,
        "overlay" => {
            r#"{"Driver":"local","Options":{"type":"overlay","o":"lowerdir=/etc,upperdir=/x,workdir=/y","device":"overlay"}}"#
        }
        "srv" => r#"{"Driver":"local","Options":{"type":"none","o":"bind","device":"/srv/data"}}"#,
        "tmpfs" => r#"{"Driver":"local","Options":{"type":"tmpfs","device":"tmpfs"}}"#,
        "share" => {
            r#"{"Driver":"local","Options":{"type":"nfs","o":"addr=10.0.0.1","device":":/x"}}"#
        }
        "plain" => r#"{"Driver":"local","Options":null}"#,
        _ => return None,
    })
}

#[test]
fn whatever_reaches_the_host_takes_no_exec_and_no_attach() {
    for (container, want) in [
        ("reach-uts", "shares a namespace with the host"),
        (
            "reach-net-of-host",
            "shares the network namespace of `reach-on-host`, which shares a namespace with the host",
        ),
        (
            "reach-net-of-net",
            "network namespace of `reach-net-of-host`, which shares the network namespace of `reach-on-host`",
        ),
        ("reach-ipc", "ipc namespace of `reach-ipc-host`, which shares a namespace with the host"),
        ("reach-pid", "which mounts the socket of the engine"),
        ("reach-pid-deep", "pid namespace of `reach-pid`, which shares the pid namespace of"),
        ("reach-pid-volume", "which mounts the volume `etc`, which shows `/etc` of the host"),
        ("reach-cluster", "mounts something of the type `cluster`"),
        ("reach-itself", "too far away to be judged"),
        ("reach-readonly", "sees kernel files"),
        ("reach-volume-etc", "shows `/etc` of the host"),
        ("reach-volume-run", "the socket of the engine"),
        ("reach-volume-root", "the socket of the engine"),
        ("reach-volume-up", "shows `/srv/../etc` of the host"),
        ("reach-volume-disk", "of the type `ext4`"),
        ("reach-volume-overlay", "of the type `overlay`"),
        ("reach-volume-plugin", "another driver"),
        ("reach-ro--run--podman--podman.sock", "the socket of the engine"),
        ("reach-ro--run--crio--crio.sock", "the socket of the engine"),
        ("reach-ro--var--run--crio", "the socket of the engine"),
        ("reach-ro--run--user--1000", "the socket of the engine"),
        ("reach-ro--run--user--1000--bus", "the socket of the engine"),
        ("reach-ro--run--dbus", "programs that command it"),
        ("reach-ro--run--dbus--system_bus_socket", "programs that command it"),
        ("reach-ro--var--run--systemd--private", "programs that command it"),
        ("reach-ro--srv--engine--own", "the socket of the engine"),
        ("reach-ro--srv--engine", "the socket of the engine"),
        ("reach-rw--lib64", "mounts `/lib64` of the host"),
        ("reach-rw--var--spool--cron", "mounts `/var/spool/cron` of the host"),
        ("reach-rw--var--spool", "mounts `/var/spool` of the host"),
        ("reach-rw--var--lib--containers--storage", "of the host"),
    ] {
        for (line, body) in [
            (format!("POST /containers/{container}/exec"), r#"{"Cmd":["sh"]}"#),
            (format!("POST /containers/{container}/attach"), ""),
        ] {
            let got = outcome(Set::Deny, &[".*"], &line, body);
            assert!(got.contains(want), "{line}\n    want {want:?}, got {got}");
        }
    }
}

#[test]
fn what_stays_inside_takes_them() {
    for container in [
        "reach-default",
        "reach-pid-on-host",
        "reach-net-of-socket",
        "reach-gone",
        "reach-volume-srv",
        "reach-volume-tmpfs",
        "reach-volume-share",
        "reach-volume-plain",
        "reach-volume-none",
        "reach-ro--etc",
        "reach-rw--srv--other",
        "reach-ro--run--systemd--journal--socket",
        "reach-ro--run--systemd--resolve",
        "reach-ro--lib64",
        "reach-rw--srv--engine2",
    ] {
        let line = format!("POST /containers/{container}/exec");
        check(Set::Deny, &line, r#"{"Cmd":["sh"]}"#, "");
    }
}

#[test]
fn what_is_hidden_grows_with_the_engine() {
    let old = [
        "acpi",
        "asound",
        "kcore",
        "keys",
        "latency_stats",
        "sched_debug",
        "scsi",
        "timer_list",
        "timer_stats",
    ];
    let old: Vec<_> = old.iter().map(|name| format!("\"/proc/{name}\"")).collect();
    let body = |more: &str| {
        format!(r#"{{"HostConfig":{{"MaskedPaths":[{},"/sys/firmware"{more}]}}}}"#, old.join(","))
    };
    let powercap = r#","/sys/devices/virtual/powercap""#;
    let interrupts = format!(r#"{powercap},"/proc/interrupts""#);
    for (version, more, passes) in [
        ("20.10.24+dfsg1", "", true),
        ("20.10.27", "", false),
        ("24.0.6", "", true),
        ("24.0.7", "", false),
        ("24.0.7", powercap, true),
        ("26.1.5+dfsg1", "", false),
        ("26.1.5+dfsg1", powercap, true),
        ("28.5.2", powercap, false),
        ("28.5.2", &*interrupts, true),
        ("29.0.0-rc1", powercap, false),
        ("", "", true),
    ] {
        let hidden = crate::clauses::known::hidden_since(version);
        let body = Json::parse(body(more).as_bytes(), crate::request::json::Keys::Fields).unwrap();
        let paths = body.field("HostConfig").and_then(|it| it.field("MaskedPaths")).unwrap();
        let all: Vec<_> =
            crate::clauses::known::MASKED_PATHS.iter().chain(hidden).copied().collect();
        assert_eq!(values::paths(paths, &all, "x").is_ok(), passes, "{version} {more}");
    }
    for (on, body, want) in [
        (On::Docker, &*body(""), ""),
        (On::DockerV2, &body(""), "opens kernel files"),
        (On::DockerV2, &body(powercap), "opens kernel files"),
        (On::DockerV2, &body(&interrupts), ""),
        (On::DockerV2, r#"{"HostConfig":{"MaskedPaths":null}}"#, ""),
    ] {
        judged(on, Set::Deny, &[".*"], CREATE, body, want);
    }
}
