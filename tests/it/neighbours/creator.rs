//! What a container may do that was created through the proxy: what the default list allows, and no more than its creator may do now.

use serde_json::{Value, json};

use super::engine::{Container, World, id};
use super::{ByDefault, OURS, Refused, Town, world};
use crate::support::{Client, get, run, with_body};

const CHILD: &str = "10.9.0.7";

/// Labels with which a container may list containers, and create some.
fn may_list() -> Value {
    json!({
        "sockwarden.allow.get": "/info|/containers/json",
        "sockwarden.allow.post": "/containers/create|/services/create",
    })
}

fn with(mut labels: Value, more: &[(&str, &str)]) -> Value {
    for (key, value) in more {
        labels[key] = json!(value);
    }
    labels
}

fn compose(project: &'static str, service: &'static str) -> [(&'static str, &'static str); 2] {
    [("com.docker.compose.project", project), ("com.docker.compose.service", service)]
}

/// The usual neighbours, where `a` may list, and one more container that this one created.
fn with_child(creator: &str) -> World {
    let world = world("net");
    world.lock().containers.get_mut(&id("a")).unwrap().labels = may_list();
    let labels = json!({"sockwarden.creator": creator});
    world.container("7", "net", labels, &[("net", CHILD)]);
    world
}

impl Town {
    fn say(&self, action: &str, of: &str) {
        let event = json!({"Type": "container", "Action": action, "Actor": {"ID": of}});
        self.feed.send(event.to_string() + "\n");
    }

    /// What the child is told when it lists containers, on a connection of its own; nothing if it may.
    async fn told(&self) -> String {
        told(&mut self.client(CHILD, OURS)).await
    }

    /// What of this create reaches the engine.
    async fn created(&self, remote: &str, line: &str, body: &Value) -> Value {
        self.engine.forget();
        let mut client = self.client(remote, OURS);
        client.send(with_body(line, "application/json", &body.to_string())).await;
        let answer = client.answer().await;
        let sent = self.engine.requests();
        let sent = sent.iter().find(|request| request.method() == "POST");
        let sent = sent.unwrap_or_else(|| panic!("{remote}: {} {}", answer.status, answer.text()));
        serde_json::from_slice(&sent.body).unwrap()
    }
}

async fn told(client: &mut Client) -> String {
    client.send(get("GET /containers/json", &[])).await;
    let answer = client.answer().await;
    if answer.status == 200 { String::new() } else { answer.message() }
}

#[test]
fn what_is_created_says_who_created_it() {
    run(async {
        let world = with_child("name:a");
        let of_web = with(may_list(), &compose("web", "ci"));
        world.container("1", "net", of_web, &[("net", "10.9.0.11")]);
        // Its image says the same of everybody.
        let of_image = with(may_list(), &compose("of", "image"));
        world.container("2", "net", of_image, &[("net", "10.9.0.12")]);
        world.lock().image =
            json!({"com.docker.compose.project": "of", "com.docker.compose.service": "image"});
        let may_label = with(may_list(), &[("sockwarden.allow.labels", "true")]);
        world.container("3", "net", may_label, &[("net", "10.9.0.13")]);
        let town = Town::start(world).await;
        let create = "POST /containers/create";
        let own = json!({"Image": "x", "Labels": {"a": "b", "sockwarden.creator": "name:3"}});
        for (remote, creator) in [
            ("10.9.0.2", "name:a"),
            ("10.9.0.11", "service:web/ci"),
            ("10.9.0.12", "name:2"),
            ("10.9.0.13", "name:3"),
        ] {
            let sent = town.created(remote, create, &own).await;
            let labels = json!({"a": "b", "sockwarden.creator": creator});
            assert_eq!(sent["Labels"], labels, "{remote}");
        }
        let service = json!({"Name": "s", "TaskTemplate": {"ContainerSpec": {"Image": "x"}}});
        let sent = town.created("10.9.0.2", "POST /services/create", &service).await;
        let labels = json!({"sockwarden.creator": "name:a"});
        assert_eq!(sent["Labels"], labels);
        assert_eq!(sent["TaskTemplate"]["ContainerSpec"]["Labels"], labels);
        // Who may hand out rights sends what it likes.
        let sent = town.created("10.9.0.13", create, &json!({"Image": "x"})).await;
        assert_eq!(sent, json!({"Image": "x"}));
    });
}

#[test]
fn a_child_may_do_what_both_lists_allow() {
    run(async {
        let town = Town::start(with_child("name:a")).await;
        town.check(CHILD, OURS, ByDefault).await;
        let clients = town.registry.clients(|_| None).await.unwrap();
        let child = clients.iter().find(|client| client.name == "7").unwrap();
        assert!(child.rights.contains("than its creator may: name:a"), "{}", child.rights);
        for (creator, told) in [
            // It may do less than the default list allows.
            (
                "name:c",
                "was created by `c`, which may not do this either; the label `sockwarden.allow",
            ),
            ("name:a,name:c", "was created by `c`, which may not do this either"),
            // Its labels are wrong.
            ("name:e", "was created by `e`, whose labels are wrong"),
            (
                "name:x",
                "container `7` was created by `name:x`, which no longer exists, so it may do nothing; create it again outside the proxy, without the label `sockwarden.creator`",
            ),
            ("name:a,name:x", "`name:x`, which no longer exists"),
            ("service:web/ci", "`service:web/ci`, which no longer exists"),
            ("user:0", "which is not in allowfrom"),
            ("", "cannot be read"),
            ("entry:a", "cannot be read"),
            // A child is nobody's creator.
            ("name:7", "`name:7`, which no longer exists"),
        ] {
            let town = Town::start(with_child(creator)).await;
            let said = town.told().await;
            assert!(said.contains(told), "{creator}: {said}");
            town.check(CHILD, OURS, Refused).await;
        }
        // The default list decides of these as well, and everybody is in its `-allowfrom`.
        for creator in ["name:b", "name:a,name:b", "address:192.0.2.7", "address:192.0.2.7,name:a"]
        {
            let town = Town::start(with_child(creator)).await;
            town.check(CHILD, OURS, ByDefault).await;
        }
    });
}

/// Labels of its own do not set a container free: whatever the engine says of its image now, they may have come from there.
#[test]
fn labels_of_its_own_only_limit() {
    run(async {
        let world = with_child("name:x");
        let by = |creator: &str| with(may_list(), &[("sockwarden.creator", creator)]);
        world.container("8", "net", by("name:a"), &[("net", "10.9.0.8")]);
        world.container("6", "net", by("name:x"), &[("net", "10.9.0.6")]);
        let less = json!({"sockwarden.allow.get": "/info", "sockwarden.creator": "name:a"});
        world.container("5", "net", less, &[("net", "10.9.0.5")]);
        let town = Town::start(world).await;
        assert_eq!(told(&mut town.client("10.9.0.8", OURS)).await, "");
        let create = town.created("10.9.0.8", "POST /containers/create", &json!({})).await;
        assert_eq!(create["Labels"]["sockwarden.creator"], "name:a,name:8");
        let said = told(&mut town.client("10.9.0.6", OURS)).await;
        assert!(said.contains("no longer exists"), "{said}");
        assert!(!told(&mut town.client("10.9.0.5", OURS)).await.is_empty());
        let clients = town.registry.clients(|_| None).await.unwrap();
        let labelled = clients.iter().find(|client| client.name == "8").unwrap();
        assert!(labelled.rights.ends_with("than its creator may: name:a"), "{}", labelled.rights);
    });
}

/// What the classic builder makes for a step has the labels of the Dockerfile, which its image lacks. It has no rights, neither while it is built nor
/// if somebody starts it later; nor does it stand for anybody.
#[test]
fn a_step_of_a_build_has_no_rights() {
    run(async {
        let world = with_child("service:web/ci");
        let step = |digit: &str, address: &'static str, labels: Value| {
            world.container(digit, "net", labels, &[("net", address)]);
            world.lock().containers.get_mut(&id(digit)).unwrap().is_step = true;
        };
        step("8", "10.9.0.8", with(may_list(), &compose("web", "ci")));
        step("6", "10.9.0.6", json!({}));
        step("5", "10.9.0.5", with(may_list(), &[("sockwarden.creator", "name:a")]));
        step("4", "10.9.0.4", may_list());
        world.lock().containers.get_mut(&id("4")).unwrap().image = "none";
        let town = Town::start(world).await;
        for remote in ["10.9.0.8", "10.9.0.6", "10.9.0.5", "10.9.0.4"] {
            let said = told(&mut town.client(remote, OURS)).await;
            assert!(said.contains("is what a build makes for one of its steps"), "{said}");
            assert!(said.contains("create it again by its image's name"), "{said}");
            town.check(remote, OURS, Refused).await;
        }
        // It says that it is the service that created the child.
        assert!(town.told().await.contains("`service:web/ci`, which no longer exists"));
        let clients = town.registry.clients(|_| None).await.unwrap();
        let step = clients.iter().find(|client| client.name == "8").unwrap();
        assert_eq!(step.rights, "nothing, because a build made it for one of its steps");
        assert!(step.warnings.is_empty());
        // Nobody's name is protected because of what a Dockerfile says.
        let service = json!({"Image": "x", "Labels": with(json!({}), &compose("web", "db"))});
        town.created("10.9.0.2", "POST /containers/create", &service).await;

        // A container that somebody made by an image's id is none, nor is one without a log.
        for (image, driver) in [("sha256:1", "json-file"), ("x", "none")] {
            let world = with_child("name:a");
            {
                let mut state = world.lock();
                let child = state.containers.get_mut(&id("7")).unwrap();
                (child.image, child.driver) = (image, driver);
            }
            let town = Town::start(world).await;
            assert_eq!(town.told().await, "", "{image} {driver}");
        }
    });
}

/// A label of the image limits too, and gives nothing. A commit of a container copies it there.
#[test]
fn an_image_limits_as_well() {
    run(async {
        let world = with_child("name:x");
        world.lock().image = json!({"sockwarden.creator": "name:x"});
        let town = Town::start(world).await;
        assert!(town.told().await.contains("no longer exists"));

        // Of one that may do much: who is from such an image may still do no more than without it, nor does what it creates.
        let world = with_child("name:2");
        world.lock().image = json!({"sockwarden.creator": "name:2"});
        let much = json!({"sockwarden.allow.get": ".*", "sockwarden.allow.post": ".*"});
        world.container("2", "net", much, &[("net", "10.9.0.12")]);
        let little = json!({
            "sockwarden.allow.get": "/info",
            "sockwarden.allow.post": "/containers/create",
            "sockwarden.creator": "name:2",
        });
        world.container("8", "net", little, &[("net", "10.9.0.8")]);
        let town = Town::start(world).await;
        town.check(CHILD, OURS, ByDefault).await;
        assert!(!told(&mut town.client("10.9.0.8", OURS)).await.is_empty());
        let create = town.created("10.9.0.8", "POST /containers/create", &json!({})).await;
        assert_eq!(create["Labels"]["sockwarden.creator"], "name:2,name:8");
    });
}

#[test]
fn a_child_loses_what_its_creator_loses() {
    run(async {
        let named_a = format!("a{}", "0".repeat(63));
        let replace = |town: &Town, labels: Option<Value>| {
            let mut state = town.world.lock();
            state.containers.remove(&id("a"));
            if let Some(labels) = labels {
                let container =
                    Container { labels, mode: "net".to_owned(), ..Container::default() };
                state.containers.insert(named_a.clone(), container);
            }
        };
        let less = || json!({"sockwarden.allow.get": "/info"});

        // Removed: what is open ends, and for a while the next connection may do what it could. `identity/tests/grace.rs` waits for the end of that.
        let town = Town::start(with_child("name:a")).await;
        let mut open = town.client(CHILD, OURS);
        assert_eq!(told(&mut open).await, "");
        town.say("die", &id("a"));
        assert_eq!(town.told().await, "", "a creator that was stopped is still there");
        assert_eq!(told(&mut open).await, "");
        replace(&town, None);
        town.say("destroy", &id("a"));
        open.rest().await;
        assert_eq!(town.told().await, "");
        // Another one that takes its place then is who counts.
        replace(&town, Some(less()));
        assert!(town.told().await.contains("was created by `a`, which may not do this either"));

        // The same where no event told of it: a new connection is judged by what the engine says now.
        let town = Town::start(with_child("name:a")).await;
        assert_eq!(town.told().await, "");
        replace(&town, None);
        assert_eq!(town.told().await, "");

        // Another one in its place that may do less, or as much.
        for (labels, may) in
            [(less(), false), (json!({"sockwarden.allow.gte": "x"}), false), (may_list(), true)]
        {
            let town = Town::start(with_child("name:a")).await;
            assert_eq!(town.told().await, "");
            replace(&town, Some(labels));
            assert_eq!(town.told().await.is_empty(), may);
        }

        // A second one of the same name for Compose: an open connection may do only what both may.
        let world = with_child("service:web/ci");
        world.lock().containers.get_mut(&id("a")).unwrap().labels =
            with(may_list(), &compose("web", "ci"));
        let town = Town::start(world).await;
        let mut open = town.client(CHILD, OURS);
        assert_eq!(told(&mut open).await, "");
        town.world.container("9", "net", with(less(), &compose("web", "ci")), &[]);
        town.say("create", &id("9"));
        crate::support::eventually("the second one counts", async || {
            told(&mut open).await.contains("was created by `9`, which may not do this either")
        })
        .await;
    });
}

/// A creator that gets another name is no longer who stands in the label, and who gets its name is.
#[test]
fn a_name_leads_to_who_has_it() {
    run(async {
        let town = Town::start(with_child("name:a")).await;
        let mut open = town.client(CHILD, OURS);
        assert_eq!(told(&mut open).await, "");
        town.world.lock().containers.get_mut(&id("a")).unwrap().name = "old".to_owned();
        town.say("rename", &id("a"));
        open.rest().await;
        assert!(town.told().await.contains("no longer exists"));
        town.world.lock().containers.get_mut(&id("c")).unwrap().name = "a".to_owned();
        town.say("rename", &id("c"));
        crate::support::eventually("the new one counts", async || {
            town.told().await.contains("was created by `a`, which may not do this either")
        })
        .await;
    });
}

/// What a client creates after it was renamed says its new name, also on a connection that was open before.
#[test]
fn a_renamed_client_is_written_by_its_new_name() {
    run(async {
        let town = Town::start(with_child("name:a")).await;
        let mut open = town.client("10.9.0.2", OURS);
        assert_eq!(told(&mut open).await, "");
        town.world.lock().containers.get_mut(&id("a")).unwrap().name = "new".to_owned();
        town.say("rename", &id("a"));
        crate::support::eventually("the new name is written", async || {
            open.send(with_body("POST /containers/create", "application/json", "{}")).await;
            assert_eq!(open.answer().await.status, 201);
            let sent = town.engine.requests();
            sent.iter().any(|request| String::from_utf8_lossy(&request.body).contains("name:new"))
        })
        .await;
    });
}

/// Nobody takes the name of a creator, nor its service's.
#[test]
fn names_of_creators_are_protected() {
    run(async {
        let world = with_child("name:gone");
        let of_web = with(may_list(), &compose("web", "ci"));
        world.container("1", "net", of_web, &[("net", "10.9.0.11")]);
        let town = Town::start(world).await;
        let refused = async |remote: &str, line: &str, labels: Value| {
            let mut client = town.client(remote, OURS);
            let body = json!({"Image": "x", "Labels": labels}).to_string();
            client.send(with_body(line, "application/json", &body)).await;
            let answer = client.answer().await;
            if answer.status < 400 { String::new() } else { answer.message() }
        };
        let create = "POST /containers/create";
        let said = refused("10.9.0.2", "POST /containers/create?name=gone", json!({})).await;
        assert!(said.contains("takes the name `gone`"), "{said}");
        let service = with(json!({}), &compose("web", "ci"));
        let said = refused("10.9.0.2", create, service.clone()).await;
        assert!(said.contains("the Compose service `ci`"), "{said}");
        // Its own, and one that nobody's rights depend on.
        assert_eq!(refused("10.9.0.11", create, service).await, "");
        let other = with(json!({}), &compose("web", "db"));
        assert_eq!(refused("10.9.0.2", create, other).await, "");
    });
}
