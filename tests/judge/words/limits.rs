//! What clients try to get round a condition, or round the images that a list names.

use super::{Labels, allowed, refused, words};

/// The beginning of the id of an image that is called `evil/app:1`.
const ID: &str = "e0e0e0e0e0e0";

#[test]
fn an_id_is_no_name_of_an_image() {
    for line in [
        format!("GET /v1.51/images/{ID}/get"),
        format!("GET /v1.51/images/{ID}/json"),
        format!("DELETE /v1.51/images/{ID}"),
        format!("POST /v1.51/images/{ID}/tag?repo=x"),
    ] {
        let list = words(
            "ImageGet(image=docker.io/library/*), ImageInspect(image=docker.io/library/*), ImageDelete(image=*/library/*), tag(image=docker.io/library/*)",
        );
        refused(list, &line.replace(ID, "sha256:e0"), "", "is not what");
        refused(list, &line, "", "is not what");
        allowed(list, &line.replace(ID, "alpine"), "");
        // Names of such letters are names if the engine has them, or no such id.
        allowed(list, &line.replace(ID, "cafe"), "");
    }
    let create = words("ContainerCreate(image=docker.io/library/*)");
    let line = "POST /v1.51/containers/create";
    refused(create, line, &format!(r#"{{"Image":"{ID}"}}"#), "is not what");
    allowed(create, line, r#"{"Image":"sha256:abcd"}"#);
    for config in [r#","HostConfig":{"Mounts":["#, r#","Mounts":["#] {
        let end = if config.contains("Host") { "]}" } else { "]" };
        let mounts = |source: &str| {
            format!(
                r#"{{"Image":"alpine"{config}{{"Type":"image","Source":"{source}","Target":"/x"}}{end}}}"#
            )
        };
        refused(create, line, &mounts("evil/app"), "is not what");
        refused(create, line, &mounts(ID), "is not what");
    }
    let images =
        Labels { allow: "write-swarm", images: "docker.io/library/*", ..Labels::default() };
    refused(
        Labels { allow: "create", ..images },
        "POST /v1.24/containers/create",
        r#"{"Cmd":["/volume/sh"],"Volumes":{"/volume":{}}}"#,
        "none of the images",
    );
    let service =
        |image: &str| format!(r#"{{"TaskTemplate":{{"ContainerSpec":{{"Image":"{image}"}}}}}}"#);
    let line = "POST /v1.51/services/create";
    allowed(images, line, &service("alpine"));
    refused(images, line, &service(ID), "none of the images");
    let update = "POST /v1.51/services/rolled/update?version=1";
    allowed(images, update, &service("alpine"));
    let back = format!("{update}&rollback=previous");
    refused(images, &back, &service("alpine"), "none of the images");
}

#[test]
fn what_is_pulled_and_pushed_is_what_the_engine_reads() {
    let lists = [
        words("pull(image=alpine:3.20)"),
        Labels { allow: "pull", images: "alpine:3.20", ..Labels::default() },
        Labels { pattern: "POST .*", images: "alpine:3.20", ..Labels::default() },
    ];
    let line = |query: &str| format!("POST /v1.51/images/create?{query}");
    let digest = format!("sha256:{}", "a".repeat(64));
    for list in lists {
        allowed(list, &line("fromImage=alpine&tag=3.20"), "");
        allowed(list, &line("fromImage=alpine:3.20"), "");
        for query in [
            // All tags.
            "fromImage=alpine",
            "fromImage=alpine&tag=",
            "fromImage=alpine:",
            // The digest wins.
            &format!("fromImage=alpine@{digest}&tag=3.20"),
            &format!("fromImage=alpine:3.20&tag={digest}"),
            &format!("fromImage=alpine:3.20@{digest}"),
        ] {
            refused(list, &line(query), "", "");
        }
    }
    let latest = words("pull(image=alpine:latest), push(image=me/app:latest)");
    refused(latest, &line("fromImage=alpine"), "", "is not what");
    refused(latest, "POST /v1.51/images/me/app/push", "", "is not what");
    refused(latest, "POST /v1.51/images/me/app/push?tag=1", "", "is not what");
    allowed(latest, "POST /v1.51/images/me/app/push?tag=latest", "");
    let any = words("pull(image=alpine), push(image=me/*)");
    allowed(any, &line("fromImage=alpine"), "");
    allowed(any, "POST /v1.51/images/me/app/push", "");
}

#[test]
fn images_bind_what_nobody_knows() {
    for list in [
        Labels { pattern: "POST .*", images: "alpine", ..Labels::default() },
        Labels { allow: "recreate", pattern: "POST .*", ..Labels::default() },
        Labels { allow: "build", host_access: "allow", images: "alpine", ..Labels::default() },
    ] {
        if list.allow != "build" {
            refused(list, "POST /v5.0.0/libpod/images/pull?reference=evil", "", "no operation");
            refused(list, "POST /v5.0.0/libpod/images/evil/tag?repo=alpine", "", "no operation");
        }
        let outputs = "outputs=%5B%7B%22Type%22%3A%22image%22%7D%5D";
        refused(list, &format!("POST /v1.51/build?t=x&version=2&{outputs}"), "", "nobody sees");
        refused(list, "POST /v1.51/build?t=x&manifest=alpine", "", "not one that sockwarden knows");
        allowed(list, "POST /v1.51/build?t=x", "");
    }
}

#[test]
fn no_grant_renames_into_or_out_of_a_condition() {
    let line = |name: &str| format!("POST /v1.51/containers/w/rename?name={name}");
    let into = Labels { allow: "stop(name=db*)", pattern: "POST .*/rename", ..Labels::default() };
    refused(into, &line("db2"), "", "rights depend on");
    allowed(into, &line("other"), "");
    // `w` is called `web`.
    for allow in ["stop(not name:web), rename", "exec(not name:w*), rename"] {
        refused(words(allow), &line("other"), "", "rights depend on");
    }
    let out = Labels { allow: "stop(not name:web)", ..into };
    refused(out, &line("other"), "", "rights depend on");
    allowed(words("stop(not name:vault), rename"), &line("other"), "");
}
