//! The orders in which programs replace containers, and what clients try beyond them.

use serde_json::{Value, json};
use sockwarden::request::Method;

use super::world::{World, as_shown, as_watchtower_does, short};

const NONE: &Value = &Value::Null;

/// A container that reaches the host in every way there is a field for, with labels of ours.
fn reaching() -> Value {
    json!({
        "Image": "shop/web:1", "Cmd": ["serve", "-v"], "Env": ["LANG=de", "KEY=secret"],
        "Labels": {"sockwarden.allow": "read", "com.docker.compose.project": "shop"},
        "HostConfig": {
            "Binds": ["/etc:/etc:ro", "data:/d"], "Privileged": true, "CapAdd": ["NET_ADMIN"], "CapDrop": ["MKNOD"],
            "Devices": [{"PathOnHost": "/dev/fuse", "PathInContainer": "/dev/fuse", "CgroupPermissions": "rwm"}],
            "PidMode": "host", "NetworkMode": "front", "SecurityOpt": ["label=disable"], "Memory": 1_000_000,
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "80"}]},
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        },
        "NetworkingConfig": {"EndpointsConfig": {
            "front": {"Aliases": ["web"], "IPAMConfig": {"IPv4Address": "10.1.0.9"}}, "back": {"Aliases": ["w"]},
        }},
    })
}

fn world() -> (World, String, Value) {
    let mut world = World::new("read, recreate");
    let id = world.run("web", &reaching());
    let inspect = world.find("web").unwrap().clone();
    (world, id, inspect)
}

#[track_caller]
fn refused(world: &mut World, line: &str, body: &Value, says: &str) {
    let told = world.ask(line, body).expect_err(line);
    assert!(told.contains(says), "{line}: {told}");
}

fn delete(id: &str) -> String {
    format!("DELETE /v1.41/containers/{id}")
}

fn post(id: &str, verb: &str) -> String {
    format!("POST /v1.41/containers/{id}/{verb}")
}

/// As that what was made is as what was there.
#[track_caller]
fn is_back(world: &World, old: &Value) {
    let new = world.find("web").unwrap_or_else(|| panic!("{:?}", world.names()));
    assert_ne!(new["Id"], old["Id"]);
    assert_eq!(new["HostConfig"], old["HostConfig"]);
    assert_eq!(
        new["Config"]["Labels"]["sockwarden.allow"],
        old["Config"]["Labels"]["sockwarden.allow"]
    );
    assert_eq!(
        new["Config"]["Labels"]["sockwarden.creator"],
        old["Config"]["Labels"]["sockwarden.creator"]
    );
}

/// containrrr 1.7 sends signals, nickfedor 1.21 stops.
#[test]
fn watchtower_replaces_a_container() {
    for (signals, connects) in [(true, true), (false, false)] {
        let (mut world, id, inspect) = world();
        let image = world.images["shop/web:1"].clone();
        let stop = if signals { post(&id, "kill?signal=SIGTERM") } else { post(&id, "stop?t=10") };
        world.ask(&stop, NONE).unwrap();
        world.ask(&delete(&format!("{id}?force=1&v=0")), NONE).unwrap();
        let mut body = as_watchtower_does(&inspect, &image);
        let places = body["NetworkingConfig"]["EndpointsConfig"].clone();
        if connects {
            // Before API 1.44: one network at first, the others behind it.
            body["NetworkingConfig"]["EndpointsConfig"] = json!({"front": places["front"]});
        }
        // Without a name, which it gives afterwards.
        let new = world.ask("POST /v1.41/containers/create", &body).unwrap();
        world.ask(&post(&new, "rename?name=%2Fweb"), NONE).unwrap();
        if connects {
            let connect = json!({"Container": new, "EndpointConfig": places["back"]});
            world
                .ask(
                    "POST /v1.41/networks/front/disconnect",
                    &json!({"Container": new, "Force": true}),
                )
                .unwrap();
            world.ask("POST /v1.41/networks/back/connect", &connect).unwrap();
        }
        world.ask(&post(&new, "start"), NONE).unwrap();
        is_back(&world, &inspect);
    }
}

#[test]
fn watchtower_replaces_itself() {
    let (mut world, id, inspect) = world();
    world.ask(&post(&id, &format!("rename?name={}", "aB".repeat(16))), NONE).unwrap();
    let new = world.ask("POST /v1.41/containers/create", &as_shown(&inspect)).unwrap();
    world.ask(&post(&new, "rename?name=web"), NONE).unwrap();
    world.ask(&post(&new, "start"), NONE).unwrap();
    world.ask(&post(&id, "stop"), NONE).unwrap();
    world.ask(&delete(&id), NONE).unwrap();
    is_back(&world, &inspect);
    assert_eq!(world.containers.len(), 1);
}

#[test]
fn portainer_replaces_a_container_and_goes_back() {
    for fails in [false, true] {
        let (mut world, id, inspect) = world();
        world.ask(&post(&id, "stop"), NONE).unwrap();
        world.ask(&post(&id, "rename?name=%2Fweb-old"), NONE).unwrap();
        for network in ["front-id", "back-id"] {
            let line = format!("POST /v1.41/networks/{network}/disconnect");
            world.ask(&line, &json!({"Container": id, "Force": true})).unwrap();
        }
        let places = inspect["NetworkSettings"]["Networks"].clone();
        let mut body = as_shown(&inspect);
        body["NetworkingConfig"]["EndpointsConfig"] = json!({"front": places["front"]});
        let back =
            |container: &str| json!({"Container": container, "EndpointConfig": places["back"]});
        if fails {
            world.fails = true;
            world.ask("POST /v1.41/containers/create?name=%2Fweb", &body).unwrap();
            world.ask(&post(&id, "rename?name=%2Fweb"), NONE).unwrap();
            world.ask("POST /v1.41/networks/back-id/connect", &back(&id)).unwrap();
            world.ask(&post(&id, "start"), NONE).unwrap();
            // The engine made nothing, so the next attempt is the first.
            world.fails = false;
            world.ask(&post(&id, "rename?name=web-old"), NONE).unwrap();
        }
        let new = world.ask("POST /v1.41/containers/create?name=%2Fweb", &body).unwrap();
        world.ask("POST /v1.41/networks/back-id/connect", &back(&new)).unwrap();
        world.ask(&post(&new, "start"), NONE).unwrap();
        world.ask(&delete(&id), NONE).unwrap();
        is_back(&world, &inspect);
        assert_eq!(world.containers.len(), 1);
    }
}

#[test]
fn compose_2_creates_before_it_removes() {
    let (mut world, id, inspect) = world();
    let mut body = as_shown(&inspect);
    body["Hostname"] = json!("");
    body["Labels"]["com.docker.compose.replace"] = json!(id);
    body["Labels"]["com.docker.compose.image"] = json!("sha256:2");
    // The anonymous volume goes along under the name that it got.
    body["HostConfig"]["Binds"].as_array_mut().unwrap().push(json!("anonymous:/data:rw"));
    let new = world
        .ask(&format!("POST /v1.51/containers/create?name={}_web", short(&id)), &body)
        .unwrap();
    world.ask(&post(&id, "stop"), NONE).unwrap();
    world.ask(&delete(&id), NONE).unwrap();
    world.ask(&post(&new, "rename?name=web"), NONE).unwrap();
    world.ask(&post(&new, "start"), NONE).unwrap();
    assert_eq!(world.names(), ["/web"]);
}

#[test]
fn compose_1_renames_before_it_creates() {
    let (mut world, id, inspect) = world();
    world.ask(&post(&id, "stop?t=10"), NONE).unwrap();
    world.ask(&post(&id, &format!("rename?name={}_web", short(&id))), NONE).unwrap();
    let mut body = as_shown(&inspect);
    body["NetworkingConfig"]["EndpointsConfig"] =
        json!({"front": inspect["NetworkSettings"]["Networks"]["front"]});
    let new = world.ask("POST /v1.41/containers/create?name=web", &body).unwrap();
    world.ask("POST /v1.41/networks/front/disconnect", &json!({"Container": new})).unwrap();
    let front = json!({"Aliases": ["web", short(&new)], "IPAMConfig": {"IPv4Address": "10.1.0.9"}});
    world
        .ask(
            "POST /v1.41/networks/front/connect",
            &json!({"Container": new, "EndpointConfig": front}),
        )
        .unwrap();
    world.ask(&post(&new, "start"), NONE).unwrap();
    world.ask(&delete(&format!("{id}?v=False&link=False&force=False")), NONE).unwrap();
    is_back(&world, &inspect);
}

#[test]
fn a_script_removes_and_runs_by_any_name() {
    for name in ["web", "00c0ffee0001", "00c0"] {
        let (mut world, id, inspect) = world();
        assert!(id.starts_with("00c0ffee0001"));
        world.ask(&delete(&format!("{name}?force=true")), NONE).unwrap();
        let new = world.ask("POST /containers/create?name=web", &as_shown(&inspect)).unwrap();
        world.ask(&format!("POST /containers/{}/start", short(&new)), NONE).unwrap();
        is_back(&world, &inspect);
    }
}

/// `WUD` and others that use dockerode, which sends each field of a create in the query as well.
#[test]
fn wud_replaces_a_container() {
    let (mut world, id, inspect) = world();
    world.words = "wud, pull, env, recreate".to_owned();
    world.ask(&format!("POST /containers/{id}/stop"), NONE).unwrap();
    world.ask(&format!("DELETE /containers/{id}"), NONE).unwrap();
    let mut body = as_shown(&inspect);
    body["name"] = json!("web");
    body["Image"] = json!("shop/web:2");
    let line = "POST /containers/create?Hostname=x&HostConfig=%7B%22Privileged%22%3Atrue%7D&Labels=%7B%7D&name=web";
    let new = world.ask(line, &body).unwrap();
    world.ask(&format!("POST /containers/{new}/start"), NONE).unwrap();
    is_back(&world, &inspect);
}

/// A container that is set up in a container's network goes back there, by whatever name programs have for it.
#[test]
fn networks_of_others_are_found_again() {
    let mut world = World::new("read, recreate");
    let vpn = world.run("vpn", &json!({"Image": "shop/web:1"}));
    let other = world.run("other", &json!({"Image": "shop/web:1"}));
    let mode = |of: &str| json!({"Image": "shop/web:1", "HostConfig": {"NetworkMode": format!("container:{of}")}});
    world.run("web", &mode(&vpn));
    let mut body = mode(&vpn);
    world.ask(&delete("web"), NONE).unwrap();
    let create = "POST /containers/create?name=web";
    for (name, fits) in [
        (&*vpn, true),
        ("/vpn", true),
        ("vpn", true),
        (&other, false),
        ("other", false),
        ("gone", false),
    ] {
        body["HostConfig"]["NetworkMode"] = json!(format!("container:{name}"));
        match world.judged(create, &body) {
            Ok((_, _, ticket)) => {
                assert!(fits, "{name}");
                ticket.unwrap().give_back();
            }
            Err(told) => assert!(!fits, "{name}: {told}"),
        }
    }
    // What it shared was replaced as well.
    let shown = as_shown(world.find("vpn").unwrap());
    world.ask(&delete("vpn"), NONE).unwrap();
    world.ask("POST /containers/create?name=vpn", &shown).unwrap();
    body["HostConfig"]["NetworkMode"] = json!("container:/vpn");
    world.ask(create, &body).unwrap();
}

#[test]
fn a_newer_tag_is_the_same_repository() {
    for (image, fits) in [
        ("shop/web:2", true),
        ("docker.io/shop/web", true),
        (&format!("shop/web@sha256:{}", "a".repeat(64)), true),
        ("sha256:1", true),
        ("shop/other:1", false),
        ("evil.test/shop/web:1", false),
        ("sha256:2", false),
        ("", false),
    ] {
        let (mut world, _, inspect) = world();
        world.ask(&delete("web"), NONE).unwrap();
        let mut body = as_shown(&inspect);
        body["Image"] = json!(image);
        let made = world.judged("POST /containers/create?name=web", &body);
        assert_eq!(made.is_ok(), fits, "{image}");
    }
}

#[test]
fn who_created_it_stays() {
    let mut world = World::new("read, recreate");
    let mut body = reaching();
    body["Labels"]["sockwarden.creator"] = json!("name:ci");
    world.run("web", &body);
    let inspect = world.find("web").unwrap().clone();
    world.ask(&delete("web"), NONE).unwrap();
    let mut other = as_shown(&inspect);
    other["Labels"]["sockwarden.creator"] = json!("name:me");
    refused(&mut world, "POST /containers/create?name=web", &other, "`Labels` is not as");
    let mut without = as_shown(&inspect);
    without["Labels"].as_object_mut().unwrap().remove("sockwarden.creator");
    world.ask("POST /containers/create?name=web", &without).unwrap();
    is_back(&world, &inspect);
}

#[test]
fn nothing_else_comes_of_it() {
    let create = "POST /containers/create?name=web";
    let (mut world, id, inspect) = world();
    let body = as_shown(&inspect);
    // Before anything was taken down.
    refused(&mut world, create, &body, "no container that this client took down");
    refused(
        &mut world,
        "POST /containers/create",
        &body,
        "no container that this client took down",
    );
    refused(&mut world, &post(&id, "start"), NONE, "made in place of another");
    refused(&mut world, &post(&id, "rename?name=db"), NONE, "may be called `web-old`");
    refused(&mut world, &post(&id, "kill?signal=HUP"), NONE, "needs TERM");
    refused(&mut world, &delete(&format!("{id}?v=1")), NONE, "no part of a replacement");
    refused(&mut world, &post(&id, "restart"), NONE, "not allowed");
    refused(
        &mut world,
        "POST /networks/back/connect",
        &json!({"Container": id}),
        "made in place of another",
    );
    world.ask(&post(&id, "stop"), NONE).unwrap();
    // It is there still, so there is nothing to make again.
    refused(
        &mut world,
        "POST /containers/create",
        &body,
        "no container that this client took down",
    );
    world.ask(&delete(&id), NONE).unwrap();
    // Under another name, and on another network.
    refused(
        &mut world,
        "POST /containers/create?name=db",
        &body,
        "no container that this client took down",
    );
    let mut elsewhere = body.clone();
    elsewhere["NetworkingConfig"]["EndpointsConfig"]["secret"] = json!({});
    refused(&mut world, create, &elsewhere, "EndpointsConfig.secret");
    let mut elsewhere = body.clone();
    elsewhere["NetworkingConfig"]["EndpointsConfig"]["front"]["NetworkID"] = json!("secret-id");
    refused(&mut world, create, &elsewhere, "EndpointsConfig.front.NetworkID");
    refused(&mut world, &format!("{create}&platform=windows"), &body, "platform");
    let new = world.ask(create, &body).unwrap();
    refused(&mut world, &post(&new, "rename?name=db"), NONE, "may be called");
    let connect = json!({"Container": new, "EndpointConfig": {}});
    refused(&mut world, "POST /networks/secret/connect", &connect, "EndpointConfig");
    let fixed =
        json!({"Container": new, "EndpointConfig": {"IPAMConfig": {"IPv4Address": "10.1.0.7"}}});
    refused(&mut world, "POST /networks/back/connect", &fixed, "EndpointConfig.IPAMConfig");
}

/// What an image brought does not count as the container's own; given beside an image that lacks it, it would.
#[test]
fn labels_of_an_image_become_nobodys_own() {
    let mut world = World::new("read, recreate");
    let image = world.images.get_mut("shop/web:1").unwrap();
    image["Config"]["Labels"] = json!({"sockwarden.allow": "exec", "vendor": "shop"});
    world.run("web", &json!({"Image": "shop/web:1"}));
    let inspect = world.find("web").unwrap().clone();
    assert_eq!(inspect["Config"]["Labels"]["sockwarden.allow"], "exec");
    // A program that sends all labels back could not make it again, and one that leaves those of the image out cannot be told from it.
    refused(&mut world, &delete("web"), NONE, "`Labels` is set in a way");
}

/// Its name is the one that it has when it is taken down, unless this client renamed it.
#[test]
fn a_name_that_others_gave_counts() {
    let (mut world, id, inspect) = world();
    world.ask(&post(&id, "stop"), NONE).unwrap();
    world.containers.get_mut(&id).unwrap()["Name"] = json!("/db");
    world.ask(&delete(&id), NONE).unwrap();
    let body = as_shown(&inspect);
    refused(
        &mut world,
        "POST /containers/create?name=web",
        &body,
        "no container that this client took down",
    );
    world.ask("POST /containers/create?name=db", &body).unwrap();
}

#[test]
fn one_serves_one() {
    let create = "POST /containers/create?name=web";
    let (mut world, id, inspect) = world();
    let body = as_shown(&inspect);
    world.ask(&delete("web"), NONE).unwrap();
    // Somebody else's.
    let own = world.address;
    world.address = [10, 0, 0, 3].into();
    refused(&mut world, create, &body, "no container that this client took down");
    world.address = own;
    // Two at once.
    let first = world.judged(create, &body).unwrap();
    refused(&mut world, create, &body, "was replaced already");
    drop(first);
    // What became of the first nobody knows, so it counts.
    refused(&mut world, create, &body, "was replaced already");
    refused(&mut world, "POST /containers/create", &body, "was replaced already");
    // Compose's way: the old one is there, and a second copy is one too many.
    let (mut world, _, _) = self::world();
    let temporary = format!("POST /containers/create?name={}_web", short(&id));
    let new = world.ask(&temporary, &body).unwrap();
    refused(&mut world, &temporary, &body, "was replaced already");
    // The new one may come back as what it is, once.
    let body = as_shown(world.find(&new).unwrap());
    world.ask(&delete(&new), NONE).unwrap();
    world.ask(&temporary, &body).unwrap();
    refused(&mut world, &temporary, &body, "was replaced already");
}

#[test]
fn it_is_forgotten() {
    let create = "POST /containers/create?name=web";
    let (mut world, _, inspect) = world();
    let body = as_shown(&inspect);
    world.ask(&delete("web"), NONE).unwrap();
    world.wait(59);
    assert!(world.judged(create, &body).is_ok());
    let (mut world, _, _) = self::world();
    world.ask(&delete("web"), NONE).unwrap();
    world.wait(61);
    refused(&mut world, create, &body, "after an hour");
    // A restart of the proxy forgets as well.
    let (mut world, _, _) = self::world();
    world.ask(&delete("web"), NONE).unwrap();
    world.memory = std::sync::Arc::default();
    refused(&mut world, create, &body, "when it is restarted");
}

#[test]
fn one_containers_rights_are_not_anothers() {
    let (mut world, _, inspect) = world();
    let plain = json!({"Image": "shop/web:1"});
    world.run("plain", &plain);
    world.ask(&delete("web"), NONE).unwrap();
    world.ask(&delete("plain"), NONE).unwrap();
    let body = as_shown(&inspect);
    refused(
        &mut world,
        "POST /containers/create?name=plain",
        &body,
        "is not as the container `plain` had it",
    );
    let new = world.ask("POST /containers/create", &body).unwrap();
    refused(&mut world, &post(&new, "rename?name=plain"), NONE, "may be called");
    world.ask(&post(&new, "rename?name=web"), NONE).unwrap();
}

#[test]
fn nothing_is_taken_down_that_could_not_come_back() {
    let odd = json!({"Image": "shop/web:1", "HostConfig": {"FutureField": {"a": 1}}});
    let ways =
        |id: &str| [delete(id), delete(&format!("{id}?force=1")), post(id, "rename?name=odd-old")];
    // By whatever grant: the term is the client's.
    for words in ["read, recreate", "read, recreate, remove, change, lifecycle, prune"] {
        let mut world = World::new(words);
        world.allow_pattern(Method::Delete, ".*");
        let id = world.run("odd", &odd);
        for line in ways(&id).into_iter().chain(ways("odd")) {
            refused(&mut world, &line, NONE, "`HostConfig.FutureField` is set in a way");
        }
        refused(
            &mut world,
            "POST /containers/prune",
            NONE,
            if words.contains("prune") { "each by its name" } else { "" },
        );
        // A plain stop is never refused.
        world.ask(&post(&id, "stop"), NONE).unwrap();
        let mut itself = odd.clone();
        itself["HostConfig"]["AutoRemove"] = json!(true);
        let id = world.run("itself", &itself);
        refused(&mut world, &post(&id, "stop"), NONE, "could not come back");
        refused(&mut world, &post(&id, "kill"), NONE, "could not come back");
        assert_eq!(world.containers.len(), 2);
    }
    // Without the word nobody asks.
    let mut world = World::new("read, remove");
    let id = world.run("odd", &odd);
    world.ask(&delete(&id), NONE).unwrap();
}

#[test]
fn limits_hold_before_it_is_too_late() {
    let (mut world, _, inspect) = world();
    world.defaults.deny_host_mounts = true;
    refused(&mut world, &delete("web"), NONE, "mount");
    world.defaults.deny_host_mounts = false;
    world.listed_images = "shop/other";
    refused(&mut world, &delete("web"), NONE, "none of the images");
    world.listed_images = "shop/web";
    world.ask(&delete("web"), NONE).unwrap();
    world.ask("POST /containers/create?name=web", &as_shown(&inspect)).unwrap();
}

#[test]
fn the_memory_is_full_before_a_container_is_lost() {
    let mut world = World::new("read, recreate");
    let ids: Vec<_> = (0..257)
        .map(|it| world.run(&format!("web{it}"), &json!({"Image": "shop/web:1"})))
        .collect();
    for id in &ids {
        world.ask(&post(id, "stop"), NONE).unwrap();
    }
    let removed = ids.iter().take_while(|id| world.ask(&delete(id), NONE).is_ok()).count();
    assert!((100..=256).contains(&removed), "{removed}");
    refused(&mut world, &delete(&ids[removed]), NONE, "too many containers");
    assert_eq!(world.containers.len(), ids.len() - removed);
    // A plain stop is never refused.
    world.ask(&post(&ids[removed], "stop"), NONE).unwrap();
    let body = json!({"Image": "shop/web:1"});
    world.ask("POST /containers/create?name=web0", &body).unwrap();
    world.wait(61);
    world.ask(&delete(&ids[removed]), NONE).unwrap();
    // One that takes too much alone.
    let labels: serde_json::Map<_, _> =
        (0..9000).map(|it| (format!("label{it}"), json!("x".repeat(50)))).collect();
    let id = world.run("large", &json!({"Image": "shop/web:1", "Labels": labels}));
    refused(&mut world, &delete(&id), NONE, "could not come back");
    world.ask(&post(&id, "stop"), NONE).unwrap();
}

#[test]
fn no_image_gets_a_name_that_somebody_uses() {
    let mut world = World::new("recreate, ImageTag, ImageLoad, ImageCreate, ImageCommit, build");
    world.run("web", &json!({"Image": "shop/web:1"}));
    for line in [
        "POST /images/evil/tag?repo=shop/web&tag=1",
        "POST /images/evil/tag?repo=shop%2Fweb&tag=evil",
        "POST /images/evil/tag?repo=docker.io%2Fshop%2Fweb",
        "POST /build?t=mine&t=shop%2Fweb&networkmode=none",
        "POST /images/create?fromSrc=-&repo=shop%2Fweb",
        "POST /commit?container=web&repo=shop%2Fweb",
    ] {
        refused(&mut world, line, NONE, "could make that container run");
    }
    refused(&mut world, "POST /images/load", NONE, "names that nobody sees");
    for line in [
        "POST /images/evil/tag?repo=mine",
        "POST /images/create?fromImage=shop%2Fweb&tag=2",
        "POST /build?t=mine&networkmode=none",
    ] {
        world.ask(line, NONE).unwrap_or_else(|told| panic!("{line}: {told}"));
    }
    // The list shows an id where a name leads elsewhere by now.
    let id = world.run("moved", &json!({"Image": "shop/moved:1"}));
    world.containers.get_mut(&id).unwrap()["Config"]["Image"] = json!("shop/moved:1");
    refused(
        &mut world,
        "POST /images/evil/tag?repo=shop/moved",
        NONE,
        "could make that container run",
    );
}

#[test]
fn no_image_gets_a_name_of_what_may_come_back() {
    let (mut world, _, inspect) = world();
    world.words = "recreate, ImageTag, build".to_owned();
    world.ask(&delete("web"), NONE).unwrap();
    for line in
        ["POST /images/evil/tag?repo=shop/web&tag=1", "POST /build?t=shop%2Fweb&networkmode=none"]
    {
        refused(&mut world, line, NONE, "could make that container run");
    }
    world.ask("POST /containers/create?name=web", &as_shown(&inspect)).unwrap();
}

#[test]
fn an_id_has_no_repository() {
    // Whoever pulls or tags the same image elsewhere gives it names of its own.
    let mut world = World::new("recreate, pull");
    let mut image = world.images["shop/web:1"].clone();
    image["RepoTags"] = json!(["shop/web:1", "evil/web:1"]);
    world.images.insert("sha256:1".to_owned(), image);
    world.run("web", &json!({"Image": "sha256:1", "HostConfig": {"Privileged": true}}));
    let mut body = as_shown(world.find("web").unwrap());
    world.ask(&delete("web"), NONE).unwrap();
    body["Image"] = json!("evil/web:2");
    refused(&mut world, "POST /containers/create?name=web", &body, "`Image`");
    body["Image"] = json!("sha256:1");
    world.ask("POST /containers/create?name=web", &body).unwrap();
}

#[test]
fn nothing_beside_a_host_config_counts() {
    for field in ["MaskedPaths", "ReadonlyPaths", "readonlypaths"] {
        let mut world = World::new("recreate");
        world.run("web", &json!({"Image": "shop/web:1"}));
        world.ask(&delete("web"), NONE).unwrap();
        // Engines up to 26 read these at the top if there is no `HostConfig`.
        let mut body = json!({"Image": "shop/web:1"});
        body[field] = json!([]);
        refused(&mut world, "POST /containers/create?name=web", &body, &format!("`{field}`"));
        body[field] = Value::Null;
        world.ask("POST /containers/create?name=web", &body).unwrap();
    }
}

#[test]
fn a_rename_enters_and_leaves_no_condition() {
    let mut world = World::new("recreate, exec(name=app*)");
    let id = world.run("victim", &json!({"Image": "shop/web:1"}));
    let random = format!("app{}", "a".repeat(29));
    refused(&mut world, &post(&id, &format!("rename?name={random}")), NONE, "rights depend on");
    world.words = "recreate, exec(not name:victim)".to_owned();
    refused(&mut world, &post(&id, "rename?name=victim-old"), NONE, "rights depend on");
    // What is made in place of one gets its name all the same.
    world.words = "recreate, exec(name=victim)".to_owned();
    world.ask(&post(&id, "rename?name=old-victim"), NONE).unwrap();
    let new = world.ask("POST /containers/create", &json!({"Image": "shop/web:1"})).unwrap();
    world.ask(&post(&new, "rename?name=victim"), NONE).unwrap();
}
