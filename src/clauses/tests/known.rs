//! Fields as deep as they go, and what an image brings.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use super::*;
use crate::clauses::fields;
use crate::clauses::known::{Shape, Table};

#[test]
fn a_field_that_nobody_knows_is_refused_however_deep_it_stands() {
    for body in [
        r#"{"New":{"a":1}}"#,
        r#"{"Healthcheck":{"Test":["NONE"],"New":1}}"#,
        r#"{"Healthcheck":{"Test":[{"New":1}]}}"#,
        r#"{"ExposedPorts":{"80/tcp":{"New":1}}}"#,
        r#"{"Volumes":{"/data":{"New":1}}}"#,
        r#"{"Labels":{"a":{"b":"c"}}}"#,
        r#"{"Cmd":[{"a":1}]}"#,
        r#"{"NetworkingConfig":{"New":1}}"#,
        r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"New":1}}}}"#,
        r#"{"NetworkingConfig":{"EndpointsConfig":{"n":{"IPAMConfig":{"New":1}}}}}"#,
        r#"{"HostConfig":{"New":1}}"#,
        r#"{"HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/t","New":1}]}}"#,
        r#"{"HostConfig":{"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"New":1}}]}}"#,
        r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"x","VolumeOptions":{"New":1}}]}}"#,
        r#"{"HostConfig":{"Mounts":[{"Type":"volume","Source":"x","VolumeOptions":{"DriverConfig":{"New":1}}}]}}"#,
        r#"{"HostConfig":{"PortBindings":{"80/tcp":[{"HostPort":"1","New":1}]}}}"#,
        r#"{"HostConfig":{"RestartPolicy":{"Name":"no","New":1}}}"#,
        r#"{"HostConfig":{"Ulimits":[{"Name":"nofile","New":1}]}}"#,
        r#"{"HostConfig":{"BlkioDeviceReadBps":[{"Path":"/dev/x","New":1}]}}"#,
        r#"{"HostConfig":{"LogConfig":{"Type":"local","New":1}}}"#,
        r#"{"HostConfig":{"Memory":{"New":1}}}"#,
    ] {
        check(Set::Deny, CREATE, body, "not a field that sockwarden knows");
        check(Set::Srv, CREATE, body, "");
    }
    for (line, body) in [
        ("POST /volumes/create", r#"{"Name":"x","New":1}"#),
        (
            "POST /networks/create",
            r#"{"Name":"x","IPAM":{"Config":[{"Subnet":"10.1.0.0/16","New":1}]}}"#,
        ),
        ("POST /containers/x/update", r#"{"RestartPolicy":{"New":1}}"#),
        ("POST /services/create", r#"{"Mode":{"Replicated":{"New":1}}}"#),
        ("POST /services/create", r#"{"TaskTemplate":{"Placement":{"Preferences":[{"New":1}]}}}"#),
        (
            "POST /services/create",
            r#"{"TaskTemplate":{"ContainerSpec":{"Secrets":[{"File":{"New":1}}]}}}"#,
        ),
        ("POST /services/create", r#"{"TaskTemplate":{"LogDriver":{"Name":"local","New":1}}}"#),
    ] {
        check(Set::Deny, line, body, "not a field that sockwarden knows");
    }
}

#[test]
fn what_programs_send_is_known() {
    let create = r#"{"Hostname":"h","Domainname":"","User":"1000","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,
        "ExposedPorts":{"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=b"],"Cmd":["sh","-c","true"],
        "Healthcheck":{"Test":["CMD","true"],"Interval":1,"Timeout":1,"Retries":1,"StartPeriod":1,"StartInterval":1},
        "Image":"web","Volumes":{"/data":{}},"WorkingDir":"/app","Entrypoint":["e"],"OnBuild":null,"Labels":{"a":"b"},"StopSignal":"SIGINT",
        "HostConfig":{"Binds":[],"LogConfig":{"Type":"json-file","Config":{"max-size":"10m"}},"NetworkMode":"n",
        "PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}]},"RestartPolicy":{"Name":"always","MaximumRetryCount":0},"AutoRemove":false,
        "CapDrop":["ALL"],"Dns":["10.0.0.1"],"ExtraHosts":["a:10.0.0.1"],"GroupAdd":["1000"],"Init":true,"ReadonlyRootfs":true,
        "Tmpfs":{"/t":"size=1m"},"ShmSize":1,"Ulimits":[{"Name":"nofile","Hard":1,"Soft":1}],"ConsoleSize":[0,0],
        "BlkioWeightDevice":[{"Path":"/dev/x","Weight":10}],"StorageOpt":{"size":"1G"},
        "Mounts":[{"Type":"volume","Source":"v","Target":"/v","ReadOnly":true,"VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"}}},
        {"Type":"tmpfs","Target":"/t2","TmpfsOptions":{"SizeBytes":1,"Mode":511,"Options":[["noexec"]]}}]},
        "NetworkingConfig":{"EndpointsConfig":{"n":{"Aliases":["web"],"IPAMConfig":{"LinkLocalIPs":[]},"GwPriority":1}}}}"#;
    check(Set::Deny, CREATE, create, "");
    let service = r#"{"Name":"x","Labels":{"a":"b"},"Mode":{"Replicated":{"Replicas":2}},"UpdateConfig":{"Parallelism":1,"Order":"start-first"},
        "EndpointSpec":{"Mode":"vip","Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":80,"PublishMode":"ingress"}]},
        "TaskTemplate":{"ContainerSpec":{"Image":"web","Env":["A=b"],"Secrets":[{"File":{"Name":"s","UID":"0","GID":"0","Mode":292},"SecretID":"i","SecretName":"s"}],
        "Healthcheck":{"Test":["NONE"]},"DNSConfig":{"Nameservers":["10.0.0.1"]}},"Resources":{"Limits":{"MemoryBytes":1}},
        "RestartPolicy":{"Condition":"any"},"Placement":{"Constraints":["node.role==worker"],"Preferences":[{"Spread":{"SpreadDescriptor":"x"}}],
        "Platforms":[{"Architecture":"amd64","OS":"linux"}]},"LogDriver":{"Name":"json-file","Options":{"max-size":"1m"}}}}"#;
    check(Set::Deny, "POST /services/create", service, "");
    check(
        Set::Deny,
        "POST /volumes/create",
        r#"{"Name":"v","Driver":"local","Labels":{"a":"b"}}"#,
        "",
    );
}

#[test]
fn what_an_image_brings_is_in_force_unless_the_create_overrides_it() {
    for (body, want) in [
        (r#"{"Image":"workdir"}"#, "the image's `WorkingDir`"),
        (r#"{"Image":"workdir","WorkingDir":""}"#, "the image's `WorkingDir`"),
        (r#"{"Image":"workdir","WorkingDir":"/app"}"#, ""),
        (r#"{"Image":"nvidia"}"#, "the image's `Env`"),
        (r#"{"Image":"nvidia","Env":["A=b","NVIDIA_VISIBLE_DEVICES"]}"#, "the image's `Env`"),
        (r#"{"Image":"nvidia","Env":["NVIDIA_VISIBLE_DEVICES=void"]}"#, ""),
        (r#"{"Image":"nvidia","Env":["NVIDIA_VISIBLE_DEVICES=all"]}"#, "opens devices"),
        (r#"{"Image":"web"}"#, ""),
        (r#"{"Image":"web","WorkingDir":"/dev/fd/8"}"#, "descriptor of the runtime"),
        (r#"{"Image":"web","WorkingDir":"/dev/../dev/fd/8"}"#, "holds `..`"),
    ] {
        check(Set::Deny, CREATE, body, want);
        check(Set::Srv, CREATE, body, "");
    }
}

#[test]
fn the_name_of_a_checkpoint_leads_nowhere() {
    for (line, body, want) in [
        ("POST /containers/x/start?checkpoint=..%2F..%2Fx", "", "leads out"),
        ("POST /containers/x/start?checkpoint=one", "", ""),
        ("POST /containers/x/checkpoints", r#"{"CheckpointID":"../../x"}"#, "leads out"),
        ("POST /containers/x/checkpoints", r#"{"CheckpointID":"one"}"#, ""),
    ] {
        for set in [Set::Deny, Set::Srv] {
            check(set, line, body, want);
        }
        check(Set::Lists, line, body, "");
    }
}

/// Each field with its shape and its reason, one line a field.
fn write_table(page: &mut String, at: &str, table: Table) {
    for (reason, fields) in table {
        for (name, shape) in *fields {
            write_shape(page, &format!("{at}{name}"), reason, shape);
        }
    }
}

fn write_shape(page: &mut String, place: &str, reason: &str, shape: &Shape) {
    match shape {
        Shape::Value | Shape::Judged => writeln!(page, "| `{place}` | {reason} |").unwrap(),
        Shape::Fields([]) => writeln!(page, "| `{place}` | holds nothing |").unwrap(),
        Shape::Fields(table) => write_table(page, &format!("{place}."), table),
        Shape::Each(shape) => write_shape(page, &format!("{place}[]"), reason, shape),
        Shape::Members(shape) => write_shape(page, &format!("{place}.*"), reason, shape),
    }
}

fn page() -> String {
    let mut page = String::from(
        "<!-- Printed from the tables in src/clauses/fields.rs. To change it change them, then run `UPDATE_EXPECT=1 cargo test`. -->\n\n# Fields of bodies\n\nWith `-hostaccess=deny`, sockwarden knows these fields to stay inside the container, each for the reason beside it. A field that is not in here is\neither judged by its value ([How requests are judged](how-requests-are-judged.md)), or it is refused. `[]` is a list, `.*` are keys of the client's\nchoice. Keys are found in any case, as the engine finds them.\n",
    );
    for (title, tables) in [
        ("`POST /containers/create`", &[fields::CONFIG, fields::BESIDE][..]),
        ("`HostConfig`, and `POST /containers/{name}/update`", &[fields::HOST_CONFIG]),
        ("A container's place on a network", &[fields::ENDPOINT]),
        ("`POST /containers/{name}/exec`", &[fields::EXEC]),
        ("`POST /networks/create`", &[fields::NETWORK]),
        ("`POST /volumes/create`", &[fields::VOLUME]),
        ("`POST /services/create` and `/services/{id}/update`", &[fields::SERVICE]),
        ("A service's `TaskTemplate`", &[fields::TASK]),
        ("A service's `ContainerSpec`", &[fields::CONTAINER_SPEC]),
    ] {
        writeln!(page, "\n## {title}\n\n| Field | Why it stays inside: it |\n|---|---|").unwrap();
        for table in tables {
            write_table(&mut page, "", table);
        }
    }
    page
}

#[test]
fn the_page_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fields.md");
    if env::var_os("UPDATE_EXPECT").is_some_and(|update| update == "1") {
        fs::write(&path, page()).unwrap();
    }
    let same = fs::read_to_string(&path).unwrap_or_default() == page();
    assert!(same, "docs/fields.md is not the table; run `UPDATE_EXPECT=1 cargo test`");
}
