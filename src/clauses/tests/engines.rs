//! What other engines than Docker's make of a request, and newer ones than 20.10.

use super::*;

#[test]
fn an_engine_that_hides_isolation_takes_no_exec() {
    use Set::{Deny, Srv};
    let exec = r#"{"Cmd":["true"]}"#;
    for on in [On::Podman, On::Nameless] {
        for (line, body) in [
            ("POST /containers/podman/exec", exec),
            ("POST /containers/podman/attach", ""),
            ("GET /containers/podman/attach/ws", ""),
            ("POST /exec/e/start", "{}"),
        ] {
            judged(on, Deny, &[".*"], line, body, "does not show");
            judged(On::Docker, Deny, &[".*"], line, body, "");
            judged(on, Srv, &[".*"], line, body, "");
        }
        // What it shows of this one is harmless, and not all there is: Podman shows no rules for devices.
        judged(on, Deny, &[".*"], "POST /containers/shown/exec", exec, "does not show");
    }
}

#[test]
fn a_container_that_mounts_an_engine_takes_no_exec() {
    for (number, wants) in
        [(0, true), (1, true), (2, true), (3, true), (4, true), (5, false), (6, false)]
    {
        let says = if wants { "socket of the engine" } else { "" };
        let line = format!("POST /containers/mounts{number}/exec");
        judged(On::Docker, Set::Deny, &[".*"], &line, r#"{"Cmd":["true"]}"#, says);
    }
}

#[test]
fn podman_makes_more_of_some_fields() {
    use Set::Deny;
    for (body, podman, docker) in [
        (r#"{"Env":["PATH"]}"#, "environment of this engine", ""),
        (r#"{"Env":["A=1","*"]}"#, "environment of this engine", ""),
        (r#"{"Env":["A*=1"]}"#, "environment of this engine", ""),
        (r#"{"Env":["A=*"]}"#, "", ""),
        (r#"{"HostConfig":{"GroupAdd":["keep-groups"]}}"#, "groups", "groups"),
        (r#"{"HostConfig":{"ContainerIDFile":"/etc/passwd"}}"#, "file of the host", ""),
        (r#"{"HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/a,b"}]}}"#, "comma", ""),
    ] {
        judged(On::Podman, Deny, &[".*"], CREATE, body, podman);
        judged(On::Docker, Deny, &[".*"], CREATE, body, docker);
    }
    judged(
        On::Podman,
        Deny,
        &[".*"],
        "POST /containers/shown/exec",
        r#"{"Env":["PATH"]}"#,
        "environment",
    );
    for parameter in [
        "volume=%2F%3A%2Fh",
        "devices=%2Fdev%2Fsda",
        "addcaps=%5B%22ALL%22%5D",
        "seccomp=unconfined",
        "isolation=chroot",
        "additionalbuildcontexts=x",
        "sbom-output=x",
        "from=x",
        "transientRunMounts=x",
        "rusagelogfile=%2Fetc%2Fx",
        "securityopt=&securityopt=seccomp%3Dunconfined",
    ] {
        let line = format!("POST /build?{parameter}");
        judged(On::Podman, Deny, &[".*"], &line, "", "the parameter");
    }
    judged(On::Docker, Deny, &[".*"], "POST /build?isolation=default&volume=", "", "");
    // Unknown ones are no matter where nothing is limited, nor where nothing could be mounted.
    for (set, line, want) in [
        (Deny, "GET /containers/json?all=1&new=1", "the parameter `new`"),
        (Deny, "POST /containers/x/kill?all=1", "the parameter `all`"),
        (Set::Srv, "POST /build?from=x", "the parameter `from`"),
        (Set::Srv, "POST /containers/x/kill?all=1", ""),
        (Set::Lists, "POST /build/prune?new=1", ""),
    ] {
        judged(On::Docker, set, &["GET .*", "POST .*"], line, "", want);
    }
}

/// What an inspect says where the engine has no cgroup namespaces by default; programs that create a container anew send it back.
#[test]
fn a_cgroup_namespace_that_is_the_default_may_be_named() {
    let body = r#"{"HostConfig":{"CgroupnsMode":"host"}}"#;
    judged(On::Docker, Set::Deny, &[".*"], CREATE, body, "");
    judged(On::Docker, Set::Deny, &[".*"], CREATE, r#"{"CgroupnsMode":"host"}"#, "");
    for on in [On::DockerV2, On::DockerV1Private, On::Nameless] {
        judged(on, Set::Deny, &[".*"], CREATE, body, "CgroupnsMode");
        judged(on, Set::Deny, &[".*"], CREATE, r#"{"CGROUPNSMODE":"host"}"#, "CGROUPNSMODE");
        judged(on, Set::Srv, &[".*"], CREATE, body, "");
    }
}

#[test]
fn targets_of_mounts_hold_anything() {
    use Set::Srv;
    for bind in [
        "/srv/x:/data/date=2024",
        "/srv/x:/data/a b,c",
        "/srv/x:/dätä/O",
        "/srv/a=b:/h:ro,z",
        "/srv/x:/O",
        "v:/a=b:nocopy",
        "/srv/x:/a=b:rw",
    ] {
        judged(
            On::Podman,
            Srv,
            &[".*"],
            CREATE,
            &format!(r#"{{"HostConfig":{{"Binds":["{bind}"]}}}}"#),
            "",
        );
    }
    for bind in [
        "/etc:/data/date=2024",
        "/srv:/h:O,upperdir=/etc",
        "/srv:/h:upperdir=/etc",
        "/srv:/h:ro:upperdir=/etc",
        "/srv:/h:O",
    ] {
        judged(
            On::Podman,
            Srv,
            &[".*"],
            CREATE,
            &format!(r#"{{"HostConfig":{{"Binds":["{bind}"]}}}}"#),
            "MountSource",
        );
    }
    for target in ["/h,source=/", "/h\\\"x", "/h\\nx"] {
        let body = format!(
            r#"{{"HostConfig":{{"Mounts":[{{"Type":"bind","Source":"/srv","Target":"{target}"}}]}}}}"#
        );
        judged(On::Podman, Srv, &[".*"], CREATE, &body, "Unclear");
        judged(On::Nameless, Srv, &[".*"], CREATE, &body, "Unclear");
        judged(On::Docker, Srv, &[".*"], CREATE, &body, "");
        judged(On::Docker, Srv, &[".*"], CREATE, &body.replace("/srv", "/etc"), "MountSource");
    }
}

#[test]
fn newer_engines_have_harmless_fields() {
    use Set::Deny;
    let network = "POST /networks/create";
    check(Deny, network, r#"{"Name":"x","ConfigOnly":true,"Driver":"bridge"}"#, "");
    check(Deny, network, r#"{"Name":"x","ConfigOnly":true,"Driver":"macvlan"}"#, "HostAccess");
    check(Deny, network, r#"{"Name":"x","ConfigFrom":{"Network":"y"}}"#, "HostAccess");
    for (mode, want) in [
        ("isolated", ""),
        ("nat", ""),
        ("routed", "HostAccess"),
        ("nat-unprotected", "HostAccess"),
        ("", "HostAccess"),
    ] {
        for version in ["ipv4", "ipv6"] {
            let body = format!(
                r#"{{"Name":"x","Options":{{"com.docker.network.bridge.gateway_mode_{version}":"{mode}"}}}}"#
            );
            check(Deny, network, &body, want);
        }
    }
    for (options, want) in [
        (r#"{"com.docker.network.endpoint.ifname":"eth7"}"#, ""),
        ("{}", ""),
        (r#"{"com.docker.network.endpoint.ifname":"../../etc"}"#, "HostAccess"),
        (r#"{"com.docker.network.endpoint.ifname":"a-name-too-long-for-one"}"#, "HostAccess"),
        (r#"{"com.docker.network.endpoint.ifname":7}"#, "HostAccess"),
        (
            r#"{"com.docker.network.endpoint.ifname":"eth7","com.docker.network.endpoint.sysctls":"x"}"#,
            "HostAccess",
        ),
        (r#"{"COM.docker.network.endpoint.ifname":"eth7"}"#, "HostAccess"),
    ] {
        check(
            Deny,
            CREATE,
            &format!(
                r#"{{"NetworkingConfig":{{"EndpointsConfig":{{"n":{{"DriverOpts":{options}}}}}}}}}"#
            ),
            want,
        );
        check(
            Deny,
            "POST /networks/n/connect",
            &format!(r#"{{"Container":"x","EndpointConfig":{{"DriverOpts":{options}}}}}"#),
            want,
        );
        check(
            Deny,
            "POST /services/create",
            &format!(
                r#"{{"TaskTemplate":{{"Networks":[{{"Target":"n","DriverOpts":{options}}}]}}}}"#
            ),
            want,
        );
    }
    check(Deny, CREATE, r#"{"HostConfig":{"SecurityOpt":["writable-cgroups=false"]}}"#, "");
    check(Deny, CREATE, r#"{"HostConfig":{"SecurityOpt":["writable-cgroups"]}}"#, "HostAccess");
}
